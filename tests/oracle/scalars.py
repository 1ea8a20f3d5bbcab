# ruff: noqa: E501 - SQL reads best on one line
"""Scalar expressions and conditions by chance, by the kind of value that is wanted."""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Item:
    """An expression and the kind of its values: see `schema.COLUMNS`."""

    sql: str
    kind: str


@dataclass
class Parameters:
    """The values of `$1…` that a query has so far."""

    values: list[str | None] = field(default_factory=list)

    def add(self, value: str | None) -> str:
        """Return the parameter for `value`."""
        self.values.append(value)
        return f"${len(self.values)}"


LITERALS = {
    "int": ["0", "1", "3", "7", "42", "-5", "1000"],
    "numeric": ["0.5", "1.0", "1.00", "-20.25", "12.345", "100"],
    "float": ["0.5::float8", "'NaN'::float8", "'-0'::float8", "0.1::real", "'Infinity'::float8"],
    "text": ["'g1'", "'x1'", "'b'", "''", "'l3'", "'common'", "'it''s'", "'p1'"],
    "folded": ["'aa'", "'AA'", "'b'"],
    "bool": ["true", "false", "NULL::boolean"],
    "date": ["date '2024-02-29'", "date '2024-05-05'"],
    "time": ["time '10:03'", "time '10:07:30.5'"],
    "timestamp": ["timestamp '2024-01-02 03:00'", "timestamp '2024-01-03 12:34:56.789'"],
    "timestamptz": ["timestamptz '2024-03-31 01:30+00'", "timestamptz '2024-03-30 23:00+02'"],
    "interval": ["interval '1 day'", "interval '24 hours'", "interval '90 minutes'"],
    "uuid": ["'c4ca4238-a0b9-2382-0dcc-509a6f75849b'::uuid"],
    "bytea": [r"'\x00ff'::bytea"],
    "json": ["""'{"k": 1}'::json"""],
    "jsonb": ["""'{"k": 1}'::jsonb""", "'[1.0, 1.00]'::jsonb"],
    "ints": ["ARRAY[1, NULL]", "'{}'::int[]"],
    "texts": ["ARRAY['a1']"],
    "mood": ["'ok'::mood", "'sad'::mood"],
    "char": ["'A'::char(5)"],
}
COMPARABLE = [kind for kind in LITERALS if kind != "json"]
PLAIN_VALUES = {
    "int": ["0", "7", "42", "-3"], "numeric": ["0.5", "10.25"], "text": ["g1", "it's", "x2", "b"],
    "date": ["2024-02-29", "2024-06-01"], "timestamp": ["2024-01-02 03:00:00"],
}  # fmt: skip

