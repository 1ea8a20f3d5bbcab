"""A PostgreSQL that streams from another one, and can take its place."""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import psycopg

from cli.embedded.place import Place, place_for
from cli.embedded.postgres import OWNER, EmbeddedPostgres
from cli.embedded.program import Program, RunningServer

SETTINGS = {"fsync": "off", "max_connections": "40", "wal_retrieve_retry_interval": "100"}


class StreamingPair:
    """A primary and its standby, each with a socket of its own; both run from the start."""

    def __init__(self) -> None:
        self.folders = [Path(tempfile.mkdtemp(prefix="mr-")) for _ in range(2)]
        self.places: list[Place] = [place_for(folder) for folder in self.folders]
        first, second = (EmbeddedPostgres(place, settings=SETTINGS) for place in self.places)
        self.servers = [first, second]
        first.initialise()
        self.running = [
            RunningServer(server.program(), folder / "postgres.log")
            for server, folder in zip(self.servers, self.folders, strict=True)
        ]
        self.running[0].start()
        argv = [str(first._bin / "pg_basebackup"), "-h", str(self.places[0].sockets), "-U", OWNER]
        argv += ["-D", str(second.data), "-R", "-c", "fast", "-X", "stream", "--no-sync"]
        place = self.places[1]
        copy = Program("pg_basebackup", argv, place.home, place.account, lambda: True)
        with copy.spawn(subprocess.PIPE) as process:
            output, _ = process.communicate(timeout=60)
        assert process.returncode == 0, output
        self.running[1].start()

    @property
    def url(self) -> str:
        """Both servers' addresses in one URL, the first one's first."""
        hosts = quote(",".join(str(place.sockets) for place in self.places), safe=",")
        return f"postgresql://{OWNER}@/postgres?host={hosts}"

    def url_of(self, number: int) -> str:
        """One server's address."""
        return self.servers[number].url("postgres")

    def promote(self) -> None:
        """Have the standby take writes, whether or not the primary lives."""
        with psycopg.connect(self.url_of(1), autocommit=True) as connection:
            assert connection.execute("SELECT pg_promote()").fetchone() == (True,)

    def end(self) -> None:
        """Stop both, and remove what they wrote."""
        for running in reversed(self.running):
            running.kill()
        for place, folder in zip(self.places, self.folders, strict=True):
            place.remove()
            shutil.rmtree(folder, ignore_errors=True)


def eventually(condition: Callable[[], object], limit_s: float = 30.0) -> None:
    """Wait until the condition holds."""
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.01)
