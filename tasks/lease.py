"""A worker's time-limited hold on a task, and how the task learns that it may stop."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal, TypeAlias

from tasks.message import Task

CancelReason: TypeAlias = Literal["cancelled", "lost", "deadline", "stopping"]
Handler: TypeAlias = Callable[["Lease"], bytes]

INSIST_S = 0.1


class Lease:
    """The hold on one task while its handler runs."""

    def __init__(
        self,
        task: Task,
        *,
        deliveries: int,
        age_s: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.task = task
        self.deliveries = deliveries
        self.queued_s = age_s
        self._monotonic = monotonic
        self._began = monotonic()
        self._deadline = self._began + task.budget_ms / 1000 - age_s
        self._lock = threading.Lock()
        self._callback: Callable[[], None] | None = None
        self._reason: CancelReason | None = None
        self._running = True

    @property
    def cancel_reason(self) -> CancelReason | None:
        """Why nobody wants the answer any more; None while it is wanted."""
        return self._reason

    @property
    def is_running(self) -> bool:
        """Whether the handler still runs; afterwards there is nothing to cancel."""
        return self._running

    def finish(self) -> None:
        """Note that the handler has returned."""
        self._running = False

    def held_s(self) -> float:
        """Seconds since the task was taken."""
        return self._monotonic() - self._began

    def remaining_s(self) -> float:
        """Seconds until the deadline; negative afterwards."""
        return self._deadline - self._monotonic()

    @contextmanager
    def cancelling(self, callback: Callable[[], None]) -> Iterator[None]:
        """Have `callback` called, in another thread, if the task is cancelled inside this context.

        It never runs after the context has been left: what it cancels may by then be doing
        somebody else's work.  A task that is cancelled already is told at once, here.
        """
        with self._lock:
            if self._reason is not None:
                callback()
            self._callback = callback
        try:
            yield
        finally:
            with self._lock:
                self._callback = None

    def cancel(self, reason: CancelReason) -> bool:
        """Tell the handler to stop; False if it was told before."""
        if self._reason is not None:
            return False
        self._reason = reason
        self.insist()
        return True

    def insist(self) -> bool:
        """Tell a cancelled handler again; False once it has left what can be cancelled.

        One that was between two statements when it was told may not have noticed.
        """
        with self._lock:
            if self._callback is not None:
                self._callback()
            return self._callback is not None


def end(lease: Lease, reason: CancelReason, pause: Callable[[float], None] = time.sleep) -> None:
    """Tell the handler to stop, in a thread of its own, until it has heard.

    Telling may take a second, and the other leases must not lapse meanwhile.
    """

    def tell() -> None:
        lease.cancel(reason)
        while lease.insist():
            pause(INSIST_S)

    threading.Thread(target=tell, name=f"cancel-{lease.task.id}", daemon=True).start()


class Leases:
    """The tasks that one worker holds now."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[str, Lease] = {}
        self._some = threading.Event()

    def add(self, lease: Lease) -> bool:
        """Note a task as held; False if this worker holds it already."""
        with self._lock:
            self._some.set()
            return self._held.setdefault(lease.task.id, lease) is lease

    def remove(self, lease: Lease) -> None:
        """Note that a task is held no longer."""
        with self._lock:
            self._held.pop(lease.task.id, None)
            if not self._held:
                self._some.clear()

    def await_one(self, timeout_s: float) -> bool:
        """Wait until a task is held; False if none was in time."""
        return self._some.wait(timeout_s)

    def held(self) -> list[Lease]:
        """Return what is held now."""
        with self._lock:
            return list(self._held.values())

    def __len__(self) -> int:
        return len(self._held)
