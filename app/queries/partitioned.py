"""Runs a split query: scatter its fragments, gather the partials, merge them on PostgreSQL."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from app.queries.direct import Result, collect
from app.queries.errors import DeadlinePassed, RunWhole
from app.queries.planning import EXPLAIN, Plan
from app.queries.request import QueryInput
from app.queries.settings import QuerySettings
from app.queries.sql_error import SqlError, translated
from app.queries.transaction import ReadTransaction
from query.canonical import chosen
from query.explained import Explained
from query.fragment import Fragment, FragmentError, Partial
from query.merge import Merge, array_literal
from query.split import SplitPlan
from tasks.dispatcher import Dispatcher
from tasks.errors import GatherTimeout, QueueError, QueueFull
from tasks.message import Reply

CANCELLED = "57014"
BUSY_S = 1.0  # a full queue is one for so long, where nobody can tell


@dataclass(frozen=True)
class FragmentRun:
    """How a fragment ran; durations in ms.

    It was queued, then it ran in the slot of `worker`, which waited `postgresql_ms` of that time
    for PostgreSQL.  `attempt` counts from 1: more than that where workers died.
    """

    worker: str
    attempt: int
    queued_ms: float
    ran_ms: float
    postgresql_ms: float
    rows: int


@dataclass(frozen=True)
class Gathered:
    """All partials in the order of their fragments, and how long the stages took in ms."""

    partials: tuple[Partial, ...]
    runs: tuple[FragmentRun, ...]
    queue_ms: float
    execute_ms: float


class PartitionedRun:
    """One split query on its way.  Raises RunWhole where running direct is the way out."""

    def __init__(
        self,
        transaction: ReadTransaction,
        dispatcher: Dispatcher,
        settings: QuerySettings,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._transaction = transaction
        self._dispatcher = dispatcher
        self._settings = settings
        self._monotonic = monotonic
        self.exported = ""

    def gather(self, plan: Plan, query: QueryInput) -> Gathered:
        """Run the fragments.  Raises RunWhole and DeadlinePassed."""
        with translated():
            snapshot = self.exported = self._transaction.export()
        payloads = [
            Fragment(
                index,
                part.sql,
                part.params,
                snapshot,
                self._settings.max_partial_rows,
                self._settings.max_partial_bytes,
            ).encode()
            for index, part in enumerate(plan.parts)
        ]
        began = self._monotonic()
        try:
            gathered, runs, queued_s = self._gather(payloads)
        except GatherTimeout as error:
            raise DeadlinePassed from error
        except QueueFull as error:
            busy_s = BUSY_S if error.wait_s is None else error.wait_s
            raise RunWhole(str(error), busy_s) from error
        except QueueError as error:
            self._transaction.remaining_ms()  # one that was stopped goes no other way
            raise RunWhole(f"workers could not finish it: {error}") from error
        wanted = [(fact.oid, fact.typmod) for fact in plan.partial_types]
        for partial in gathered:
            got = [(column.oid, column.typmod) for column in partial.columns]
            if got[: len(wanted)] != wanted:
                raise RunWhole("a partial's types are not those that were planned")
        if plan.has_children:
            self._check_children(plan, query)
        total_ms = (self._monotonic() - began) * 1000
        execute_ms = max(0.0, total_ms - queued_s * 1000)
        return Gathered(tuple(gathered), tuple(runs), queued_s * 1000, execute_ms)

    def _gather(self, payloads: list[bytes]) -> tuple[list[Partial], list[FragmentRun], float]:
        partials: dict[int, Partial] = {}
        runs: dict[int, FragmentRun] = {}
        queued_s, rows = 0.0, 0
        timeout_s = self._transaction.remaining_ms() / 1000
        control = self._transaction.control
        control.fragments_total = len(payloads)
        with (
            self._dispatcher.scatter(payloads, timeout_s=timeout_s) as scatter,
            control.cancelling(scatter.stop),
        ):
            for reply in scatter.gather():
                if reply.error is not None:
                    self._give_up(FragmentError.decode(reply.error))
                partial = Partial.decode(reply.payload)
                partials[reply.index] = partial
                runs[reply.index] = _run(reply, partial)
                control.fragments_done = len(partials)
                queued_s = max(queued_s, reply.queued_s)
                rows += partial.row_count
                if rows > self._settings.max_partial_rows:
                    raise RunWhole(f"more than {self._settings.max_partial_rows} partial rows")
        indexes = range(len(payloads))
        return [partials[index] for index in indexes], [runs[index] for index in indexes], queued_s

    def _check_children(self, plan: Plan, query: QueryInput) -> None:
        """See that no partition was attached meanwhile: some fragments alone would have read it.

        Tables are found at their newest state, even under an older snapshot, and attaching does
        not wait for those who read.
        """
        with translated():
            ((text,),) = self._transaction.rows(EXPLAIN + query.sql, query.params)
        found = Explained.parse(text or "").relations
        if plan.explained is None or found != plan.explained.relations:
            raise RunWhole("a table got or lost a partition meanwhile")

    def _give_up(self, error: FragmentError) -> None:
        """Whatever failed, the whole query decides: it may not even meet the same error."""
        self._transaction.remaining_ms()
        raise RunWhole(f"a fragment failed ({error.kind}): {error.message}")

    def merge(self, plan: Plan, split: SplitPlan, query: QueryInput, gathered: Gathered) -> Result:
        """Return the answer's rows.  Raises RunWhole when the partials do not decide it."""
        if split.merge is None:
            return self._follow_each_other(plan, query, gathered)
        return self._merge(split.merge, plan, query, gathered)

    def _follow_each_other(self, plan: Plan, query: QueryInput, gathered: Gathered) -> Result:
        rows = (row for partial in gathered.partials for row in zip(*partial.data, strict=True))
        result = collect(rows, query.max_rows, self._settings.max_answer_bytes)
        return Result(plan.described, *result)

    def _merge(self, merge: Merge, plan: Plan, query: QueryInput, gathered: Gathered) -> Result:
        width = len(gathered.partials[0].columns)
        arrays = [
            array_literal([value for partial in gathered.partials for value in partial.data[place]])
            for place in range(width)
        ]
        values = [*chosen(merge.query, query.params), *arrays]
        try:
            with translated():
                self._transaction.rebind_deadline()
                stream = self._transaction.stream(merge.query.sql, values)
                rows, truncated = collect(stream, query.max_rows, self._settings.max_answer_bytes)
        except SqlError as error:
            if error.sqlstate == CANCELLED:
                raise DeadlinePassed from error
            raise RunWhole(f"the merge failed: {error.message}") from error
        columns = stream.columns
        if merge.has_verdict:
            if any(row[-1] == "t" for row in rows):
                raise RunWhole("equal values decide the answer, and only their order tells which")
            rows = [row[:-1] for row in rows]
            columns = columns[:-1]
        if columns != plan.described:
            raise RunWhole("the merged columns are not those of the whole query")
        return Result(columns, rows, truncated)


def _run(reply: Reply, partial: Partial) -> FragmentRun:
    return FragmentRun(
        worker=reply.worker,
        attempt=reply.attempt,
        queued_ms=reply.queued_s * 1000,
        ran_ms=reply.ran_s * 1000,
        postgresql_ms=partial.postgresql_s * 1000,
        rows=partial.row_count,
    )
