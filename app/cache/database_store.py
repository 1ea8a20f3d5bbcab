"""Answers in PostgreSQL: what is left of the cache while Redis is away."""

import base64
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

import psycopg

from app.cache.settings import CacheSettings
from app.cache.store import Entry, Found, Size, StoreUnavailable
from db.database import Database
from db.errors import DatabaseError
from db.pool import Connection
from query.merge import array_literal

PATIENCE_S = 2.0
COUNTS = """NOT EXISTS (
    SELECT FROM millrace.cache_invalidation i
     WHERE (i.table_name = '' OR i.table_name = ANY ({tables}))
       AND NOT pg_visible_in_snapshot(i.xid, {snapshot}))"""

# what was used in the last ten seconds is not noted again: a hit shall not cost a write
LOOK = f"""
SELECT encode(value, 'base64'), extract(epoch FROM clock_timestamp() - computed_at)::float8,
       hits, cost_s, last_used < clock_timestamp() - interval '10 s'
  FROM millrace.cache e
 WHERE key = $1 AND {COUNTS.format(tables="e.tables", snapshot="e.snapshot")}
"""
USED = "UPDATE millrace.cache SET last_used = clock_timestamp(), hits = hits + 1 WHERE key = $1"

LEAD = """
INSERT INTO millrace.cache_lease AS l (key, token, until)
VALUES ($1, $2, clock_timestamp() + make_interval(secs => $3::float8))
    ON CONFLICT (key) DO UPDATE SET token = excluded.token, until = excluded.until
 WHERE l.until < clock_timestamp() OR l.token = excluded.token
RETURNING 1
"""
RELEASE = "DELETE FROM millrace.cache_lease WHERE key = $1 AND token = $2"

# Asked before PUT, and not in it: it may wait for a lock, or a PostgreSQL that hangs.
NOW = "SELECT clock_timestamp()"
PUT = f"""
INSERT INTO millrace.cache AS e (key, value, tables, snapshot, computed_at, cost_s, size)
SELECT $1, decode($2, 'base64'), $3::text[], $4::pg_snapshot,
       $8::timestamptz - make_interval(secs => $5::float8), $6::float8, $7::int
 WHERE {COUNTS.format(tables="$3::text[]", snapshot="$4::pg_snapshot")}
    ON CONFLICT (key) DO UPDATE
   SET value = excluded.value, tables = excluded.tables, snapshot = excluded.snapshot,
       computed_at = excluded.computed_at, last_used = clock_timestamp(), hits = 0,
       cost_s = excluded.cost_s, size = excluded.size
 WHERE excluded.computed_at >= e.computed_at
RETURNING 1
"""
MAKE_ROOM = """
DELETE FROM millrace.cache WHERE key IN (
    SELECT key FROM (
        SELECT key, computed_at, sum(size::int8) OVER (ORDER BY last_used DESC, key) AS running
          FROM millrace.cache) AS x
     WHERE running > $1::int8
        OR computed_at < clock_timestamp() - make_interval(secs => $2::float8))
"""
OLD_LEASES = (
    "DELETE FROM millrace.cache_lease WHERE until < clock_timestamp() - interval '1 minute'"
)

INVALIDATE = """
INSERT INTO millrace.cache_invalidation (table_name)
SELECT name FROM unnest($1::text[]) AS name ORDER BY name
    ON CONFLICT (table_name) DO UPDATE SET xid = excluded.xid
"""
NOTE_MISSED = """
INSERT INTO millrace.cache_missed_by_redis (at) VALUES (clock_timestamp())
    ON CONFLICT (only_row) DO UPDATE SET at = excluded.at
"""
MISSED = "SELECT at FROM millrace.cache_missed_by_redis"
# not one that was noted since it was read
FORGET_MISSED = "DELETE FROM millrace.cache_missed_by_redis WHERE at = $1::timestamptz"


