"""Room for streams of events, of which only so many may be open at once."""

import threading

from app.problem_types import TOO_MANY_STREAMS
from app.problems import Problem


class EventPlaces:
    """Counts the open streams of all kinds: each holds a thread of the server."""

    def __init__(self, most: int) -> None:
        self._free = threading.BoundedSemaphore(most)
        self._stopped = threading.Event()

    def stop(self) -> None:
        """End all streams soon; their clients connect again, elsewhere."""
        self._stopped.set()

    @property
    def is_stopped(self) -> bool:
        """Whether streams should end."""
        return self._stopped.is_set()

    def take(self) -> None:
        """Take a place for one stream, to be given back.  Raises Problem when all are taken."""
        if not self._free.acquire(blocking=False):
            raise Problem(
                TOO_MANY_STREAMS,
                "As many event streams are open here as may be. Poll instead, or try again.",
                retry_after_s=1.0,
            )

    def give_back(self) -> None:
        """Give a place back, once its stream is closed, begun or not."""
        self._free.release()
