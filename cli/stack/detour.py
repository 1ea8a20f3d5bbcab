"""The detour of a stack that may be harmed: its programs reach both servers through proxies."""

import json
import socket
import sys
from pathlib import Path

from cli.embedded.postgres import EmbeddedPostgres
from cli.embedded.program import Program
from cli.embedded.valkey import EmbeddedValkey

# one letter: a socket's path may be some hundred bytes long, and the folder around is long already
FOLDER = "f"
POSTGRES_SOCKET = ".s.PGSQL.5432"  # libpq is given the folder, and expects this name in it
VALKEY_SOCKET = "valkey.sock"
PROBE_TIMEOUT_S = 2.0


class Detour:
    """The program `faults`, and the URLs that lead through its proxies."""

    def __init__(self, postgres: EmbeddedPostgres, valkey: EmbeddedValkey, programs: Path) -> None:
        """`programs`: the folder of our packages."""
        self._postgres = postgres
        self._valkey = valkey
        self._programs = programs
        self._folder = postgres.sockets / FOLDER
        self.control = self._folder / "control"

    @property
    def database_url(self) -> str:
        """PostgreSQL through its proxy."""
        return self._postgres.url(through=self._folder)

    @property
    def redis_url(self) -> str:
        """Valkey through its proxy."""
        return self._valkey.url(through=self._folder / VALKEY_SOCKET)

    def program(self) -> Program:
        """Return the program; it starts and ends with the servers, which the others outlast not."""
        server = self._postgres.sockets / POSTGRES_SOCKET
        argv = [sys.executable, "-m", "cli.faults", "--control", str(self.control)]
        argv += [
            "--proxy",
            "postgresql",
            f"unix:{self._folder / POSTGRES_SOCKET}",
            f"unix:{server}",
        ]
        argv += ["--proxy", "redis", f"unix:{self._folder / VALKEY_SOCKET}"]
        argv += [f"unix:{self._valkey.socket}"]
        return Program(
            "faults", argv, self._programs, None, self._answers,
            is_alive=self._answers, environment={"PYTHONUNBUFFERED": "1"},
            address=str(self.control), rank=1,
        )  # fmt: skip

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(PROBE_TIMEOUT_S)
            try:
                probe.connect(str(self.control))
                probe.sendall(json.dumps({"do": "count", "proxy": "redis"}).encode() + b"\n")
                return b"connections" in probe.recv(256)
            except OSError:
                return False
