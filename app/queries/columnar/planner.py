"""Plans queries over segments, within the query's own transaction and snapshot."""

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

from app.queries.catalog_reader import CatalogReader
from app.queries.columnar.asked import Asked, Read
from app.queries.columnar.errors import Cause, LockFirst, NotOverSegments
from app.queries.columnar.known_tables import ReadTable
from app.queries.columnar.plan import ColumnarPlan
from app.queries.columnar.prepared import (
    ColumnarQuestion,
    Finished,
    PreparedQueries,
    PreparedQuery,
)
from app.queries.columnar.sharing_out import SharingOut
from app.queries.columnar.tools import ColumnarTools
from app.queries.newest import Newest
from app.queries.reader import QueryReader
from app.queries.request import QueryInput
from app.queries.settings import QuerySettings
from app.queries.sql_error import translated
from app.queries.transaction import ReadTransaction
from db.tracking.breaks import PROBLEMS
from db.tracking.tracked_table import TrackedTable
from query.canonical import bind, chosen
from query.catalog import Catalog, Table
from query.columnar.errors import NotColumnar
from query.explained import Explained
from query.fragment import ColumnType
from query.modifiers import planning_may_tell_more
from query.safety import moves_with_time
from query.statement import Statement, TableName
from query.trees import copied
from tasks.capacity import Capacity

NONE_ACCELERATED = "no table that it reads is accelerated"
ROWS_PER_BLOCK = 100  # at a guess


