"""What stores and finds digests, built once in each serving process."""

from dataclasses import dataclass

from prometheus_client import CollectorRegistry

from app.digests.group_commit import GroupCommit
from app.digests.metrics import DigestMetrics
from app.digests.settings import DigestSettings
from app.digests.store import DigestStore
from db.database import Database


@dataclass(frozen=True)
class Digests:
    """`commit` stores for many threads at once; `store` finds."""

    store: DigestStore
    commit: GroupCommit


def build_digests(own: Database, settings: DigestSettings, registry: CollectorRegistry) -> Digests:
    """Build, with nothing running yet."""
    store = DigestStore(own)
    commit = GroupCommit(
        store.write,
        max_waiting=settings.digests_max_waiting,
        timeout_s=settings.digests_timeout_s,
        metrics=DigestMetrics(registry),
    )
    return Digests(store, commit)
