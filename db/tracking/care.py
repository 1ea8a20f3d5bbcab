"""How the keepers of a table's segments share its care, and know how much it is asked for."""

from collections.abc import Mapping
from dataclasses import dataclass

from db.pool import Connection
from db.tracking.tracked_table import TrackedTable, tracked_tables

_CARE = """SELECT a.relation, extract(epoch FROM now() - coalesce(c.asked_at, a.since)),
       coalesce(c.failures, 0), greatest(0, extract(epoch FROM
           coalesce(nullif(c.retry_at, '-infinity'), now()) - now())),
       (EXISTS (SELECT FROM millrace.buckets b WHERE b.accelerated = a.id AND b.is_current
                   AND NOT EXISTS (SELECT FROM millrace.segments s
                                    WHERE s.bucket = b.id AND s.state = 'ready')))::int
  FROM millrace.accelerated_tables a LEFT JOIN millrace.table_care c ON c.accelerated = a.id"""
_SEE_TO = """INSERT INTO millrace.table_care AS c (accelerated, seen_to_until)
SELECT id, now() + make_interval(secs => $2::float8) FROM millrace.accelerated_tables
 WHERE id = $1::int
ON CONFLICT (accelerated) DO UPDATE SET seen_to_until = excluded.seen_to_until
 WHERE c.seen_to_until <= now() RETURNING 1"""
_SEE_ON = """UPDATE millrace.table_care
   SET seen_to_until = now() + make_interval(secs => $2::float8) WHERE accelerated = $1::int"""
_FAILED = """INSERT INTO millrace.table_care AS c (accelerated, failures, cause, problem, retry_at)
SELECT id, 1, $2, $3, now() + make_interval(secs => $4::float8) FROM millrace.accelerated_tables
 WHERE id = $1::int
ON CONFLICT (accelerated) DO UPDATE SET failures = c.failures + 1, cause = excluded.cause,
       problem = excluded.problem, retry_at = excluded.retry_at"""
_WENT_WELL = """UPDATE millrace.table_care SET failures = 0, cause = NULL, problem = NULL,
       retry_at = '-infinity' WHERE accelerated = $1::int AND failures > 0"""
_ASKED = """INSERT INTO millrace.table_care AS c (accelerated, asked_at, asked, answered)
SELECT a.id, now(), u.asked, u.answered
  FROM unnest($1::oid[], $2::bigint[], $3::bigint[]) AS u (relation, asked, answered)
  JOIN millrace.accelerated_tables a ON a.relation = u.relation ORDER BY a.id
ON CONFLICT (accelerated) DO UPDATE SET asked_at = excluded.asked_at,
       asked = c.asked + excluded.asked, answered = c.answered + excluded.answered"""


@dataclass(frozen=True)
class Care:
    """A table, for how long nobody asked for it, and in how long a build may be tried again.

    `lacks_copies`: some of its buckets have none.
    """

    table: TrackedTable
    idle_s: float
    failures: int
    retry_in_s: float
    lacks_copies: bool


def tables_in_care(connection: Connection) -> list[Care]:
    """Return all accelerated tables, those first that were asked for last."""
    facts = {str(row[0]): row for row in connection.execute(_CARE)}
    found = []
    for table in tracked_tables(connection):
        row = facts.get(str(table.oid))
        if row is not None:
            _, idle_s, failures, retry_in_s, lacks = (str(value) for value in row)
            found.append(Care(table, float(idle_s), int(failures), float(retry_in_s), lacks == "1"))
    return sorted(found, key=lambda care: care.idle_s)


def see_to(connection: Connection, accelerated: int, for_s: float) -> bool:
    """Take it on to see to a table for so long; whether nobody else has."""
    return connection.execute(_SEE_TO, [str(accelerated), str(for_s)]).fetchone() is not None


def see_on(connection: Connection, accelerated: int, for_s: float) -> None:
    """Go on to see to a table for so long from now."""
    connection.execute(_SEE_ON, [str(accelerated), str(for_s)])


def build_failed(
    connection: Connection, accelerated: int, cause: str, problem: str, wait_s: float
) -> None:
    """Note that a build failed; nobody tries again before `wait_s` are over."""
    connection.execute(_FAILED, [str(accelerated), cause, problem, str(wait_s)])


def build_went_well(connection: Connection, accelerated: int) -> None:
    """Forget the failures before."""
    connection.execute(_WENT_WELL, [str(accelerated)])


def add_asked(connection: Connection, counts: Mapping[int, tuple[int, int]]) -> None:
    """Count queries by table's oid: all of them, and those that segments helped to answer."""
    columns = zip(*((oid, *both) for oid, both in counts.items()), strict=True)
    arrays = ["{" + ",".join(map(str, column)) + "}" for column in columns]
    if arrays:
        connection.execute(_ASKED, arrays)
