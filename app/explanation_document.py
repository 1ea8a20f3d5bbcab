"""An explanation as the API gives it."""

from collections.abc import Sequence
from typing import get_args

from app.cache.answers import Lookup
from app.formats.documents import timings_document
from app.models_explain import (
    AnalysisDocument,
    CacheDocument,
    DrivingTableDocument,
    FragmentDocument,
    FragmentRunDocument,
    LimitsDocument,
    Mode,
    OtherTableDocument,
    QueryExplanation,
)
from app.models_query import ColumnDocument, TimingsDocument
from app.queries.analysis import Analysis
from app.queries.explanation import Explanation
from app.queries.partitioned import FragmentRun
from app.queries.plan import Plan
from app.queries.request import QueryInput
from app.queries.settings import QuerySettings
from query.catalog import Table
from query.split import FragmentTemplate, KeyedTemplate, SplitPlan


def explanation_document(
    found: Explanation, held: Lookup, query: QueryInput, settings: QuerySettings
) -> QueryExplanation:
    """Return the document; `query.timeout_s` is the time that there really is."""
    plan, split = found.plan, found.plan.split
    return QueryExplanation(
        mode=_mode(plan.mode),
        reason=plan.reason,
        reasons_not_to_split=list(found.reasons),
        reason_not_columnar=plan.not_columnar or None,
        cache=CacheDocument(cacheable=held.cacheable, reason=held.reason, age_s=held.age_s),
        cost=found.explained.cost,
        estimated_rows=found.explained.rows,
        driving_tables=[] if split is None else driving_tables(plan, split),
        other_tables=[] if split is None else other_tables(plan, split),
        fragment_count=plan.fragments,
        fragment_count_reason=plan.reason
        if split is None
        else count_reason(found, query, settings),
        fragments=[] if split is None else _fragments(found),
        partial_columns=[
            ColumnDocument(name=name, type=kind) for name, kind in found.partial_columns
        ],
        merge_sql=split.merge.query.sql if split is not None and split.merge else None,
        limits=_limits(query, settings),
        analysis=_analysis(found.analysis) if found.analysis else None,
    )


def driving_tables(plan: Plan, split: SplitPlan) -> list[DrivingTableDocument]:
    """Return what each template cuts."""
    if plan.columnar is not None:
        return [] if plan.table is None else [_driving_over_segments(plan, plan.table)]
    if split.keyed is not None and plan.table is not None:
        return [_driving_by_key(plan, split.keyed, plan.table)]
    return [_driving(plan, template, len(split.templates) > 1) for template in split.templates]


def _driving_over_segments(plan: Plan, table: Table) -> DrivingTableDocument:
    return DrivingTableDocument(
        table=_name(table), blocks=table.blocks, fragments=plan.fragments,
        why="the largest of those whose rows the joins keep",
        cut="by segments, and by ranges of its key where they are not as the table is now"
        if plan.parts else "by segments",
    )  # fmt: skip


def _driving_by_key(plan: Plan, keyed: KeyedTemplate, table: Table) -> DrivingTableDocument:
    why = (
        "rows of one window partition or group lie together only in ranges of its values"
        if keyed.is_needed
        else "an index finds the rows that the query asks for, and ranges of blocks would lose it"
    )
    return DrivingTableDocument(
        table=_name(table), blocks=table.blocks, why=why, fragments=len(plan.parts),
        cut=f"by ranges of {keyed.column}",
    )  # fmt: skip


def _driving(plan: Plan, template: FragmentTemplate, is_branch: bool) -> DrivingTableDocument:
    if template.table is None:
        return DrivingTableDocument(
            table=None, blocks=0, fragments=1, why="no table of this branch can be cut",
            cut="not at all",
        )  # fmt: skip
    table = plan.tables[template.table]
    alone = len({one.oid for one in plan.tables.values()}) == 1
    why = (
        "the only table"
        if alone
        else "the largest of those whose rows the joins keep, so that each of its rows can be read "
        "by one fragment alone" + (", in this branch of UNION" if is_branch else "")
    )
    return DrivingTableDocument(
        table=_name(table), blocks=table.blocks, why=why, cut=_cut(table),
        fragments=sum(part.sql == template.sql.sql for part in plan.parts),
    )  # fmt: skip


def _cut(table: Table) -> str:
    ranges = "by ranges of its blocks (ctid)"
    if len(table.heaps) < 2:
        return ranges
    return f"{ranges}, the same range of each of the {len(table.heaps)} tables that hold its rows"


