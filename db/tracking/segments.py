"""The list of segments: registered before they are read, published when they are on disk.

States go one way: building → ready → retired or broken.  A segment that was given up is never
taken up again, since the log may have been trimmed of what tells that it is out of date.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from db.pool import Connection, Row
from db.tracking.buckets import Bucket
from db.tracking.errors import NotTracked

_COLUMNS = """id, accelerated, bucket, state, file_name, row_count, byte_size,
    encode(sha256, 'hex'), statistics, left_out,
    extract(epoch FROM now() - coalesce(ended_at, ready_at, registered_at))"""
_REGISTER = """INSERT INTO millrace.segments (accelerated, bucket, ranks, file_name)
SELECT accelerated, id, int8range(lower_rank, upper_rank), $2 FROM millrace.buckets
 WHERE id = $1::bigint AND is_current RETURNING id"""
# In one statement: readers see the old copies or the new one.
_RETIRE = """UPDATE millrace.segments AS old SET state = 'retired', ended_at = now()
  FROM millrace.segments AS new
 WHERE new.id = $1::bigint AND old.accelerated = new.accelerated AND old.ranks && new.ranks
   AND old.state = 'ready' AND old.id <> new.id"""
_PUBLISH = """UPDATE millrace.segments SET state = 'ready', snapshot = $2::pg_snapshot,
       file_node = $3::oid, row_count = $4::bigint, byte_size = $5::bigint,
       sha256 = decode($6, 'hex'), statistics = $7::jsonb, left_out = $8::jsonb, ready_at = now()
 WHERE id = $1::bigint AND state = 'building' RETURNING id"""
_BREAK = """UPDATE millrace.segments SET state = 'broken', problem = $2, ended_at = now()
 WHERE id = $1::bigint AND state = 'ready' RETURNING id"""
_ABANDON = "DELETE FROM millrace.segments WHERE id = $1::bigint AND state = 'building'"
_OTHERS = """SELECT id, state, extract(epoch FROM now() - registered_at)
  FROM millrace.segments WHERE bucket = $1::bigint AND state IN ('building', 'ready')"""
# before the bucket, as those do who cut anew: in another order they might wait for each other
_LOCK_TABLE = """SELECT 1 FROM millrace.accelerated_tables
 WHERE id = (SELECT accelerated FROM millrace.buckets WHERE id = $1::bigint) FOR KEY SHARE"""
_LOCK_BUCKET = "SELECT 1 FROM millrace.buckets WHERE id = $1::bigint AND is_current FOR UPDATE"
_COPIES = """SELECT bucket, id, row_count, extract(epoch FROM now() - ready_at)
  FROM millrace.segments WHERE accelerated = $1::int AND state = 'ready'"""
_IS_FREE = "SELECT pg_try_advisory_xact_lock($1::int, $2::int)"
# "segments": with the id of a segment, the advisory lock of whoever builds it
BUILDING = 0x7365676D
_LARGEST_LOCK = 2**31
# by then whoever announced a segment has its lock, or is gone
ANNOUNCING_S = 20.0
_LIST = f"SELECT {_COLUMNS} FROM millrace.segments WHERE accelerated = $1::int ORDER BY id"
_BY_ID = f"SELECT {_COLUMNS} FROM millrace.segments WHERE id = ANY ($1::bigint[]) ORDER BY id"
_ALL = f"SELECT {_COLUMNS} FROM millrace.segments ORDER BY id"
_FORGET = """DELETE FROM millrace.segments
 WHERE id = ANY ($1::bigint[]) AND state IN ('retired', 'broken')"""


@dataclass(frozen=True)
class Contents:
    """What a file holds, and of which moment.

    `snapshot` is PostgreSQL's text of a pg_snapshot, `file_node` what the table lay in; sizes in
    bytes; `statistics` per column in it, `left_out` per column that is not: why.
    """

    snapshot: str
    file_node: int
    row_count: int
    byte_size: int
    sha256: str
    statistics: Mapping[str, Any]
    left_out: Mapping[str, str]


@dataclass(frozen=True)
class Copy:
    """What is known in short of a bucket's ready segment."""

    id: int
    row_count: int
    age_s: float


@dataclass(frozen=True)
class Segment:
    """A row of the list; what is in the file is None until it is ready.  `age_s`: in its state."""

    id: int
    accelerated: int
    bucket: int
    state: str
    file_name: str
    row_count: int | None
    byte_size: int | None
    sha256: str | None
    statistics: Mapping[str, Any] | None
    left_out: Mapping[str, str] | None
    age_s: float


