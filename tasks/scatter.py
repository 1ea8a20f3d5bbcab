"""One scatter: its tasks are queued, its replies are gathered as they come."""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import redis
import structlog

from tasks.errors import GatherTimeout, NoWorkers, QueueError, QueueUnavailable, Stopped
from tasks.heartbeat import WORKERS
from tasks.lanes import GROUP, Lane, cancel_key, reply_key
from tasks.link import Link, borrowed
from tasks.message import Reply
from tasks.rescue import Progress, Sight, TaskState, decide
from tasks.scripts import WATCH
from tasks.service_times import Spread
from tasks.settings import QueueSettings

LOOK_S = 0.25  # between two looks at the queue while no answer comes
CANCEL_LIFE_S = 60
STRAGGLER_SHARE = 0.99  # so many tasks are no stragglers
WAKE = b""  # no reply: wakes who waits for one

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Outgoing:
    """A task to be queued; `is_copy`: one is held already, and may have been forgotten."""

    index: int
    payload: bytes
    is_copy: bool = False


class Scatter:
    """A context manager; leaving it cancels what is still queued or running.

    For one thread, except for `stop`.
    """

    def __init__(
        self,
        client: redis.Redis,
        settings: QueueSettings,
        *,
        payloads: Sequence[bytes],
        ids: list[str],
        reply_to: str,
        deadline: float,
        queue: Callable[[Sequence[Outgoing], float, str], list[str]],
        unavailable: Callable[[QueueUnavailable], None],
        slots: Callable[[], int],
        spread: Spread,
        lane: Lane,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._settings = settings
        self._payloads = payloads
        self._ids = {index: [entry_id] for index, entry_id in enumerate(ids)}
        self._reply_to = reply_to
        self._deadline = deadline
        self._queue = queue
        self._unavailable = unavailable
        self._slots = slots
        self._spread = spread
        self._lane = lane
        self._monotonic = monotonic
        self._began = monotonic()
        self._answered_at_s: list[float] = []
        self._missing = set(self._ids)
        self._copied: set[int] = set()
        self._redis_failed = False
        self._stopped = False

    def gather(self) -> Iterator[Reply]:
        """Yield the replies as they come, one for each index; later duplicates are dropped.

        Raises GatherTimeout when the deadline passes, NoWorkers when there is nobody left who
        would answer, QueueUnavailable when Redis is away, Stopped after `stop`.
        """
        try:
            while self._missing:
                if self._stopped:
                    raise Stopped(f"stopped before {len(self._missing)} tasks had answered")
                remaining_s = self._deadline - self._monotonic()
                if remaining_s <= 0:
                    raise GatherTimeout(tuple(sorted(self._missing)))
                # borrowed for one pop: the consumer of this iterator may take its time
                with borrowed(self._client) as link:
                    replies = self._pop(link, min(remaining_s, LOOK_S))
                    sight = None if replies else self._look(link)
                yield from self._first_ones(replies)
                # what `stop` has deleted since is not lost
                if sight is not None and not self._stopped:
                    self._rescue(sight)
        except QueueUnavailable as error:
            self._redis_failed = True
            self._unavailable(error)
            raise

    def stop(self) -> None:
        """Let the gathering thread leave at once; for any thread, any number of times.

        Cancels in passing, so that workers need not wait for that thread.
        """
        self._stopped = True
        key = reply_key(self._reply_to)
        ids = [entry_id for copies in list(self._ids.values()) for entry_id in copies]
        with contextlib.suppress(QueueUnavailable), borrowed(self._client) as link:
            link.calls(
                ("SET", cancel_key(self._reply_to), 1, "EX", CANCEL_LIFE_S),
                ("XDEL", self._lane.stream, *ids),
                ("RPUSH", key, WAKE),
                ("PEXPIRE", key, CANCEL_LIFE_S * 1000),
            )

    def __enter__(self) -> Self:
        """Nothing: the tasks are queued already."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Cancel what is not finished; costs nothing when every task answered once."""
        if self._redis_failed or not (self._missing or self._copied):
            return
        ids = [entry_id for copies in self._ids.values() for entry_id in copies]
        with contextlib.suppress(QueueUnavailable), borrowed(self._client) as link:
            # the marker first: no answer may be pushed after its list was deleted
            link.calls(
                ("SET", cancel_key(self._reply_to), 1, "EX", CANCEL_LIFE_S),
                ("XDEL", self._lane.stream, *ids),
                ("DEL", reply_key(self._reply_to)),
            )

    def _pop(self, link: Link, wait_s: float) -> list[Reply]:
        """Wait for answers; return all that are there."""
        popped = link.call(
            "BLMPOP", f"{max(wait_s, 0.001):.3f}", 1, reply_key(self._reply_to),
            "LEFT", "COUNT", len(self._missing) + len(self._copied),
        )  # fmt: skip
        if not isinstance(popped, list) or not isinstance(popped[1], list):
            return []
        return [
            Reply.decode(data) for data in popped[1] if isinstance(data, bytes) and data != WAKE
        ]

    def _first_ones(self, replies: list[Reply]) -> Iterator[Reply]:
        for reply in replies:
            if reply.index in self._missing:
                self._missing.remove(reply.index)
                answered_at_s = self._monotonic() - self._began
                self._answered_at_s.append(answered_at_s)
                if reply.index not in self._copied:
                    # a rescued one took twice as long as usual by definition: were it counted, each
                    # rescue would make the next one later
                    self._spread.add(answered_at_s)
                yield reply

    def _look(self, link: Link) -> Sight:
        """See what happens to the tasks that have no answer yet."""
        asked = [(index, entry_id) for index in self._missing for entry_id in self._ids[index]]
        keys = [self._lane.stream, WORKERS, self._lane.takers, reply_key(self._reply_to)]
        seen = link.run(WATCH, keys, [GROUP, *(entry_id for _, entry_id in asked)])
        match seen:
            case [int(workers), int(taking), int(length), int(unread), *states]:
                return Sight(workers, taking, length, unread, _best(asked, states))
            case _:
                raise QueueUnavailable(f"Redis answered {seen!r}")

    def _rescue(self, sight: Sight) -> None:
        """Send again what is lost or late.  Raises NoWorkers."""
        progress = Progress(
            total=len(self._ids),
            elapsed_s=self._monotonic() - self._began,
            answered_at_s=tuple(self._answered_at_s),
            copied=frozenset(self._copied),
            usual_s=self._spread.quantile_s(STRAGGLER_SHARE),
        )
        decision = decide(
            sight, progress, slots=self._slots(), straggler_s=self._settings.straggler_s
        )
        if decision == "no workers":
            raise NoWorkers(f"no worker is left for {len(self._missing)} tasks")
        remaining_s = self._deadline - self._monotonic()
        if not decision or remaining_s <= 0:
            return
        _log.info("tasks sent again", indexes=decision, states=dict(sight.states))
        try:
            ids = self._queue(
                [
                    Outgoing(index, self._payloads[index], sight.states[index] == "held")
                    for index in decision
                ],
                remaining_s,
                self._reply_to,
            )
        except QueueUnavailable:
            raise
        except QueueError:
            return  # full, or nobody there just now: the next look decides
        for index, entry_id in zip(decision, ids, strict=True):
            self._ids[index].append(entry_id)
            self._copied.add(index)


def _best(asked: list[tuple[int, str]], states: Sequence[object]) -> dict[int, TaskState]:
    """Return for each index the state of the copy that is nearest to its answer."""
    best: dict[int, TaskState] = {}
    for (index, _), state in zip(asked, states, strict=True):
        if state == b"held":
            best[index] = "held"
        elif state == b"queued" and best.get(index) != "held":
            best[index] = "queued"
        else:
            best.setdefault(index, "gone")
    return best
