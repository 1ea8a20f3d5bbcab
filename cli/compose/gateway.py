"""A way into a stack's inner networks for as long as a drill takes.

They are internal: no port of theirs is published, and on macOS the machine cannot reach a
container's address.  A container of the stack's own image that is in both the outer and the inner
network hands connections on, from free ports of this machine's loopback address alone.
"""

import contextlib
import json
import socket
import time
from collections.abc import Mapping, Sequence
from typing import Any, Self

from cli.compose.container import Container
from cli.compose.docker import Docker, DockerFailed

LABEL = "millrace.drill.gateway"
START_LIMIT_S = 60.0
SILENT_S = 0.3
CONTROL = "/tmp/faults/control"  # noqa: S108 - in a container that is its own
HARDENED = (
    "--read-only", "--tmpfs", "/tmp:mode=1777", "--cap-drop", "ALL",  # noqa: S108 - as above
    "--security-opt", "no-new-privileges:true", "--memory", "256m",
)  # fmt: skip
# asks several URLs at once and writes one document a line, null where there was none
ASK = """
import concurrent.futures, json, sys, urllib.request
def ask(url):
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return json.load(answer)
    except (OSError, ValueError):
        return None
with concurrent.futures.ThreadPoolExecutor(8) as pool:
    for found in pool.map(ask, sys.argv[1:]):
        print(json.dumps(found))
"""


class Gateway:
    """Leads to `targets`, host and port by a name of ours; `address` says where from."""

    def __init__(
        self, docker: Docker, project: str, targets: Mapping[str, tuple[str, int]]
    ) -> None:
        self._docker = docker
        self._project = project
        self._targets = targets
        self._id = ""
        self._ports: dict[str, int] = {}

    def open(self, image: str, outer: str, inner: str) -> Self:
        """Start it, from the stack's image.  Raises DockerFailed."""
        self.remove_all()
        places = {
            name: (number, place)
            for number, (name, place) in enumerate(self._targets.items(), 5001)
        }
        published = [f"--publish=127.0.0.1::{number}" for number, _ in places.values()]
        proxies = [
            word
            for name, (number, (host, port)) in places.items()
            for word in ("--proxy", name, f"tcp:0.0.0.0:{number}", f"tcp:{host}:{port}")
        ]
        self._id = self._docker(
            "create", "--init", "--rm", "--label", f"{LABEL}={self._project}", "--network", outer,
            *published, *HARDENED, image, "python", "-m", "cli.faults", "--control", CONTROL,
            *proxies,
        ).strip()  # fmt: skip
        try:
            self._docker("network", "connect", inner, self._id)
            self._docker("start", self._id)
            ports = Container.of(self._docker.inspect([self._id])[0]).ports
            self._ports = {name: ports[f"{number}/tcp"][1] for name, (number, _) in places.items()}
            self._wait()
        except BaseException:
            self.close()
            raise
        return self

    def _wait(self) -> None:
        end = time.monotonic() + START_LIMIT_S
        while not all(_is_open(self.address(name)) for name in self._targets):
            if time.monotonic() > end:
                words = self._docker("logs", "--tail", "3", self._id).strip()
                raise DockerFailed(
                    f"The way into the stack's networks was not open within {START_LIMIT_S:.0f} s. "
                    f"{words}"
                )
            time.sleep(0.1)

    def address(self, name: str) -> tuple[str, int]:
        """Return where on this machine a target answers."""
        return "127.0.0.1", self._ports[name]

    def ask(self, urls: Sequence[str]) -> list[dict[str, Any] | None]:
        """Return what these URLs inside answer; None for who does not.  Raises DockerFailed."""
        if not urls:
            return []
        lines = self._docker("exec", self._id, "python", "-I", "-S", "-c", ASK, *urls).splitlines()
        return [json.loads(line) for line in lines]

    def remove_all(self) -> None:
        """Remove it, and what a drill that was killed has left of its own.  Raises DockerFailed."""
        wanted = f"label={LABEL}={self._project}"
        for one in self._docker("ps", "--all", "--quiet", "--filter", wanted).split():
            with contextlib.suppress(DockerFailed):  # --rm was faster
                self._docker("rm", "--force", one)

    def close(self) -> None:
        """Remove it; any number of times."""
        with contextlib.suppress(DockerFailed):
            self.remove_all()


def _is_open(address: tuple[str, int]) -> bool:
    """Tell whether a connection stays: what publishes the port lets one in, too, and drops it."""
    try:
        with socket.create_connection(address, 1.0) as connection:
            connection.settimeout(SILENT_S)
            return _is_silent(connection)
    except OSError:
        return False


def _is_silent(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) != b""
    except TimeoutError:  # none of the servers speaks first
        return True
