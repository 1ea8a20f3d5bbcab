"""The tasks of jobs that a worker runs now, and what they have said and nobody has written yet."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from jobs.context import TaskContext
from jobs.event import NewEvent
from jobs.record import TaskClaim


class HeldTasks:
    """For the slots that run them and for the keeper of their leases, at the same time.

    What a task says is written with the end of its attempt or with a renewal, whichever comes
    first; what could not be written comes with the next renewal.  So no line is lost while the
    worker lives, and one may come twice if the connection breaks at the commit.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[tuple[str, int, int], tuple[TaskClaim, TaskContext]] = {}
        self._unwritten: list[NewEvent] = []

    def __len__(self) -> int:
        """Return how many are held."""
        return len(self._held)

    @contextmanager
    def holding(self, claim: TaskClaim) -> Iterator[TaskContext]:
        """Hold a task while it is run."""
        context = TaskContext()
        with self._lock:
            self._held[claim.key] = (claim, context)
        try:
            yield context
        finally:
            with self._lock:
                del self._held[claim.key]
            self.give_back(_said(claim, context))

    @contextmanager
    def saying(self, claim: TaskClaim, context: TaskContext) -> Iterator[Sequence[NewEvent]]:
        """Give what the task has still to say; taken back if writing it fails.

        With what earlier tasks of its job said and could not be written: this end may be the
        job's, and who follows its events stops reading there.
        """
        with self._lock:
            events = [event for event in self._unwritten if event.job_id == claim.job_id]
            self._unwritten = [event for event in self._unwritten if event.job_id != claim.job_id]
        events += _said(claim, context)
        try:
            yield events
        except BaseException:
            self.give_back(events)
            raise

    def give_back(self, events: Sequence[NewEvent]) -> None:
        """Keep what could not be written for the next renewal."""
        with self._lock:
            self._unwritten += events

    @property
    def has_unwritten(self) -> bool:
        """Whether something waits to be written that no held task will write."""
        return bool(self._unwritten)

    def now(self) -> list[tuple[TaskClaim, TaskContext]]:
        """Return what is held."""
        with self._lock:
            return list(self._held.values())

    def unwritten(self) -> list[NewEvent]:
        """Take what has been said up to now; to be given back if it cannot be written."""
        with self._lock:
            events, self._unwritten = self._unwritten, []
        for claim, context in self.now():
            events += _said(claim, context)
        return events


def _said(claim: TaskClaim, context: TaskContext) -> list[NewEvent]:
    return [
        NewEvent.of_line(claim.job_id, claim.number, claim.attempt, line)
        for line in context.take_lines()
    ]
