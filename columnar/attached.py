"""Which files in DuckDB's own format an engine has open."""

import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb

from columnar.own_file import quoted

LOOK_S = 60.0


class AttachedFiles:
    """Opens files for those who read them, and keeps up to `most` open that nobody reads now.

    Safe for use by many threads.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        most: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connection = connection
        self._most = most
        self._lock = threading.Lock()
        self._names: OrderedDict[Path, str] = OrderedDict()
        self._readers: Counter[Path] = Counter()
        self._count = 0
        self._clock = clock
        self._look_at = clock() + LOOK_S

    @contextmanager
    def open(self, paths: Sequence[Path]) -> Iterator[dict[Path, str]]:
        """Give the names under which these files are attached.  Raises duckdb.Error."""
        taken: list[Path] = []
        try:
            with self._lock, self._connection.cursor() as cursor:
                for path in dict.fromkeys(paths):
                    self._attach(cursor, path)
                    self._readers[path] += 1
                    taken.append(path)
                self._detach_idle(cursor)
                names = {path: self._names[path] for path in taken}
            yield names
        finally:
            with self._lock:
                self._readers -= Counter(taken)  # which drops those with none

    def forget(self, paths: Sequence[Path]) -> None:
        """Have these opened anew for whoever reads them next."""
        with self._lock, self._connection.cursor() as cursor:
            for path in paths:
                if path in self._names:
                    self._detach(cursor, path)

    def _attach(self, cursor: duckdb.DuckDBPyConnection, path: Path) -> None:
        if path in self._names:
            self._names.move_to_end(path)
            return
        name = f"file_{self._count}"
        cursor.execute(f"ATTACH {quoted(str(path))} AS {name} (READ_ONLY, TYPE duckdb)")
        self._count += 1
        self._names[path] = name

    def _detach_idle(self, cursor: duckdb.DuckDBPyConnection) -> None:
        """Let go of the oldest ones, and now and then of removed ones: open, they take disk."""
        idle = [path for path in self._names if not self._readers[path]]
        oldest = idle[: max(0, len(self._names) - self._most)]
        if self._clock() >= self._look_at:
            self._look_at = self._clock() + LOOK_S
            oldest = [path for path in idle if path in oldest or not path.exists()]
        for path in oldest:
            self._detach(cursor, path)

    def _detach(self, cursor: duckdb.DuckDBPyConnection, path: Path) -> None:
        """Who reads it still may go on: DuckDB lets go of the file after that."""
        cursor.execute(f"DETACH {self._names.pop(path)}")
