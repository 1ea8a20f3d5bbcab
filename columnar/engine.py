"""One DuckDB in a process: it reads the files below one folder, and nothing else."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import duckdb

from columnar.attached import AttachedFiles
from columnar.errors import AnswerTooLarge, EngineRefuses, FileUnreadable, OutOfTime
from columnar.interruption import Interruption
from columnar.relation import RelationFiles

BATCH_ROWS = 10_000
MOST_ATTACHED = 256  # each has an open file, and some memory
_CORRUPT = "Corrupt database file"
FIXED = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
    "allow_unsigned_extensions": False,
    "allow_persistent_secrets": False,
}
# what rendering counts on, said aloud since a new version may have other defaults; a moment with a
# zone would become a time of the zone that this machine is in
MEANING = {
    "error_on_division_by_zero": "true",
    "scalar_subquery_error_on_multiple_rows": "true",
    "integer_division": "false",
    "default_null_order": "'nulls_last'",
    "preserve_insertion_order": "false",
    "TimeZone": "'UTC'",
    "Calendar": "'gregorian'",
    # of version 2.0.0 it takes a condition for true that is null in some rows: see the tests
    "disabled_optimizers": "'statistics_propagation'",
}
Cancelling = Callable[[Callable[[], None]], AbstractContextManager[object]]


@dataclass(frozen=True)
class Bounds:
    """What one engine may use, all of its runs together: threads, and bytes.

    Beyond `memory_bytes` it writes to `temporary`, at most `temporary_bytes`.
    """

    threads: int
    memory_bytes: int
    temporary: Path
    temporary_bytes: int


@dataclass(frozen=True)
class Answer:
    """`data[c][r]` is the text of row r in column c."""

    data: list[list[str | None]]
    row_count: int


def _no_cancelling(_: Callable[[], None]) -> AbstractContextManager[object]:
    return nullcontext()


class ColumnarEngine:
    """Runs queries whose results are strings; any number of threads may do so at once.

    Its settings are locked: no query can reach files outside `folder`, nor the network, nor load
    an extension.  Starting takes some 20 ms, so that one is kept.
    """

    def __init__(self, folder: Path, bounds: Bounds) -> None:
        config: dict[str, str | bool | int | float | list[str]] = {
            **FIXED,
            "threads": bounds.threads,
            "memory_limit": f"{bounds.memory_bytes}B",
            "temp_directory": str(bounds.temporary),
            "max_temp_directory_size": f"{bounds.temporary_bytes}B",
        }
        self._connection = duckdb.connect(":memory:", config=config)
        try:
            for name, value in MEANING.items():
                # each run has a session of its own, which only what is global reaches
                self._connection.execute(f"SET GLOBAL {name} = {value}")
            allowed = str(folder.resolve()).replace("'", "''")
            self._connection.execute(f"SET allowed_directories = ['{allowed}/']")
            self._connection.execute("SET enable_external_access = false")
            self._connection.execute("SET lock_configuration = true")
        except duckdb.Error:
            self._connection.close()
            raise
        self._attached = AttachedFiles(self._connection, MOST_ATTACHED)

    def run(
        self,
        sql: str,
        relations: Sequence[RelationFiles],
        *,
        timeout_s: float,
        max_rows: int,
        max_bytes: int,
        cancelling: Cancelling = _no_cancelling,
    ) -> Answer:
        """Run a SELECT of strings over `relations`.

        `cancelling` enters a context in which the given function may be called to end the run.
        Raises EngineRefuses, FileUnreadable, OutOfTime and AnswerTooLarge.
        """
        if timeout_s <= 0:
            raise OutOfTime("no time is left")
        to_attach = [path for relation in relations for path in relation.to_attach]
        cursor = self._connection.cursor()
        try:
            with Interruption(cursor.interrupt, timeout_s) as interruption:
                try:
                    for relation in relations:
                        if relation.rows is not None:
                            cursor.register(relation.rows_name, relation.rows)
                    with (
                        self._attached.open(to_attach) as attached,
                        cancelling(interruption.cancel),
                    ):
                        named = ", ".join(relation.sql(attached) for relation in relations)
                        whole = f"WITH {named} {sql}" if relations else sql
                        return _answer(cursor, whole, max_rows, max_bytes, interruption)
                except duckdb.Error as error:
                    problem = _translated(error, interruption)
                    if isinstance(problem, FileUnreadable):
                        self._attached.forget(to_attach)
                    raise problem from error
        finally:
            cursor.close()

    def close(self) -> None:
        """Let go of all; runs that are on end with an error."""
        self._connection.close()


def _answer(
    cursor: duckdb.DuckDBPyConnection,
    sql: str,
    max_rows: int,
    max_bytes: int,
    interruption: Interruption,
) -> Answer:
    data: list[list[str | None]] = []
    rows = size = 0
    _refuse_other_than_one_select(cursor, sql)
    cursor.execute(sql)
    while True:
        if interruption.is_due:
            raise OutOfTime("the run was ended before its end")
        batch = cursor.fetchmany(BATCH_ROWS)
        if not batch:
            break
        rows += len(batch)
        columns = [list(column) for column in zip(*batch, strict=True)]
        size += sum(len(value) for column in columns for value in column if value is not None)
        if rows > max_rows:
            raise AnswerTooLarge(f"more than {max_rows} rows in one fragment")
        if size > max_bytes:
            raise AnswerTooLarge(f"more than {max_bytes} bytes in one fragment")
        if not data:
            data = columns
            continue
        for column, more in zip(data, columns, strict=True):
            column.extend(more)
    return Answer(data or [[] for _ in cursor.description or []], rows)


def _refuse_other_than_one_select(cursor: duckdb.DuckDBPyConnection, sql: str) -> None:
    """Raise EngineRefuses for what would write: below the folder, files are open to that, too."""
    kinds = [statement.type for statement in cursor.extract_statements(sql)]
    if kinds != [duckdb.StatementType.SELECT]:
        raise EngineRefuses("only one SELECT is run")


def _translated(error: duckdb.Error, interruption: Interruption) -> Exception:
    if interruption.is_due or isinstance(error, duckdb.InterruptException):
        return OutOfTime("the run was ended before its end")
    if isinstance(error, duckdb.IOException) or _CORRUPT in str(error):
        return FileUnreadable(str(error))
    return EngineRefuses(str(error))
