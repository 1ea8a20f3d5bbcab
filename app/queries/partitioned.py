"""Runs a split query: scatter its fragments, gather the partials, merge them on PostgreSQL."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from app.queries.columnar.errors import SegmentsBroken
from app.queries.columnar.partials import PartialCache
from app.queries.direct import Result, collect
from app.queries.errors import DeadlinePassed, RunWhole
from app.queries.plan import Plan
from app.queries.reader import EXPLAIN
from app.queries.request import QueryInput
from app.queries.settings import QuerySettings
from app.queries.sql_error import SqlError, translated
from app.queries.transaction import ReadTransaction
from query.canonical import chosen
from query.columnar.task import ColumnarFragment
from query.explained import Explained
from query.fragment import SEGMENT, Fragment, FragmentError, Partial
from query.merge import Merge, array_literal
from query.split import SplitPlan
from tasks.dispatcher import Dispatcher
from tasks.errors import GatherTimeout, QueueError, QueueFull
from tasks.message import Reply
from telemetry.carrier import outgoing
from telemetry.spans import span

CANCELLED = "57014"
BUSY_S = 1.0  # a full queue is one for so long, where nobody can tell


@dataclass(frozen=True)
class FragmentRun:
    """How a fragment ran; durations in ms.

    It was queued, then it ran in the slot of `worker`, which waited `postgresql_ms` of that time
    for PostgreSQL.  `attempt` counts from 1: more than that where workers died; 0: its partial was
    kept, and no worker ran it.
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
        kept: PartialCache | None = None,
    ) -> None:
        self._transaction = transaction
        self._dispatcher = dispatcher
        self._settings = settings
        self._monotonic = monotonic
        self._kept = kept
        self._exported = ""
        self.from_kept = 0
        self.scanned_rows = 0

    def exported(self) -> str:
        """Return the name of the snapshot, for as long as the transaction lasts."""
        if not self._exported:
            with translated():
                self._exported = self._transaction.export()
        return self._exported

    def gather(self, plan: Plan, query: QueryInput) -> Gathered:
        """Run the fragments, those over segments first.  Raises RunWhole and DeadlinePassed."""
        over_segments = plan.columnar.parts if plan.columnar is not None else ()
        fragments = self._at_snapshot([part.fragment for part in over_segments])
        digests = [fragment.digest for fragment in fragments]
        partials = self._from_kept(digests)
        missing = [place for place in range(len(digests)) if place not in partials]
        self.scanned_rows = sum(over_segments[place].row_count for place in missing)
        snapshot = self.exported() if plan.parts else ""
        payloads = {place: fragments[place].encode() for place in missing}
        payloads |= {
            place: Fragment(
                place,
                part.sql,
                part.params,
                snapshot,
                self._settings.max_partial_rows,
                self._settings.max_partial_bytes,
            ).encode()
            for place, part in enumerate(plan.parts, start=len(digests))
        }
        began = self._monotonic()
        runs = {place: _not_run(partial) for place, partial in partials.items()}
        queued_s = self._run(payloads, partials, runs)
        if plan.columnar is not None:
            for place in missing:
                partials[place] = replace(partials[place], columns=plan.columnar.columns)
            if self._kept is not None:
                self._kept.put(
                    {
                        digest: partials[place]
                        for place, digest in enumerate(digests)
                        if digest is not None and place in missing
                    }
                )
        self._check_types(plan, partials.values())
        if plan.has_children:
            self._check_children(plan, query)
        total_ms = (self._monotonic() - began) * 1000
        execute_ms = max(0.0, total_ms - queued_s * 1000)
        places = sorted(partials)
        return Gathered(
            tuple(partials[place] for place in places), tuple(runs[place] for place in places),
            queued_s * 1000, execute_ms,
        )  # fmt: skip

    def _at_snapshot(self, fragments: Sequence[ColumnarFragment]) -> list[ColumnarFragment]:
        """Give those the snapshot that read rows of PostgreSQL, too."""
        return [replace(one, snapshot=self.exported()) if one.fetches else one for one in fragments]

    def _from_kept(self, digests: Sequence[str | None]) -> dict[int, Partial]:
        known = [digest for digest in digests if digest is not None]
        found = self._kept.get(known) if self._kept is not None else {}
        self.from_kept = len(found)
        return {place: found[digest] for place, digest in enumerate(digests) if digest in found}

    def _check_types(self, plan: Plan, partials: Iterable[Partial]) -> None:
        wanted = [(fact.oid, fact.typmod) for fact in plan.partial_types]
        for partial in partials:
            got = [(column.oid, column.typmod) for column in partial.columns]
            if got[: len(wanted)] != wanted or len(partial.data) != len(got):
                raise RunWhole("a partial's types are not those that were planned")

    def _run(
        self, payloads: Mapping[int, bytes], partials: dict[int, Partial],
        runs: dict[int, FragmentRun],
    ) -> float:  # fmt: skip
        """Add partials and runs of the fragments with these places; return the longest queueing."""
        if not payloads:
            return 0.0
        try:
            return self._gather(payloads, partials, runs)
        except GatherTimeout as error:
            raise DeadlinePassed from error
        except QueueFull as error:
            busy_s = BUSY_S if error.wait_s is None else error.wait_s
            raise RunWhole(str(error), busy_s) from error
        except QueueError as error:
            self._transaction.remaining_ms()  # one that was stopped goes no other way
            raise RunWhole(f"workers could not finish it: {error}") from error

    def _gather(
        self, payloads: Mapping[int, bytes], partials: dict[int, Partial],
        runs: dict[int, FragmentRun],
    ) -> float:  # fmt: skip
        places = list(payloads)
        queued_s, rows = 0.0, sum(partial.row_count for partial in partials.values())
        timeout_s = self._transaction.remaining_ms() / 1000
        control = self._transaction.control
        control.fragments_total = len(partials) + len(payloads)
        control.fragments_done = len(partials)
        with span("scatter", {"millrace.fragments": len(payloads)}):
            sent = self._dispatcher.scatter(
                list(payloads.values()), timeout_s=timeout_s, headers=outgoing()
            )
        with sent as scatter, control.cancelling(scatter.stop), span("gather"):
            for reply in scatter.gather():
                if reply.error is not None:
                    self._give_up(FragmentError.decode(reply.error))
                partial = Partial.decode(reply.payload)
                place = places[reply.index]
                partials[place] = partial
                runs[place] = _run(reply, partial)
                control.fragments_done = len(partials)
                queued_s = max(queued_s, reply.queued_s)
                rows += partial.row_count
                if rows > self._settings.max_partial_rows:
                    raise RunWhole(f"more than {self._settings.max_partial_rows} partial rows")
        return queued_s

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
        if error.kind == SEGMENT:
            raise SegmentsBroken((error.detail or "").splitlines(), error.message)
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


def _not_run(partial: Partial) -> FragmentRun:
    return FragmentRun("", 0, 0.0, 0.0, 0.0, partial.row_count)


def _run(reply: Reply, partial: Partial) -> FragmentRun:
    return FragmentRun(
        worker=reply.worker,
        attempt=reply.attempt,
        queued_ms=reply.queued_s * 1000,
        ran_ms=reply.ran_s * 1000,
        postgresql_ms=partial.postgresql_s * 1000,
        rows=partial.row_count,
    )
