"""EXPLAIN ANALYZE of a query, whichever way it runs: its work is done, and its rows are dropped."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from app.queries.catalog_reader import CatalogReader
from app.queries.errors import RunWhole
from app.queries.partitioned import FragmentRun, PartitionedRun
from app.queries.plan import Plan
from app.queries.request import QueryInput, Timings
from app.queries.settings import QuerySettings
from app.queries.sql_error import translated
from app.queries.transaction import ReadTransaction
from query.explained import nodes_of
from query.split import SplitPlan
from query.statement import Statement
from tasks.dispatcher import Dispatcher

ANALYZE = "EXPLAIN (ANALYZE, VERBOSE, BUFFERS, FORMAT JSON) "


@dataclass(frozen=True)
class Analysis:
    """What happened when a query was run.

    `left_split` says why one that was planned to run in parts ran whole in the end.  `runs` are
    those of the fragments, in their order, where all of them had an answer.  `postgresql_plan` is
    PostgreSQL's own account of a query that ran whole; None where it would tell of tables beyond
    the exposed schema, or of rows that a policy hides.
    """

    mode: str
    left_split: str | None
    rows: int
    truncated: bool
    runs: tuple[FragmentRun, ...]
    timings: Timings
    postgresql_plan: Mapping[str, Any] | None


class Analyzer:
    """Runs a planned query for the account of it."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        catalog: CatalogReader,
        settings: QuerySettings,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._dispatcher = dispatcher
        self._catalog = catalog
        self._settings = settings
        self._monotonic = monotonic

    def analyze(
        self, transaction: ReadTransaction, statement: Statement, query: QueryInput, plan: Plan
    ) -> Analysis:
        """Return the account; its timings are without planning.  Raises as QueryService.run."""
        if plan.split is None:
            return self._direct(transaction, statement, query, left_split=None, runs=())
        return self._partitioned(transaction, statement, query, plan, plan.split)

    def _partitioned(
        self,
        transaction: ReadTransaction,
        statement: Statement,
        query: QueryInput,
        plan: Plan,
        split: SplitPlan,
    ) -> Analysis:
        began, before_ms = self._monotonic(), transaction.waited_ms
        run = PartitionedRun(transaction, self._dispatcher, self._settings, self._monotonic)
        runs: tuple[FragmentRun, ...] = ()
        try:
            gathered = run.gather(plan, query)
            runs = gathered.runs
            merging = self._monotonic()
            result = run.merge(plan, split, query, gathered)
        except RunWhole as error:
            return self._direct(transaction, statement, query, error.reason, runs)
        ended = self._monotonic()
        slowest_ms = max(one.postgresql_ms for one in runs)
        timings = Timings(
            queue=gathered.queue_ms,
            execute=gathered.execute_ms,
            merge=(ended - merging) * 1000,
            total=(ended - began) * 1000,
            postgresql=transaction.waited_ms - before_ms + slowest_ms,
        )
        rows = len(result.rows)
        return Analysis(plan.mode, None, rows, result.truncated, runs, timings, None)

    def _direct(
        self,
        transaction: ReadTransaction,
        statement: Statement,
        query: QueryInput,
        left_split: str | None,
        runs: tuple[FragmentRun, ...],
    ) -> Analysis:
        transaction.recover()
        transaction.rebind_deadline()
        began, before_ms = self._monotonic(), transaction.waited_ms
        with translated(ANALYZE):
            ((text,),) = transaction.rows(ANALYZE + statement.sql, query.params)
        took_ms = (self._monotonic() - began) * 1000
        plan: dict[str, Any] = json.loads(text or "")[0]
        rows = int(plan["Plan"]["Actual Rows"])
        timings = Timings(
            execute=took_ms, total=took_ms, postgresql=transaction.waited_ms - before_ms
        )
        shown = plan if self._may_be_seen(transaction, plan) else None
        return Analysis("direct", left_split, rows, rows > query.max_rows, runs, timings, shown)

    def _may_be_seen(self, transaction: ReadTransaction, plan: Mapping[str, Any]) -> bool:
        found = {
            (str(node["Schema"]), str(node["Relation Name"]))
            for node in nodes_of(plan["Plan"])
            if "Relation Name" in node
        }
        with translated():
            return self._catalog.may_be_seen(transaction, sorted(found))
