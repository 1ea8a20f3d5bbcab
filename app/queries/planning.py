"""Decides how one query runs: asks PostgreSQL, then the pure planner, and checks what it says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from app.queries.catalog_reader import CatalogReader
from app.queries.errors import RunWhole
from app.queries.key_reader import Key, KeyReader
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
from query.keyed import KeyCut
from query.modifiers import planning_may_tell_more
from query.planned import PlannedFragment, keyed_fragments, planned_fragments
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
MOST_KEYS = 2


@dataclass(frozen=True)
class Plan:
    """How a query runs.  `split` None: direct, because of `reason`.

    `table` is the largest of what is cut, `tables` are all that are read, by the names they have in
    the query.  `parts` are the fragments, chosen for `slots`.  `described` are the columns
    that the whole query has, so that the merge can be held to them.  `has_children` tells that it
    reads tables whose rows lie in others, which may come and go.  `busy_s`: it is direct because no
    slot is free, for so long at a guess.
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
    busy_s: float | None = None


class NotWorth(CannotSplit):
    """It could be split, and would gain nothing."""


@dataclass(frozen=True)
class _Cutting:
    """All that is known of a query when it is time to cut it."""

    transaction: ReadTransaction
    query: QueryInput
    explained: Explained
    prepared: Prepared
    catalog: Catalog
    types: tuple[str, ...]
    facts: Sequence[TypeFact]
    crowded: bool


