"""What to do about tasks that have no answer yet.  Pure: the looking and sending is elsewhere."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

TaskState: TypeAlias = Literal["held", "queued", "gone"]


@dataclass(frozen=True)
class Sight:
    """What a look at the queue shows.

    `states` has the best state of all copies of each missing index; `unread` counts answers that
    are pushed and not popped yet; `taking` counts the workers that are not draining.
    """

    workers: int
    taking: int
    queue_length: int
    unread: int
    states: Mapping[int, TaskState]


@dataclass(frozen=True)
class Progress:
    """How far a scatter is: seconds since its start, at each answer so far, and who got a copy.

    `usual_s` is the 99th percentile of the time until an answer, of late; None: not known.
    """

    total: int
    elapsed_s: float
    answered_at_s: tuple[float, ...]
    copied: frozenset[int]
    usual_s: float | None = None


Decision: TypeAlias = "Literal['no workers'] | tuple[int, ...]"


def decide(sight: Sight, progress: Progress, *, slots: int, straggler_s: float) -> Decision:
    """Return the indexes to send again, or that there is nobody left to wait for.

    - An answer that is waiting changes the picture: nothing is decided before it is read.
    - A task that is neither queued nor held was wiped with Redis, or dropped for a clock that
      jumped: it is sent again, each time.
    - A straggler is a task without an answer after twice the time that 99 of 100 tasks of the lane
      took, of late, and twice that of the slowest of its own kind here; never before `straggler_s`.
      Once half of all have answered, and as long as slots are free, it gets one copy.  Without that
      half, all may simply be long.
    """
    if sight.unread:
        return ()
    if sight.workers == 0:
        return "no workers"
    if sight.taking == 0 and any(state != "held" for state in sight.states.values()):
        return "no workers"
    again = [index for index, state in sight.states.items() if state == "gone"]
    answered = progress.answered_at_s
    late_s = max(straggler_s, 2 * max(answered, default=0.0), 2 * (progress.usual_s or 0.0))
    if progress.elapsed_s >= late_s and 2 * len(answered) >= progress.total:
        free = slots - sight.queue_length - len(again)
        stragglers = [
            index
            for index, state in sight.states.items()
            if state == "held" and index not in progress.copied
        ]
        again += stragglers[: max(0, free)]
    return tuple(sorted(again))
