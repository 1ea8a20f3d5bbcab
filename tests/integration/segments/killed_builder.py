"""Builds a segment, and kills itself at the point that it is told."""

import os
import signal
import sys
from pathlib import Path
from typing import Any

from db.own import own_database
from db.reader import reader_database
from db.settings import DatabaseSettings
from db.tracking.tracked_table import current_buckets, tracked_tables
from segments import builder, folder
from segments.settings import SegmentSettings
from worker.keeping.file_formats import file_format


def main(url: str, root: str, point: str) -> None:
    def die(*_: Any, **__: Any) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def publish_then_die(*given: Any) -> None:
        published(*given)
        die()

    names, files_names = vars(builder), vars(folder)
    published = names["publish"]
    if point == "registered":
        names["begin_checked"] = die
    elif point == "written":
        names["digest"] = die
    elif point == "renamed":
        files_names["_sync"] = lambda path: die() if path.is_dir() else None
    elif point == "unpublished":
        names["publish"] = die
    elif point == "published":
        names["publish"] = publish_then_die
    database = DatabaseSettings(url=url)
    with own_database(database, "test") as owner, reader_database(database, "test") as reader:
        with owner.connection() as connection:
            (table,) = tracked_tables(connection)
            (bucket,) = current_buckets(connection, table.id)
        settings = SegmentSettings(folder=Path(root))
        files = folder.SegmentFolder(Path(root), settings.max_mb * 1024**2)
        builder.Builder(owner, reader, files, settings, file_format("duckdb")).build(table, bucket)


if __name__ == "__main__":
    main(*sys.argv[1:])
