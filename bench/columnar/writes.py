"""What tracking a table costs its writers, the clean check its readers, and a build its builder.

    python -m bench.columnar.writes [--rows 200000] [--statements 3000] [--buckets 100]

Two tables alike, of which one is tracked, are written to in turn; commits don't wait for the disk,
so that what remains is PostgreSQL's own work.  Prints medians.
"""

import argparse
import random
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg

from cli.embedded.place import place_for
from cli.embedded.postgres import EmbeddedPostgres
from cli.embedded.program import RunningServer
from db.migrate import migrate
from db.own import own_database
from db.reader import reader_database
from db.settings import DatabaseSettings
from db.tracking.clean_check import begin_checked
from db.tracking.installation import Installation
from db.tracking.trimming import tidy, trim
from segments.acceleration import accelerate
from segments.folder import SegmentFolder
from segments.keeper import Keeper
from segments.settings import SegmentSettings
from worker.keeping.file_formats import file_format

_TABLE = """CREATE TABLE {name} (id bigint PRIMARY KEY, account int, amount numeric(12,2),
    at timestamptz, label text, CHECK (amount >= 0))"""
_FILL = """INSERT INTO {name} SELECT n, n % 1000, n % 777, '2024-01-01 UTC'::timestamptz
    + n * interval '1 second', md5(n::text) FROM generate_series(1, {rows}) AS n"""
_TABLES = ("plain", "tracked")
Session = psycopg.Connection[Any]


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


class Writer:
    """Writes the same to both tables."""

    def __init__(self, session: Session, rows: int) -> None:
        self.session = session
        self.rows = rows
        self.next = dict.fromkeys(_TABLES, rows + 1)
        self.chance = random.Random(7)  # the same writes each time

    def insert(self, name: str, count: int = 1) -> None:
        """Insert `count` rows behind the greatest key."""
        first = self.next[name]
        self.next[name] += count
        self.session.execute(
            f"INSERT INTO {name} SELECT n, 1, 2, now(), 'new' FROM generate_series(%s::bigint, "
            "%s::bigint) AS n", [first, first + count - 1],
        )  # fmt: skip

    def update(self, name: str, count: int = 1) -> None:
        """Update `count` neighbours somewhere."""
        first = self.chance.randrange(1, self.rows - count)
        self.session.execute(
            f"UPDATE {name} SET amount = amount + 1 WHERE id >= %s AND id < %s",
            [first, first + count],
        )

    def copy(self, name: str, count: int) -> None:
        """Copy `count` rows in, behind the greatest key."""
        first = self.next[name]
        self.next[name] += count
        with self.session.cursor().copy(f"COPY {name} FROM STDIN") as copy:
            for n in range(first, first + count):
                copy.write_row((n, 1, 2, "2024-01-01 00:00:00+00", "copied"))


def compare(what: str, times: int, unit: str, work: Callable[[str], None]) -> None:
    taken: dict[str, list[float]] = {name: [] for name in _TABLES}
    for _ in range(times):
        for name in _TABLES:
            taken[name].append(timed(lambda name=name: work(name)))  # type: ignore[misc]
    plain, tracked = (statistics.median(taken[name]) for name in _TABLES)
    scale = 1e6 if unit == "µs" else 1e3
    print(
        f"{what:32} {plain * scale:10.1f} {unit} {tracked * scale:10.1f} {unit}"
        f"  x {tracked / plain:.3f}  (+{(tracked - plain) * scale:.1f} {unit})"
    )


def measure(url: str, folder: Path, rows: int, statements: int, buckets: int) -> None:
    with psycopg.connect(url, autocommit=True) as session:
        session.execute("SET synchronous_commit = off")
        for name in _TABLES:
            session.execute(_TABLE.format(name=name).encode())
            session.execute(_FILL.format(name=name, rows=rows).encode())
        session.execute("VACUUM ANALYZE")
        settings = DatabaseSettings(url=url)
        migrate(url, settings)
        with own_database(settings, "bench") as owner, reader_database(settings, "bench") as reader:
            kept = SegmentSettings(folder=folder, bucket_rows=max(1, rows // buckets))
            table = accelerate(owner, reader, Installation(), kept, ("public", "tracked"))
            files = SegmentFolder(folder, kept.max_mb * 1024**2)
            keeper = Keeper(owner, reader, files, kept, file_format("duckdb"))
            seconds = timed(lambda: keeper.keep(table))
            (heap,) = session.execute("SELECT pg_table_size('tracked')").fetchone() or (0,)
            print(
                f"build: {rows / seconds:,.0f} rows/s, {files.used_bytes() / rows:.1f} bytes a row "
                f"(heap: {heap / rows:.1f})"
            )

            def check() -> None:
                with reader.connection() as connection:
                    times = [
                        timed(lambda: begin_checked(connection, [(table.oid, "public", "tracked")]))
                        for _ in range(200)
                        if connection.execute("ROLLBACK")
                    ]
                print(f"check: {statistics.median(times) * 1e3:.2f} ms (with BEGIN and LOCK)")

            check()
            writer = Writer(session, rows)
            compare("insert, one row", statements, "µs", writer.insert)
            compare("update, one row", statements, "µs", writer.update)
            compare(
                "insert, 100 rows", statements // 20, "µs", lambda name: writer.insert(name, 100)
            )
            compare(
                "update, 1000 rows", statements // 50, "ms", lambda name: writer.update(name, 1000)
            )
            compare("COPY, 20000 rows", 10, "ms", lambda name: writer.copy(name, 20_000))
            check()
            with owner.connection() as connection:
                seconds = timed(lambda: trim(connection, table.oid))
                tidy(connection)
            print(f"trim: {seconds * 1e3:.1f} ms")
            check()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--statements", type=int, default=3000)
    parser.add_argument("--buckets", type=int, default=100)
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="mr-"))
    server = EmbeddedPostgres(place_for(folder))
    server.initialise()
    try:
        with RunningServer(server.program(), folder / "postgres.log"):
            server.ensure_database("bench")
            measure(
                server.url("bench"), folder / "segments", given.rows, given.statements,
                given.buckets,
            )  # fmt: skip
    finally:
        place_for(folder).remove()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
