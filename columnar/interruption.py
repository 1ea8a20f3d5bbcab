"""Ends a running query from outside: at its deadline, or when it is cancelled."""

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

AGAIN_S = 0.01


class Interruption:
    """While it is entered, `interrupt` is called from the deadline or `cancel` on, until the exit.

    Again and again, since an interruption that comes before DuckDB has begun is lost.
    """

    def __init__(self, interrupt: Callable[[], None], timeout_s: float) -> None:
        self._interrupt = interrupt
        self._timeout_s = timeout_s
        self._wake = threading.Event()
        self._is_over = threading.Event()
        self.is_due = False
        self._thread = threading.Thread(target=self._watch, name="interruption", daemon=True)

    def cancel(self) -> None:
        """End the run; from any thread, at any time."""
        self.is_due = True
        self._wake.set()

    def _watch(self) -> None:
        self._wake.wait(self._timeout_s)
        if self._is_over.is_set():
            return
        self.is_due = True
        while not self._is_over.is_set():
            self._interrupt()
            self._is_over.wait(AGAIN_S)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._is_over.set()
        self._wake.set()
        self._thread.join()
