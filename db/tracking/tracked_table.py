"""A table whose changes are logged: found, and its buckets read and written."""

from collections.abc import Iterable
from dataclasses import dataclass

from psycopg import sql

from db.pool import Connection, Row
from db.tracking.buckets import Bucket, Cut, KeyRange
from db.tracking.errors import NotTracked
from db.tracking.keys import KeyType, key_type

_COLUMNS = "id, relation, schema_name, table_name, key_column, key_type, since"
_FIND = f"SELECT {_COLUMNS} FROM millrace.accelerated_tables WHERE relation = $1::oid"
_LIST = f"SELECT {_COLUMNS} FROM millrace.accelerated_tables ORDER BY schema_name, table_name"
_LOCK = _FIND + " FOR UPDATE"
_BUCKETS = """SELECT id, lower_key, lower_rank, upper_key, upper_rank FROM millrace.buckets
 WHERE accelerated = $1::int AND is_current ORDER BY lower_rank NULLS FIRST"""
_ADD_BUCKET = """INSERT INTO millrace.buckets
       (accelerated, lower_key, lower_rank, upper_key, upper_rank)
VALUES ($1::int, $2, $3::bigint, $4, $5::bigint) RETURNING id"""


@dataclass(frozen=True)
class TrackedTable:
    """An accelerated table.  `id` is never used again: installed anew, it has another one.

    `since` is when that was, as PostgreSQL writes it: where a backup was restored, an id may be.
    """

    id: int
    oid: int
    schema: str
    name: str
    key_column: str
    key: KeyType
    since: str = ""

    @property
    def identifier(self) -> sql.Identifier:
        """Its qualified name, as SQL says it."""
        return sql.Identifier(self.schema, self.name)


def tracked_table(connection: Connection, oid: int, *, lock: bool = False) -> TrackedTable:
    """Return the table with this oid; with `lock` nobody else cuts or removes it meanwhile.

    Raises NotTracked.
    """
    row = connection.execute(_LOCK if lock else _FIND, [str(oid)]).fetchone()
    if row is None:
        raise NotTracked(f"The table with oid {oid} is not accelerated.")
    return _table(row)


def tracked_tables(connection: Connection) -> list[TrackedTable]:
    """Return all accelerated tables, by name."""
    return [_table(row) for row in connection.execute(_LIST)]


def current_buckets(connection: Connection, accelerated: int) -> list[Bucket]:
    """Return the buckets that triggers log now, in order of their ranges."""
    rows = connection.execute(_BUCKETS, [str(accelerated)]).fetchall()
    return [
        Bucket(int(str(row[0])), KeyRange(_cut(row[1], row[2]), _cut(row[3], row[4])))
        for row in rows
    ]


def add_buckets(
    connection: Connection, accelerated: int, ranges: Iterable[KeyRange]
) -> list[Bucket]:
    """Write new buckets; return them with their ids."""
    added = []
    for one in ranges:
        bounds = [part for cut in (one.lower, one.upper) for part in _parts(cut)]
        row = connection.execute(_ADD_BUCKET, [str(accelerated), *bounds]).fetchone()
        added.append(Bucket(int(str(row and row[0])), one))
    return added


def _table(row: Row) -> TrackedTable:
    identity, oid, schema, name, column, kind, since = row
    return TrackedTable(
        int(str(identity)), int(str(oid)), str(schema), str(name), str(column),
        key_type(str(kind)), str(since),
    )  # fmt: skip


def _cut(key: str | None, rank: str | None) -> Cut | None:
    return None if key is None or rank is None else Cut(key, int(rank))


def _parts(cut: Cut | None) -> tuple[str | None, str | None]:
    return (None, None) if cut is None else (cut.key, str(cut.rank))
