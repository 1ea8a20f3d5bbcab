"""Which segments are as good as their tables, in the snapshot of the query that asks.

The tables are locked (ACCESS SHARE, as any query does) before the snapshot is taken: what is not
bound to snapshots in PostgreSQL (TRUNCATE, ALTER TABLE) is then over before it, or waits for the
end of the transaction.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from psycopg import sql

from db.pool import Connection
from db.questions import Rows, ask

BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_CHECK = """SELECT relation, problem, array_to_string(clean, ' '), array_to_string(dirty, ' ')
  FROM millrace_tracking.check_segments($1::oid[])"""


@dataclass(frozen=True)
class TableState:
    """What of a table may be read from segments.

    `problem` is one of db.tracking.breaks.PROBLEMS, and None where tracking is intact: then the
    segments `clean` hold exactly the rows of their ranges, and those of `dirty` do not.  `marks`:
    with what the SHA-256 of the files of clean ones begin, as far as that was asked for.
    """

    oid: int
    problem: str | None
    clean: frozenset[int]
    dirty: frozenset[int]
    marks: Mapping[int, str] = field(default_factory=dict)


def begin_checked(
    connection: Connection, tables: Sequence[tuple[int, str, str]]
) -> dict[int, TableState]:
    """Begin a transaction on `tables` (oid, schema, name); return what may be read, by oid.

    One round trip.  All that the caller reads until the transaction ends is of the same snapshot,
    which it may export.  Raises psycopg.Error, as a query of the tables would; the transaction has
    failed then.
    """
    lock = lock_statement([(schema, name) for _, schema, name in tables])
    oids = "{" + ",".join(str(oid) for oid, _, _ in tables) + "}"
    replies = ask(connection, Rows(BEGIN), Rows(lock), Rows(_CHECK, [oids]))
    states = [
        TableState(int(str(oid)), problem, _ids(clean), _ids(dirty))
        for oid, problem, clean, dirty in replies.rows[-1]
    ]
    return {state.oid: state for state in states}


def lock_statement(tables: Sequence[tuple[str, str]]) -> str:
    """Return the statement that locks tables (schema, name) as a query of them does."""
    names = sql.SQL(", ").join(sql.Identifier(*table) for table in tables)
    return sql.SQL("LOCK TABLE {} IN ACCESS SHARE MODE").format(names).as_string(None)


def check_expression(oids: Sequence[int]) -> str:
    """Return an expression that checks tables, for a SELECT; `read_states` reads its value."""
    return (
        "(SELECT json_agg(json_build_array(relation::int8, problem, clean, dirty, marks)) FROM "
        f"millrace_tracking.check_segments('{{{','.join(map(str, oids))}}}'))"
    )


def read_states(value: bytes | None) -> dict[int, TableState]:
    """Return what `check_expression` found, by the tables' oids."""
    return {
        oid: TableState(
            oid,
            problem,
            frozenset(clean or ()),
            frozenset(dirty or ()),
            dict(zip(clean or (), marks or (), strict=True)),
        )
        for oid, problem, clean, dirty, marks in json.loads(value or b"[]")
    }


def _ids(text: str | None) -> frozenset[int]:
    return frozenset(map(int, (text or "").split()))