class DatabaseStore:
    """The store that is used while Redis is away; see Store.

    What an invalidation makes void is told by the snapshot alone that an answer was computed in:
    so it is exact also for answers that were computed while Redis was still there.
    """

    name: Literal["redis", "database"] = "database"

    def __init__(
        self,
        database: Database,
        settings: CacheSettings,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._settings = settings
        self._monotonic = monotonic

    def enter(self, key: str, *, oldest_s: float, token: str = "", request: str = "") -> Found:  # noqa: ARG002
        """Look `key` up.  Which requests are hot is not counted here.  See Store."""
        with self._connection() as connection:
            row = connection.execute(LOOK, [key]).fetchone()
            value, age_s, hits, cost_s = None, 0.0, 0, 0.0
            if row is not None:
                value = base64.b64decode(row[0] or "")
                age_s, hits, cost_s = float(row[1] or 0), int(row[2] or 0), float(row[3] or 0)
                if age_s <= oldest_s:
                    if row[4] == "t":
                        connection.execute(USED, [key])
                    return Found("hit", value, max(0.0, age_s), hits, cost_s, "")
            if not token:
                return Found("miss", value, age_s, hits, cost_s, "")
            lease = [key, token, str(self._settings.cache_lease_s)]
            leads = connection.execute(LEAD, lease).fetchone() is not None
        return Found("lead" if leads else "wait", value, age_s, hits, cost_s, "")

    def put(self, entry: Entry) -> bool:
        """Keep an answer, and make room for it.  See Store."""
        size = len(entry.value) + len(entry.key) + 256
        value, tables = base64.b64encode(entry.value).decode(), array_literal(list(entry.tables))
        kept_s = max(self._settings.cache_stale_s, self._settings.cache_ttl_s)
        with self._connection() as connection:
            row = connection.execute(NOW).fetchone()
            age_s = self._monotonic() - entry.computed_at
            values = [
                entry.key, value, tables, entry.snapshot, str(age_s), str(entry.cost_s), str(size),
                row[0] if row else None,
            ]  # fmt: skip
            stored = connection.execute(PUT, values).fetchone() is not None
            if stored:
                most = [str(self._settings.cache_database_max_bytes), str(kept_s)]
                connection.execute(MAKE_ROOM, most)
                connection.execute(OLD_LEASES)
        return stored

    def renew(self, key: str, token: str) -> None:
        """Go on leading."""
        with self._connection() as connection:
            connection.execute(LEAD, [key, token, str(self._settings.cache_lease_s)])

    def release(self, key: str, token: str) -> None:
        """Lead no more."""
        with self._connection() as connection:
            connection.execute(RELEASE, [key, token])

    def invalidate(self, tables: tuple[str, ...] | None) -> None:
        """Let nothing count that was computed from one of the tables before now; None: at all."""
        names = [""] if tables is None else list(dict.fromkeys(tables))
        if names:
            with self._connection() as connection:
                connection.execute(INVALIDATE, [array_literal(names)])

    def note_missed(self) -> None:
        """Remember that Redis was away when something was invalidated."""
        with self._connection() as connection:
            connection.execute(NOTE_MISSED)

    def missed(self) -> str | None:
        """Return the mark that something was invalidated while Redis was away, None for none."""
        with self._connection() as connection:
            row = connection.execute(MISSED).fetchone()
        return row[0] if row else None

    def forget_missed(self, mark: str) -> None:
        """Remove this mark: Redis was told."""
        with self._connection() as connection:
            connection.execute(FORGET_MISSED, [mark])

    def size(self) -> Size:
        """Return how many entries there are, and their bytes."""
        with self._connection() as connection:
            row = connection.execute(
                "SELECT count(*), coalesce(sum(size), 0) FROM millrace.cache"
            ).fetchone()
        return Size(int(row[0] or 0), int(row[1] or 0)) if row else Size(0, 0)

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        try:
            with self._database.connection() as connection:
                connection.patience_s = PATIENCE_S  # a cache that answers late is none
                yield connection
        except (DatabaseError, psycopg.Error) as error:
            raise StoreUnavailable(str(error)) from error
