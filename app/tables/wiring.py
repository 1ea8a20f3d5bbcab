"""Builds what the calls about tables work with."""

from dataclasses import dataclass

from prometheus_client import CollectorRegistry

from app.tables.desk import TableDesk
from app.tables.metrics import TableMetrics
from db.database import Database
from db.tracking.asked import TablesAsked
from db.tracking.installation import Installation, LockRules

# somebody waits for the answer; a worker goes on where it is not enough
_WHILE_SOMEBODY_WAITS = LockRules(attempts=10, pause_s=0.2)


@dataclass(frozen=True)
class Tables:
    """The desk, what is counted, and where queries say what they asked for."""

    desk: TableDesk
    metrics: TableMetrics
    asked: TablesAsked


def build_tables(
    owner: Database, reader: Database, schema: str, registry: CollectorRegistry
) -> Tables:
    """Build them; `asked` is to be started and stopped."""
    return Tables(
        TableDesk(owner, reader, schema, Installation(_WHILE_SOMEBODY_WAITS)),
        TableMetrics(registry, owner, reader),
        TablesAsked(owner),
    )