def register(connection: Connection, bucket: Bucket, file_name: str) -> int:
    """Announce a copy of a bucket, before the snapshot is taken that it is read under.

    Trimming the log counts on that: it keeps what was not committed by now.  Raises NotTracked
    where the bucket was cut anew.
    """
    row = connection.execute(_REGISTER, [str(bucket.id), file_name]).fetchone()
    if row is None:
        raise NotTracked(f"Bucket {bucket.id} is none that changes are logged by.")
    return int(str(row[0]))


def claim(
    connection: Connection, bucket: Bucket, file_name: str, seen: int | None = None
) -> int | None:
    """Register a copy of a bucket unless that is somebody else's work; return its id or None.

    It is where another one is being built, and where there is a later one than the caller has
    `seen` (0: it has seen none; None: that is no matter).  What a dead builder announced of this
    bucket is forgotten.  Raises NotTracked.
    """
    with connection.transaction():
        identity = [str(bucket.id)]
        connection.execute(_LOCK_TABLE, identity)
        if connection.execute(_LOCK_BUCKET, identity).fetchone() is None:
            raise NotTracked(f"Bucket {bucket.id} is none that changes are logged by.")
        for number, state, age_s in connection.execute(_OTHERS, identity).fetchall():
            other = int(str(number))
            if state == "ready":
                if seen is not None and other > seen:
                    return None
            elif float(str(age_s)) < ANNOUNCING_S or is_being_built(connection, other):
                return None
            else:
                abandon(connection, other)
        return register(connection, bucket, file_name)


def building_lock(segment: int) -> list[str]:
    """Return the two numbers of the advisory lock of whoever builds a segment."""
    return [str(BUILDING), str(segment % _LARGEST_LOCK)]


def is_being_built(connection: Connection, segment: int) -> bool:
    """Tell whether somebody builds an announced segment; asked too early, it says no."""
    row = connection.execute(_IS_FREE, building_lock(segment)).fetchone()
    return row is not None and row[0] == "f"


def publish(connection: Connection, segment: int, contents: Contents) -> bool:
    """Have queries use a copy, and those that it overlaps no more; whether it was still wanted.

    The file must be on disk, whole and for good.
    """
    values = [
        str(segment), contents.snapshot, str(contents.file_node), str(contents.row_count),
        str(contents.byte_size), contents.sha256, json.dumps(contents.statistics),
        json.dumps(contents.left_out),
    ]  # fmt: skip
    with connection.transaction():
        try:
            with connection.transaction():
                connection.execute(_RETIRE, values[:1])
                return connection.execute(_PUBLISH, values).fetchone() is not None
        except psycopg.errors.ExclusionViolation:
            return False  # another copy of the range was published meanwhile


def mark_broken(connection: Connection, segment: int, problem: str) -> bool:
    """Have queries use a copy no more, since its file is damaged or gone; whether it was used."""
    return connection.execute(_BREAK, [str(segment), problem]).fetchone() is not None


def abandon(connection: Connection, segment: int) -> None:
    """Forget a copy that was never finished."""
    connection.execute(_ABANDON, [str(segment)])


def forget(connection: Connection, segments: Sequence[int]) -> None:
    """Forget copies that are used no more, after their files are gone."""
    connection.execute(_FORGET, ["{" + ",".join(map(str, segments)) + "}"])


def segments_of(connection: Connection, accelerated: int) -> list[Segment]:
    """Return all segments of a table, whatever their state."""
    return [_segment(row) for row in connection.execute(_LIST, [str(accelerated)])]


def copies_of(connection: Connection, accelerated: int) -> dict[int, Copy]:
    """Return the ready segments of a table, by bucket."""
    return {
        int(str(bucket)): Copy(int(str(number)), int(str(rows)), float(str(age_s)))
        for bucket, number, rows, age_s in connection.execute(_COPIES, [str(accelerated)])
    }


def all_segments(connection: Connection) -> list[Segment]:
    """Return all segments of all tables."""
    return [_segment(row) for row in connection.execute(_ALL)]


def segments_by_id(connection: Connection, segments: Sequence[int]) -> list[Segment]:
    """Return the segments with these ids, as far as there are such."""
    ids = "{" + ",".join(map(str, segments)) + "}"
    return [_segment(row) for row in connection.execute(_BY_ID, [ids])]


def _segment(row: Row) -> Segment:
    return Segment(
        int(str(row[0])), int(str(row[1])), int(str(row[2])), str(row[3]), str(row[4]),
        _number(row[5]), _number(row[6]), row[7], _json(row[8]), _json(row[9]),
        float(str(row[10])),
    )  # fmt: skip


def _number(value: str | None) -> int | None:
    return None if value is None else int(value)


def _json(value: str | None) -> Any:
    return None if value is None else json.loads(value)
