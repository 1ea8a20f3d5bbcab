"""One slot of a worker: takes a task, runs it, answers it, takes the next."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from redis.exceptions import NoScriptError, ResponseError

from tasks.clock import RedisClock
from tasks.dead_letters import DEAD, MOST_KEPT, record
from tasks.errors import MessageMalformed, QueueUnavailable, TaskFailed
from tasks.events import OnEvent
from tasks.lanes import GROUP, Lane, cancel_key, reply_key
from tasks.lease import Handler, Lease, Leases
from tasks.link import Argument, Command, Link, Outcome, Response, accepted, group_is_missing
from tasks.message import Reply, Task
from tasks.scripts import BURY, CLAIM, REPLY, Script
from tasks.service_times import MeanTime

REPLY_LIFE_S = 10.0  # beyond the deadline: long enough to be read, short enough not to pile up

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class SlotRules:
    """What all slots of a worker have in common; durations in seconds."""

    worker: str
    lane: Lane
    block_s: float
    lease_s: float
    max_deliveries: int


@dataclass(frozen=True)
class Answer:
    """What came of a task; `dead` says why it must not be given to another worker, if so."""

    lease: Lease
    reply: Reply
    dead: str | None


@dataclass(frozen=True)
class Delivery:
    """An entry of the stream as it came, and how often it has been delivered."""

    entry_id: bytes
    fields: dict[bytes, bytes]
    count: int


class ClaimTurn:
    """Lets one slot at a time look for lapsed leases, once per interval."""

    def __init__(self, interval_s: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._interval_s = interval_s
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._next = 0.0

    def is_due(self) -> bool:
        """Tell whether it is time to look."""
        return self._monotonic() >= self._next

    def take(self) -> bool:
        """Tell whether the caller is the one to look now."""
        with self._lock:
            if not self.is_due():
                return False
            self._next = self._monotonic() + self._interval_s
            return True

    def found_one(self) -> None:
        """Make it the next slot's turn at once: where one lease lapsed there may be more."""
        self._next = 0.0


