"""Decides how one query runs: asks PostgreSQL, then the pure planner, and checks what it says."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from app.queries.columnar.errors import Cause, LockFirst, NotOverSegments
from app.queries.columnar.planner import NONE_ACCELERATED, ColumnarPlanner
from app.queries.errors import RunWhole
from app.queries.key_reader import Key, KeyReader
from app.queries.newest import Newest
from app.queries.plan import Plan
from app.queries.reader import QueryReader
from app.queries.request import QueryInput
from app.queries.settings import QuerySettings
from app.queries.sql_error import SqlError, translated
from app.queries.transaction import ReadTransaction
from db.errors import DatabaseError
from query.aggregates import CannotSplit
from query.catalog import Catalog, Table
from query.columnar.errors import NotColumnar
from query.decision import Decision, Limits, decide, why_not_worth
from query.errors import QueryTooCostly
from query.explained import Explained
from query.fragment import ColumnType
from query.keyed import KeyCut
from query.modifiers import planning_may_tell_more
from query.planned import PlannedFragment, keyed_fragments, planned_fragments
from query.prepared import Prepared, SplitCache
from query.safety import moves_with_time
from query.split import SplitPlan, reasons_whole
from query.statement import Statement
from query.types import TypeFact
from tasks.dispatcher import Dispatcher
from tasks.errors import QueueError

NO_ROWS = ("(0,0)", "(0,0)")
HUGE = 2**31
MOST_KEYS = 2


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
        self,
        reader: QueryReader,
        dispatcher: Dispatcher,
        settings: QuerySettings,
        columnar: ColumnarPlanner | None = None,
    ) -> None:
        self._keys = KeyReader()
        self.reader = reader
        self._columnar = columnar
        self._columnar_min_cost = settings.columnar_min_cost
        self._dispatcher = dispatcher
        self._splits = SplitCache(settings.plan_cache_size)
        self._were_split: Newest[str, bool] = Newest(settings.plan_cache_size)
        self._max_cost = settings.max_query_cost
        self._limits = Limits(
            min_fragment_cost=settings.min_fragment_cost,
            max_fragment_share=settings.max_fragment_share,
            max_fragments=settings.max_fragments,
            max_partial_rows=settings.max_partial_rows,
        )

    def plan(
        self,
        transaction: ReadTransaction,
        statement: Statement,
        query: QueryInput,
        *,
        crowded: bool = False,
        without: Collection[int] = (),
        is_restarted: bool = False,
    ) -> Plan:
        """Plan `statement`; for slots that others use, too, where it is `crowded`.

        Segments with ids in `without` are not read.

        Raises SqlError for what PostgreSQL refuses about the whole query, and QueryTooCostly.
        Trouble on the way to splitting it is a reason to run it direct; the transaction may then
        have failed.  Raises LockFirst where it is to be begun anew, unless it `is_restarted`.
        """
        reads = statement if self._were_split.get(statement.sql) else None
        explained = self.reader.explain(transaction, statement.sql, query.params, reads)
        if explained.cost > self._max_cost:
            raise QueryTooCostly(explained.cost, self._max_cost)
        if query.engine == "direct":
            return Plan("the request asks for it", explained)
        try:
            over_segments = self._over_segments(transaction, statement, query, explained, without)
        except LockFirst:
            if not is_restarted:
                raise
            over_segments = "the tables changed while they were locked"
        if isinstance(over_segments, Plan):
            self._were_split.put(statement.sql, True)
            return over_segments
        if query.engine == "columnar":
            return Plan(over_segments, explained, not_columnar=over_segments)
        is_cheap = explained.cost < self._columnar_min_cost
        accelerated = () if is_cheap else tuple(transaction.states)
        plan = self._on_postgresql(transaction, statement, query, explained, crowded=crowded)
        self._were_split.put(statement.sql, plan.split is not None)
        return replace(plan, not_columnar=over_segments, accelerated=accelerated)

    def _over_segments(
        self,
        transaction: ReadTransaction,
        statement: Statement,
        query: QueryInput,
        explained: Explained,
        without: Collection[int],
    ) -> Plan | str:
        """Plan over segments, or return why not.  Raises LockFirst."""
        columnar = self._columnar
        if query.engine not in ("auto", "columnar") or columnar is None:
            return "segments are not used here"
        if query.engine == "auto" and query.partitions is not None:
            return "the request asks for a number of partitions"
        if columnar.reads_none(statement, is_asked_for=query.engine == "columnar"):
            return NONE_ACCELERATED
        if query.engine == "auto" and explained.cost < self._columnar_min_cost:
            least = self._columnar_min_cost
            columnar.refused("cheap", transaction)
            columnar.was_cheap(statement)
            return f"cheap: cost {explained.cost:.0f}, segments are used from {least:.0f} on"
        cause: Cause
        try:
            found = columnar.plan(
                transaction, statement, query, explained, self._dispatcher.capacity(), without
            )
        except QueueError:
            cause, reason = "workers", "the queue is out of reach"
        except NotOverSegments as error:
            cause, reason = error.cause, error.reason
        except (CannotSplit, RunWhole) as error:
            cause, reason = "shape", error.reason
        except NotColumnar as error:
            cause = "expression"
            reason = f"DuckDB may mean something else by {error.expression}: {error.why}"
        except SqlError as error:
            cause, reason = "shape", _refused(error)
        except DatabaseError as error:
            cause, reason = "list", f"the list of segments is out of reach: {error}"
        else:
            return Plan(
                found.reason, explained, SplitPlan((), found.merge), found.table, found.ranges,
                found.described, found.types, columnar=found,
                accelerated=tuple(transaction.states),
            )  # fmt: skip
        columnar.refused(cause, transaction)
        transaction.recover()
        return reason

    def _on_postgresql(
        self,
        transaction: ReadTransaction,
        statement: Statement,
        query: QueryInput,
        explained: Explained,
        *,
        crowded: bool,
    ) -> Plan:
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
        explained = plan.explained or self.reader.explain(transaction, statement.sql, query.params)
        try:
            with translated():
                read, catalog, _ = self.reader.views(transaction, statement, query.sql)
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
            statement, catalog, described = self.reader.views(transaction, statement, query.sql)
            columns = described.columns
            if planning_may_tell_more(statement.tree, columns):
                columns = transaction.describe_result(query.sql, query.params)
            types = self.reader.parameter_types(transaction, described)
            names = tuple(column.name for column in described.columns)
            prepared = self._splits.prepare(statement, names, types, catalog)
            probe = prepared.probe.sql
            probed = self.reader.check(transaction, prepared.whole, probe, query, explained)
            facts = self.reader.partial_types(transaction, probe, probed, [*query.params, *NO_ROWS])
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

    def _check_worth(
        self, cutting: "_Cutting", parts: Sequence[PlannedFragment], *, sample: int
    ) -> None:
        """Let PostgreSQL estimate one of the fragments.  Raises NotWorth if it gains nothing."""
        query, explained = cutting.query, cutting.explained
        if query.engine == "partitioned" or query.partitions is not None:
            return
        part = parts[sample]
        estimate = self.reader.explain(cutting.transaction, part.sql, part.params)
        reason = why_not_worth(
            whole_cost=explained.cost,
            cost=estimate.cost,
            rows=estimate.rows,
            fragments=len(parts),
            limits=self._limits,
        )
        if reason is not None:
            raise NotWorth(reason)


def _largest(split: SplitPlan, catalog: Catalog) -> Table | None:
    tables = [catalog.tables[item.table] for item in split.templates if item.table is not None]
    return max(tables, key=lambda table: table.blocks, default=None)


def _refused(error: SqlError) -> str:
    return f"PostgreSQL refused a part of it: {error.message}"
