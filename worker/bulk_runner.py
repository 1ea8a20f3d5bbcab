"""Runs the tasks of jobs: slots that claim from the ledger, and what keeps their leases."""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from typing import TypeVar

import psycopg
import redis
import structlog

from db.errors import DatabaseError
from jobs.context import TaskContext
from jobs.errors import Lost, PermanentFailure
from jobs.kind import Kind
from jobs.ledger import Failure, Ledger
from jobs.reconciler import Reconciler
from jobs.record import TaskClaim
from jobs.retry import next_pause_s
from jobs.settings import JobSettings
from jobs.states import TaskState
from tasks.bell import Bell, await_ring, leave
from tasks.errors import QueueUnavailable
from tasks.events import OnEvent, unheard
from tasks.heartbeat import LaneWork
from tasks.lanes import BULK
from tasks.link import borrowed
from telemetry.carrier import Continuations
from worker.held_tasks import HeldTasks
from worker.outages import Outages
from worker.slot_times import SlotTimes

OUTAGE_PAUSE_S = 1.0  # between two looks at a server that is away
END_S = 5.0  # for tasks that are told to stop, to hear it; and for their last words
LAST_WORDS_PAUSE_S = 0.05

# PostgreSQL is away, or refuses a statement of ours: a deadlock, a timeout, a missing migration
_TROUBLE = (DatabaseError, psycopg.Error)
# That goes by.  With the rest an end would be tried for ever that can never be written.
_PASSING = (DatabaseError, psycopg.errors.QueryCanceled, psycopg.errors.DeadlockDetected)

T = TypeVar("T")

_log = structlog.get_logger(__name__)


