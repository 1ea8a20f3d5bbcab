"""A PostgreSQL of one's own for the time of a run."""

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from cli.embedded.place import place_for
from cli.embedded.postgres import EmbeddedPostgres
from cli.embedded.program import RunningServer

SETTINGS = {
    "fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum": "off",
}  # fmt: skip


@contextmanager
def own_server(more: Mapping[str, str] | None = None) -> Iterator[EmbeddedPostgres]:
    """Start the embedded PostgreSQL, with `more` settings, in a folder that is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="mr-"))
    try:
        server = EmbeddedPostgres(place_for(folder), settings={**SETTINGS, **(more or {})})
        server.initialise()
        with RunningServer(server.program(), folder / "postgres.log"):
            yield server
    finally:
        place_for(folder).remove()
        shutil.rmtree(folder, ignore_errors=True)
