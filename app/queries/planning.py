"""Decides how one query runs: asks PostgreSQL, then the pure planner, and checks what it says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from app.queries.catalog_reader import CatalogReader
from app.queries.errors import RunWhole
from app.queries.request import QueryInput
from app.queries.settings import QuerySettings
from app.queries.sql_error import SqlError, translated
from app.queries.transaction import Described, ReadTransaction
from query.aggregates import CannotSplit
from query.canonical import chosen
from query.catalog import Catalog, Table
from query.decision import Decision, Limits, decide, why_not_worth
from query.errors import QueryTooCostly
from query.explained import Explained
from query.fragment import ColumnType
from query.modifiers import planning_may_tell_more
from query.planned import PlannedFragment, planned_fragments
from query.prepared import Prepared, SplitCache
from query.safety import moves_with_time
from query.split import FragmentTemplate, SplitPlan, reasons_whole
from query.statement import Statement, TableName
from query.types import TypeFact
from query.views import expanded
from tasks.dispatcher import Dispatcher
from tasks.errors import QueueError

EXPLAIN = "EXPLAIN (FORMAT JSON, VERBOSE) "
NO_ROWS = ("(0,0)", "(0,0)")
HUGE = 2**31
DEEPEST_VIEWS = 4
READINGS = 3


@dataclass(frozen=True)
class Plan:
    """How a query runs.  `split` None: direct, because of `reason`.

    `table` is the largest of what is cut, `tables` are all that are read, by the names they have in
    the query.  `parts` are the fragments, chosen for `slots`.  `described` are the columns
    that the whole query has, so that the merge can be held to them.  `has_children` tells that it
    reads tables whose rows lie in others, which may come and go.
    """

    reason: str
    explained: Explained | None = None
    split: SplitPlan | None = None
    table: Table | None = None
    parts: tuple[PlannedFragment, ...] = ()
    described: tuple[ColumnType, ...] = ()
    partial_types: tuple[TypeFact, ...] = ()
    has_children: bool = False
    tables: Mapping[TableName, Table] = field(default_factory=dict)
    slots: int = 0


class Planner:
    """Plans queries within their own transaction."""

    def __init__(
        self, catalog: CatalogReader, dispatcher: Dispatcher, settings: QuerySettings
    ) -> None:
        self._catalog = catalog
        self._dispatcher = dispatcher
        self._splits = SplitCache(settings.plan_cache_size)
        self._max_cost = settings.max_query_cost
        self._limits = Limits(
            min_fragment_cost=settings.min_fragment_cost,
            max_fragment_share=settings.max_fragment_share,
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

        Raises SqlError for what PostgreSQL refuses about the whole query, and QueryTooCostly.
        Trouble on the way to splitting it is a reason to run it direct; the transaction may then
        have failed.
        """
        explained = self.explain(transaction, statement.sql, query.params)
        if explained.cost > self._max_cost:
            raise QueryTooCostly(explained.cost, self._max_cost)
        if query.engine == "direct":
            return Plan("the request asks for it", explained)
        first = self._decide(query, explained, blocks=HUGE)
        if first.fragments == 0:
            return Plan(first.reason, explained)
        try:
            return self._split(transaction, statement, query, explained)
        except (CannotSplit, RunWhole) as error:
            return Plan(error.reason, explained)
        except SqlError as error:
            return Plan(_refused(error), explained)

    def reasons(
        self, transaction: ReadTransaction, statement: Statement, query: QueryInput, plan: Plan
    ) -> tuple[str, ...]:
        """Return all that is known against splitting: of that, planning needs only the first."""
        found = [plan.reason]
        if statement.unread is not None:
            return tuple(dict.fromkeys([*found, statement.unread]))
        transaction.recover()
        explained = plan.explained or self.explain(transaction, statement.sql, query.params)
        try:
            with translated():
                read, catalog, _ = self._read_views(transaction, statement, query.sql)
                found += reasons_whole(read, catalog)
            wished = replace(query, engine="auto")
            other = self._split(transaction, statement, wished, explained)
            found += [] if other.split else [other.reason]
        except (CannotSplit, RunWhole) as error:
            found.append(error.reason)
        except SqlError as error:
            found.append(_refused(error))
        return tuple(dict.fromkeys(found))

    def _decide(self, query: QueryInput, explained: Explained, *, blocks: int) -> Decision:
        forced = query.engine == "partitioned" or query.partitions is not None
        try:
            capacity = self._dispatcher.capacity()
            slots = capacity.slots if forced else capacity.free_slots
        except QueueError:
            return Decision(0, "the queue is out of reach")
        if capacity.workers and not slots:
            return Decision(0, "all slots are busy")
        return decide(
            engine=query.engine,
            wanted=query.partitions,
            cost=explained.cost,
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
        if statement.unread is not None:
            raise CannotSplit(statement.unread)
        if any(value is not None and moves_with_time(value) for value in query.params):
            raise CannotSplit("a parameter may mean the time of the transaction")
        with translated():
            statement, catalog, described = self._read_views(transaction, statement, query.sql)
            columns = described.columns
            if planning_may_tell_more(statement.tree, columns):
                columns = transaction.describe_result(query.sql, query.params)
            types = self._parameter_types(transaction, described)
            names = tuple(column.name for column in described.columns)
            prepared = self._splits.prepare(statement, names, types, catalog)
            probe = self._check_reading(transaction, prepared, query, explained)
            facts = self._partial_types(transaction, prepared.probe, probe, query)
        split = prepared.finish(facts)
        if split.merge is None and [(fact.oid, fact.typmod) for fact in facts] != [
            (column.oid, column.typmod) for column in described.columns
        ]:
            raise CannotSplit("a fragment's columns are not of the whole query's types")
        has_children = any(table.has_children for table in catalog.tables.values())
        if has_children and explained.has_foreign:
            raise CannotSplit("it reads a foreign table")
        largest = _largest(split, catalog)
        sizes = [catalog.tables[item.table].blocks if item.table else 1 for item in split.templates]
        decision = self._decide(query, explained, blocks=max(sum(sizes), len(sizes)))
        if decision.fragments == 0:
            return Plan(decision.reason, explained)
        parts = planned_fragments(split, catalog.tables, query.params, decision.fragments)
        self._check_worth(transaction, query, explained, parts)
        return Plan(
            decision.reason,
            explained,
            split,
            largest,
            parts,
            columns,
            tuple(facts),
            has_children,
            catalog.tables,
            decision.slots,
        )

    def _read_views(
        self, transaction: ReadTransaction, statement: Statement, sql: str
    ) -> tuple[Statement, Catalog, Described]:
        """Return the statement with its views read as subqueries, and the facts about the rest.

        The description is that of the user's own text `sql`.
        """
        catalog, described = self._catalog.catalog(transaction, statement, sql)
        for _ in range(DEEPEST_VIEWS):
            opened = expanded(statement, catalog)
            if opened is None:
                break
            statement = opened
            catalog, described = self._catalog.catalog(transaction, statement, sql)
        return statement, catalog, described

    def _check_worth(
        self,
        transaction: ReadTransaction,
        query: QueryInput,
        explained: Explained,
        parts: Sequence[PlannedFragment],
    ) -> None:
        """Let PostgreSQL estimate a fragment.  Raises CannotSplit where it gains nothing."""
        if query.engine == "partitioned" or query.partitions is not None:
            return
        sample = self.explain(transaction, parts[0].sql, parts[0].params)
        reason = why_not_worth(
            whole_cost=explained.cost,
            cost=sample.cost,
            rows=sample.rows,
            fragments=len(parts),
            limits=self._limits,
        )
        if reason is not None:
            raise CannotSplit(reason)

    def _parameter_types(
        self, transaction: ReadTransaction, described: Described
    ) -> tuple[str, ...]:
        columns = [ColumnType(oid, -1, "") for oid in described.parameters]
        return tuple(fact.base_name for fact in self._catalog.type_facts(transaction, columns))

    def _check_reading(
        self,
        transaction: ReadTransaction,
        prepared: Prepared,
        query: QueryInput,
        explained: Explained,
    ) -> Described:
        """Let PostgreSQL plan the query as we understood it: the plans must be the same.

        Returns the description of the probe, which comes in the same round trip.  Estimates are
        in the plans, and change while a table grows, so a difference is looked at again.
        """
        whole, theirs = prepared.whole, explained.text
        for _ in range(READINGS):
            ((((text,),),), described) = transaction.ask(
                (EXPLAIN + whole.sql, chosen(whole, query.params)),
                describing=prepared.probe.sql.sql,
            )
            ours = Explained.parse(text or "").text
            if ours == theirs:
                return described
            theirs = self.explain(transaction, query.sql, query.params).text
            if ours == theirs:
                return described
        raise RunWhole("PostgreSQL reads it differently than our parser")

    def _partial_types(
        self,
        transaction: ReadTransaction,
        probe: FragmentTemplate,
        described: Described,
        query: QueryInput,
    ) -> list[TypeFact]:
        facts = self._catalog.type_facts(transaction, described.columns)
        values = chosen(probe.sql, [*query.params, *NO_ROWS])
        return self._catalog.with_collations(transaction, facts, probe.sql.sql, values)


def _largest(split: SplitPlan, catalog: Catalog) -> Table | None:
    tables = [catalog.tables[item.table] for item in split.templates if item.table is not None]
    return max(tables, key=lambda table: table.blocks, default=None)


def _refused(error: SqlError) -> str:
    return f"PostgreSQL refused a part of it: {error.message}"
