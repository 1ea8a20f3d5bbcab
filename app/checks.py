"""What `/health/ready` depends on."""

from collections.abc import Callable
from contextlib import suppress

import redis
from psycopg.errors import ReadOnlySqlTransaction

from app.readiness import Check
from db.database import Database
from db.errors import CheckoutTimeout
from tasks.errors import QueueUnavailable
from tasks.link import borrowed

POSTGRESQL = "postgresql"
WRITES = "postgresql_writes"
REDIS = "redis"
PATIENCE_S = 2.0
READ_ONLY = "PostgreSQL is read-only"


def postgresql_check(database: Database) -> Check:
    """Return the check that PostgreSQL answers; nothing works without, but hashing."""

    def probe() -> None:
        try:
            with database.connection(timeout_s=PATIENCE_S) as connection:
                connection.patience_s = PATIENCE_S  # a server that hangs fails the check
                connection.execute("SELECT 1")
        except CheckoutTimeout:
            # Busy is not away.  If it were, one busy moment would take every replica out of the
            # balancer at once.
            return

    return Check(POSTGRESQL, essential=True, probe=probe)


def writes_check(own: Database) -> Check:
    """Return the check that our own tables can be changed; queries and hashing do without.

    Its probe raises DatabaseReadOnly, as a refused write would.  So the pool drops the connection:
    the next one may be to the server that takes writes by now.
    """

    def probe() -> None:
        try:
            with own.connection(timeout_s=PATIENCE_S) as connection:
                connection.patience_s = PATIENCE_S
                # on in a standby, too
                row = connection.execute("SHOW transaction_read_only").fetchone()
                if row == ("on",):
                    raise ReadOnlySqlTransaction
        except CheckoutTimeout:
            return

    return Check(WRITES, essential=False, probe=probe)


def redis_check(client: redis.Redis, look: Callable[[], object]) -> Check:
    """Return the check that Redis answers; without it queries run direct.

    `look` is called when it does: for what should be known without asking Redis.
    """

    def probe() -> None:
        with borrowed(client) as link:
            link.call("PING")
        with suppress(QueueUnavailable):
            look()

    return Check(REDIS, essential=False, probe=probe)
