"""Files in DuckDB's own format: written once, whole, then attached to be read.

Read in half the time of Parquet, since what is packed tightly need not be unpacked to be looked
through, and each block has a checksum.  Versions to come read it: DuckDB promises that.
"""

import errno
import itertools
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path

import duckdb
import pyarrow as pa

SUFFIX = "duckdb"
TABLE = "main.data"
MEMORY = "256MB"
VECTOR = 2048
MOST_ROWS = 60 * VECTOR  # DuckDB's own default
GROUP_BYTES = 32 * 1024**2  # a row group is unpacked in memory until it is full


class OwnFile:
    """Takes rows in, in the order in which they shall lie in the file."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection, path: Path, name: str) -> None:
        self._cursor = cursor
        self._path = path
        self._name = name
        self._is_made = False

    def write(self, rows: pa.Table) -> None:
        """Add rows, and have them on the disk: in memory they would take several times the room.

        Raises OSError.
        """
        if not self._is_made:
            self.make(rows)
        self._run(rows, f"INSERT INTO {self._name}.{TABLE} SELECT * FROM given")
        self._run(None, f"CHECKPOINT {self._name}")

    def make(self, rows: pa.Table) -> None:
        """Make the file, and the table, for such rows.  Raises OSError."""
        each = max(1, rows.nbytes // max(1, rows.num_rows))
        group = min(MOST_ROWS, max(VECTOR, GROUP_BYTES // each // VECTOR * VECTOR))
        options = f"TYPE duckdb, ROW_GROUP_SIZE {group}"
        self._run(None, f"ATTACH {quoted(str(self._path))} AS {self._name} ({options})")
        self._run(rows.slice(0, 0), f"CREATE TABLE {self._name}.{TABLE} AS SELECT * FROM given")
        self._is_made = True

    def end(self, schema: pa.Schema) -> None:
        """Let go of the file.  Raises OSError."""
        if not self._is_made:
            self.make(schema.empty_table())
        self._run(None, f"DETACH {self._name}")

    def _run(self, rows: pa.Table | None, sql: str) -> None:
        try:
            if rows is not None:
                self._cursor.register("given", rows)
            self._cursor.execute(sql).fetchall()
            if rows is not None:
                self._cursor.unregister("given")
        except duckdb.Error as error:
            is_full = "No space left" in str(error)
            raise OSError(errno.ENOSPC if is_full else errno.EIO, str(error)) from error


class OwnFiles:
    """Writes files, with one engine for all: starting one takes longer than writing little."""

    def __init__(self) -> None:
        self._numbers = itertools.count()

    @contextmanager
    def writer(self, path: Path, schema: pa.Schema) -> Iterator[OwnFile]:
        """Give what writes to a new file; it is whole when the context is left without an error.

        Raises OSError; what lies there then is of no use.
        """
        path.unlink(missing_ok=True)  # of an attempt before
        name = f"file_{next(self._numbers)}"
        with self._engine.cursor() as cursor:
            file = OwnFile(cursor, path, name)
            try:
                yield file
                file.end(schema)
            except BaseException:
                with suppress(duckdb.Error):  # a full disk, again
                    cursor.execute(f"DETACH DATABASE IF EXISTS {name}")
                raise
            finally:
                Path(f"{path}.wal").unlink(missing_ok=True)

    def close(self) -> None:
        """Let go of the engine; the next file has another."""
        if "_engine" in self.__dict__:
            self._engine.close()
            del self._engine

    @cached_property
    def _engine(self) -> duckdb.DuckDBPyConnection:
        config: dict[str, str | bool | int | float | list[str]] = {
            "threads": 1, "memory_limit": MEMORY,
            "temp_directory": f"{tempfile.gettempdir()}/millrace-keeper-{os.getpid()}",
        }  # fmt: skip
        return duckdb.connect(":memory:", config=config)


def quoted(text: str) -> str:
    """Return it as a string of SQL."""
    return "'" + text.replace("'", "''") + "'"
