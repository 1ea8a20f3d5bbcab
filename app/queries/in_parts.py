"""Answers of queries that run in parts: gathered, merged, and learnt from."""

import time
from collections.abc import Callable

from app.queries.catalog_reader import CatalogReader
from app.queries.columnar.errors import SegmentsBroken
from app.queries.columnar.tools import ColumnarTools
from app.queries.direct import Result
from app.queries.errors import RunWhole
from app.queries.metrics import QueryMetrics
from app.queries.partitioned import PartitionedRun
from app.queries.plan import Plan
from app.queries.planning import Planner
from app.queries.request import Answer, QueryInput, Timings
from app.queries.settings import QuerySettings
from app.queries.sql_error import translated
from app.queries.transaction import ReadTransaction
from query.statement import Statement
from tasks.dispatcher import Dispatcher
from telemetry.spans import span

Export = Callable[[], str]


class AnswersInParts:
    """Safe for use by many threads."""

    def __init__(
        self,
        planner: Planner,
        catalog: CatalogReader,
        dispatcher: Dispatcher,
        settings: QuerySettings,
        columnar: ColumnarTools | None,
        metrics: QueryMetrics,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._planner = planner
        self._catalog = catalog
        self._dispatcher = dispatcher
        self._settings = settings
        self._columnar = columnar
        self._metrics = metrics
        self._monotonic = monotonic

    def answer(
        self, transaction: ReadTransaction, statement: Statement, query: QueryInput, plan: Plan
    ) -> tuple[Answer, Export]:
        """Return the answer, and what names its snapshot for as long as the transaction lasts.

        Where files of segments turn out to be broken, it is planned once more without.  Raises
        RunWhole and DeadlinePassed.
        """
        try:
            return self._gather_and_merge(transaction, query, plan)
        except SegmentsBroken as error:
            if plan.columnar is None or self._columnar is None:
                raise
            broken = plan.columnar.ids_of(error.names)
            self._columnar.known.broken(broken, error.reason)
            again = self._planner.plan(
                transaction, statement, query, without=broken, is_restarted=True
            )
            if again.columnar is None:
                raise
            return self._gather_and_merge(transaction, query, again)

    def learn(self, statement: Statement, plan: Plan, answer: Answer) -> None:
        """Note how long it took, where there was a choice."""
        if self._columnar is None or plan.explained is None or not plan.accelerated:
            return
        is_columnar = answer.mode in ("columnar", "mixed")
        self._columnar.asked.note_asked(plan.accelerated, columnar=is_columnar)
        times, took = self._columnar.times, answer.timings
        ms = took.queue + took.execute + took.merge
        cost = plan.explained.cost
        if plan.columnar is None or not is_columnar:
            times.took(statement, "postgresql", ms, cost=cost, rows=0)
        elif not answer.kept_partials:
            rows = sum(part.row_count for part in plan.columnar.parts)
            times.took(statement, "columnar", ms, cost=cost, rows=rows)

    def failed(self, statement: Statement, plan: Plan, reason: str) -> None:
        """Note that a query had to run whole in the end."""
        if self._columnar is not None and plan.columnar is not None:
            self._columnar.times.failed(statement, reason)
            self._metrics.not_over_segments("failed")

    def _gather_and_merge(
        self, transaction: ReadTransaction, query: QueryInput, plan: Plan
    ) -> tuple[Answer, Export]:
        split = plan.split
        if split is None:
            raise RunWhole(plan.reason)
        kept = self._columnar.partials if self._columnar is not None else None
        run = PartitionedRun(transaction, self._dispatcher, self._settings, self._monotonic, kept)
        gathered = run.gather(plan, query)
        self._metrics.scanned(run.scanned_rows)
        began = self._monotonic()
        with span("merge"):
            result = run.merge(plan, split, query, gathered)
        snapshot = transaction.snapshot  # a cut-off statement ends it, and the next has another
        names = type_names(self._catalog, transaction, result)
        merged_ms = (self._monotonic() - began) * 1000
        timings = Timings(
            queue=gathered.queue_ms, execute=gathered.execute_ms, merge=merged_ms,
            postgresql=max(run.postgresql_ms for run in gathered.runs),
        )  # fmt: skip
        answer = Answer(
            result.columns, names, result.rows, result.truncated, plan.mode, plan.reason,
            plan.fragments, snapshot, timings, run.from_kept,
        )  # fmt: skip
        return answer, run.exported


def type_names(
    catalog: CatalogReader, transaction: ReadTransaction, result: Result
) -> tuple[str, ...]:
    """Return the names of the types of a result's columns."""
    if result.truncated:
        transaction.recover()  # the statement was cut off, and the transaction with it
    with translated():
        facts = catalog.type_facts(transaction, result.columns)
    return tuple(fact.name for fact in facts)