class ColumnarPlanner:
    """Safe for use by many threads."""

    def __init__(
        self,
        tools: ColumnarTools,
        reader: QueryReader,
        catalog: CatalogReader,
        settings: QuerySettings,
        on_refused: Callable[[Cause], None] = lambda _cause: None,
    ) -> None:
        self._known = tools.known
        self._reader = reader
        self._catalog = catalog
        self._settings = settings
        self._times = tools.times
        self._sharing = SharingOut(tools, settings)
        self._on_refused = on_refused
        self._prepared = PreparedQueries(settings.plan_cache_size)
        self._behind: Newest[str, Sequence[TableName]] = Newest(settings.plan_cache_size)
        self._cheap: Newest[str, None] = Newest(settings.plan_cache_size)

    def locks(self, statement: Statement) -> list[TrackedTable]:
        """Return the accelerated tables that a transaction is to be begun with.

        None for a query that was cheap last time: it would lose more by that than by one more
        beginning, should it not be so any more.
        """
        if statement.sql in self._cheap:
            return []
        return self._known.named(self._read_by(statement))

    def was_cheap(self, statement: Statement) -> None:
        """Note that segments are not worth a thought for this query."""
        self._cheap.put(statement.sql, None)

    def reads_none(self, statement: Statement, *, is_asked_for: bool = False) -> bool:
        """Tell whether it surely reads no accelerated table, as far as is known.

        Where segments `is_asked_for` it looks again first: one may be accelerated just now.
        """
        if is_asked_for and not self._known.named(self._read_by(statement)):
            self._known.look_anew()
        return not self._known.any or (
            statement.sql in self._behind and not self._known.named(self._read_by(statement))
        )

    def refused(self, cause: Cause, transaction: ReadTransaction) -> None:
        """Count a query of accelerated tables that segments do not answer."""
        if transaction.states:
            self._on_refused(cause)

    def _read_by(self, statement: Statement) -> Sequence[TableName]:
        """Return the tables that a statement reads, behind views, too, once that is known."""
        return self._behind.get(statement.sql) or statement.tables

    def plan(
        self,
        transaction: ReadTransaction,
        statement: Statement,
        query: QueryInput,
        explained: Explained,
        capacity: Capacity,
        without: Collection[int] = (),
    ) -> ColumnarPlan:
        """Plan over segments, `without` those with these ids.

        Raises CannotSplit, NotColumnar and RunWhole with the reason why not, LockFirst, SqlError,
        DatabaseError.  The transaction may have failed then.
        """
        self._cheap.drop(statement.sql)
        asked = Asked(transaction, statement, query, explained, capacity, without)
        self._check_hands(asked)
        settled = None if asked.is_forced else self._times.settled(statement)
        if settled is not None:
            raise NotOverSegments("slower", settled)
        read = self._read(asked)
        tables = self._tables(asked, read.catalog)
        question = ColumnarQuestion(
            read.statement,
            tuple(column.name for column in read.described.columns),
            read.types,
            read.catalog,
            {name: table.fact for name, table in tables.items()},
            {
                table.oid: table.tracked.key_column
                for table in tables.values()
                if table.tracked is not None
            },
        )
        prepared = self._prepared.prepare(question)
        finished, described = self._finished(asked, read, question, prepared)
        plan = self._in_one_piece(asked, tables, question, prepared, finished)
        if plan is None:
            rendered = prepared.render(question, finished, query.params)
            plan = self._sharing.share_out(asked, tables, prepared, finished, rendered)
        return replace(plan, described=described)

    def _check_hands(self, asked: Asked) -> None:
        """Raise CannotSplit where no worker could read segments."""
        if asked.statement.unread is not None:
            raise NotOverSegments("shape", asked.statement.unread)
        if any(value is not None and moves_with_time(value) for value in asked.query.params):
            raise NotOverSegments("shape", "a parameter may mean the time of the transaction")
        if asked.capacity.workers == 0:
            raise NotOverSegments("workers", "no worker is there")
        if asked.capacity.segment_readers < asked.capacity.workers:
            raise NotOverSegments("workers", "not all workers have a folder of segments")

    def _read(self, asked: Asked) -> Read:
        with translated():
            statement, catalog, described = self._reader.views(
                asked.transaction, asked.statement, asked.query.sql
            )
            types = self._reader.parameter_types(asked.transaction, described)
        if statement is not asked.statement or not self._known.named(statement.tables):
            names = [TableName(one.schema, one.name) for one in catalog.tables.values()]
            self._behind.put(asked.statement.sql, names)
        return Read(statement, catalog, described, types)

    def _tables(self, asked: Asked, catalog: Catalog) -> dict[TableName, ReadTable]:
        """Return the tables that it reads.  Raises CannotSplit and LockFirst."""
        names = {
            given: TableName(table.schema, table.name) for given, table in catalog.tables.items()
        }
        tracked = {(one.schema, one.name): one for one in self._known.named(names.values())}
        if not tracked:
            raise NotOverSegments("not_accelerated", NONE_ACCELERATED)
        if any(one.oid not in asked.transaction.states for one in tracked.values()):
            raise LockFirst(list(tracked.values()))
        found: dict[TableName, ReadTable] = {}
        for given, table in catalog.tables.items():
            accelerated = tracked.get((table.schema, table.name))
            if accelerated is not None and accelerated.oid == table.oid:
                found[given] = self._accelerated(asked, accelerated)
            else:
                found[given] = self._other(table)
        return found

    def _accelerated(self, asked: Asked, tracked: TrackedTable) -> ReadTable:
        problem = asked.transaction.states[tracked.oid].problem
        if problem is not None:
            what = PROBLEMS.get(problem, problem)
            raise NotOverSegments("tracking", f"{tracked.name} has to be accelerated anew: {what}")
        found = self._known.table(tracked)
        if isinstance(found, str):
            raise NotOverSegments("tracking", f"{tracked.name}: {found}")
        return found

    def _other(self, table: Table) -> ReadTable:
        """Return a table whose rows are few enough to be fetched.  Raises CannotSplit."""
        is_small = table.blocks * ROWS_PER_BLOCK <= self._settings.columnar_fetch_rows
        if not is_small or table.has_children or table.kind not in ("r", "m"):
            raise NotOverSegments("not_accelerated", f"{table.name} is not accelerated")
        found = self._known.other_table(table.oid, table.schema, table.name)
        if isinstance(found, str):
            raise NotOverSegments("not_accelerated", f"{table.name}: {found}")
        return found

    def _finished(
        self, asked: Asked, read: Read, question: ColumnarQuestion, prepared: PreparedQuery
    ) -> tuple[Finished, tuple[ColumnType, ...]]:
        """Return what to run and merge, and the columns of the whole query."""
        plan = hashlib.sha256(asked.explained.text.encode()).digest()
        known, described = prepared.finished, prepared.confirmed.get(plan)
        if known is not None and described is not None:
            return known, described
        finished = self._finish(asked, question, prepared)
        described = self._described(asked, read, finished)
        prepared.confirmed.put(plan, described)
        return finished, described

    def _finish(
        self, asked: Asked, question: ColumnarQuestion, prepared: PreparedQuery
    ) -> Finished:
        """Have PostgreSQL confirm how we read it, and learn the types of what merges."""
        transaction, params = asked.transaction, asked.query.params
        with translated():
            described = self._reader.check(
                transaction, prepared.whole, prepared.probe, asked.query, asked.explained
            )
            facts = tuple(
                self._reader.partial_types(transaction, prepared.probe, described, params)
            )
            if prepared.finished is not None and prepared.finished.facts == facts:
                return prepared.finished
            pieces = question.pieces()
            fragment, merge = pieces.finish(facts, question.types)
            keyed = None
            if pieces.table is not None and pieces.table.oid not in question.keys:
                raise NotOverSegments("not_accelerated", f"{pieces.table.name} is not accelerated")
            if pieces.table is not None and not pieces.is_columnar_only:
                key = question.keys[pieces.table.oid]
                keyed = pieces.by_key(fragment, question.types, key)
            bound = bind(copied(fragment), question.types)
            columns = transaction.describe_result(bound.sql, chosen(bound, params))
            every = tuple(self._catalog.type_facts(transaction, columns))
        first_merge = pieces.first_merge(facts, question.types, fragment)
        finished = Finished(facts, bound, columns, every, merge, keyed, first_merge)
        prepared.finished = finished
        return finished

    def _described(self, asked: Asked, read: Read, finished: Finished) -> tuple[ColumnType, ...]:
        """Return the columns of the whole query, to hold the merge to."""
        described = read.described.columns
        if planning_may_tell_more(read.statement.tree, described):
            with translated():
                described = asked.transaction.describe_result(asked.query.sql, asked.query.params)
        if finished.merge is None and [(one.oid, one.typmod) for one in finished.columns] != [
            (one.oid, one.typmod) for one in read.described.columns
        ]:
            raise NotOverSegments(
                "shape", "a fragment's columns are not of the whole query's types"
            )
        return described

    def _in_one_piece(
        self,
        asked: Asked,
        tables: Mapping[TableName, ReadTable],
        question: ColumnarQuestion,
        prepared: PreparedQuery,
        finished: Finished,
    ) -> ColumnarPlan | None:
        """Plan for the groups alone that are left in the end, where no other machine would help."""
        if finished.first_merge is None or asked.capacity.hosts > 1 or asked.query.partitions:
            return None
        finished = replace(finished, merge=finished.first_merge)
        try:
            rendered = prepared.render(question, finished, asked.query.params, first_groups=True)
            return self._sharing.share_out(asked, tables, prepared, finished, rendered)
        except NotColumnar:
            return None
        except NotOverSegments as error:
            if error.cause != "dirty":
                raise
            return None
