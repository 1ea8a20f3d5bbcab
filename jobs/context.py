"""What a running task knows of the world: whether anybody still wants it."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, TypeAlias

from jobs.errors import TaskCancelled

# `lost`: cancelled with its job, or taken over by another worker; `stopping`: its worker ends
StopReason: TypeAlias = Literal["lost", "stopping"]

LogLevel: TypeAlias = Literal["debug", "info", "warning", "error"]

INSIST_S = 0.1
MOST_LINES = 1000  # of one attempt; more would be noise, and could fill the database


@dataclass(frozen=True)
class LogLine:
    """What a task said; `at` in seconds since 1970 by the worker's clock."""

    at: float
    level: LogLevel
    message: str


class TaskContext:
    """Goes with one attempt at a task.  Its worker renews the lease and stops it from outside."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._callback: Callable[[], None] | None = None
        self._stopped = threading.Event()
        self._reason: StopReason | None = None
        self._lines: list[LogLine] = []
        self._said = 0
        self.rows = 0
        self.bytes = 0

    def report(self, rows: int, size: int = 0) -> None:
        """Say how much this attempt has done so far; shown within a renewal of its lease."""
        self.rows, self.bytes = rows, size

    def log(self, message: str, level: LogLevel = "info") -> None:
        """Say something to whoever reads the job's log; no values of users' rows, no secrets.

        Shown within a renewal.  Cut at 2,000 characters, and after 1,000 lines of one attempt.
        """
        with self._lock:
            self._said += 1
            if self._said <= MOST_LINES:
                self._lines.append(LogLine(time.time(), level, message))
            elif self._said == MOST_LINES + 1:
                text = f"more than {MOST_LINES} lines: the rest of this attempt is not kept"
                self._lines.append(LogLine(time.time(), "warning", text))

    def take_lines(self) -> list[LogLine]:
        """Return what was said since the last time."""
        with self._lock:
            lines, self._lines = self._lines, []
        return lines

    @property
    def stop_reason(self) -> StopReason | None:
        """Why the task should end now; None while it is wanted."""
        return self._reason

    def check(self) -> None:
        """Raise TaskCancelled if the task should end; to be called often in long work."""
        if self._reason is not None:
            raise TaskCancelled(f"told to stop: {self._reason}")

    def pause(self, seconds: float) -> None:
        """Wait, but not when told to stop.  Raises TaskCancelled."""
        self._stopped.wait(seconds)
        self.check()

    @contextmanager
    def cancelling(self, callback: Callable[[], None]) -> Iterator[None]:
        """Have `callback` called, in another thread, when the task is stopped inside this context.

        As for a statement that runs on PostgreSQL: `cancelling(connection.cancel_safe)`.  It is
        called again until the context is left, and never afterwards.  Raises TaskCancelled.
        """
        with self._lock:
            self.check()
            self._callback = callback
        try:
            yield
        finally:
            with self._lock:
                self._callback = None

    def stop(self, reason: StopReason, pause: Callable[[float], None] = time.sleep) -> None:
        """Tell the task to end; returns at once, and insists in a thread of its own.

        Telling may take a second, while other leases want to be renewed.
        """
        with self._lock:
            if self._reason is not None:
                return
            self._reason = reason
        self._stopped.set()

        def insist() -> None:
            while self._tell():
                pause(INSIST_S)

        threading.Thread(target=insist, name="stop-task", daemon=True).start()

    def _tell(self) -> bool:
        """Call back; False once the task has left what can be cancelled."""
        with self._lock:
            if self._callback is not None:
                self._callback()
            return self._callback is not None
