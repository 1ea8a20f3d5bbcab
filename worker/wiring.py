"""Builds the lanes of a worker."""

import random
from collections.abc import Callable, Mapping, Sequence

import redis
import structlog

from db.breaker import BreakerListener, BreakerState
from db.database import Database
from db.sealing_key import SealingKey
from hashing.digester import Digester
from hashing.known_answers import self_test
from hashing.passwords.known_answers import self_test as password_self_test
from hashing.passwords.scheme import Limits
from jobs.clean_up import CleanUp
from jobs.kind import Kind
from jobs.ledger import Ledger
from jobs.reconciler import Reconciler
from jobs.settings import JobSettings
from jobs.upload_clean_up import UploadCleanUp
from tasks.bell import Bell
from tasks.consumer import LaneSlots
from tasks.events import OnEvent, unheard
from tasks.lanes import PASSWORD
from telemetry.carrier import Continuations
from worker.bulk_runner import BulkRunner
from worker.password_runner import PasswordRunner, lower_priority
from worker.settings import WorkerSettings

BREAKER_EVENTS: Mapping[BreakerState, str] = {
    "open": "breaker_opened",
    "half_open": "breaker_half_opened",
    "closed": "breaker_closed",
}

_log = structlog.get_logger(__name__)


def breaker_listener(emit: OnEvent, pool: str) -> BreakerListener:
    """Return what tells of each change of the breaker of `pool`."""

    def changed(old: BreakerState, new: BreakerState, error: BaseException | None) -> None:
        emit(BREAKER_EVENTS[new], str(error or f"was {old}").strip(), pool=pool)

    return changed


def password_lane(settings: WorkerSettings, own: Database, limits: Limits) -> list[LaneSlots]:
    """Return what a worker takes of the password lane, if anything."""
    if settings.password_slots == 0:
        return []
    failures = password_self_test()
    for scheme, reason in failures.items():
        _log.error("password scheme out of service", scheme=scheme, reason=reason)
    handler = PasswordRunner(SealingKey(own).get, limits, failures).run
    return [
        LaneSlots(
            PASSWORD,
            settings.password_slots,
            handler,
            prepare=lambda: lower_priority(settings.password_nice),
        )
    ]


def bulk_runner(
    own: Database,
    client: redis.Redis,
    kinds: Sequence[Kind],
    settings: JobSettings,
    *,
    name: str,
    slots: int,
    block_s: float,
    pools: Sequence[Database] = (),
    on_event: OnEvent = unheard,
    on_end: Callable[[str, float], None] = lambda _outcome, _seconds: None,
    continuations: Continuations | None = None,
) -> BulkRunner:
    """Return a worker's bulk lane, not started.

    `pools`: those that reach the same PostgreSQL as `own` does.
    """
    ledger = Ledger(own, lease_s=settings.lease_s, retention_s=settings.retention_s)
    # of its own, so that nobody who counts on the order of the shared one's numbers is disturbed
    random_share = random.Random().random  # noqa: S311 - to spread attempts and rounds
    policies = {kind.name: settings.policy(kind.name, kind.retry) for kind in kinds}
    reconciler = Reconciler(
        ledger,
        [CleanUp(own, key_retention_s=settings.key_retention_s), UploadCleanUp(own)],
        Bell(client),
        policies,
        random_share,
        on_event,
    )
    return BulkRunner(
        ledger,
        reconciler,
        client,
        kinds,
        settings,
        pools={pool.name for pool in (own, *pools)},
        name=name,
        slots=slots,
        block_s=block_s,
        random_share=random_share,
        on_event=on_event,
        on_end=on_end,
        continuations=continuations,
    )


def tested_digester() -> Digester:
    """Test all algorithms, which takes some milliseconds; return those that passed."""
    failures = self_test()
    for name, reason in failures.items():
        _log.error("algorithm out of service", algorithm=name, reason=reason)
    return Digester(failures)
