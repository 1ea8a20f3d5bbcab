"""What `/health/ready` depends on."""

import redis

from app.readiness import Check
from db.database import Database
from db.errors import CheckoutTimeout
from tasks.link import borrowed

POSTGRESQL = "postgresql"
REDIS = "redis"
PATIENCE_S = 2.0


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


def redis_check(client: redis.Redis) -> Check:
    """Return the check that Redis answers; without it queries run direct."""

    def probe() -> None:
        with borrowed(client) as link:
            link.call("PING")

    return Check(REDIS, essential=False, probe=probe)
