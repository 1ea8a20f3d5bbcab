"""The continuous self-check: some split answers are computed again, whole, and compared."""

import queue
import random
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import structlog
from sqlglot import exp

from app.queries.control import Control
from app.queries.direct import collect
from app.queries.metrics import QueryMetrics
from app.queries.request import Answer, QueryInput
from app.queries.row_digest import RowDigest, digest_rows
from app.queries.splitting_off import SplittingOff
from app.queries.sql_error import SqlError, translated
from app.queries.transaction import ReadTransaction
from db.database import Database
from db.errors import DatabaseError
from query.aggregates import CannotSplit
from query.errors import QueryError
from query.outputs import sort_keys
from query.shape import shape_of
from query.statement import Statement
from query.types import COLLATABLE, ONE_REPRESENTATION
from tasks.events import OnEvent, unheard

IMPORT_WAIT_S = 0.25  # at most, for a sampled query: its snapshot must live until it is imported
REFRESH_S = 5.0
PLAIN = ONE_REPRESENTATION - COLLATABLE  # a collation might call different texts equal

_log = structlog.stdlib.get_logger("app.self_check")


@dataclass(frozen=True)
class Sample:
    """A split answer and the exported snapshot it was read at."""

    statement: Statement
    query: QueryInput
    answer: Answer
    snapshot: str
    imported: threading.Event = field(default_factory=threading.Event)


class SelfCheck:
    """Takes samples and checks them one at a time, in a thread of its own.

    `share` of split answers is sampled, none while one is being checked: the check may use one
    core and one connection, never more.  `timeout_s` bounds it.
    """

    def __init__(
        self,
        database: Database,
        off: SplittingOff,
        metrics: QueryMetrics,
        *,
        share: float,
        timeout_s: float,
        max_bytes: int,
        emit: OnEvent = unheard,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.off = off
        self._database = database
        self._metrics = metrics
        self._share = share
        self._timeout_s = timeout_s
        self._max_bytes = max_bytes
        self._emit = emit
        self._chance = chance
        self._samples: queue.Queue[Sample | None] = queue.Queue(maxsize=1)
        self._thread = threading.Thread(target=self._loop, name="self-check", daemon=True)
        self._control: Control | None = None
        self._stopping = False

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End a check that runs, and the thread."""
        self._stopping = True
        control = self._control
        if control is not None:
            control.cancel("stopping")
        if self._thread.is_alive():
            with suppress(queue.Full):  # what waits there wakes it as well
                self._samples.put_nowait(None)
            self._thread.join()

    def offer(
        self, statement: Statement, query: QueryInput, answer: Answer, export: Callable[[], str]
    ) -> None:
        """Perhaps sample `answer`; returns once its snapshot, that must still live, is taken.

        `export` names the snapshot.

        A truncated answer is no sample: which rows it holds is not defined.
        """
        if answer.truncated or not self._thread.is_alive() or self._chance() >= self._share:
            return
        sample = Sample(statement, query, answer, export())
        try:
            self._samples.put_nowait(sample)
        except queue.Full:
            return
        sample.imported.wait(IMPORT_WAIT_S)

    def _loop(self) -> None:
        self.off.refresh()
        while not self._stopping:
            try:
                sample = self._samples.get(timeout=REFRESH_S)
            except queue.Empty:
                self.off.refresh()
                continue
            if sample is None or self._stopping:
                return
            try:
                self._check(sample)
            except Exception:  # noqa: BLE001 - the thread must live on: unchecked answers would look checked
                _log.exception("self-check failed")
                self._metrics.self_checked("failed")
            finally:
                sample.imported.set()

    def _check(self, sample: Sample) -> None:
        control = Control("self-check", self._timeout_s)
        self._control = control
        if self._stopping:  # whoever stops it may not have seen it
            control.cancel("stopping")
        try:
            whole = self._whole(sample, control)
        except (SqlError, QueryError, DatabaseError) as error:
            _log.warning("self-check given up", error=str(error))
            self._metrics.self_checked("failed")
            return
        finally:
            self._control = None
        ordered = _ordered_places(sample)
        expected = digest_rows(whole, ordered)
        found = digest_rows(sample.answer.rows, ordered)
        if found == expected:
            self._metrics.self_checked("equal")
            return
        self._metrics.self_checked("different")
        self._turn_off(sample, found, expected)

    def _whole(self, sample: Sample, control: Control) -> Sequence[Sequence[str | None]]:
        with self._database.connection(IMPORT_WAIT_S) as connection:
            transaction = ReadTransaction(connection, control)
            with control.cancelling(transaction.cancel):
                try:
                    with translated():
                        transaction.begin_at(sample.snapshot)
                finally:
                    sample.imported.set()
                stream = transaction.stream(sample.statement.sql, sample.query.params)
                with translated():
                    # one more than a right answer can have tells enough
                    rows, _ = collect(stream, len(sample.answer.rows) + 1, self._max_bytes)
                return rows

    def _turn_off(self, sample: Sample, found: RowDigest, expected: RowDigest) -> None:
        shape = shape_of(sample.statement.tree)
        self._emit(
            "self_check_mismatch",
            "a split answer is not that of PostgreSQL: this shape is not split any more",
            shape=shape.digest, masked=shape.masked, mode=sample.answer.mode,
            fragments=sample.answer.fragments, snapshot=sample.answer.snapshot,
            split=str(found), whole=str(expected),
        )  # fmt: skip
        self.off.add(shape, f"{found.rows}:{found.bag}", f"{expected.rows}:{expected.bag}")


def _ordered_places(sample: Sample) -> list[int]:
    """Return the output columns whose order ORDER BY fixes, as far as that can be seen.

    Equal values that look different may stand in any order, and so may all that comes after a key
    that is not shown.
    """
    columns = sample.answer.columns
    if not isinstance(sample.statement.tree, exp.Select):
        return []
    try:
        keys = sort_keys(sample.statement.tree, [column.name for column in columns])
    except CannotSplit:
        return []
    places: list[int] = []
    for key in keys:
        if key.output is None or columns[key.output].oid not in PLAIN:
            break
        places.append(key.output)
    return places
