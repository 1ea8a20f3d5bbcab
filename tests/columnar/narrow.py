# ruff: noqa: E501 - SQL reads best on one line
"""The generator of queries, kept to what is on the list, so that most of them are compared."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from unittest.mock import patch

from tests.oracle import calls, generator, scalars, sources
from tests.oracle.schema import COLUMNS

KINDS = frozenset({
    "int", "numeric", "bool", "text", "date", "timestamp", "timestamptz", "uuid", "bytea", "char",
})  # fmt: skip
# of no scale of its own, or of a collation that does not sort by bytes, or of another table's type
LEFT_OUT = frozenset(
    {("t", "num"), ("nully", "num"), ("empty", "num"), ("one", "num"), ("t", "ti"), ("t", "ch")}
)
TEMPLATES = {
    "int": [
        "{int} % 5", "{int} / 7", "abs({int} % 9)", "{int} & 6", "{int} | 1", "{int} # 3", "coalesce({int}, 0)", "nullif({int}, 7)",
        "CASE WHEN {bool} THEN {int} ELSE {int} END", "CASE {int} WHEN 1 THEN 10 WHEN 7 THEN {int} END", "{int}::bigint",
        "greatest({int}, {int})", "least({int}, 5)", "({date} - date '2024-01-01')", "length({text})", "strpos({text}, 'g')",
        "mod({int}, 9)", "{int} % 3 + 1", "round({numeric})::int", "octet_length({text})", "{int} * 2", "{int} - {int}",
        "extract(year FROM {date})::int", "~{int}", "length({char})",
    ],
    "numeric": [
        "{numeric} + {numeric}", "{numeric} * {int}", "{numeric} - {int}", "round({numeric}, 1)", "round({numeric})", "{int}::numeric(12,3)",
        "abs({numeric})", "coalesce({numeric}, 0.00)", "coalesce({numeric}, 0)", "nullif({numeric}, 1)", "CASE WHEN {bool} THEN {numeric} ELSE 1.000 END",
        "CASE WHEN {bool} THEN {numeric} WHEN {bool} THEN {numeric} ELSE 0 END", "{numeric}::numeric(20,4)", "-{numeric}", "{numeric} * (1 - {numeric})",
        "extract(month FROM {date})", "extract(dow FROM {timestamp})", "{int}::numeric", "{numeric} * {numeric}",
    ],
    "text": [
        "upper({text})", "{text} || '-x'", "substr({text}, 1, 2)", "left({text}, 1)", "coalesce({text}, 'none')", "nullif({text}, 'g1')",
        "CASE WHEN {bool} THEN {text} ELSE 'other' END", "{int}::text", "substring({text} FROM 2 FOR 2)", "trim({text})", "replace({text}, 'g', 'h')",
        "lower({text})", "{uuid}::text", "{char}::text",
    ],
    "bool": ["{bool}", "{int} > {int}", "{text} IS NULL", "NOT {bool}", "{text} = 'g1'", "{bool} AND {bool}", "{int} % 2 = 0", "coalesce({bool}, false)", "{bool} OR {bool}", "{bool} IS NOT TRUE", "{numeric} < {numeric}", "{char} = 'A'"],
    "date": ["{date} + 7", "date_trunc('month', {date})::date", "({timestamp})::date", "coalesce({date}, date '2024-12-24')", "least({date}, date '2024-03-01')", "CASE WHEN {bool} THEN {date} END"],
    "timestamp": ["date_trunc('day', {timestamp})", "{timestamp} + interval '1 hour'", "{date}::timestamp", "{timestamp} - interval '1 month'", "date_trunc('month', {timestamp})", "{date} + interval '1 month'", "coalesce({timestamp}, timestamp '2024-01-01 00:00')"],
    "timestamptz": ["{timestamptz} + interval '1 day'", "date_trunc('hour', {timestamptz})", "date_trunc('month', {date})"],
    "uuid": ["{uuid}", "coalesce({uuid}, 'c4ca4238-a0b9-2382-0dcc-509a6f75849b')"],
    "bytea": ["{bytea}"],
    "char": ["{char}"],
}  # fmt: skip
CONDITIONS = [
    "{int} > {literal_int}", "{int} BETWEEN 2 AND 60", "{numeric} < {literal_numeric}", "{text} = {literal_text}", "{text} IS NULL", "{int} IS NOT NULL",
    "{text} LIKE '%1%'", "{text} NOT LIKE 'g%'", "{int} IN (1, 3, 7, NULL)", "{int} NOT IN (1, 2)", "{bool}", "NOT {bool}", "{bool} IS NOT TRUE",
    "{date} > {literal_date}", "{timestamp} <= {literal_timestamp}", "{int} IS DISTINCT FROM 7", "{numeric} = 1", "{char} = 'A'", "{uuid} IS NOT NULL",
    "{timestamptz} >= {literal_timestamptz}", "{int} % 3 = 1", "{int} < {int}", "starts_with({text}, 'g')", "{numeric} IS NULL OR {int} > 3", "{date} < {timestamp}",
    "{date} BETWEEN date '2024-01-10' AND date '2024-01-10' + interval '2' month", "{text} IN ('g1', 'x2', 'b')", "{numeric} BETWEEN 0.5 AND 10.25", "{numeric} >= {int}",
]  # fmt: skip
SUBQUERY_CONDITIONS = [
    "EXISTS (SELECT 1 FROM s AS s1 WHERE s1.t_id = {int})", "NOT EXISTS (SELECT 1 FROM s AS s1 WHERE s1.i4 = {int} AND s1.w > 10)",
    "{int} IN (SELECT s1.i4 FROM s AS s1 WHERE s1.w < 30)", "{int} NOT IN (SELECT s1.t_id FROM s AS s1)", "{int} > (SELECT avg(s1.i4) FROM s AS s1)",
    "{int} = (SELECT max(s1.t_id) FROM s AS s1 WHERE s1.i4 = {int})", "{int} > (SELECT 0.2 * avg(s1.w) FROM s AS s1 WHERE s1.label = {text})",
    "{text} IN (SELECT e1.tx FROM empty AS e1)", "{int} < (SELECT count(*) FROM skew AS k1 WHERE k1.k = {int})",
]  # fmt: skip
AGGREGATES: dict[str, list[tuple[str, str]]] = {
    "count": [("count(*)", "int"), ("count({any})", "int")],
    "sum": [("sum({int})", "numeric"), ("sum({numeric})", "numeric"), ("sum(CASE WHEN {bool} THEN {numeric} ELSE 0 END)", "numeric"), ("sum({numeric} * (1 - {numeric}))", "numeric")],
    "avg": [("avg({int})", "numeric"), ("avg({numeric})", "numeric")],
    "min max": [("min({int})", ""), ("max({numeric})", ""), ("min({date})", ""), ("max({text})", ""), ("max({timestamp})", "")],
    "stddev": [("stddev({int})", "numeric"), ("stddev_pop({numeric})", "numeric")],
    "variance": [("variance({numeric})", "numeric"), ("var_pop({int})", "numeric")],
    "bool": [("bool_and({bool})", "bool"), ("bool_or({bool})", "bool"), ("every({bool})", "bool")],
    "bit": [("bit_and({int})", "int"), ("bit_or({int})", "int"), ("bit_xor({int})", "int")],
    "DISTINCT inside": [("count(DISTINCT {int})", "int"), ("sum(DISTINCT {int})", "numeric"), ("count(DISTINCT {text})", "int"), ("avg(DISTINCT {numeric})", "numeric")],
}  # fmt: skip
COMMON = ("count", "sum", "avg", "min max")


def _columns(known: Mapping[str, Mapping[str, str]]) -> Mapping[str, Mapping[str, str]]:
    return {
        table: {
            column: kind
            for column, kind in columns.items()
            if kind in KINDS and (table, column) not in LEFT_OUT
        }
        for table, columns in known.items()
    }


@contextmanager
def narrowed(known: Mapping[str, Mapping[str, str]] = COLUMNS) -> Iterator[None]:
    """Have `Generator` make queries of what is on the list, mostly, over the `known` tables."""
    literals = {kind: some for kind, some in scalars.LITERALS.items() if kind in KINDS}
    subqueries = {
        "int": ["(SELECT count(*) FROM s AS s2 WHERE s2.i4 = {int})"],
        "numeric": ["(SELECT sum(s2.w) FROM s AS s2 WHERE s2.t_id = {int})"],
        "text": ["(SELECT min(s2.label) FROM s AS s2)"],
    }
    changes: list[tuple[object, str, object]] = [
        (sources, "COLUMNS", _columns(known)),
        (sources, "TABLES", tuple(name for name in sources.TABLES if name != "secured")),
        (scalars, "TEMPLATES", TEMPLATES), (scalars, "CONDITIONS", CONDITIONS),
        (scalars, "SUBQUERY_CONDITIONS", SUBQUERY_CONDITIONS), (scalars, "LITERALS", literals),
        (scalars, "SUBQUERY_VALUES", subqueries),
        (calls, "AGGREGATES", AGGREGATES), (calls, "COMMON", COMMON),
        (calls, "ORDERED", ("int", "numeric", "text", "date", "timestamp")),
        (generator, "NO_GROUPING", ("?",)),
    ]  # fmt: skip
    with ExitStack() as stack:
        for module, name, value in changes:
            stack.enter_context(patch.object(module, name, value))
        yield