class BulkRunner:
    """The bulk lane of one worker: `slots` threads of its own, so queries never wait for them."""

    def __init__(
        self,
        ledger: Ledger,
        reconciler: Reconciler,
        client: redis.Redis,
        kinds: Iterable[Kind],
        settings: JobSettings,
        *,
        pools: AbstractSet[str],
        name: str,
        slots: int,
        block_s: float,
        random_share: Callable[[], float],
        on_event: OnEvent = unheard,
        on_end: Callable[[str, float], None] = lambda _outcome, _seconds: None,
        continuations: Continuations | None = None,
    ) -> None:
        """`on_end` hears how each task ended, and how many seconds it ran.

        `pools`: names of those that reach our own PostgreSQL.
        """
        self._ledger = ledger
        self._reconciler = reconciler
        self._client = client
        self._bell = Bell(client)
        self._kinds = {kind.name: kind for kind in kinds}
        self._policies = {
            kind.name: settings.policy(kind.name, kind.retry) for kind in self._kinds.values()
        }
        self._settings = settings
        self._name = name
        self._block_s = block_s
        self._random_share = random_share
        self._on_event = on_event
        self._on_end = on_end
        self._continuations = continuations or Continuations()
        self._stopping = threading.Event()
        self._gone = threading.Event()
        self._held = HeldTasks()
        self._times = SlotTimes(slots)
        self._outages = Outages(ledger, pools, random_share, self._gone.wait)
        self._slots = [self._thread(f"bulk-{number}", self._serve) for number in range(slots)]
        self._others = [
            self._thread("bulk-keeper", self._keep),
            self._thread("reconciler", self._reconcile),
        ]

    def start(self) -> None:
        """Begin to take tasks; needs no server to be there yet."""
        for thread in (*self._slots, *self._others):
            thread.start()

    @property
    def busy(self) -> int:
        """How many tasks run now."""
        return len(self._held)

    def work(self) -> LaneWork:
        """Return how busy the lane is, for the roll of workers."""
        return self._times.work()

    def stop(self) -> None:
        """Take nothing new; returns at once."""
        self._stopping.set()

    def drain(self, timeout_s: float) -> bool:
        """Finish what is held and leave; False if it took too long.

        What was not finished is released then, and another worker runs it.
        """
        self.stop()
        drained = _join(self._slots, timeout_s)
        if not drained:
            for _, context in self._held.now():
                context.stop("stopping")
            _join(self._slots, END_S)
        self._gone.set()
        _join(self._others, END_S)
        # What has been said since the last time is written, nothing kept.  Somebody else may be
        # writing of the same job just now.
        end = time.monotonic() + END_S
        self._renew([])
        while self._held.has_unwritten and time.monotonic() < end:
            time.sleep(LAST_WORDS_PAUSE_S)
            self._renew([])
        try:
            with borrowed(self._client) as link:
                leave(link, self._name)
        except QueueUnavailable as error:
            _log.info("left the bulk lane without notice", error=str(error))
        return drained

    def _serve(self) -> None:
        while not self._stopping.is_set():
            try:
                claim = self._ledger.claim(self._kinds, self._name)
            except _TROUBLE as error:
                _told("no task claimed", error)
                self._stopping.wait(OUTAGE_PAUSE_S * (0.5 + self._random_share()))
                continue
            if claim is None:
                self._await_work()
            else:
                with self._continuations.of(
                    claim.origin,
                    f"job {claim.kind}",
                    {"millrace.task": claim.name, "millrace.attempt": claim.attempt},
                    what=f"{claim.job_id}/{claim.number}",
                    attempt=claim.token,  # counts also those that do not count as attempts
                    job_id=claim.job_id,
                ) as span:
                    span.set({"millrace.outcome": self._run(claim)})

    def _await_work(self) -> None:
        """Wait until somebody rings, or it is time to look anyway."""
        end = time.monotonic() + self._settings.poll_s * (0.5 + self._random_share())
        try:
            with borrowed(self._client) as link:
                while not self._stopping.is_set() and time.monotonic() < end:
                    if await_ring(link, self._name, self._block_s):
                        return
        except QueueUnavailable as error:
            _log.debug("ledger polled without Redis", error=str(error))
            self._stopping.wait(OUTAGE_PAUSE_S * (0.5 + self._random_share()))

    def _run(self, claim: TaskClaim) -> str:
        """Run the task; return in a word how that ended."""
        began = time.perf_counter()
        outcome = "not_ended"
        try:
            with self._times.running(), self._held.holding(claim) as context:
                outcome = self._perform(claim, context)
                with suppress(*_PASSING):  # then the reconciler does it
                    if self._ledger.settle(claim.job_id):
                        self._bell.ring(1)
        except Lost as error:
            outcome = "lost"
            _log.info("task lost", job=claim.job_id, task=claim.number, error=str(error))
        except _TROUBLE as error:
            # its end could not be written: its lease will lapse, and that is a failed attempt
            _log.warning("task not ended", job=claim.job_id, task=claim.number, error=str(error))
        except Exception:  # noqa: BLE001
            # a defect of ours: it must show, but a slot that ends in silence would be worse
            _log.exception("task not ended", job=claim.job_id, task=claim.number)
        finally:
            self._on_end(outcome, time.perf_counter() - began)
        return outcome

    def _perform(self, claim: TaskClaim, context: TaskContext) -> str:
        """Run the task and note how it ended; return that in a word.  Raises Lost and db.errors."""
        kind = self._kinds[claim.kind]
        policy = self._policies[claim.kind]
        try:
            done = kind.perform(claim, context)
            context.check()
            with self._held.saying(claim, context) as events:
                self._ledger.done(claim, done, kind, policy.attempts, events)
        except Lost:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this attempt's end
            return self._ended_early(claim, context, error)
        if done.adds:
            self._bell.ring(len(done.adds))
        return "done"

    def _ended_early(self, claim: TaskClaim, context: TaskContext, error: Exception) -> str:
        """Note the end of an attempt that `error` ended; return it in a word."""
        if context.stop_reason == "lost":
            raise Lost("it was cancelled, or taken over") from error
        if context.stop_reason == "stopping":
            self._insist(context, lambda: self._ledger.release(claim))
            return "released"
        if self._outages.ended(claim, error):
            return self._wait_out(claim, context, error)
        if isinstance(error, PermanentFailure):
            failure = Failure(error.error_class, str(error), None)
        else:
            share = self._random_share()
            policy = self._policies[claim.kind]
            pause_s = next_pause_s(policy, claim.attempt, claim.max_attempts, share)
            failure = Failure(type(error).__name__, str(error), pause_s)
        return self._failed(claim, context, failure)

    def _wait_out(self, claim: TaskClaim, context: TaskContext, error: Exception) -> str:
        """Give the attempt back that an outage ended."""
        outage = Failure(type(error).__name__, str(error), self._outages.pause_s(claim))

        def release() -> bool:
            with self._held.saying(claim, context) as events:
                released = self._ledger.release(claim, outage, events)
            if not released:
                self._held.give_back(events)
            return released

        if not self._insist(context, release):
            raise Lost("it was taken over, or done, before it was given back")
        self._on_event(
            "outage",
            f"{outage.error_class}: {outage.error[:500]}",
            lane=BULK.name, job=claim.job_id, task=claim.number, kind=claim.kind,
            attempt=claim.attempt, pause_s=outage.pause_s,
        )  # fmt: skip
        return "outage"

    def _insist(self, context: TaskContext, write: Callable[[], T]) -> T:
        """Write a task's end, when PostgreSQL is away as soon as it is back.

        Else the lease would have to lapse, and that counts as a failed attempt.  The claim is kept
        meanwhile, and renewed as soon as that works; who has taken the task over is let go on.
        A worker that stops waits for this as for any task that it holds.
        """
        while True:
            try:
                return write()
            except _PASSING as error:
                if context.stop_reason == "lost":
                    raise Lost("it was taken over before its end was written") from error
                if self._gone.is_set():
                    raise
                _told("a task's end waits", error)
                self._gone.wait(OUTAGE_PAUSE_S * (0.5 + self._random_share()))

    def _failed(self, claim: TaskClaim, context: TaskContext, failure: Failure) -> str:
        def note() -> TaskState | None:
            with self._held.saying(claim, context) as events:
                state = self._ledger.failed(claim, failure, events)
            if state is None:
                self._held.give_back(events)
            return state

        state = self._insist(context, note)
        if state is None:
            raise Lost("it was taken over before its failure was noted")
        self._on_event(
            "dead_letter" if state == "dead" else "failed_attempt",
            f"{failure.error_class}: {failure.error[:500]}",
            lane=BULK.name, job=claim.job_id, task=claim.number, kind=claim.kind,
            attempt=claim.attempt, state=state, pause_s=failure.pause_s,
        )  # fmt: skip
        return "dead" if state == "dead" else "failed"

    def _keep(self) -> None:
        while not self._gone.wait(self._settings.renew_s):
            self._renew(self._held.now())

    def _renew(self, held: Sequence[tuple[TaskClaim, TaskContext]]) -> None:
        """Renew the leases, write what tasks have said, and tell those that are ours no more."""
        events = self._held.unwritten()
        if not held and not events:
            return
        try:
            renewal = self._ledger.renew(
                [(claim, context.rows, context.bytes) for claim, context in held], events
            )
        except _TROUBLE as error:
            self._held.give_back(events)
            _log.warning("leases of tasks not renewed", error=str(error))
            return
        self._held.give_back(renewal.waiting)
        for claim, context in held:
            if claim.key not in renewal.held:
                context.stop("lost")

    def _reconcile(self) -> None:
        # jittered: workers that were started together should not ask together
        while not self._gone.wait(self._settings.reconcile_s * (0.5 + self._random_share())):
            try:
                self._reconciler.round()
            except _TROUBLE as error:
                _told("not reconciled", error)
            except Exception:  # noqa: BLE001 - a defect shows, and the rounds go on
                _log.exception("not reconciled")

    def _thread(self, name: str, run: Callable[[], None]) -> threading.Thread:
        # daemon: a task that never returns must not keep the process
        return threading.Thread(target=run, name=name, daemon=True)


def _told(event: str, error: Exception) -> None:
    """Log it: at length what should not happen, in short that PostgreSQL is away."""
    if isinstance(error, DatabaseError):
        _log.debug(event, error=str(error))
    else:
        _log.warning(event, exc_info=error)


def _join(threads: list[threading.Thread], timeout_s: float) -> bool:
    end = time.monotonic() + timeout_s
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    return not any(thread.is_alive() for thread in threads)
