# ruff: noqa: E501 - SQL reads best on one line
"""Calls of aggregates and window functions by chance."""

import random
from collections.abc import Sequence

from tests.oracle.scalars import Item, Scalars

ORDERED = (
    "int", "int", "numeric", "float", "text", "date", "time", "timestamp", "timestamptz", "mood",
    "interval", "bytea", "char", "folded",
)  # fmt: skip
# family → calls; {x} kinds are filled by the same table of operands as scalars
AGGREGATES: dict[str, list[tuple[str, str]]] = {
    "count": [("count(*)", "int"), ("count({any})", "int")],
    "sum": [("sum({int})", "numeric"), ("sum({numeric})", "numeric"), ("sum({numeric})", "numeric"), ("sum({interval})", "interval"), ("sum({float})", "float")],
    "avg": [("avg({int})", "numeric"), ("avg({numeric})", "numeric"), ("avg({float})", "float"), ("avg({interval})", "interval")],
    "min max": [("min({ordered})", ""), ("max({ordered})", "")],
    "stddev": [("stddev({int})", "numeric"), ("stddev_pop({numeric})", "numeric"), ("stddev_samp({numeric})", "numeric"), ("stddev({float})", "float")],
    "variance": [("variance({numeric})", "numeric"), ("var_pop({int})", "numeric"), ("var_samp({int})", "numeric"), ("var_pop({float})", "float")],
    "bool": [("bool_and({bool})", "bool"), ("bool_or({bool})", "bool"), ("every({bool})", "bool")],
    "bit": [("bit_and({int})", "int"), ("bit_or({int})", "int"), ("bit_xor({int})", "int")],
    "DISTINCT inside": [("count(DISTINCT {any})", "int"), ("sum(DISTINCT {int})", "numeric"), ("sum(DISTINCT {numeric})", "numeric"),
                        ("avg(DISTINCT {numeric})", "numeric"), ("avg(DISTINCT {int})", "numeric"), ("count(DISTINCT {int})", "int"), ("max(DISTINCT {int})", "int")],
    "array_agg": [("array_agg({column} ORDER BY {key})", "texts?"), ("array_agg({column} ORDER BY {ordered} DESC NULLS LAST, {key})", "texts?"), ("array_agg(DISTINCT {int})", "ints")],
    "string_agg": [("string_agg({text}, ',' ORDER BY {key})", "text"), ("string_agg({text}, '-' ORDER BY {ordered}, {key} DESC)", "text"),
                   ("string_agg(DISTINCT {text}, ',')", "text"), ("string_agg({text}, ',' ORDER BY {int})", "text")],
    "json_agg": [("json_agg({column} ORDER BY {key})", "json"), ("jsonb_agg({column} ORDER BY {key} DESC)", "jsonb"), ("json_object_agg({key}, {int} ORDER BY {key})", "json")],
    "percentile": [("percentile_cont(0.5) WITHIN GROUP (ORDER BY {int})", "float"), ("percentile_disc(0.25) WITHIN GROUP (ORDER BY {ordered})", ""),
                   ("percentile_disc(ARRAY[0.1, 0.9]) WITHIN GROUP (ORDER BY {int} DESC)", "ints"), ("percentile_cont(0.9) WITHIN GROUP (ORDER BY {float})", "float")],
    "mode": [("mode() WITHIN GROUP (ORDER BY {ordered})", "")],
    "other": [("any_value({int} ORDER BY {key})", "int"), ("regr_slope({int}, {int})", "float"), ("corr({float}, {int})", "float"), ("range_agg(int4range(0, 1 + abs({int}) % 9))", "range")],
}  # fmt: skip
OPERANDS = frozenset({"any", "ordered", "column", "key"})  # stand for more than one kind
COMMON = ("count", "sum", "avg", "min max")
WINDOWS = [
    "row_number() OVER ({over})", "rank() OVER ({over})", "dense_rank() OVER ({over})", "lag({column}) OVER ({over})",
    "lead({int}, 2, 0) OVER ({over})", "first_value({column}) OVER ({over})", "ntile(3) OVER ({over})",
    "sum({int}) OVER ({over})", "count(*) OVER (PARTITION BY {column})", "max({numeric}) OVER (PARTITION BY {column})",
    "sum({numeric}) OVER ({over} ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)", "avg({int}) OVER ({over})",
    "count(*) OVER ({over} GROUPS BETWEEN 1 PRECEDING AND 1 FOLLOWING EXCLUDE TIES)", "sum({int}) FILTER (WHERE {bool}) OVER ({over})",
    "cume_dist() OVER ({over})", "percent_rank() OVER ({over})", "nth_value({column}, 2) OVER ({over} ROWS UNBOUNDED PRECEDING)",
    "min({int}) OVER ({over} RANGE UNBOUNDED PRECEDING EXCLUDE CURRENT ROW)", "string_agg({text}, ',') OVER ({over})",
]  # fmt: skip
PLACES = (
    "row_number() OVER ({over})",
    "rank() OVER ({over})",
    "dense_rank() OVER ({over})",
    "count(*) OVER ({over})",
)
GROUP_WINDOWS = [
    "rank() OVER (ORDER BY {value})", "row_number() OVER (ORDER BY {value}, {keys})", "sum({value}) OVER (ORDER BY {keys})",
    "sum(count(*)) OVER (PARTITION BY {key})", "lag(count(*)) OVER (ORDER BY {keys})", "count(*) * 100 / sum(count(*)) OVER ()",
    "dense_rank() OVER (PARTITION BY {key} ORDER BY count(*) DESC)", "first_value({value}) OVER (ORDER BY {keys} ROWS 1 PRECEDING)",
]  # fmt: skip


