"""Connections that see one state of a database, for as long as it takes."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from db.database import Database
from db.pool import Connection

BEGIN = b"BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"

# Compiling takes longer than a partition.  Parallel workers would escape the number of connections
# by which the load is bounded.  The transaction is idle while others work under its snapshot.
SETTINGS = """SELECT set_config(name, value, true) FROM (VALUES
    ('jit', 'off'), ('max_parallel_workers_per_gather', '0'), ('statement_timeout', '0'),
    ('idle_in_transaction_session_timeout', '0'), ('extra_float_digits', '1')) AS s (name, value)"""

# The planner cannot estimate ranges whose bounds come from another row, and would rather read the
# whole table for each.
BY_INDEX = "SELECT set_config('enable_seqscan', 'off', true)"

# what was once read of this view is kept for the transaction unless it is dropped
FORGET = "SELECT pg_stat_clear_snapshot()"
LOAD = """SELECT count(*) FROM pg_stat_activity
 WHERE state = 'active' AND backend_type = 'client backend' AND pid <> pg_backend_pid()
   AND application_name <> current_setting('application_name')"""


@contextmanager
def one_snapshot(database: Database, count: int) -> Iterator[list[Connection]]:
    """Lend up to `count` connections in transactions that see the same rows.

    On a standby, which exports no snapshots, it is one.  Raises db.errors.
    """
    with ExitStack() as stack:
        first = _begun(stack, database)
        connections = [first]
        if count > 1 and first.execute("SELECT pg_is_in_recovery()").fetchone() == ("f",):
            exported = first.execute("SELECT pg_export_snapshot()").fetchone()
            name = (exported or ("",))[0]
            for _ in range(count - 1):
                other = _begun(stack, database, f"SET TRANSACTION SNAPSHOT '{name}'")
                connections.append(other)
        yield connections


def use_indexes(connection: Connection) -> None:
    """Have ranges found by the index, in this transaction."""
    connection.execute(BY_INDEX)


def load_of(connection: Connection) -> int:
    """Return how many sessions, other than bulk work, run a statement, as far as we may see."""
    connection.execute(FORGET)
    row = connection.execute(LOAD).fetchone()
    return int((row or ("0",))[0] or 0)


def _begun(stack: ExitStack, database: Database, then: str | None = None) -> Connection:
    connection = stack.enter_context(database.connection())
    connection.execute(BEGIN)
    if then is not None:  # before any other statement of the transaction
        connection.execute(then.encode())
    connection.execute(SETTINGS)
    return connection
