"""A PostgreSQL and a Valkey of our own for the benchmarks of jobs, gone when they end."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cli.embedded.place import place_for
from cli.embedded.postgres import EmbeddedPostgres
from cli.embedded.program import RunningServer
from cli.embedded.valkey import EmbeddedValkey
from db.migrate import migrate
from db.settings import DatabaseSettings


@contextmanager
def own_stack() -> Iterator[tuple[str, str]]:
    """Give the URLs of a migrated database and of an empty Valkey."""
    folder = Path(tempfile.mkdtemp(prefix="mr-bench-"))
    place = place_for(folder)
    postgres = EmbeddedPostgres(place)
    valkey = EmbeddedValkey(place)
    try:
        postgres.initialise()
        with (
            RunningServer(postgres.program(), folder / "postgres.log"),
            RunningServer(valkey.program(), folder / "valkey.log"),
        ):
            postgres.ensure_database()
            migrate(postgres.url(), DatabaseSettings(url=postgres.url()))
            yield postgres.url(), valkey.url()
    finally:
        place.remove()
        shutil.rmtree(folder, ignore_errors=True)