class Calls:
    """Makes calls over `scalars`; `key` is an expression that is unique for each row."""

    def __init__(self, rng: random.Random, scalars: Scalars, key: str, tags: set[str]) -> None:
        self._random = rng
        self._scalars = scalars
        self._key = key
        self._tags = tags

    def aggregate(self) -> Item:
        """Return one aggregate call, sometimes with FILTER."""
        common = self._random.random() < 0.45
        family = self._random.choice(COMMON if common else tuple(AGGREGATES))
        forms = AGGREGATES[family]
        template, kind = self._random.choice(
            [form for form in forms if self._scalars.offers(form[0], OPERANDS)] or forms
        )
        self._tags.add(family)
        sql = self._filled(template)
        if self._random.random() < 0.15:
            self._tags.add("FILTER")
            sql += f" FILTER (WHERE {self._scalars.condition(0)})"
        return Item(sql, kind or "?")

    def computed(self) -> Item:
        """Return an expression of aggregates."""
        call = self.aggregate()
        roll = self._random.random()
        if roll < 0.08:
            return Item(f"CASE WHEN count(*) > 9 THEN {call.sql} END", call.kind)
        if roll < 0.16 and call.kind in ("int", "numeric"):
            return Item(f"{call.sql} * 2 + count(*)", call.kind)
        if roll < 0.22 and call.kind == "numeric":
            return Item(f"round({call.sql}, 1)", "numeric")
        if roll < 0.28:
            return Item(f"coalesce({call.sql}, NULL)", call.kind)
        return call

    def window(self) -> Item:
        """Return one call of a window function."""
        return self._window(WINDOWS, "?")

    def place(self) -> Item:
        """Return one that yields an integer: a row's place among others."""
        return self._window(PLACES, "int")

    def _window(self, templates: Sequence[str], kind: str) -> Item:
        self._tags.add("window")
        over = f"ORDER BY {self._scalars.column(*ORDERED).sql}"
        if self._random.random() < 0.8:
            over += f", {self._key}"
        if self._random.random() < 0.75:
            over = f"PARTITION BY {self._scalars.column('int', 'text', 'bool', 'mood').sql} {over}"
        return Item(self._filled(self._random.choice(templates), over), kind)

    def group_window(self, keys: Sequence[str]) -> Item:
        """Return one call of a window function over groups by `keys`."""
        self._tags.add("window over groups")
        value = self.aggregate()
        text = value.sql if value.kind in ("int", "numeric") else "count(*)"
        template = self._random.choice(GROUP_WINDOWS)
        chosen = self._random.choice(keys)
        return Item(template.format(value=text, keys=", ".join(keys), key=chosen), "?")

    def _filled(self, template: str, over: str = "") -> str:
        return template.format_map(_Operands(self._random, self._scalars, self._key, over))


class _Operands(dict[str, str]):
    def __init__(self, rng: random.Random, scalars: Scalars, key: str, over: str) -> None:
        super().__init__(key=key, over=over)
        self._random = rng
        self._scalars = scalars

    def __missing__(self, name: str) -> str:
        if name == "any":
            return self._scalars.item(*_grouped(self._scalars.kinds), depth=1).sql
        if name == "column":
            return self._scalars.column().sql
        if name == "ordered":
            kinds = [kind for kind in ORDERED if kind in self._scalars.kinds]
            return self._scalars.item(*kinds or ["int"], depth=1).sql
        return self._scalars.value(name, 1)


def _grouped(kinds: Sequence[str]) -> list[str]:
    return [kind for kind in kinds if kind != "json"]