# templates of expressions by the kind of their values; {int} and so on stand for others
TEMPLATES = {
    "int": [
        "{int} + {int}", "{int} - 3", "{int} * 2", "{int} % 5", "{int} / 7", "abs({int})", "-{int}",
        "length({text})", "extract(year FROM {date})::int", "coalesce({int}, 0)", "nullif({int}, 7)",
        "CASE WHEN {bool} THEN {int} ELSE {int} END", "CASE {int} WHEN 1 THEN 10 WHEN 7 THEN {int} END",
        "{int}::bigint", "greatest({int}, {int})", "least({int}, 5)", "({date} - date '2024-01-01')",
        "{int} & 6", "{int} | 1", "{int} # 3", "mod({int}, 9)", "{int} << 1", "ascii({text})", "octet_length({bytea})",
        "strpos({text}, 'g')", "sign({numeric})::int", "({jsonb} ->> 'k')::int", "({ints})[1]", "width_bucket({int}, 0, 100, 5)",
        "cardinality({ints})", "floor({numeric})::int", "{bool}::int", "position('1' IN {text})",
    ],
    "numeric": [
        "{numeric} + {numeric}", "{numeric} * {int}", "{numeric} / 3", "round({numeric}, 1)", "round({numeric})", "{int} / 4.0",
        "{int}::numeric(12,3)", "trunc({numeric}, 2)", "abs({numeric})", "coalesce({numeric}, 0.00)", "nullif({numeric}, 1)",
        "CASE WHEN {bool} THEN {numeric} ELSE 1.000 END", "{numeric}::numeric(20,4)", "extract(epoch FROM {timestamp})",
        "extract(month FROM {date})", "greatest({numeric}, 0)", "-{numeric}", "mod({numeric}, 7)", "ceil({numeric})",
        "trim_scale({numeric})", "{numeric} - {int}",
    ],
    "float": [
        "{float} + 1", "{float} * 0.5", "{int}::float8 / 3", "{float}::real", "sqrt(abs({int}))", "-{float}", "coalesce({float}, 0)",
        "{numeric}::float8", "round({float})", "CASE WHEN {bool} THEN {float} END", "date_part('day', {date})",
    ],
    "text": [
        "upper({text})", "lower({text})", "{text} || '-x'", "substr({text}, 1, 2)", "left({text}, 1)", "coalesce({text}, 'none')",
        "nullif({text}, 'g1')", "CASE WHEN {bool} THEN {text} ELSE 'other' END", "{int}::text", "md5({text})", "reverse({text})",
        "substring({text} FROM 1 FOR 2)", "trim({text})", "replace({text}, 'g', 'h')", "lpad({text}, 6, '*')", "concat({text}, {int})",
        "{text}::varchar(2)", "to_char({date}, 'YYYY-MM')", "{date}::text", "{numeric}::text", "{mood}::text", "initcap({text})",
        '{text} COLLATE "C"', "{jsonb} ->> 'k'", "split_part({text}, '1', 1)", "({texts})[1]", "to_char({int}, '999')", "{uuid}::text",
        "concat_ws('/', {text}, {text})", "repeat({text}, 2)",
    ],
    "folded": ["{folded}", "upper({folded})", "coalesce({folded}, 'b')"],
    "bool": ["{bool}", "{int} > {int}", "{text} IS NULL", "NOT {bool}", "{text} = 'g1'", "{bool} AND {bool}", "{int} % 2 = 0", "coalesce({bool}, false)"],
    "date": ["{date} + 7", "date_trunc('month', {date})::date", "({timestamp})::date", "coalesce({date}, date '2024-12-24')", "{date} - ({int} % 3)::int", "least({date}, date '2024-03-01')"],
    "time": ["{time}", "{time} + interval '1 minute'", "({timestamp})::time"],
    "timestamp": ["date_trunc('day', {timestamp})", "{timestamp} + interval '1 hour'", "{date}::timestamp", "{date} + {time}", "{timestamp} - interval '1 month'", "date_trunc('month', {timestamp})"],
    "timestamptz": ["{timestamptz} + interval '1 day'", "date_trunc('hour', {timestamptz})", "({timestamp} AT TIME ZONE 'Europe/Berlin')"],
    "interval": ["{interval} * 2", "{timestamp} - timestamp '2024-01-01'", "{interval} + interval '1 hour'", "-{interval}"],
    "uuid": ["{uuid}", "coalesce({uuid}, 'c4ca4238-a0b9-2382-0dcc-509a6f75849b')"],
    "bytea": ["{bytea}", "{bytea} || '\\x01'::bytea"],
    "json": ["{json}", "json_build_object('a', {int})"],
    "jsonb": ["{jsonb}", "{jsonb} -> 'k'", "to_jsonb({int})", "to_jsonb({numeric})"],
    "ints": ["{ints}", "ARRAY[{int}, {int}]", "{ints} || 1", "array_append({ints}, {int})"],
    "texts": ["{texts}", "ARRAY[{text}]"],
    "mood": ["{mood}", "coalesce({mood}, 'ok')", "CASE WHEN {bool} THEN {mood} END"],
    "char": ["{char}", "coalesce({char}, 'Z')"],
}  # fmt: skip
CONDITIONS = [
    "{int} > {literal_int}", "{int} BETWEEN 2 AND 60", "{numeric} < {literal_numeric}", "{text} = {literal_text}", "{text} IS NULL", "{int} IS NOT NULL",
    "{text} LIKE '%1%'", "{text} ILIKE 'G%'", "{int} IN (1, 3, 7, NULL)", "{int} NOT IN (1, 2)", "{int} = ANY (ARRAY[1, 7, 42])", "{bool}", "NOT {bool}",
    "{bool} IS NOT TRUE", "{date} > {literal_date}", "{timestamp} <= {literal_timestamp}", "{float} > 0", "{float} = {float}", "{mood} >= 'ok'",
    "{text} < 'h'", "{text} ~ '^[gx]'", "{int} IS DISTINCT FROM 7", "({int}, {int}) < (10, 20)", "{interval} > interval '5 hours'", "{numeric} = 1",
    "{char} = 'A'", "{folded} = 'aa'", "{jsonb} @> '{{\"k\": 1}}'", "1 = ANY ({ints})", "{bytea} > '\\x80'", "{uuid} IS NOT NULL", "{timestamptz} >= {literal_timestamptz}",
    "{int} % 3 = 1", "{int} < {int}", "{text} SIMILAR TO '(g|x)%'", "{time} < time '10:05'", "starts_with({text}, 'g')", "{numeric} IS NULL OR {int} > 3",
]  # fmt: skip
SUBQUERY_CONDITIONS = [
    "EXISTS (SELECT 1 FROM s AS s1 WHERE s1.t_id = {int})", "NOT EXISTS (SELECT 1 FROM s AS s1 WHERE s1.i4 = {int} AND s1.w > 10)",
    "{int} IN (SELECT s1.i4 FROM s AS s1 WHERE s1.w < 30)", "{int} NOT IN (SELECT s1.t_id FROM s AS s1)", "{int} > (SELECT avg(s1.i4) FROM s AS s1)",
    "{int} = (SELECT max(s1.t_id) FROM s AS s1 WHERE s1.i4 = {int})", "{int} >= ALL (SELECT o1.i4 FROM one AS o1)", "{int} = ANY (SELECT k1.k FROM skew AS k1)",
    "{text} IN (SELECT e1.tx FROM empty AS e1)", "{numeric} > (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY s1.w) FROM s AS s1)",
]  # fmt: skip
SUBQUERY_VALUES = {
    "int": ["(SELECT count(*) FROM s AS s2 WHERE s2.i4 = {int})", "(SELECT max(o2.i4) FROM one AS o2)"],
    "numeric": ["(SELECT sum(s2.w) FROM s AS s2 WHERE s2.t_id = {int})", "(SELECT avg(s2.w) FROM s AS s2)"],
    "text": ["(SELECT min(s2.label) FROM s AS s2)"],
}  # fmt: skip


