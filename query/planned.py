"""The fragments of one plan: which query runs over which rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from query.canonical import chosen
from query.catalog import Table
from query.key_ranges import KeyRange
from query.partitions import block_ranges, shares
from query.split import KeyedTemplate, SplitPlan
from query.statement import TableName


@dataclass(frozen=True)
class PlannedFragment:
    """One query with the values of its parameters; `rows` says in words what part it reads."""

    sql: str
    params: tuple[str | None, ...]
    rows: str


def planned_fragments(
    plan: SplitPlan, tables: Mapping[TableName, Table], params: Sequence[str | None], count: int
) -> tuple[PlannedFragment, ...]:
    """Cut the driving tables into about `count` fragments, each template at least one."""
    sizes = [
        None if template.table is None else tables[template.table].blocks
        for template in plan.templates
    ]
    found = []
    for template, share in zip(plan.templates, shares(sizes, count), strict=True):
        if template.table is None:
            values = tuple(chosen(template.sql, params))
            found.append(PlannedFragment(template.sql.sql, values, "a branch as a whole"))
            continue
        table = tables[template.table]
        for blocks in block_ranges(table.heaps, share):
            values = tuple(chosen(template.sql, [*params, *blocks.as_tids()]))
            rows = f"{blocks.describe()} of {table.schema}.{table.name}"
            found.append(PlannedFragment(template.sql.sql, values, rows))
    return tuple(found)


def keyed_fragments(
    template: KeyedTemplate,
    table: Table,
    params: Sequence[str | None],
    ranges: Sequence[KeyRange],
) -> tuple[PlannedFragment, ...]:
    """Return a fragment for each of `ranges` of a table's column: two or more."""
    return tuple(
        ranged_fragment(
            template, params, part.low, part.high,
            f"{part.describe(template.column)}, of {table.schema}.{table.name}",
        )
        for part in ranges
    )  # fmt: skip


def ranged_fragment(
    template: KeyedTemplate,
    params: Sequence[str | None],
    low: str | None,
    high: str | None,
    rows: str,
) -> PlannedFragment:
    """Return the fragment for the values from `low` up to `high`; None: no bound, not for both."""
    sql = template.between
    if low is None:
        sql = template.first
    elif high is None:
        sql = template.last
    return PlannedFragment(sql.sql, tuple(chosen(sql, [*params, low, high])), rows)
