"""Puts right what nobody else will: lapsed leases, jobs nobody finished, workers not called."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from jobs.ledger import Failure, Ledger
from jobs.retry import RetryPolicy, next_pause_s
from tasks.bell import MOST_COUNTED, Bell
from tasks.events import OnEvent, unheard
from tasks.lanes import BULK

LAPSED_AT_ONCE = 100
PATIENCE = 10
_TRY_LOCK = "SELECT pg_try_advisory_lock(hashtext('millrace.jobs'), hashtext('reconciler'))"


class Steps(Protocol):
    """Work without end in small steps."""

    def step(self) -> object:
        """Do some of it.  Raises db.errors."""


class Reconciler:
    """Each worker has one and calls `round` about once a second; one round at a time is made.

    So nothing depends on Redis or on any one process.
    """

    def __init__(
        self,
        ledger: Ledger,
        clean_ups: Sequence[Steps],
        bell: Bell,
        policies: Mapping[str, RetryPolicy],
        random_share: Callable[[], float],
        on_event: OnEvent = unheard,
    ) -> None:
        self._ledger = ledger
        self._clean_ups = clean_ups
        self._bell = bell
        self._policies = policies
        self._random_share = random_share
        self._on_event = on_event
        self._missed = 0

    def round(self) -> bool:
        """Look at everything once; False if another worker is just doing that.  Raises db.errors.

        Two rounds at a time would do no harm, only the work twice.  So when it has always been
        somebody else's turn, it may be held by a process that hangs, and is passed over.
        """
        with self._ledger.connection() as connection:
            if connection.execute(_TRY_LOCK).fetchone() != ("t",) and self._missed < PATIENCE:
                self._missed += 1
                return False
            self._missed = 0
            self._reclaim()
            for job_id in self._ledger.over():
                self._ledger.settle(job_id)
            for clean_up in self._clean_ups:
                clean_up.step()
            due = self._ledger.count_due(MOST_COUNTED)
            self._bell.tell(due)
            if due:
                self._bell.ring(due)
        return True

    def _reclaim(self) -> None:
        if self._ledger.was_away:
            # Nobody could renew, so that a lease lapsed says nothing of who held it.  Whoever
            # lives has a whole one, from when PostgreSQL is back, to renew or to end.
            return
        for claim, worker in self._ledger.lapsed(LAPSED_AT_ONCE):
            policy = self._policies.get(claim.kind, RetryPolicy())
            pause_s = next_pause_s(policy, claim.attempt, claim.max_attempts, self._random_share())
            error = f"The worker {worker} was not heard of any more while it ran the task."
            state = self._ledger.failed(
                claim, Failure("WorkerLost", error, pause_s), only_if_lapsed=True
            )
            if state is not None:
                facts = {"job": claim.job_id, "task": claim.number, "attempt": claim.attempt}
                cause = f"nothing was heard of worker {worker}"
                self._on_event("lease_lapsed", cause, lane=BULK.name, state=state, **facts)
                if state == "dead":
                    self._on_event("dead_letter", error, lane=BULK.name, **facts)