class Slot:
    """Runs tasks, one at a time; `step` is called again and again by its thread.

    A slot claims a lapsed task only when it is free to run it, so a worker never holds more tasks
    than it has slots.
    """

    def __init__(
        self,
        rules: SlotRules,
        *,
        handler: Handler,
        leases: Leases,
        claim_turn: ClaimTurn,
        clock: RedisClock,
        service: MeanTime,
        stopping: Callable[[], bool],
        on_event: OnEvent,
    ) -> None:
        """`on_event` hears the name and the cause of what should not happen."""
        self._rules = rules
        self._lane = rules.lane
        self._handler = handler
        self._leases = leases
        self._claim_turn = claim_turn
        self._clock = clock
        self._service = service
        self._stopping = stopping
        self._on_event = on_event
        self._unanswered: Answer | None = None
        self._read_command: Command = (
            "XREADGROUP", "GROUP", GROUP, rules.worker, "COUNT", 1,
            "BLOCK", int(rules.block_s * 1000), "STREAMS", rules.lane.stream, ">",
        )  # fmt: skip

    def is_finished(self) -> bool:
        """Tell whether the worker stops and nothing is left to answer here."""
        return self._stopping() and self._unanswered is None

    def step(self, link: Link) -> None:
        """Run tasks until there is none for a moment.  Raises QueueUnavailable."""
        delivery: Delivery | None = None
        if self._unanswered is not None:  # the connection broke before this answer was taken
            delivery = self._answer(link, self._unanswered)
        elif self._claim_turn.take():
            delivery = self._claim(link)
        if delivery is None and not self._stopping():
            delivery = self._delivered(link, link.calls(self._read_command)[0])
        while delivery is not None:
            delivery = self._serve(link, delivery)

    def _claim(self, link: Link) -> Delivery | None:
        """Take over a task whose worker is silent."""
        lease_ms = int(self._rules.lease_s * 1000)
        try:
            claimed = link.run(CLAIM, [self._lane.stream], [GROUP, self._rules.worker, lease_ms])
        except QueueUnavailable as error:
            if not group_is_missing(error.__cause__):
                raise
            create_group(link, self._lane)
            return None
        if not isinstance(claimed, list):
            return None
        self._claim_turn.found_one()
        entry_id, fields, count = claimed
        delivery = _delivery(entry_id, fields, count)
        self._on_event(
            "lease_reclaimed", "its worker did not renew its lease",
            task=delivery.entry_id.decode(), lane=self._lane.name, deliveries=delivery.count,
        )  # fmt: skip
        return delivery

    def _delivered(self, link: Link, reply: Outcome) -> Delivery | None:
        """Read the reply of XREADGROUP: one entry of one stream, or nothing in time."""
        if group_is_missing(reply if isinstance(reply, ResponseError) else None):
            create_group(link, self._lane)
            return None
        reply = accepted(reply)
        if not isinstance(reply, list):
            return None
        [[_, [[entry_id, fields]]]] = reply  # type: ignore[misc]  # as the protocol says
        return _delivery(entry_id, fields, 1)

    def _serve(self, link: Link, delivery: Delivery) -> Delivery | None:
        """Run one task; return the next if there is one already."""
        try:
            task = Task.decode(delivery.entry_id, delivery.fields)
        except MessageMalformed as error:
            self._bury_unread(link, delivery, f"malformed: {error}")
            return None
        if task.is_copy and delivery.count > 1:
            # its worker died, and the task that it copies is still somebody's: were both given out
            # again and again, what kills its workers would kill twice as many
            self._drop(link, delivery.entry_id)
            return None
        age_s = self._clock.age_s(task.queued_at_ms)
        lease = Lease(task, deliveries=delivery.count, age_s=age_s)
        if lease.remaining_s() <= 0:
            self._drop(link, delivery.entry_id)
            return None
        if not self._leases.add(lease):
            return None  # our own renewals came late, and this slot claimed what another one runs
        try:
            answer = self._run(lease)
        except BaseException:
            self._leases.remove(lease)
            raise
        if answer is None:
            self._leases.remove(lease)
            if lease.cancel_reason not in {"lost", "stopping"}:  # then another worker runs it
                self._drop(link, delivery.entry_id)
            return None
        self._unanswered = answer
        return self._answer(link, answer)

    def _run(self, lease: Lease) -> Answer | None:
        """Call the handler; None when it failed because it was told to stop."""
        payload, error, dead = b"", None, None
        if lease.deliveries > self._rules.max_deliveries:
            error = dead = f"given up: delivered {lease.deliveries - 1} times and never finished"
        else:
            try:
                payload = self._handler(lease)
            except TaskFailed as failure:
                error = failure.error
            except MessageMalformed as failure:
                error = dead = f"malformed: {failure}"
            except Exception as failure:  # noqa: BLE001 - a handler's error is its task's answer
                error = f"{type(failure).__name__}: {failure}"
        lease.finish()  # before the answer is sent: once it is taken, the lease looks lost
        ran_s = lease.held_s()
        if dead is None:
            self._service.add(ran_s)
        if error is not None and lease.cancel_reason is not None:
            return None
        reply = Reply(
            lease.task.index, payload, self._rules.worker, error, lease.queued_s, ran_s,
            lease.deliveries,
        )  # fmt: skip
        return Answer(lease, reply, dead)

    def _answer(self, link: Link, answer: Answer) -> Delivery | None:
        """Push the answer and ack the task in one step, and read the next in the same write."""
        lease, task = answer.lease, answer.lease.task
        script, keys, arguments = self._ending(answer)
        commands = [script.command(keys, arguments)]
        reads_on = not self._stopping() and not self._claim_turn.is_due()
        if reads_on:
            commands.append(self._read_command)
        try:
            link.send(*commands)
            answered = link.receive()
        except QueueUnavailable:
            if lease.remaining_s() <= 0:
                self._forget(lease)
            raise
        # before the read, which may block for long: the task is answered, not held
        self._forget(lease)
        delivery = self._delivered(link, link.receive()) if reads_on else None
        try:
            if isinstance(answered, NoScriptError):  # Redis was restarted
                ended = link.run(script, keys, arguments)
            else:
                ended = accepted(answered)
            if answer.dead is not None and ended == 1:
                self._tell_dead(task.id, answer.dead)
        except QueueUnavailable as error:
            # refused, as where memory is full: the task stays pending and is run again later
            _log.warning("answer refused", task=task.id, error=str(error))
        return delivery

    def _ending(self, answer: Answer) -> tuple[Script, list[str], list[Argument]]:
        """Return what ends a task in Redis."""
        lease, task, lane = answer.lease, answer.lease.task, self._lane
        waiting = [reply_key(task.reply_to), cancel_key(task.reply_to)]
        life_ms = int((max(lease.remaining_s(), 0.0) + REPLY_LIFE_S) * 1000)
        reply: list[Argument] = [GROUP, task.id, answer.reply.encode(), life_ms]
        if answer.dead is None:
            return REPLY, [lane.stream, *waiting], reply
        deliveries = min(lease.deliveries, self._rules.max_deliveries)
        letter = record(lane, answer.dead, deliveries, self._rules.worker, task.payload)
        return BURY, [lane.stream, DEAD, *waiting], [*reply, MOST_KEPT, *letter]

    def _bury_unread(self, link: Link, delivery: Delivery, cause: str) -> None:
        """Record an entry that is no task, and take it out of the queue: nobody can be answered."""
        what = b" ".join(b"=".join(field) for field in delivery.fields.items())
        letter = record(self._lane, cause, delivery.count, self._rules.worker, what)
        ended = link.run(
            BURY,
            [self._lane.stream, DEAD],
            [GROUP, delivery.entry_id, "", 0, MOST_KEPT, *letter],
        )
        if ended == 1:
            self._tell_dead(delivery.entry_id.decode(), cause)

    def _tell_dead(self, task: str, cause: str) -> None:
        self._on_event("dead_letter", cause, task=task, lane=self._lane.name)

    def _forget(self, lease: Lease) -> None:
        self._unanswered = None
        self._leases.remove(lease)

    def _drop(self, link: Link, entry_id: bytes) -> None:
        """Take a task that nobody waits for out of the queue, unanswered."""
        stream = self._lane.stream
        link.calls(("XACK", stream, GROUP, entry_id), ("XDEL", stream, entry_id))


def create_group(link: Link, lane: Lane) -> None:
    """Create the lane's group if it is missing.  Raises QueueUnavailable.

    From the stream's beginning: what was queued before the first worker came counts too.
    """
    reply = link.calls(("XGROUP", "CREATE", lane.stream, GROUP, "0", "MKSTREAM"))[0]
    if not (isinstance(reply, ResponseError) and str(reply).startswith("BUSYGROUP")):
        accepted(reply)


def _delivery(entry_id: Response, fields: Response, count: Response) -> Delivery:
    if not (isinstance(entry_id, bytes) and isinstance(fields, list) and isinstance(count, int)):
        raise MessageMalformed(f"not an entry: {entry_id!r}")
    names = [name for name in fields[::2] if isinstance(name, bytes)]
    values = [value for value in fields[1::2] if isinstance(value, bytes)]
    return Delivery(entry_id, dict(zip(names, values, strict=False)), count)
