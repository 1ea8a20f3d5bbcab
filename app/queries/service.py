"""The query service: from a checked request to an answer."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from app.queries.analysis import Analyzer
from app.queries.catalog_reader import CatalogReader
from app.queries.columnar.errors import LockFirst
from app.queries.columnar.planner import ColumnarPlanner
from app.queries.columnar.tools import ColumnarTools
from app.queries.control import Control
from app.queries.copy_out import CopyOut
from app.queries.direct import Result, collect
from app.queries.errors import Cancelled, DeadlinePassed, Overloaded, RunWhole
from app.queries.explanation import Explanation, explanation
from app.queries.in_parts import AnswersInParts, type_names
from app.queries.metrics import QueryMetrics
from app.queries.open_answer import OpenAnswer
from app.queries.overflow import Overflow, Turn
from app.queries.partitioned import CANCELLED
from app.queries.plan import Plan
from app.queries.planning import Planner
from app.queries.reader import QueryReader
from app.queries.request import Answer, QueryInput, Timings
from app.queries.self_check import SelfCheck
from app.queries.settings import QuerySettings
from app.queries.sql_error import SqlError, did_you_mean, schema_kept, translated
from app.queries.transaction import ReadTransaction
from db.database import Database
from db.describe import DECLARE
from db.errors import ConnectionLost
from db.pool import Silence
from db.tracking.tracked_table import TrackedTable
from query.errors import NotSplittable, ParametersRefused, SyntaxRefused
from query.fragment import ColumnType
from query.shape import shape_of
from query.statement import Parser, Statement
from tasks.dispatcher import Dispatcher
from telemetry.spans import aside, span

UNDEFINED_TABLE = "42P01"
INSISTENT = ("partitioned", "columnar")  # engines that are not exchanged for another
SWITCHED_OFF = "a self-check found this shape of query wrong when split, so it is not"


class QueryService:
    """Runs and explains queries.  Safe for use by many threads.

    `on_ran` is told the statement and the seconds of each that was answered whole.
    """

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
        columnar: ColumnarTools | None = None,
        on_ran: Callable[[str, float], None] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._self_check = self_check
        self._on_ran = on_ran
        self._database = database
        self._dispatcher = dispatcher
        self._parser = parser
        self._catalog = catalog
        self._settings = settings
        self._metrics = metrics
        reader = QueryReader(catalog)
        self._over_segments = (
            None
            if columnar is None
            else ColumnarPlanner(columnar, reader, catalog, settings, metrics.not_over_segments)
        )
        self._planner = Planner(reader, dispatcher, settings, self._over_segments)
        self._in_parts = AnswersInParts(
            self._planner, catalog, dispatcher, settings, columnar, metrics, monotonic
        )
        self._overflow = Overflow(settings.max_overflow)
        self._analyzer = Analyzer(dispatcher, catalog, settings, monotonic)
        self._monotonic = monotonic

    def run(
        self, query: QueryInput, control: Control | None = None, *, accepted: bool = False
    ) -> Answer:
        """Answer `query`; `control` can end it early, and its deadline counts.

        Raises SyntaxRefused, StatementRefused, SqlError, DeadlinePassed, Cancelled, NotSplittable
        when "partitioned" was asked for and cannot be, Overloaded unless it was `accepted` before,
        and db.errors.
        """
        control = control or Control("", query.timeout_s, self._monotonic)
        overflow = Overflow(1) if accepted else self._overflow
        with overflow.turn() as turn:
            try:
                return self._run(query, control, turn)
            except ConnectionLost:
                # It only reads, and nothing of it was sent.  Once: what ends a second connection
                # may be the query itself.
                control.remaining_s()
                return self._run(query, control, turn)

    def _run(self, query: QueryInput, control: Control, turn: Turn) -> Answer:
        began = self._monotonic()
        with self._planned(query, control, turn) as (transaction, statement, plan):
            planned_ms = (self._monotonic() - began) * 1000
            answer = self._run_split(transaction, statement, query, plan, turn)
            if isinstance(answer, str):
                answer = self._run_direct(transaction, statement, query, answer)
            self._in_parts.learn(statement, plan, answer)
            waited_ms = transaction.waited_ms + answer.timings.postgresql
        total_ms = (self._monotonic() - began) * 1000
        if self._on_ran is not None:
            self._on_ran(query.sql, total_ms / 1000)
        timings = replace(answer.timings, plan=planned_ms, total=total_ms, postgresql=waited_ms)
        self._metrics.answered(answer.mode, timings)
        return replace(answer, timings=timings)

    def vet(self, query: QueryInput) -> None:
        """Refuse at once what `run` would refuse for its text or its number of parameters."""
        self._parse(query, Control("", query.timeout_s, self._monotonic))

    def check(self, query: QueryInput) -> tuple[ColumnType, ...]:
        """Have PostgreSQL plan the query whole, and return the columns that it would have.

        Raises what `run` would before it begins; nothing is run.
        """
        control = Control("", query.timeout_s, self._monotonic)
        with self._planned(query, control) as (transaction, statement, _):
            transaction.recover()
            with translated(DECLARE):
                return transaction.describe_result(statement.sql, query.params)

    @contextmanager
    def open(self, query: QueryInput, control: Control) -> Iterator[OpenAnswer]:
        """Answer `query` row by row; its connection is held until the context is left.

        Raises what `run` does; also after the first row.  What is raised inside the context is
        translated when it leaves it, so catch outside.
        """
        began = self._monotonic()
        with (
            self._overflow.turn() as turn,
            self._planned(query, control, turn) as (transaction, statement, plan),
        ):
            planned = self._monotonic()
            answer = self._run_split(transaction, statement, query, plan, turn)
            if isinstance(answer, Answer):
                self._in_parts.learn(statement, plan, answer)
            if isinstance(answer, Answer) and _cut_by_size(answer, query):
                answer = "its answer is too large to be merged in memory"

            def ended(done: OpenAnswer) -> None:
                now = self._monotonic()
                known = done.timings
                execute_ms = known.execute or (now - planned) * 1000
                done.timings = replace(
                    known, plan=(planned - began) * 1000, execute=execute_ms,
                    total=(now - began) * 1000,
                    postgresql=transaction.waited_ms + known.postgresql,
                )  # fmt: skip
                self._metrics.answered(done.mode, done.timings)

            if isinstance(answer, str):
                opened = self._open_direct(transaction, statement, query, answer, ended)
            else:
                opened = OpenAnswer(
                    answer.columns, answer.types, answer.mode, answer.reason, answer.fragments,
                    answer.snapshot, answer.timings, query.max_rows, answer.rows, ended,
                    truncated=answer.truncated,
                )  # fmt: skip
            with aside("send"):
                yield opened

    def explain(
        self, query: QueryInput, control: Control | None = None, *, analyze: bool = False
    ) -> Explanation:
        """Plan `query`, and run it only to `analyze` it.  Raises as `run` does.

        But for NotSplittable: what was asked for and cannot be is a thing to explain.
        """
        began = self._monotonic()
        control = control or Control("", query.timeout_s, self._monotonic)
        with self._planned(query, control) as (transaction, statement, planned):
            plan_ms = (self._monotonic() - began) * 1000
            waited_ms = transaction.waited_ms
            plan = planned
            if plan.split is not None and self._is_off(statement):
                plan = replace(plan, split=None, reason=SWITCHED_OFF)
            found = explanation(
                self._planner, self._catalog, transaction, statement, query, plan
            )  # fmt: skip
            if not analyze:
                return found
            analysis = self._analyzer.analyze(transaction, statement, query, plan)
        ran = analysis.timings
        timings = replace(
            ran, plan=plan_ms, total=ran.total + plan_ms, postgresql=ran.postgresql + waited_ms
        )
        return replace(found, analysis=replace(analysis, timings=timings))

    @contextmanager
    def _planned(
        self, query: QueryInput, control: Control, turn: Turn | None = None
    ) -> Iterator[tuple[ReadTransaction, Statement, Plan]]:
        """Have the query planned in a transaction, that lasts as long as this context.

        With a `turn` it is to be run: where no slot is free and no place to run whole, it will wait
        for a slot.
        """
        statement = self._parse(query, control)
        with ExitStack() as stack:
            with span("pool.wait"):
                checkout = self._database.connection(control.remaining_s())
                connection = stack.enter_context(checkout)
            transaction = ReadTransaction(connection, control)
            ending = _ending_told(control)
            with ending, schema_kept(statement), control.cancelling(transaction.cancel):
                with span("plan") as planning:
                    locks = self._locks(statement, query)
                    if locks:
                        transaction.begin_checked(locks)
                    else:
                        transaction.begin()
                    plan = self._plan(transaction, statement, query)
                    if turn is not None and plan.busy_s is not None and not turn.take():
                        transaction.recover()
                        plan = self._planner.plan(transaction, statement, query, crowded=True)
                    planning.set({"millrace.parts": plan.fragments, "millrace.reason": plan.reason})
                yield transaction, statement, plan

    def _locks(self, statement: Statement, query: QueryInput) -> Sequence[TrackedTable]:
        """Return the accelerated tables that it may be answered from segments of."""
        if self._over_segments is None or query.engine not in ("auto", "columnar"):
            return ()
        return self._over_segments.locks(statement)

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
            try:
                return self._planner.plan(transaction, statement, query)
            except LockFirst as error:
                transaction.restart(error.tables)
                return self._planner.plan(transaction, statement, query, is_restarted=True)
        except SqlError as error:
            if error.sqlstate != UNDEFINED_TABLE:
                raise
            transaction.recover()
            known = self._catalog.table_names(transaction)
            raise error.with_hint(did_you_mean(error.message, known)) from error

    def _run_split(
        self,
        transaction: ReadTransaction,
        statement: Statement,
        query: QueryInput,
        plan: Plan,
        turn: Turn,
    ) -> Answer | str:
        """Answer in parts, or return the reason to run the query whole.

        Raises NotSplittable, and Overloaded.
        """
        reason = plan.reason
        if plan.split is not None and self._is_off(statement):
            reason = SWITCHED_OFF
        elif plan.split is not None:
            try:
                answer, export = self._in_parts.answer(transaction, statement, query, plan)
                if self._self_check is not None:
                    self._self_check.offer(statement, query, answer, export)
                return answer
            except RunWhole as error:
                reason = error.reason
                insists = query.engine in INSISTENT
                if error.busy_s is not None and (insists or not turn.take()):
                    raise Overloaded(reason, error.busy_s) from error
                if error.busy_s is None:
                    self._in_parts.failed(statement, plan, reason)
                self._metrics.left_split()
        if query.engine in INSISTENT:
            raise NotSplittable(
                f"The query cannot run {query.engine}: {reason}.", 'Ask for the engine "auto".'
            )
        return reason

    def _is_off(self, statement: Statement) -> bool:
        if self._self_check is None or not self._self_check.off:
            return False
        return shape_of(statement.tree).digest in self._self_check.off

    def _run_direct(
        self, transaction: ReadTransaction, statement: Statement, query: QueryInput, reason: str
    ) -> Answer:
        transaction.recover()
        transaction.rebind_deadline()
        began = self._monotonic()
        with span("execute"), translated():
            stream = transaction.stream(statement.sql, query.params)
            rows, truncated = collect(stream, query.max_rows, self._settings.max_answer_bytes)
        result = Result(stream.columns, rows, truncated)
        executed_ms = (self._monotonic() - began) * 1000
        snapshot = transaction.snapshot  # a cut-off statement ends it, and the next has another
        names = type_names(self._catalog, transaction, result)
        return Answer(
            result.columns, names, rows, truncated, "direct", reason, 0,
            snapshot, Timings(execute=executed_ms),
        )  # fmt: skip

    def _open_direct(
        self, transaction: ReadTransaction, statement: Statement, query: QueryInput, reason: str,
        ended: Callable[[OpenAnswer], None],
    ) -> OpenAnswer:  # fmt: skip
        transaction.recover()
        # parsed alone first: what PostgreSQL takes as one whole statement has no parenthesis that
        # closes one around it, so that it may stand within COPY (…)
        with translated(DECLARE):
            columns = transaction.describe_result(statement.sql, query.params)
            facts = self._catalog.type_facts(transaction, columns)
        transaction.rebind_deadline()

        def copier(copy: str, head_rows: int) -> CopyOut:
            return transaction.copy(copy, max_rows=query.max_rows, head_rows=head_rows)

        return OpenAnswer(
            columns, tuple(fact.name for fact in facts), "direct", reason, 0,
            transaction.snapshot, Timings(), query.max_rows,
            transaction.stream(statement.sql, query.params), ended,
            _copyable(statement.sql) if columns and not query.params else None, copier,
        )  # fmt: skip


def _cut_by_size(answer: Answer, query: QueryInput) -> bool:
    """Tell whether an answer lacks rows that are allowed, and that the direct way would have."""
    return answer.truncated and len(answer.rows) < query.max_rows and query.engine == "auto"


def _copyable(sql: str) -> str | None:
    """Return `sql` as it may stand in COPY (…), without its semicolon."""
    text = sql.rstrip("; \t\r\n")
    return None if ";" in text else text  # before a comment, or in a string


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
        if isinstance(error, Silence) and self._control.cause is not None:
            raise Cancelled(self._control.cause) from error
        if not ended:
            return
        if self._control.cause is not None:
            raise Cancelled(self._control.cause) from error
        if isinstance(error, SqlError):
            raise DeadlinePassed from error
