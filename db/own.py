"""Millrace's own tables: reached as the owner, never by users' SQL."""

from collections.abc import Mapping, Sequence

from db.breaker import Breaker, BreakerListener
from db.database import Database
from db.settings import OWN_SCHEMA, DatabaseSettings
from db.sqlstate import judge

STATEMENT_TIMEOUT_S = 10.0  # its statements touch few rows; one that takes longer waits for a lock


def own_database(
    settings: DatabaseSettings,
    program: str,
    listeners: Sequence[BreakerListener] = (),
    session: Mapping[str, str] | None = None,
) -> Database:
    """Return the pool for our own tables, not open yet; it has a breaker of its own.

    `program` names it, `listeners` are called after each change of the breaker's state, `session`
    holds further server settings of its connections.
    """
    breaker = Breaker(judge, settings.breaker_rules, listeners=listeners)
    return Database(
        settings.url,
        breaker=breaker,
        name=f"{program}-own",
        session={
            "search_path": f"pg_catalog,{OWN_SCHEMA}",
            "TimeZone": "UTC",
            "DateStyle": "ISO,YMD",
            "statement_timeout": str(round(STATEMENT_TIMEOUT_S * 1000)),
            **(session or {}),
        },
        pool_size=settings.own_pool_size,
        pool_wait_s=settings.pool_wait_s,
        max_waiting=settings.max_waiting,
        max_lifetime_s=settings.max_lifetime_s,
        connect_timeout_s=settings.connect_timeout_s,
        answer_s=STATEMENT_TIMEOUT_S,
        writes=True,
    )
