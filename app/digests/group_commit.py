"""Group commit: requests that come while one commit runs share the next."""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as Late
from dataclasses import dataclass, field

from app.digests.errors import NotTaken, StoreUnsure
from app.digests.metrics import DigestMetrics
from app.digests.sighting import Sighting

MOST_IN_GROUP = 10_000  # so that a statement stays far below its time limit
END_S = 15.0


@dataclass(frozen=True)
class _Entry:
    """What one request wants to be stored, and where it hears of it."""

    sightings: Sequence[Sighting]
    done: Future[None] = field(default_factory=Future)


class GroupCommit:
    """Stores digests for many threads, by one thread of its own; `write` must be durable.

    A commit waits for the disk, and costs the same for one row as for a hundred.  Nothing is
    delayed to make groups larger: they grow by themselves while the commit before takes its time.
    """

    def __init__(
        self,
        write: Callable[[Sequence[Sighting]], None],
        *,
        max_waiting: int,
        timeout_s: float,
        metrics: DigestMetrics,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._write = write
        self._max_waiting = max_waiting
        self._timeout_s = timeout_s
        self._metrics = metrics
        self._monotonic = monotonic
        self._changed = threading.Condition()
        self._waiting: deque[_Entry] = deque()
        self._size = 0
        self._commits_since: float | None = None
        self._stopping = False
        # daemon: a PostgreSQL that never answers must not keep the process
        self._thread = threading.Thread(target=self._serve, name="group-commit", daemon=True)

    def start(self) -> None:
        """Begin to store; needs no PostgreSQL to be there yet."""
        self._thread.start()

    def stop(self) -> None:
        """Store what still waits, and end."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        if self._thread.ident is not None:
            self._thread.join(END_S)

    def store(self, sightings: Sequence[Sighting]) -> None:
        """Return once all of them are stored, durably; at most 1,000 at once.

        Raises NotTaken (nothing is stored), StoreUnsure, and what `write` raises.
        """
        try:
            self._store(sightings)
        except NotTaken:
            self._metrics.refused(len(sightings), "not_taken")
            raise
        except StoreUnsure:
            self._metrics.refused(len(sightings), "unsure")
            raise
        except Exception:
            self._metrics.refused(len(sightings), "failed")
            raise
        self._metrics.stored(len(sightings))

    def _store(self, sightings: Sequence[Sighting]) -> None:
        entry = _Entry(sightings)
        with self._changed:
            self._check(len(sightings))
            self._waiting.append(entry)
            self._resize(len(sightings))
            self._changed.notify()
        try:
            entry.done.result(self._timeout_s)
        except Late:
            if entry.done.cancel():
                raise NotTaken("PostgreSQL has not come to these digests in time.") from None
            if not entry.done.done():
                raise StoreUnsure("PostgreSQL has not answered in time.") from None
            entry.done.result()  # it came in the last moment

    def _resize(self, by: int) -> None:
        self._size += by
        self._metrics.waiting(self._size)

    def _check(self, more: int) -> None:
        """Raise NotTaken when waiting has no prospect: threads that wait serve nobody else."""
        if self._size + more > self._max_waiting:
            raise NotTaken(f"{self._size} digests wait to be stored; {self._max_waiting} may.")
        since = self._commits_since
        if since is not None and self._monotonic() - since > self._timeout_s:
            raise NotTaken("PostgreSQL does not answer.")

    def _serve(self) -> None:
        while group := self._next_group():
            self._commits_since = self._monotonic()
            try:
                self._write([one for entry in group for one in entry.sightings])
            except Exception as error:  # noqa: BLE001 - each of the group raises it
                for entry in group:
                    entry.done.set_exception(error)
            else:
                for entry in group:
                    entry.done.set_result(None)
            finally:
                self._commits_since = None

    def _next_group(self) -> list[_Entry]:
        """Wait for entries and take them; none when it is time to end."""
        group: list[_Entry] = []
        size = 0
        with self._changed:
            while not group:
                self._changed.wait_for(lambda: self._waiting or self._stopping)
                if not self._waiting:
                    break
                while self._waiting and size < MOST_IN_GROUP:
                    entry = self._waiting.popleft()
                    self._resize(-len(entry.sightings))
                    if entry.done.set_running_or_notify_cancel():
                        group.append(entry)
                        size += len(entry.sightings)
        return group
