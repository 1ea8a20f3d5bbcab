"""Queries by chance over the tables of `schema`: a grammar, a seed, a query."""

import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tests.oracle.calls import Calls
from tests.oracle.scalars import Item, Parameters, Scalars
from tests.oracle.sources import Source, Sources

NO_GROUPING = ("json", "?")
COLUMN = re.compile(r"[a-z]\.[a-z]")
PARAMETER = re.compile(r"\$(\d+)")
WAYS = ("", "", " ASC", " DESC", " NULLS FIRST", " DESC NULLS LAST", " NULLS LAST")


@dataclass(frozen=True)
class GeneratedQuery:
    """A query, the values of its parameters, and the features that it has.

    `order` holds the places (from 0) of the outputs by which it is sorted, as far as those are
    outputs: what a sort key that is none, or equal values of a key, leave open, is not in it.
    """

    seed: int
    sql: str
    params: tuple[str | None, ...]
    features: frozenset[str]
    order: tuple[int, ...] = ()


@dataclass
class _Draft:
    sql: str
    outputs: list[Item]
    order: list[int] = field(default_factory=list)


class Generator:
    """Makes the query of one seed; the same seed makes the same query."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._random = random.Random(seed)
        self._parameters = Parameters()
        self._tags: set[str] = set()

    def query(self) -> GeneratedQuery:
        """Return the query."""
        shapes: Mapping[str, tuple[int, Callable[[], _Draft]]] = {
            "rows": (20, self._rows),
            "total": (16, self._total),
            "grouped": (26, self._grouped),
            "grouping sets": (5, self._grouping_sets),
            "DISTINCT": (7, self._distinct),
            "DISTINCT ON": (4, self._distinct_on),
            "set operation": (7, self._set_operation),
            "window": (9, self._windowed),
            "subquery in FROM": (5, self._over_subquery),
            "CTE": (5, self._over_cte),
        }
        weights = [weight for weight, _ in shapes.values()]
        (shape,) = self._random.choices(tuple(shapes), weights)
        self._tags.add(shape)
        draft = shapes[shape][1]()
        sql, values = renumbered(draft.sql, self._parameters.values)
        return GeneratedQuery(self._seed, sql, values, frozenset(self._tags), tuple(draft.order))

    def predicate_query(self) -> tuple[Callable[[str | None], str], str, tuple[str | None, ...]]:
        """Return a query whose condition is left open, and a predicate for it: ternary logic.

        Called with a condition, or None for no condition, it gives the SQL.  All that it gives
        have the same parameters.
        """
        source, scalars, _ = self._scope(plain=True)
        condition = scalars.condition(1)
        if self._random.random() < 0.5:
            shown = [scalars.item(depth=1).sql for _ in range(self._random.randint(1, 3))]
        else:
            shown = ["count(*)", f"count({scalars.item(depth=1).sql})"]
            shown += [f"sum({scalars.value(kind, 1)})" for kind in ("int", "numeric")]
        used = "".join(shown)
        values = tuple(self._parameters.values)
        # each parameter must be named in all variants, or PostgreSQL could not number them
        named = " AND ".join(f"{text}::text IS NOT NULL" for text in _named(used, condition))

        def build(chosen: str | None) -> str:
            conditions = [text for text in (chosen and f"({chosen})", named) if text]
            where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
            return f"SELECT {', '.join(shown)} FROM {source.sql}{where}"

        return build, condition, values

    def _scope(self, *, plain: bool = False) -> tuple[Source, Scalars, Calls]:
        sources = Sources(self._random, self._parameters, self._tags)
        source = sources.table() if plain else sources.any()
        scalars = Scalars(self._random, source.columns, self._parameters, self._tags)
        return source, scalars, Calls(self._random, scalars, source.key, self._tags)

    def _chance(self, share: float) -> bool:
        return self._random.random() < share

    def _where(self, scalars: Scalars) -> str:
        return f" WHERE {scalars.condition()}" if self._chance(0.55) else ""

    def _window(self, share: float = 0.4) -> str:
        if not self._chance(share):
            return ""
        count, offset = self._random.randint(0, 12), self._random.randint(0, 5)
        self._tags.add("LIMIT")
        if self._chance(0.15):
            return f" OFFSET {offset}"
        if self._chance(0.15):
            return f" OFFSET {offset} ROWS FETCH FIRST {count} ROWS ONLY"
        return f" LIMIT {count}" + (f" OFFSET {offset}" if self._chance(0.35) else "")

    def _way(self) -> str:
        way = self._random.choice(WAYS)
        if "NULLS" in way:
            self._tags.add("NULLS FIRST or LAST")
        return way

    def _order(
        self, outputs: Sequence[Item], others: Sequence[str], *, share: float = 0.65
    ) -> tuple[str, list[int]]:
        """Return ORDER BY over outputs and then others, and the outputs that lead it."""
        places = [place for place, item in enumerate(outputs) if item.kind not in NO_GROUPING]
        if not places or not self._chance(share):
            return "", []
        chosen = self._random.sample(places, self._random.randint(1, min(3, len(places))))
        keys = [
            outputs[place].sql
            if self._chance(0.3) and not _is_constant(outputs[place])
            else str(place + 1)
            for place in chosen
        ]
        self._tags.add("ORDER BY")
        if others and self._chance(0.4):
            keys.append(self._random.choice(others))
            if not keys[-1].isidentifier():
                self._tags.add("ORDER BY expression")
        return " ORDER BY " + ", ".join(f"{key}{self._way()}" for key in keys), chosen

    def _rows(self) -> _Draft:
        source, scalars, _ = self._scope()
        outputs = [scalars.item() for _ in range(self._random.randint(1, 4))]
        if self._chance(0.3):
            outputs.append(Item(source.key, "int"))
        sql = f"SELECT {_list(outputs)} FROM {source.sql}{self._where(scalars)}"
        order, places = self._order(outputs, [source.key, scalars.value("int", 1)])
        window = self._window() if order else self._window(0.04)
        return _Draft(sql + order + window, outputs, places)

    def _total(self) -> _Draft:
        source, scalars, calls = self._scope()
        outputs = [calls.computed() for _ in range(self._random.randint(1, 4))]
        return _Draft(
            f"SELECT {_list(outputs)} FROM {source.sql}{self._where(scalars)}"
            f"{' HAVING count(*) > 3' if self._chance(0.07) else ''}", outputs,
        )  # fmt: skip

    def _keys(self, scalars: Scalars, most: int = 3) -> list[Item]:
        kinds = [kind for kind in scalars.kinds if kind not in NO_GROUPING]
        keys = [scalars.column(*kinds) for _ in range(self._random.randint(1, most))]
        if self._chance(0.4):
            computed = scalars.item(*kinds)
            keys[0] = computed if "$" not in computed.sql else keys[0]
        return list({key.sql: key for key in keys}.values())

    def _grouped(self) -> _Draft:
        source, scalars, calls = self._scope()
        keys = self._keys(scalars)
        shown = keys if self._chance(0.8) else keys[:-1]
        values = [calls.computed() for _ in range(self._random.randint(1, 3))]
        if self._chance(0.1):
            values.append(calls.group_window([_as_key(key) for key in keys]))
        outputs = [*shown, *values]
        sql = f"SELECT {_list(outputs)} FROM {source.sql}{self._where(scalars)}"
        whole = shown == keys and self._chance(0.5) and not any(_is_constant(key) for key in keys)
        by = [str(place + 1) for place in range(len(keys))] if whole else [_as_key(k) for k in keys]
        sql += f" GROUP BY {', '.join(by)}{self._having(calls)}"
        order, places = self._order(outputs, ["count(*)", calls.aggregate().sql])
        return _Draft(sql + order + (self._window() if order else ""), outputs, places)

    def _having(self, calls: Calls) -> str:
        if not self._chance(0.25):
            return ""
        self._tags.add("HAVING")
        item = calls.aggregate()
        other = {"int": f"{item.sql} > 5", "numeric": f"{item.sql} < 500", "bool": item.sql}
        return f" HAVING {other.get(item.kind, f'count(*) > {self._random.randint(0, 40)}')}"

    def _grouping_sets(self) -> _Draft:
        source, scalars, calls = self._scope()
        keys = self._keys(scalars)
        texts = [_as_key(key) for key in keys]
        way = self._random.choice(["ROLLUP", "CUBE", "GROUPING SETS"])
        self._tags.add(way)
        if way == "GROUPING SETS":
            sets = [f"({', '.join(texts)})", "()", *[f"({text})" for text in texts]]
            by = f"GROUPING SETS ({', '.join(self._random.sample(sets, min(3, len(sets))))})"
            used = [text for text in texts if text in by]
        else:
            by, used = f"{way} ({', '.join(texts)})", texts
        outputs = [key for key in keys if _as_key(key) in used]
        outputs += [calls.computed() for _ in range(self._random.randint(1, 2))]
        if used and self._chance(0.4):
            self._tags.add("GROUPING()")
            outputs.append(Item(f"GROUPING({', '.join(used)})", "int"))
        sql = f"SELECT {_list(outputs)} FROM {source.sql}{self._where(scalars)} GROUP BY {by}"
        sql += self._having(calls)
        order, places = self._order(outputs, [])
        return _Draft(sql + order + (self._window(0.2) if order else ""), outputs, places)

    def _distinct(self) -> _Draft:
        source, scalars, calls = self._scope()
        outputs = self._keys(scalars)
        if self._chance(0.15):
            outputs.append(calls.window())
        sql = f"SELECT DISTINCT {_list(outputs)} FROM {source.sql}{self._where(scalars)}"
        order, places = self._order(outputs, [])
        return _Draft(sql + order + (self._window() if order else ""), outputs, places)

    def _distinct_on(self) -> _Draft:
        source, scalars, _ = self._scope()
        keys = self._keys(scalars, 2)
        outputs = [*keys, scalars.item(), Item(source.key, "int")]
        texts = [_as_key(key) for key in keys]
        sql = f"SELECT DISTINCT ON ({', '.join(texts)}) {_list(outputs)} FROM {source.sql}"
        sql += f"{self._where(scalars)} ORDER BY {', '.join(text + self._way() for text in texts)}"
        if self._chance(0.8):
            sql += f", {source.key}{self._way()}"
        return _Draft(sql + self._window(0.3), outputs, list(range(len(keys))))

    def _set_operation(self) -> _Draft:
        kinds = [self._random.choice(["int", "text", "numeric", "date"]) for _ in range(2)]
        operations = [
            "UNION ALL",
            "UNION ALL",
            "UNION ALL",
            "UNION",
            "INTERSECT",
            "EXCEPT",
            "EXCEPT ALL",
        ]
        sql = ""
        for number in range(self._random.randint(2, 3)):
            source, scalars, _ = self._scope()
            outputs = [scalars.item(kind) for kind in kinds]
            branch = f"SELECT {_list(outputs)} FROM {source.sql}{self._where(scalars)}"
            if self._chance(0.2):
                outputs = [Item(f"{scalars.value(kind, 1)}", kind) for kind in kinds]
                branch = f"SELECT {_list(outputs)} FROM {source.sql} GROUP BY "
                branch += ", ".join(f"{_as_key(item)}" for item in outputs)
            if number:
                operation = self._random.choice(operations)
                self._tags.add(operation)
                sql += f" {operation} "
            sql += branch
        items = [Item(str(place + 1), kind) for place, kind in enumerate(kinds)]
        order, places = self._order(items, [], share=0.4)
        return _Draft(sql + order + (self._window() if order else ""), items, places)

    def _windowed(self) -> _Draft:
        source, scalars, calls = self._scope()
        outputs = [scalars.item(depth=1), calls.window(), Item(source.key, "int")]
        sql = f"SELECT {_list(outputs)} FROM {source.sql}{self._where(scalars)}"
        order, places = self._order(outputs, [source.key])
        return _Draft(sql + order + (self._window() if order else ""), outputs, places)

    def _inner(self) -> tuple[str, list[Item]]:
        """Return a query with named outputs, and those as columns of `x`."""
        source, scalars, calls = self._scope()
        grouped = self._chance(0.4)
        if grouped:
            outputs = self._keys(scalars, 2)
            values = [
                call
                for call in (calls.aggregate() for _ in range(4))
                if call.kind in ("int", "numeric", "text")
            ]
            outputs += values[:2]
        else:
            outputs = [scalars.item() for _ in range(self._random.randint(2, 4))]
            if self._chance(0.2):
                self._tags.add("window inside")
                outputs.append(calls.place())
            outputs.append(Item(source.key, "int"))
        named = [f"{item.sql} AS c{place}" for place, item in enumerate(outputs)]
        sql = f"SELECT {', '.join(named)} FROM {source.sql}{self._where(scalars)}"
        if grouped:
            keys = [item for item in outputs if item not in values]
            sql += f" GROUP BY {', '.join(_as_key(key) for key in keys)}"
        elif self._chance(0.1):
            self._tags.add("LIMIT inside")
            sql += f" ORDER BY {source.key} LIMIT {self._random.randint(1, 300)}"
        return sql, [Item(f"x.c{place}", item.kind) for place, item in enumerate(outputs)]

    def _outer(self, source: str, columns: Sequence[Item]) -> _Draft:
        scalars = Scalars(self._random, columns, self._parameters, self._tags)
        calls = Calls(self._random, scalars, columns[-1].sql, self._tags)
        if self._chance(0.5):
            outputs = [scalars.item(depth=1) for _ in range(self._random.randint(1, 3))]
            sql = f"SELECT {_list(outputs)} FROM {source}{self._where(scalars)}"
            order, places = self._order(outputs, [columns[-1].sql])
        else:
            keys = self._keys(scalars, 2)
            outputs = [*keys, calls.computed(), calls.computed()]
            sql = f"SELECT {_list(outputs)} FROM {source}{self._where(scalars)} GROUP BY "
            sql += ", ".join(_as_key(key) for key in keys) + self._having(calls)
            order, places = self._order(outputs, ["count(*)"])
        return _Draft(sql + order + (self._window() if order else ""), outputs, places)

    def _over_subquery(self) -> _Draft:
        inner, columns = self._inner()
        return self._outer(f"({inner}) AS x", columns)

    def _over_cte(self) -> _Draft:
        inner, columns = self._inner()
        hint = self._random.choice(["", "", "MATERIALIZED ", "NOT MATERIALIZED "])
        source = "inside AS x"
        if self._chance(0.3):
            source += (
                " JOIN s AS j ON j.id = x.c0" if columns[0].kind == "int" else " CROSS JOIN one"
            )
        draft = self._outer(source, columns)
        return _Draft(f"WITH inside AS {hint}({inner}) {draft.sql}", draft.outputs, draft.order)


def _list(items: Sequence[Item]) -> str:
    return ", ".join(item.sql for item in items)


def _is_constant(item: Item) -> bool:
    return COLUMN.search(item.sql) is None


def _as_key(item: Item) -> str:
    """Return the expression as GROUP BY takes it: a bare number would mean an output."""
    return f"({item.sql} + 0)" if item.sql.lstrip("-").isdigit() else item.sql


def renumbered(sql: str, values: Sequence[str | None]) -> tuple[str, tuple[str | None, ...]]:
    """Number the parameters that are left in `sql` from 1, and return their values."""
    used = list(dict.fromkeys(int(number) for number in PARAMETER.findall(sql)))
    text = PARAMETER.sub(lambda match: f"${used.index(int(match[1])) + 1}", sql)
    return text, tuple(values[number - 1] for number in used)


def _named(*texts: str) -> list[str]:
    return [f"${number}" for number in range(1, 20) if any(f"${number}:" in text for text in texts)]
