# ruff: noqa: E501 - SQL reads best on one line
"""FROM clauses by chance: tables of all sorts, joined in all ways."""

import random
from dataclasses import dataclass

from tests.oracle.scalars import Item, Parameters, Scalars
from tests.oracle.schema import COLUMNS

# the ordinary ones most often, else few queries would split
TABLES = (
    *["t"] * 14, *["skew"] * 4, *["nully"] * 3, *["shrunk"] * 2, "s", "s", "empty", "one",
    "parted", "parted", "parent", "seen", "summed", "kept", "secured",
)  # fmt: skip
TAGS = {
    "parted": "partitioned table", "parent": "inherited table", "seen": "view", "summed": "view",
    "kept": "materialized view", "secured": "row-level security", "empty": "empty table",
    "one": "one-row table", "shrunk": "dropped columns",
}  # fmt: skip
SIDES = (
    "JOIN", "JOIN", "INNER JOIN", "LEFT JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN",
)  # fmt: skip


@dataclass(frozen=True)
class Source:
    """A FROM clause, the columns that it offers, and a column that leads its unique key."""

    sql: str
    columns: tuple[Item, ...]
    key: str


class Sources:
    """Makes FROM clauses."""

    def __init__(self, rng: random.Random, parameters: Parameters, tags: set[str]) -> None:
        self._random = rng
        self._parameters = parameters
        self._tags = tags

    def table(self, alias: str = "") -> Source:
        """Return one table, under `alias` or its own name."""
        name = self._random.choice(TABLES)
        if name in TAGS:
            self._tags.add(TAGS[name])
        shown = alias or name
        sql = f"{name} AS {alias}" if alias else name
        columns = tuple(Item(f"{shown}.{column}", kind) for column, kind in COLUMNS[name].items())
        return Source(sql, columns, _key(shown, name))

    def any(self) -> Source:
        """Return a table, or two or three joined."""
        roll = self._random.random()
        if roll < 0.62:
            return self.table(self._random.choice(["", "", "a"]))
        kinds = [self._joined] * 7 + [self._crossed, self._lateral, self._lateral, self._merged]
        return self._random.choice(kinds)()

    def _joined(self) -> Source:
        left, right = self.table("a"), self._right("j")
        side = self._random.choice(SIDES)
        self._tags.add(side.replace("INNER ", "").lower())
        sql = f"{left.sql} {side} {right.sql} ON {self._on(left, right, full=side == 'FULL JOIN')}"
        columns = (*left.columns, *right.columns)
        if self._random.random() < 0.15:
            third = self._right("k")
            sql += f" LEFT JOIN {third.sql} ON {self._on(right, third, full=True)}"
            columns += third.columns
        return Source(sql, columns, left.key)

    def _right(self, alias: str) -> Source:
        """Return a table, a subquery or the small one, so that joins stay small."""
        roll = self._random.random()
        if roll < 0.2:
            table = self.table("i")
            (kind, column) = next((item.kind, item.sql) for item in table.columns)
            sql = f"(SELECT {column} AS id, count(*) AS n FROM {table.sql} GROUP BY 1) AS {alias}"
            self._tags.add("joined subquery")
            items = (Item(f"{alias}.id", kind), Item(f"{alias}.n", "int"))
            return Source(sql, items, f"{alias}.id")
        if roll < 0.6:
            columns = tuple(Item(f"{alias}.{name}", kind) for name, kind in COLUMNS["s"].items())
            return Source(f"s AS {alias}", columns, f"{alias}.id")
        return self.table(alias)

    def _on(self, left: Source, right: Source, *, full: bool) -> str:
        kind = right.columns[0].kind
        mine = [item.sql for item in left.columns if item.kind == kind] or [f"{left.key}::text"]
        condition = f"{right.columns[0].sql} = {self._random.choice(mine)}"
        if full or self._random.random() < 0.75:
            return condition
        scalars = Scalars(
            self._random, (*left.columns, *right.columns), self._parameters, self._tags
        )
        return f"{condition} AND {scalars.condition(0)}"

    def _crossed(self) -> Source:
        left = self.table("a")
        self._tags.add("cross join")
        comma = self._random.choice([", ", " CROSS JOIN "])
        small = self._random.choice(
            ["one AS j", "empty AS j", "(VALUES (1, 2), (3, NULL)) AS j(id, i4)"]
        )
        columns = (Item("j.id", "int"), Item("j.i4", "int"))
        return Source(f"{left.sql}{comma}{small}", (*left.columns, *columns), left.key)

    def _lateral(self) -> Source:
        left = self.table("a")
        self._tags.add("lateral")
        numbers = [item.sql for item in left.columns if item.kind == "int"] or [left.key]
        column = self._random.choice(numbers)
        inner, columns = self._random.choice([
            (f"SELECT l1.w AS w, l1.id AS id FROM s AS l1 WHERE l1.t_id = {column}", "w id"),
            (f"SELECT max(l1.w) AS w, count(*) AS id FROM s AS l1 WHERE l1.i4 = {column}", "w id"),
            (f"SELECT l1.w AS w, l1.id AS id FROM s AS l1 WHERE l1.i4 = {column} ORDER BY l1.id LIMIT 2", "w id"),
            (f"SELECT {column} * 2 AS id, 1.5 AS w", "w id"),
        ])  # fmt: skip
        side, on = self._random.choice([("CROSS JOIN", ""), ("LEFT JOIN", " ON true"), (",", "")])
        items = tuple(
            Item(f"l.{name}", {"w": "numeric", "id": "int"}[name]) for name in columns.split()
        )
        sql = f"{left.sql}{'' if side == ',' else ' '}{side} LATERAL ({inner}) AS l{on}"
        return Source(sql, (*left.columns, *items), left.key)

    def _merged(self) -> Source:
        left = self.table("a")
        if any(item.sql == "a.id" for item in left.columns):
            way = self._random.choice(["USING", "NATURAL"])
            self._tags.add(way)
            side = self._random.choice(["JOIN", "LEFT JOIN"])
            right = "(SELECT id, label, w FROM s) AS j"
            own = tuple(item for item in left.columns if not item.sql.endswith((".w", ".label")))
            items = (Item("j.label", "text"), Item("j.w", "numeric"), Item("id", "int"))
            if way == "NATURAL" and len(own) == len(left.columns):
                return Source(f"{left.sql} NATURAL {side} {right}", (*own, *items), "a.id")
            return Source(f"{left.sql} {side} {right} USING (id)", (*own, *items), "a.id")
        return left


def _key(alias: str, table: str) -> str:
    return f"{alias}.id" if "id" in COLUMNS[table] else f"{alias}.{next(iter(COLUMNS[table]))}"
