"""Tells the keepers which accelerated tables are asked for; queries do not wait for that."""

import threading
from collections.abc import Iterable

from db.database import Database
from db.errors import DatabaseError
from db.tracking.care import add_asked

EVERY_S = 3.0


class TablesAsked:
    """Gathers what queries ask for, and writes it down every few seconds, in one statement.

    What a process that dies has not written yet is lost: it decides nothing but what is refreshed
    first.
    """

    def __init__(self, owner: Database, every_s: float = EVERY_S) -> None:
        self._owner = owner
        self._every_s = every_s
        self._lock = threading.Lock()
        self._counts: dict[int, tuple[int, int]] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tables-asked", daemon=True)

    def note_asked(self, oids: Iterable[int], *, columnar: bool) -> None:
        """Take note of a query of these tables, and whether segments helped to answer it."""
        with self._lock:
            for oid in oids:
                asked, answered = self._counts.get(oid, (0, 0))
                self._counts[oid] = (asked + 1, answered + columnar)

    def start(self) -> None:
        """Begin to write it down."""
        self._thread.start()

    def stop(self) -> None:
        """Write the rest down, if PostgreSQL is there."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def flush(self) -> None:
        """Write down what was noted; without PostgreSQL, another time."""
        with self._lock:
            counts, self._counts = self._counts, {}
        if not counts:
            return
        try:
            with self._owner.connection() as connection:
                add_asked(connection, counts)
        except DatabaseError:
            with self._lock:
                for oid, (asked, answered) in counts.items():
                    since = self._counts.get(oid, (0, 0))
                    self._counts[oid] = (asked + since[0], answered + since[1])

    def _run(self) -> None:
        while not self._stopping.wait(self._every_s):
            self.flush()
        self.flush()
