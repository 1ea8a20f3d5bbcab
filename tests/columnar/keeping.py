"""Looks after the segments of all tables, again and again: a process that may be killed."""

import random
import sys
from pathlib import Path

import psycopg

from db.errors import DatabaseError
from db.tracking.tracked_table import tracked_tables
from segments.clean_up import clean_up
from segments.errors import SegmentError
from segments.folder import SegmentFolder
from segments.keeper import Keeper
from tests.columnar.world import Stand
from worker.keeping.file_formats import file_format

MB = 1024**2


def main(url: str, root: str) -> None:
    """Keep until the process is ended."""
    stand = Stand(url, Path(root))
    settings = stand.segments
    folder = SegmentFolder(stand.folder, settings.max_mb * MB)
    with stand.databases("keeper") as (owner, reader):
        keeper = Keeper(owner, reader, folder, settings, file_format("duckdb"))
        print("at work", flush=True)
        while True:
            with owner.connection() as connection:
                tables = tracked_tables(connection)
            random.shuffle(tables)
            for table in tables:
                try:
                    keeper.keep(table)
                except (SegmentError, DatabaseError, psycopg.Error) as error:
                    # a writer's lock, say; the next pass goes on
                    print(f"{table.name}: {type(error).__name__}: {error}", file=sys.stderr)
            clean_up(owner, folder, settings)


if __name__ == "__main__":
    main(*sys.argv[1:])
