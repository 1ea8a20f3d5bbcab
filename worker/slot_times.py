"""What the slots of a lane do over time, where no queue of leases keeps account of it."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tasks.heartbeat import LaneLoad, LaneWork
from tasks.service_times import MeanTime


class SlotTimes:
    """Keeps account of tasks that run in `slots`.  Safe for use by many threads."""

    def __init__(self, slots: int, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._slots = slots
        self._monotonic = monotonic
        self._service = MeanTime(monotonic)
        self._lock = threading.Lock()
        self._began: dict[object, float] = {}

    @contextmanager
    def running(self) -> Iterator[None]:
        """Note that a task runs inside this context."""
        key = object()
        began = self._monotonic()
        with self._lock:
            self._began[key] = began
        try:
            yield
        finally:
            with self._lock:
                del self._began[key]
                self._service.add(self._monotonic() - began)

    def work(self) -> LaneWork:
        """Return the lane's load, and the seconds that its slots have worked."""
        with self._lock:
            now = self._monotonic()
            running_s = [now - began for began in self._began.values()]
            load = LaneLoad(self._slots, self._service.mean_s(running_s, self._slots))
            return LaneWork(load, self._service.total_s + sum(running_s))
