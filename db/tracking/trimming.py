"""Removes from the log what says nothing any more; docs/columnar.md says why nobody misses it.

Nothing here looks for snapshots that are still open: the deletion itself is a change that they do
not see, and they read the rows that are gone for others.
"""

from db.pool import Connection
from db.tracking.tracked_table import tracked_table

# What every copy that is used, or being made, has seen, as far as the change concerns it.  A copy
# that is being made will be of a later moment than it was registered at.
_SEEN = """DELETE FROM millrace.table_changes AS l
 WHERE l.accelerated = $1::int AND NOT EXISTS (
     SELECT FROM millrace.segments s LEFT JOIN millrace.buckets b ON b.id = l.bucket
      WHERE s.accelerated = l.accelerated AND s.state IN ('building', 'ready')
        AND (b.id IS NULL OR s.ranks && int8range(b.lower_rank, b.upper_rank))
        AND NOT pg_visible_in_snapshot(l.xid, coalesce(s.snapshot, s.registered)))"""
# Of the changes of a bucket that no copy has seen, the first says all; not while one is being made,
# which may turn out to have seen the first and not the others.
_REPEATED = """DELETE FROM millrace.table_changes AS l USING (
     SELECT c.ctid AS place, row_number() OVER (PARTITION BY c.bucket ORDER BY c.xid, c.ctid) AS n
       FROM millrace.table_changes c WHERE c.accelerated = $1::int AND c.xid >= (
            SELECT max(pg_snapshot_xmax(s.snapshot)) FROM millrace.segments s
             WHERE s.accelerated = $1::int AND s.state = 'ready')) AS unseen
 WHERE l.ctid = unseen.place AND unseen.n > 1 AND NOT EXISTS (
     SELECT FROM millrace.segments s WHERE s.accelerated = $1::int AND s.state = 'building')"""

# Tables that are small and change at once: until autovacuum comes round to them, the clean check
# would be planned for empty ones, and take twenty times as long.
_TIDY = """VACUUM (ANALYZE, SKIP_LOCKED)
    millrace.table_changes, millrace.segments, millrace.buckets"""


def trim(connection: Connection, oid: int) -> int:
    """Trim the log of a table; return how many rows went.  Raises NotTracked.

    Each statement decides and deletes in one snapshot of its own (READ COMMITTED).
    """
    with connection.transaction():
        table = tracked_table(connection, oid, lock=True)
        return sum(
            connection.execute(statement, [str(table.id)]).rowcount
            for statement in (_REPEATED, _SEEN)
        )


def tidy(connection: Connection) -> None:
    """Have PostgreSQL forget what was trimmed, and know what is there; in autocommit mode."""
    connection.execute(_TIDY)
