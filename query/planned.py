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
    found = []
    for part in ranges:
        sql = template.between
        if part.low is None:
            sql = template.first
        elif part.high is None:
            sql = template.last
        values = tuple(chosen(sql, [*params, part.low, part.high]))
        rows = f"{part.describe(template.column)}, of {table.schema}.{table.name}"
        found.append(PlannedFragment(sql.sql, values, rows))
    return tuple(found)
