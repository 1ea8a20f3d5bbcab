"""Room for answers that are streamed: each holds a connection to PostgreSQL."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from app.problem_types import OVERLOADED
from app.problems import Problem


class ExportPlaces:
    """Bounds the streamed answers of a process.

    One lasts for as long as its client reads.  Could they take all connections, slow readers would
    keep every other query waiting, whatever lane it is in.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._free = threading.BoundedSemaphore(most)

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place.  Raises Problem when all are taken."""
        if not self._free.acquire(blocking=False):
            raise Problem(
                OVERLOADED,
                f"The replica streams {self._most} answers already (MILLRACE_APP_EXPORTS). Try "
                "again later, or ask for JSON.",
                extra={"lane": "bulk"},
                retry_after_s=1.0,
            )
        try:
            yield
        finally:
            self._free.release()
