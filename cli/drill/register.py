"""A table of the drill's own: one version in all its rows, and one writer that raises it."""

import threading
from typing import Any

import psycopg
from psycopg import sql

from cli.drill.event import Outcome, Write
from cli.drill.history import History

TABLE = "millrace_drill"
ROWS = 400
EVERY_S = 0.5
CONNECT_LIMIT_S = 3

# some dozens of blocks, so that it can be cut; half of each empty, for the new versions of rows
_CREATE = """
CREATE TABLE {table} (id int PRIMARY KEY, version bigint NOT NULL, filler text NOT NULL)
    WITH (fillfactor = 40);
INSERT INTO {table} SELECT i, 0, repeat('x', 200) FROM generate_series(1, {rows}) AS i;
"""
# a statement that was cut off may still run, and must not undo a later one
_RAISE = "UPDATE {table} SET version = %s WHERE version < %s"

SEEN = f"SELECT min(version), max(version), count(*), sum(id) FROM {TABLE}"
OTHERS = (ROWS, ROWS * (ROWS + 1) // 2)  # what count and sum in SEEN always are


def make_register(connection: psycopg.Connection[Any], schema: str) -> None:
    """Make the table anew; `connection` commits by itself.  Raises psycopg.Error."""
    table = sql.Identifier(schema, TABLE)
    drop_register(connection, schema)
    connection.execute(sql.SQL(_CREATE).format(table=table, rows=sql.Literal(ROWS)))
    connection.execute(sql.SQL("VACUUM (ANALYZE) {}").format(table))


def drop_register(connection: psycopg.Connection[Any], schema: str) -> None:
    """Leave nothing of it.  Raises psycopg.Error."""
    connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier(schema, TABLE)))


class Writer:
    """Raises the version twice a second, past all that is tested, and writes that down."""

    def __init__(self, database_url: str, schema: str, history: History) -> None:
        self._url = database_url
        self._raise = sql.SQL(_RAISE).format(table=sql.Identifier(schema, TABLE))
        self._history = history
        self._connection: psycopg.Connection[Any] | None = None
        self._stopping = threading.Event()
        # daemon: it may hang in a PostgreSQL that does not answer
        self._thread = threading.Thread(target=self._run, name="drill-writer", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, limit_s: float) -> None:
        """End; a write that hangs is left alone after `limit_s` seconds."""
        self._stopping.set()
        self._thread.join(limit_s)

    def _run(self) -> None:
        version = 0
        while not self._stopping.wait(EVERY_S):
            if not self._is_connected():
                continue
            version += 1
            began_at = self._history.now()
            outcome = self._write(version)
            self._history.add(
                "write", began_at, self._history.now(), outcome, Write(version), source="drill"
            )
        self._disconnect()

    def _is_connected(self) -> bool:
        if self._connection is None:
            try:
                self._connection = psycopg.connect(
                    self._url, autocommit=True, connect_timeout=CONNECT_LIMIT_S,
                    application_name="millrace/drill",
                    # else a fault that makes new sessions read only stays with this one for good
                    options="-c default_transaction_read_only=off -c lock_timeout=5s",
                )  # fmt: skip
            except psycopg.Error:
                return False
        return True

    def _write(self, version: int) -> Outcome:
        connection = self._connection
        assert connection is not None  # noqa: S101 - for the type checker
        try:
            connection.execute(self._raise, [version, version])
        except psycopg.Error:
            self._disconnect()
            return "unknown"
        return "ok"

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