KIND = re.compile(r"(?<!\{)\{([a-z]+)\}")


class Scalars:
    """Makes expressions over the columns `given`; `tags` collects what was used of note."""

    def __init__(
        self, rng: random.Random, given: Sequence[Item], parameters: Parameters, tags: set[str]
    ) -> None:
        self._random = rng
        self._parameters = parameters
        self._tags = tags
        self._columns: dict[str, list[str]] = {}
        for item in given:
            self._columns.setdefault(item.kind, []).append(item.sql)
        # over constants alone a condition says little
        self._conditions = [text for text in CONDITIONS if self.offers(text)] or CONDITIONS

    def offers(self, template: str, besides: frozenset[str] = frozenset()) -> bool:
        """Tell whether there are columns of all kinds that `template` asks for, `besides` aside."""
        return set(KIND.findall(template)) - besides <= self._columns.keys()

    @property
    def kinds(self) -> list[str]:
        """The kinds of the columns."""
        return list(self._columns)

    def column(self, *kinds: str) -> Item:
        """Return a column of one of `kinds` (any, for none), or a literal if there is none."""
        having = [kind for kind in kinds or self.kinds if kind in self._columns]
        if not having:
            kind = self._random.choice(kinds or ("int",))
            return Item(self.literal(kind), kind)
        kind = self._random.choice(having)
        return Item(self._random.choice(self._columns[kind]), kind)

    def literal(self, kind: str) -> str:
        """Return a constant, sometimes as a parameter."""
        plain = PLAIN_VALUES.get(kind)
        if plain and self._random.random() < 0.08:
            self._tags.add("parameter")
            return f"{self._parameters.add(self._random.choice(plain))}::{kind}"
        return self._random.choice(LITERALS[kind])

    def value(self, kind: str, depth: int = 2) -> str:
        """Return an expression of `kind`, at most `depth` operations deep."""
        roll = self._random.random()
        if depth == 0 or roll < 0.45:
            if kind in self._columns and self._random.random() < 0.95:
                return self._random.choice(self._columns[kind])
            return self.literal(kind)
        if roll > 0.985 and kind in SUBQUERY_VALUES:
            self._tags.add("scalar subquery")
            return self._filled(self._random.choice(SUBQUERY_VALUES[kind]), 0)
        template = self._random.choice(TEMPLATES[kind])
        if template.startswith("CASE"):
            self._tags.add("CASE")
        return "(" + self._filled(template, depth - 1) + ")"

    def item(self, *kinds: str, depth: int = 2) -> Item:
        """Return an expression of one of `kinds`, any kind for none."""
        kind = self._random.choice(kinds or self.kinds)
        return Item(self.value(kind, depth), kind)

    def condition(self, depth: int = 2) -> str:
        """Return a condition."""
        roll = self._random.random()
        if depth and roll < 0.18:
            return f"({self.condition(depth - 1)} AND {self.condition(depth - 1)})"
        if depth and roll < 0.32:
            return f"({self.condition(depth - 1)} OR {self.condition(depth - 1)})"
        if depth and roll < 0.38:
            return f"NOT ({self.condition(depth - 1)})"
        if depth and roll < 0.48:
            text = self._random.choice(SUBQUERY_CONDITIONS)
            semi = "EXISTS" in text or " IN (" in text or "ANY" in text or "ALL" in text
            self._tags.add("semi or anti join" if semi else "scalar subquery")
            return self._filled(text, 0)
        return self._filled(self._random.choice(self._conditions), min(depth, 1))

    def _filled(self, template: str, depth: int) -> str:
        return template.format_map(_Operands(self, depth))


class _Operands(dict[str, str]):
    """Makes the operands that a template asks for, each anew."""

    def __init__(self, scalars: Scalars, depth: int) -> None:
        super().__init__()
        self._scalars = scalars
        self._depth = depth

    def __missing__(self, name: str) -> str:
        if name.startswith("literal_"):
            return self._scalars.literal(name.removeprefix("literal_"))
        return self._scalars.value(name, self._depth)
