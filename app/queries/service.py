"""The query service: from a checked request to an answer."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from app.queries.catalog_reader import CatalogReader
from app.queries.control import Control
from app.queries.direct import Result, collect
from app.queries.errors import Cancelled, DeadlinePassed, RunWhole
from app.queries.metrics import QueryMetrics
from app.queries.partitioned import CANCELLED, PartitionedRun
from app.queries.planning import Plan, Planner
from app.queries.request import Answer, QueryInput, Timings
from app.queries.self_check import SelfCheck
from app.queries.settings import QuerySettings
from app.queries.sql_error import SqlError, did_you_mean, translated
from app.queries.transaction import ReadTransaction
from db.database import Database
from query.errors import NotSplittable, ParametersRefused, SyntaxRefused
from query.shape import shape_of
from query.statement import Parser, Statement
from tasks.dispatcher import Dispatcher

UNDEFINED_TABLE = "42P01"


@dataclass(frozen=True)
class Explanation:
    """What would run, and why; `plan.split` None: direct."""

    plan: Plan
    statement: Statement


class QueryService:
    """Runs and explains queries.  Safe for use by many threads."""

    def __init__(
        self,
        database: Database,
        dispatcher: Dispatcher,
        *,
        parser: Parser,
        catalog: CatalogReader,
        settings: QuerySettings,
        metrics: QueryMetrics,
        self_check: SelfCheck | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._self_check = self_check
        self._database = database
        self._dispatcher = dispatcher
        self._parser = parser
        self._catalog = catalog
        self._settings = settings
        self._metrics = metrics
        self._planner = Planner(catalog, dispatcher, settings)
        self._monotonic = monotonic

    def run(self, query: QueryInput, control: Control | None = None) -> Answer:
        """Answer `query`; `control` can end it early, and its deadline counts.

        Raises SyntaxRefused, StatementRefused, SqlError, DeadlinePassed, Cancelled, NotSplittable
        when "partitioned" was asked for and cannot be, and db.errors.
        """
        began = self._monotonic()
        control = control or Control("", query.timeout_s, self._monotonic)
        statement = self._parse(query, control)
        with self._database.connection(control.remaining_s()) as connection:
            transaction = ReadTransaction(connection, control)
            with _ending_told(control), control.cancelling(transaction.cancel):
                transaction.begin()
                plan = self._plan(transaction, statement, query)
                planned_ms = (self._monotonic() - began) * 1000
                answer = self._run_planned(transaction, statement, query, plan)
        total_ms = (self._monotonic() - began) * 1000
        timings = replace(answer.timings, plan=planned_ms, total=total_ms)
        self._metrics.answered(answer.mode, timings)
        return replace(answer, timings=timings)

    def explain(self, query: QueryInput) -> Explanation:
        """Plan `query` and run nothing.  Raises as `run` does."""
        control = Control("", query.timeout_s, self._monotonic)
        statement = self._parse(query, control)
        with self._database.connection(query.timeout_s) as connection:
            transaction = ReadTransaction(connection, control)
            with _ending_told(control):
                transaction.begin()
                plan = self._plan(transaction, statement, query)
                if plan.explained is None:
                    cost = self._planner.explain(transaction, statement.sql, query.params)
                    plan = replace(plan, explained=cost)
        return Explanation(plan, statement)

    def _parse(self, query: QueryInput, control: Control) -> Statement:
        """Parse; what our parser cannot read, PostgreSQL explains better."""
        try:
            statement = self._parser.parse(query.sql)
        except SyntaxRefused:
            with self._database.connection() as connection:
                transaction = ReadTransaction(connection, control)
                transaction.begin()
                with translated():
                    transaction.describe(query.sql)
            raise
        given, wanted = len(query.params), statement.parameter_count
        if given != wanted:
            raise ParametersRefused(
                f"The SQL's parameters end with ${wanted}, and params holds {given}."
                if wanted
                else f"The SQL has no parameters, and params holds {given}.",
                "Send one value for each of $1, $2 …." if wanted else "Leave params out.",
            )
        return statement

    def _plan(self, transaction: ReadTransaction, statement: Statement, query: QueryInput) -> Plan:
        """Plan; where a table is unknown, name the one that was meant."""
        try:
            return self._planner.plan(transaction, statement, query)
        except SqlError as error:
            if error.sqlstate != UNDEFINED_TABLE:
                raise
            transaction.recover()
            known = self._catalog.table_names(transaction)
            raise error.with_hint(did_you_mean(error.message, known)) from error

    def _run_planned(
        self, transaction: ReadTransaction, statement: Statement, query: QueryInput, plan: Plan
    ) -> Answer:
        reason = plan.reason
        if plan.split is not None and self._is_off(statement):
            reason = "a self-check found this shape of query wrong when split, so it is not"
        elif plan.split is not None:
            try:
                answer, exported = self._run_split(transaction, query, plan)
                if self._self_check is not None:
                    self._self_check.offer(statement, query, answer, exported)
                return answer
            except RunWhole as error:
                reason = error.reason
                self._metrics.left_split()
        if query.engine == "partitioned":
            raise NotSplittable(
                f"The query cannot run partitioned: {reason}.", 'Ask for the engine "auto".'
            )
        return self._run_direct(transaction, statement, query, reason)

    def _is_off(self, statement: Statement) -> bool:
        if self._self_check is None or not self._self_check.off:
            return False
        return shape_of(statement.tree).digest in self._self_check.off

    def _run_split(
        self, transaction: ReadTransaction, query: QueryInput, plan: Plan
    ) -> tuple[Answer, str]:
        """Return the answer, and the name of its snapshot for as long as the transaction lasts."""
        assert plan.split is not None  # noqa: S101 - for the type checker; the caller has looked
        run = PartitionedRun(transaction, self._dispatcher, self._settings, self._monotonic)
        gathered = run.gather(plan, plan.split, query)
        began = self._monotonic()
        result = run.merge(plan, plan.split, query, gathered)
        names = self._type_names(transaction, result)
        merged_ms = (self._monotonic() - began) * 1000
        timings = Timings(queue=gathered.queue_ms, execute=gathered.execute_ms, merge=merged_ms)
        answer = Answer(
            result.columns, names, result.rows, result.truncated, "partitioned", plan.reason,
            len(plan.ranges), transaction.snapshot, timings,
        )  # fmt: skip
        return answer, run.exported

    def _run_direct(
        self, transaction: ReadTransaction, statement: Statement, query: QueryInput, reason: str
    ) -> Answer:
        transaction.recover()
        transaction.rebind_deadline()
        began = self._monotonic()
        with translated():
            stream = transaction.stream(statement.sql, query.params)
            rows, truncated = collect(stream, query.max_rows, self._settings.max_answer_bytes)
        result = Result(stream.columns, rows, truncated)
        executed_ms = (self._monotonic() - began) * 1000
        names = self._type_names(transaction, result)
        return Answer(
            result.columns, names, rows, truncated, "direct", reason, 0,
            transaction.snapshot, Timings(execute=executed_ms),
        )  # fmt: skip

    def _type_names(self, transaction: ReadTransaction, result: Result) -> tuple[str, ...]:
        if result.truncated:
            transaction.recover()  # the statement was cut off, and the transaction with it
        with translated():
            facts = self._catalog.type_facts(transaction, result.columns)
        return tuple(fact.name for fact in facts)


class _ending_told:  # noqa: N801 - reads as a statement
    """Says who ended a query that PostgreSQL calls cancelled: its control, else the deadline."""

    def __init__(self, control: Control) -> None:
        self._control = control

    def __enter__(self) -> None:
        """Nothing to do."""

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        """Translate."""
        ended = isinstance(error, DeadlinePassed | RunWhole) or (
            isinstance(error, SqlError) and error.sqlstate == CANCELLED
        )
        if not ended:
            return
        if self._control.cause is not None:
            raise Cancelled(self._control.cause) from error
        if isinstance(error, SqlError):
            raise DeadlinePassed from error
