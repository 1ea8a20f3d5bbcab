"""Decides how one query runs: asks PostgreSQL, then the pure planner, and checks what it says."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.queries.catalog_reader import CatalogReader
from app.queries.errors import RunWhole
from app.queries.request import QueryInput
from app.queries.settings import QuerySettings
from app.queries.sql_error import SqlError, translated
from app.queries.transaction import Described, ReadTransaction
from query.aggregates import CannotSplit
from query.canonical import BoundSql
from query.catalog import Table
from query.decision import Decision, Limits, decide
from query.explained import Explained
from query.fragment import ColumnType
from query.partitions import BlockRange, block_ranges
from query.prepared import SplitCache
from query.safety import moves_with_time
from query.split import SplitPlan
from query.statement import Statement
from query.types import TypeFact
from tasks.dispatcher import Dispatcher
from tasks.errors import QueueError

EXPLAIN = "EXPLAIN (FORMAT JSON, VERBOSE) "
NO_ROWS = ("(0,0)", "(0,0)")
HUGE = 2**31


@dataclass(frozen=True)
class Plan:
    """How a query runs.  `split` None: direct, because of `reason`.

    `table` is what is cut into `ranges`.  `described` are the columns that the whole query has, so
    that the merge can be held to them.
    """

    reason: str
    explained: Explained | None = None
    split: SplitPlan | None = None
    table: Table | None = None
    ranges: tuple[BlockRange, ...] = ()
    described: tuple[ColumnType, ...] = ()
    partial_types: tuple[TypeFact, ...] = ()


class Planner:
    """Plans queries within their own transaction."""

    def __init__(
        self, catalog: CatalogReader, dispatcher: Dispatcher, settings: QuerySettings
    ) -> None:
        self._catalog = catalog
        self._dispatcher = dispatcher
        self._splits = SplitCache(settings.plan_cache_size)
        self._limits = Limits(
            min_fragment_cost=settings.min_fragment_cost,
            max_fragments=settings.max_fragments,
            max_partial_rows=settings.max_partial_rows,
        )

    def explain(
        self, transaction: ReadTransaction, sql: str, params: Sequence[str | None]
    ) -> Explained:
        """Return PostgreSQL's plan of the whole query.  Raises SqlError for wrong SQL."""
        with translated(EXPLAIN):
            ((text,),) = transaction.rows(EXPLAIN + sql, params)
        return Explained.parse(text or "")

    def plan(self, transaction: ReadTransaction, statement: Statement, query: QueryInput) -> Plan:
        """Plan `statement`.

        Raises SqlError for what PostgreSQL refuses about the whole query.  Trouble on the way to
        splitting it is a reason to run it direct; the transaction may then have failed.
        """
        if query.engine == "direct":
            return Plan("the request asks for it")
        explained = self.explain(transaction, statement.sql, query.params)
        first = self._decide(query, explained, blocks=HUGE)
        if first.fragments == 0:
            return Plan(first.reason, explained)
        try:
            return self._split(transaction, statement, query, explained)
        except (CannotSplit, RunWhole) as error:
            return Plan(error.reason, explained)
        except SqlError as error:
            return Plan(f"PostgreSQL refused a part of it: {error.message}", explained)

    def _decide(self, query: QueryInput, explained: Explained, *, blocks: int) -> Decision:
        forced = query.engine == "partitioned" or query.partitions is not None
        try:
            capacity = self._dispatcher.capacity()
            slots = capacity.slots if forced else capacity.free_slots
        except QueueError:
            return Decision(0, "the queue is out of reach")
        if capacity.workers and not slots:
            return Decision(0, "all slots are busy")
        rows = explained.groups * max(1, slots) if explained.groups else explained.rows
        return decide(
            engine=query.engine,
            wanted=query.partitions,
            cost=explained.cost,
            rows=rows,
            slots=slots,
            blocks=blocks,
            limits=self._limits,
        )

    def _split(
        self,
        transaction: ReadTransaction,
        statement: Statement,
        query: QueryInput,
        explained: Explained,
    ) -> Plan:
        if any(value is not None and moves_with_time(value) for value in query.params):
            raise CannotSplit("a parameter may mean the time of the transaction")
        with translated():
            catalog = self._catalog.catalog(transaction, statement)
            described = transaction.describe(statement.sql)
            types = self._parameter_types(transaction, described)
            names = tuple(column.name for column in described.columns)
            parts = self._splits.prepare(statement, names, types, catalog)
            self._check_reading(transaction, parts.whole, query, explained)
            facts = self._partial_types(transaction, parts.probe, query)
        plan = parts.finish(facts)
        table = catalog.tables[parts.table]
        decision = self._decide(query, explained, blocks=table.blocks)
        if decision.fragments == 0:
            return Plan(decision.reason, explained)
        return Plan(
            decision.reason,
            explained,
            plan,
            table,
            tuple(block_ranges(table.blocks, decision.fragments)),
            described.columns,
            tuple(facts),
        )

    def _parameter_types(
        self, transaction: ReadTransaction, described: Described
    ) -> tuple[str, ...]:
        columns = [ColumnType(oid, -1, "") for oid in described.parameters]
        return tuple(fact.base_name for fact in self._catalog.type_facts(transaction, columns))

    def _check_reading(
        self, transaction: ReadTransaction, whole: BoundSql, query: QueryInput, explained: Explained
    ) -> None:
        """Let PostgreSQL plan the query as we understood it: the plans must be the same."""
        ours = self.explain(transaction, whole.sql, chosen(whole, query.params))
        if ours.text != explained.text:
            raise RunWhole("PostgreSQL reads it differently than our parser")

    def _partial_types(
        self, transaction: ReadTransaction, probe: BoundSql, query: QueryInput
    ) -> list[TypeFact]:
        described = transaction.describe(probe.sql)
        facts = self._catalog.type_facts(transaction, described.columns)
        values = chosen(probe, [*query.params, *NO_ROWS])
        return self._catalog.with_collations(transaction, facts, probe.sql, values)


def chosen(bound: BoundSql, values: Sequence[str | None]) -> list[str | None]:
    """Return the values of the parameters that `bound` names, in its order."""
    return [values[number - 1] for number in bound.parameters]
