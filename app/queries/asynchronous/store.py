"""Keeps asynchronous queries in PostgreSQL; every change of a state is one statement."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from app.queries.asynchronous.errors import KeyReused, TooManyQueued
from app.queries.asynchronous.record import AsyncQuery, State, request_text
from app.queries.control import Control
from app.queries.request import QueryInput
from db.database import Database
from db.notices import CHANNEL
from db.pool import Row
from telemetry.carrier import outgoing

COLUMNS = """id, request, state, attempts, fragments_done, fragments_total, row_count, problem,
    to_json(created_at) #>> '{}', to_json(started_at) #>> '{}', to_json(finished_at) #>> '{}',
    to_json(expires_at) #>> '{}', origin"""

# `changed` are the rows of a statement; telling of them is part of its transaction
TELL = f"""SELECT id, pg_notify('{CHANNEL}', json_build_object('changed', id, 'state', state)::text)
    FROM changed"""
INSERT = f"""WITH changed AS (
    INSERT INTO async_queries (id, request, digest, idempotency_key, origin)
    SELECT $1, $2::json, $3, $4, $6::json
     WHERE (SELECT count(*) FROM async_queries WHERE state = 'queued') < $5::int
    ON CONFLICT (idempotency_key) DO NOTHING RETURNING id, state) {TELL}"""
BY_KEY = "SELECT id, digest FROM async_queries WHERE idempotency_key = $1"
FIND = f"SELECT {COLUMNS} FROM async_queries WHERE id = $1"
RESULT = "SELECT encode(result, 'base64') FROM async_queries WHERE id = $1 AND state = 'done'"
DUE = """state = 'queued' AND (lease_until IS NULL OR lease_until < now())
    OR state = 'running' AND lease_until < now()"""
ANY_DUE = f"SELECT EXISTS (SELECT FROM async_queries WHERE {DUE})"
CLAIM = f"""UPDATE async_queries
    SET state = 'running', owner = $1, attempts = attempts + 1, fragments_done = 0,
        fragments_total = 0, lease_until = now() + make_interval(secs => $2::float8),
        started_at = coalesce(started_at, now())
  WHERE id = (SELECT id FROM async_queries WHERE {DUE}
               ORDER BY created_at LIMIT 1 FOR UPDATE SKIP LOCKED)
  RETURNING {COLUMNS}"""
RENEW = """UPDATE async_queries
    SET lease_until = now() + make_interval(secs => $3::float8),
        fragments_done = $4::int, fragments_total = $5::int
  WHERE id = $1 AND owner = $2 AND state = 'running' RETURNING id"""
FINISH = f"""WITH changed AS (
    UPDATE async_queries SET state = $3, result = decode($4, 'base64'), row_count = $5::int8,
        problem = $6::json, owner = NULL, lease_until = NULL, finished_at = now(),
        fragments_done = CASE $3::text WHEN 'done' THEN fragments_total ELSE fragments_done END,
        expires_at = now() + make_interval(secs => $7::float8)
     WHERE id = $1 AND owner = $2 AND state = 'running' RETURNING id, state) {TELL}"""
RELEASE = f"""WITH changed AS (
    UPDATE async_queries SET state = 'queued', owner = NULL, attempts = attempts - $3::int,
        lease_until = now() + make_interval(secs => $4::float8)
     WHERE id = $1 AND owner = $2 AND state = 'running' RETURNING id, state) {TELL}"""
CANCEL = f"""WITH changed AS (
    UPDATE async_queries SET state = 'cancelled', owner = NULL, lease_until = NULL,
        finished_at = now(), expires_at = now() + make_interval(secs => $2::float8)
     WHERE id = $1 AND state IN ('queued', 'running') RETURNING id, state) {TELL}"""
DELETE = """DELETE FROM async_queries
  WHERE id = $1 AND state IN ('done', 'failed', 'cancelled') RETURNING id"""
SWEEP = "DELETE FROM async_queries WHERE expires_at < now() RETURNING id"


FREE_KEY = "UPDATE async_queries SET idempotency_key = NULL WHERE idempotency_key = $1"
# Before the ids of requests that came without a key; no key of a client has this character.
_SENT = "\x01"


