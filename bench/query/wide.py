"""A wide table of page views: that of bench/clickbench, and further columns to 105 in all.

Real tables of events are so: a query reads a handful of columns, and a store by rows all of them.
"""

import time
from collections.abc import Iterator
from pathlib import Path

from bench.queries.side_by_side import read_queries
from bench.query.acceleration import remove
from bench.query.stack import Stack

CLICKBENCH = Path(__file__).resolve().parent.parent / "clickbench"
COLUMNS = 105
_KEY = "watch_id, event_time, user_id, client_ip"
_COUNT = """SELECT count(*) FROM pg_attribute
 WHERE attrelid = 'narrow'::regclass AND attnum > 0 AND NOT attisdropped"""
_REQUIRED = """SELECT attname FROM pg_attribute
 WHERE attrelid = 'narrow'::regclass AND attnum > 0 AND attnotnull"""
_ROWS = "SELECT obj_description(to_regclass('hits'), 'pg_class')"


def load(stack: Stack, rows: int) -> float:
    """Fill the table unless it has been with so many rows; return the seconds."""
    mark = f"{rows} page views"
    began = time.perf_counter()
    with stack.connect() as connection:
        if connection.execute(_ROWS).fetchone() == (mark,):
            return 0.0
        is_there = connection.execute(b"SELECT to_regclass('hits') IS NOT NULL").fetchone()
        if is_there == (True,):
            remove(stack, ["hits"])
        values = {"rows": str(rows), "seed": "1"}
        for _, statement in read_queries(CLICKBENCH / "table.sql", **values):
            if statement.startswith(("DROP", "CREATE", "INSERT")):
                connection.execute(statement.encode())
        connection.execute(b"ALTER TABLE hits RENAME TO narrow")
        counted = connection.execute(_COUNT).fetchone()
        more = ", ".join(_further(COLUMNS - int(str((counted or (0,))[0]))))
        required = [str(name) for (name,) in connection.execute(_REQUIRED)]
        connection.execute(f"CREATE TABLE hits AS SELECT narrow.*, {more} FROM narrow".encode())
        connection.execute(b"DROP TABLE narrow")
        changes = ", ".join(f"ALTER {name} SET NOT NULL" for name in required)
        connection.execute(f"ALTER TABLE hits {changes}, ADD PRIMARY KEY ({_KEY})".encode())
        connection.execute(b"VACUUM (ANALYZE) hits")
        connection.execute(f"COMMENT ON TABLE hits IS '{mark}'".encode())
    return time.perf_counter() - began


def queries() -> list[tuple[str, str]]:
    """Return the queries, named H1 and so on."""
    return [(f"H{name}", sql) for name, sql in read_queries(CLICKBENCH / "queries.sql")]


def _further(count: int) -> Iterator[str]:
    """Yield expressions of columns: flags, small and large numbers, and a few texts and times."""
    for number in range(count):
        mixed = f"(watch_id * {2 * number + 3} >> {number % 17})"
        if number % 16 == 15:
            yield f"'value ' || {mixed} % {100 + number} AS text_{number}"
        elif number % 16 == 7:
            yield f"event_time + {mixed} % 1000 * interval '1 second' AS time_{number}"
        elif number % 4 == 0:
            yield f"({mixed} % 2)::smallint AS flag_{number}"
        else:
            yield f"({mixed} % {10 ** (1 + number % 6)})::int AS number_{number}"