def other_tables(plan: Plan, split: SplitPlan) -> list[OtherTableDocument]:
    """Return the tables that are read whole by every fragment."""
    if plan.columnar is not None:
        return [
            OtherTableDocument(table=name, blocks=0, why="its segments are read by each fragment")
            for name in plan.columnar.others
        ]
    cut = [plan.tables[one.table] for one in split.templates if one.table is not None]
    blocks = sum(table.blocks for table in cut)
    taken = {table.oid for table in cut}
    found = []
    for table in plan.tables.values():
        if table.oid in taken:
            continue
        taken.add(table.oid)
        why = (
            "larger, but its rows cannot be divided: a join does not keep them, or they are read "
            "where all are needed"
            if table.blocks > blocks
            else "no larger than what is cut"
        )
        found.append(OtherTableDocument(table=_name(table), blocks=table.blocks, why=why))
    return found


def count_reason(found: Explanation, query: QueryInput, settings: QuerySettings) -> str:
    """Return where the number of fragments comes from."""
    plan = found.plan
    if plan.columnar is not None:
        return plan.reason
    if query.partitions is not None:
        wanted = [f"{query.partitions} that the request asks for"]
    elif query.engine == "partitioned":
        wanted = [f"{plan.slots} slots of workers"]
    else:
        floor = settings.min_fragment_cost
        wanted = [
            f"{plan.slots} free slots of workers",
            f"{int(found.explained.cost / floor)} parts that cost at least {floor:g}",
        ]
    blocks = sum(table.blocks for table in _cut_tables(plan))
    bounds = [*wanted, f"{settings.max_fragments} (MILLRACE_MAX_FRAGMENTS)", f"{blocks} blocks"]
    return "the least of " + ", ".join(bounds)


def _cut_tables(plan: Plan) -> Sequence[Table]:
    templates = plan.split.templates if plan.split else ()
    return [plan.tables[one.table] for one in templates if one.table is not None]


def _mode(mode: str) -> Mode:
    (known,) = [one for one in get_args(Mode) if one == mode]
    found: Mode = known
    return found


def _name(table: Table) -> str:
    return f"{table.schema}.{table.name}"


def _fragments(found: Explanation) -> list[FragmentDocument]:
    parts = found.plan.parts
    ran: Sequence[FragmentRun | None] = found.analysis.runs if found.analysis else ()
    over_segments = found.plan.columnar.parts if found.plan.columnar else ()
    runs = ran or [None] * (len(over_segments) + len(parts))
    documents = [
        FragmentDocument(
            engine="duckdb",
            rows=part.rows,
            sql=part.fragment.sql,
            params=[],
            cost=None,
            estimated_rows=None,
            ran=_ran(run) if run else None,
        )
        for part, run in zip(over_segments, runs, strict=False)
    ]
    return documents + [
        FragmentDocument(
            engine="postgresql", rows=part.rows, sql=part.sql, params=list(part.params),
            cost=estimate.cost, estimated_rows=estimate.rows, ran=_ran(run) if run else None,
        )
        for part, estimate, run in zip(
            parts, found.estimates, runs[len(over_segments) :], strict=True
        )
    ]  # fmt: skip


def _ran(run: FragmentRun) -> FragmentRunDocument:
    return FragmentRunDocument(
        queued_ms=round(run.queued_ms, 3), ran_ms=round(run.ran_ms, 3),
        postgresql_ms=round(run.postgresql_ms, 3), rows=run.rows, worker=run.worker,
        attempt=run.attempt,
    )  # fmt: skip


def _limits(query: QueryInput, settings: QuerySettings) -> LimitsDocument:
    return LimitsDocument(
        timeout_s=query.timeout_s, max_rows=query.max_rows,
        max_query_cost=settings.max_query_cost, min_fragment_cost=settings.min_fragment_cost,
        max_fragment_share=settings.max_fragment_share, max_fragments=settings.max_fragments,
        max_partial_rows=settings.max_partial_rows, max_partial_bytes=settings.max_partial_bytes,
    )  # fmt: skip


def _analysis(analysis: Analysis) -> AnalysisDocument:
    return AnalysisDocument(
        mode=_mode(analysis.mode),
        left_split=analysis.left_split,
        rows=analysis.rows,
        truncated=analysis.truncated,
        timings_ms=TimingsDocument(**timings_document(analysis.timings)),
        postgresql_plan=None
        if analysis.postgresql_plan is None
        else dict(analysis.postgresql_plan),
    )