class AsyncStore:
    """The table of asynchronous queries.  Every method raises db.errors when PostgreSQL is away.

    `ttl_s`: how long a finished query is kept.
    """

    def __init__(self, database: Database, *, ttl_s: float, max_queued: int) -> None:
        self._database = database
        self._ttl_s = ttl_s
        self._max_queued = max_queued

    def insert(self, query_id: str, query: QueryInput, key: str | None) -> str:
        """Keep a query under the id, and return it; or the id that the same key was used for.

        Once this returns, the query is not lost.  Raises KeyReused, TooManyQueued.
        """
        request = request_text(query)
        digest = hashlib.sha256(request.encode()).hexdigest()
        if key is not None and (known := self._same(key, digest)):
            return known
        origin = json.dumps(outgoing())
        values = [query_id, request, digest, key, str(self._max_queued), origin]
        if self._run(INSERT, values):
            return query_id
        # full, or the same key came a moment ago by another way
        if key is not None and (known := self._same(key, digest)):
            return known
        raise TooManyQueued

    def insert_sent(self, query_id: str, query: QueryInput, request_id: str, *, again: bool) -> str:
        """As `insert`, of a request without a key, so that it is kept once.

        `again`: another replica was sent the request and did not answer, and may have kept it.
        Else whoever used the same X-Request-ID before meant another request: many clients send one
        for all that they do.  Raises TooManyQueued.
        """
        key = _SENT + request_id
        if not again:
            with self._database.connection() as connection:
                connection.execute(FREE_KEY, [key])
        try:
            return self.insert(query_id, query, key)
        except KeyReused:
            return self.insert(query_id, query, None)

    def _same(self, key: str, digest: str) -> str | None:
        found = self._run(BY_KEY, [key])
        if not found:
            return None
        query_id, first_digest = found[0]
        if digest != first_digest:
            raise KeyReused
        return query_id

    def find(self, query_id: str) -> AsyncQuery | None:
        """Return the query; None if there is none, or no more."""
        rows = self._run(FIND, [query_id])
        return AsyncQuery.read(rows[0]) if rows else None

    def result(self, query_id: str) -> str | None:
        """Return the result of a query that is done, in base64."""
        rows = self._run(RESULT, [query_id])
        return rows[0][0] if rows else None

    def any_due(self) -> bool:
        """Tell whether there is a query that `claim` would return."""
        return self._run(ANY_DUE, []) == [("t",)]

    def claim(self, owner: str, lease_s: float) -> AsyncQuery | None:
        """Take the oldest query that nobody runs, or whose owner's lease has lapsed."""
        rows = self._run(CLAIM, [owner, str(lease_s)])
        return AsyncQuery.read(rows[0]) if rows else None

    def renew(self, query_id: str, owner: str, lease_s: float, control: Control) -> bool:
        """Prolong the lease and note the progress; False if the query is not the owner's."""
        progress = [str(control.fragments_done), str(control.fragments_total)]
        return bool(self._run(RENEW, [query_id, owner, str(lease_s), *progress]))

    def done(self, query_id: str, owner: str, result: str, row_count: int) -> bool:
        """Keep the result, in base64; False if the query is not the owner's any more."""
        return self._finish(query_id, owner, "done", result, str(row_count), None)

    def failed(self, query_id: str, owner: str, problem: Mapping[str, Any]) -> bool:
        """Keep why there is no result; False if the query is not the owner's any more."""
        return self._finish(query_id, owner, "failed", None, None, json.dumps(problem))

    def _finish(self, query_id: str, owner: str, state: State, *values: str | None) -> bool:
        return bool(self._run(FINISH, [query_id, owner, state, *values, str(self._ttl_s)]))

    def release(self, query_id: str, owner: str, *, pause_s: float, counts: bool) -> bool:
        """Let somebody else run it, after a pause; `counts`: this attempt was one."""
        refund = "0" if counts else "1"
        return bool(self._run(RELEASE, [query_id, owner, refund, str(pause_s)]))

    def cancel(self, query_id: str) -> State | None:
        """End one that is not finished: "cancelled"; else forget it: "done"; None: unknown.

        Whoever runs it is not told.
        """
        if self._run(CANCEL, [query_id, str(self._ttl_s)]):
            return "cancelled"
        return "done" if self._run(DELETE, [query_id]) else None

    def sweep(self) -> int:
        """Forget what has been kept for its time; return how many."""
        return len(self._run(SWEEP, []))

    def _run(self, sql: str, values: Sequence[str | None]) -> list[Row]:
        with self._database.connection() as connection:
            return connection.execute(sql.encode(), values).fetchall()