class Planner:
    """Plans queries within their own transaction."""

    def __init__(
        self, catalog: CatalogReader, dispatcher: Dispatcher, settings: QuerySettings
    ) -> None:
        self._catalog = catalog
        self._keys = KeyReader()
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

    def plan(
        self,
        transaction: ReadTransaction,
        statement: Statement,
        query: QueryInput,
        *,
        crowded: bool = False,
    ) -> Plan:
        """Plan `statement`; for slots that others use, too, where it is `crowded`.

        Raises SqlError for what PostgreSQL refuses about the whole query, and QueryTooCostly.
        Trouble on the way to splitting it is a reason to run it direct; the transaction may then
        have failed.
        """
        explained = self.explain(transaction, statement.sql, query.params)
        if explained.cost > self._max_cost:
            raise QueryTooCostly(explained.cost, self._max_cost)
        if query.engine == "direct":
            return Plan("the request asks for it", explained)
        first, busy_s = self._decide(query, explained, blocks=HUGE, crowded=crowded)
        if first.fragments == 0:
            return Plan(first.reason, explained, busy_s=busy_s)
        try:
            return self._split(transaction, statement, query, explained, crowded=crowded)
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
            other = self._split(transaction, statement, wished, explained, crowded=False)
            found += [] if other.split else [other.reason]
        except (CannotSplit, RunWhole) as error:
            found.append(error.reason)
        except SqlError as error:
            found.append(_refused(error))
        return tuple(dict.fromkeys(found))

    def _decide(
        self, query: QueryInput, explained: Explained, *, blocks: int, crowded: bool
    ) -> tuple[Decision, float | None]:
        """Decide; also return for how long no slot is free, if that decides it."""
        forced = query.engine == "partitioned" or query.partitions is not None
        try:
            capacity = self._dispatcher.capacity()
        except QueueError:
            return Decision(0, "the queue is out of reach"), None

        def with_slots(slots: int) -> Decision:
            return decide(
                engine=query.engine,
                wanted=query.partitions,
                cost=explained.cost,
                slots=slots,
                blocks=blocks,
                limits=self._limits,
            )

        if forced or crowded or capacity.free_slots or not capacity.slots:
            return with_slots(capacity.slots if forced or crowded else capacity.free_slots), None
        wished = with_slots(capacity.slots)
        if wished.fragments == 0:
            return wished, None
        return Decision(0, "all slots are busy"), capacity.wait_s(capacity.queue_length)

    def _split(
        self,
        transaction: ReadTransaction,
        statement: Statement,
        query: QueryInput,
        explained: Explained,
        *,
        crowded: bool,
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
        has_children = any(table.has_children for table in catalog.tables.values())
        if has_children and explained.has_foreign:
            raise CannotSplit("it reads a foreign table")
        cutting = _Cutting(transaction, query, explained, prepared, catalog, types, facts, crowded)
        found = self._cut(cutting)
        self._check_columns(found.split, facts, described.columns)
        return replace(
            found,
            explained=explained,
            described=columns,
            partial_types=tuple(facts),
            has_children=has_children,
            tables=catalog.tables,
        )

    def _cut(self, cutting: "_Cutting") -> Plan:
        """Cut by blocks, or where that is not exact or not worth it, by the values of a column."""
        keyed = cutting.prepared.keyed
        if not cutting.prepared.has_blocks and keyed is not None:
            found = self._by_key(cutting, keyed, indexed_only=False)
            if found is None:
                raise CannotSplit(f"the values of {' and '.join(keyed.columns)} do not divide it")
            return found
        try:
            return self._by_blocks(cutting)
        except NotWorth as error:
            if keyed is None:
                raise
            found = self._by_key(cutting, keyed, indexed_only=True)
            if found is None:
                raise
            return replace(found, reason=f"{found.reason}: by blocks {error.reason}")

    def _by_blocks(self, cutting: "_Cutting") -> Plan:
        split = cutting.prepared.finish(cutting.facts)
        tables = cutting.catalog.tables
        sizes = [tables[item.table].blocks if item.table else 1 for item in split.templates]
        decision, busy_s = self._decide(
            cutting.query, cutting.explained, blocks=max(sum(sizes), len(sizes)),
            crowded=cutting.crowded,
        )  # fmt: skip
        if decision.fragments == 0:
            return Plan(decision.reason, busy_s=busy_s)
        parts = planned_fragments(split, tables, cutting.query.params, decision.fragments)
        self._check_worth(cutting, parts, sample=0)
        return Plan(decision.reason, split=split, table=_largest(split, cutting.catalog),
                    parts=parts, slots=decision.slots)  # fmt: skip

    def _by_key(self, cutting: "_Cutting", keyed: KeyCut, *, indexed_only: bool) -> Plan | None:
        """Cut by the first column that is worth it; None if there is none.

        Raises NotWorth where only the worth is missing.
        """
        table = keyed.cut.table
        assert table is not None  # noqa: S101 - a cut by values is one of a table
        decision, busy_s = self._decide(
            cutting.query, cutting.explained, blocks=max(2, table.blocks), crowded=cutting.crowded
        )
        if decision.fragments == 0:
            return Plan(decision.reason, busy_s=busy_s)
        with translated():
            keys = self._keys.keys(
                cutting.transaction, keyed, max(2, decision.fragments), cutting.query.params,
                cutting.types, indexed_only=indexed_only,
            )  # fmt: skip
        unworthy: NotWorth | None = None
        for key in keys[:MOST_KEYS]:
            try:
                return self._over(cutting, table, key, decision)
            except NotWorth as error:
                unworthy = error
        if unworthy is not None:
            raise unworthy
        return None

    def _over(self, cutting: "_Cutting", table: Table, key: Key, decision: Decision) -> Plan:
        split = cutting.prepared.finish_by_key(cutting.facts, key.column, nullable=key.nullable)
        assert split.keyed is not None  # noqa: S101 - it was asked for
        params = cutting.query.params
        parts = keyed_fragments(split.keyed, table, params, key.ranges)
        self._check_worth(cutting, parts, sample=key.heaviest)
        reason = f"{decision.reason}, cut by {key.column}"
        return Plan(reason, split=split, table=table, parts=parts, slots=decision.slots)

    def _check_columns(
        self, split: SplitPlan | None, facts: Sequence[TypeFact], columns: Sequence[ColumnType]
    ) -> None:
        if split is None or split.merge is not None:
            return
        if [(fact.oid, fact.typmod) for fact in facts] != [
            (column.oid, column.typmod) for column in columns
        ]:
            raise CannotSplit("a fragment's columns are not of the whole query's types")

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
        self, cutting: "_Cutting", parts: Sequence[PlannedFragment], *, sample: int
    ) -> None:
        """Let PostgreSQL estimate one of the fragments.  Raises NotWorth if it gains nothing."""
        query, explained = cutting.query, cutting.explained
        if query.engine == "partitioned" or query.partitions is not None:
            return
        part = parts[sample]
        estimate = self.explain(cutting.transaction, part.sql, part.params)
        reason = why_not_worth(
            whole_cost=explained.cost,
            cost=estimate.cost,
            rows=estimate.rows,
            fragments=len(parts),
            limits=self._limits,
        )
        if reason is not None:
            raise NotWorth(reason)

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
