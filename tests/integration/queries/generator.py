# ruff: noqa: E501 - SQL reads best on one line
"""Queries made by chance, over the awkward tables: most split, some must not."""

import random

KEYS = [
    "grp", "n % 5", "flag", "m", "d", "vc", "code", "small", "upper(grp)", "date_trunc('month', ts)",
    "extract(year FROM d)", "name_c", "n > 50", "coalesce(grp, 'none')", "t.id % 3", "u", "tm", "tz",
    "CASE WHEN n > 50 THEN 'high' ELSE vc END", "amount", "free", "span", "v", "raw", "round(amount)",
]  # fmt: skip
VALUES = [
    "n", "big", "small", "amount", "free", "amount * 2", "amount / 3", "n + 1", "t.id", "amount - free",
    "n * amount", "abs(n - 50)", "round(amount, 1)", "v", "r",
]  # fmt: skip
ORDERED = [*VALUES, "grp", "d", "ts", "tz", "tm", "vc", "name_c", "m", "raw", "code"]
CONDITIONS = [
    "n > {number}", "amount < {number}", "grp = 'g{digit}'", "grp IS NULL", "flag", "NOT flag",
    "t.id % 7 = {digit}", "d BETWEEN '2024-02-01' AND '2024-05-01'", "vc LIKE '%{digit}'",
    "m IN ('sad', 'ok')", "n = ANY(ARRAY[1, 2, {number}])", "v > 0.5", "t.id < 0", "amount IS NOT NULL",
    "EXISTS (SELECT 1 FROM s WHERE s.t_id = t.id)", "t.id IN (SELECT t_id FROM s WHERE weight > {number})",
    "ts > timestamp '2024-01-02' - interval '{digit} days'", "free = 1", "name_c < 'b'",
    "n > (SELECT min(id) FROM s)", "flag IS DISTINCT FROM true", "code = 'A'",
]  # fmt: skip
SOURCES = [
    "t", "t", "t", "t", "public.t", "t JOIN s ON s.t_id = t.id AND s.weight < 90",
    "t LEFT JOIN s ON s.t_id = t.id", "(SELECT id AS s_id, label FROM s) x RIGHT JOIN t ON x.s_id = t.id",
    "t, empty", "t CROSS JOIN (SELECT 1 AS one) x",
]  # fmt: skip


class Generator:
    """Makes a query for each seed; the same seed makes the same query."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def query(self) -> str:
        kind = self._random.choice(["grouped", "grouped", "total", "rows", "distinct"])
        query: str = getattr(self, f"_{kind}")()
        return query

    def _some(self, pool: list[str], least: int, most: int) -> list[str]:
        return self._random.sample(pool, self._random.randint(least, most))

    def _condition(self, depth: int = 0) -> str:
        roll = self._random.random()
        if depth < 2 and roll < 0.2:
            return f"({self._condition(depth + 1)} AND {self._condition(depth + 1)})"
        if depth < 2 and roll < 0.35:
            return f"({self._condition(depth + 1)} OR {self._condition(depth + 1)})"
        if depth < 2 and roll < 0.42:
            return f"NOT ({self._condition(depth + 1)})"
        text = self._random.choice(CONDITIONS)
        number, digit = self._random.randint(-5, 150), self._random.randint(0, 9)
        return text.format(number=number, digit=digit)

    def _where(self) -> str:
        return f" WHERE {self._condition()}" if self._random.random() < 0.6 else ""

    def _aggregate(self) -> str:
        name = self._random.choice(["count", "sum", "avg", "min", "max", "star"])
        if name == "star":
            call = "count(*)"
        elif name in ("min", "max", "count"):
            call = f"{name}({self._random.choice(ORDERED)})"
        else:
            call = f"{name}({self._random.choice(VALUES)})"
        if self._random.random() < 0.15:
            call += f" FILTER (WHERE {self._condition(2)})"
        return call

    def _computed(self) -> str:
        call = self._aggregate()
        roll = self._random.random()
        if roll < 0.1:
            return f"count(*) + {call}" if call.startswith("count") else f"coalesce({call}, NULL)"
        if roll < 0.2:
            return f"CASE WHEN count(*) > 9 THEN {call} END"
        return call

    def _limit(self) -> str:
        if self._random.random() < 0.4:
            offset = f" OFFSET {self._random.randint(0, 4)}" if self._random.random() < 0.4 else ""
            return f" LIMIT {self._random.randint(0, 9)}{offset}"
        return ""

    def _grouped(self) -> str:
        keys = self._some(KEYS, 1, 3)
        values = [self._computed() for _ in range(self._random.randint(1, 4))]
        shown = keys if self._random.random() < 0.8 else keys[:-1]
        sql = f"SELECT {', '.join([*shown, *values])} FROM {self._random.choice(SOURCES)}{self._where()}"
        positions = [str(i + 1) for i in range(len(shown))]
        by = keys if self._random.random() < 0.5 or shown != keys else positions
        sql += f" GROUP BY {', '.join(by)}"
        if self._random.random() < 0.3:
            sql += f" HAVING count(*) > {self._random.randint(0, 60)}"
        order = self._some([*by, "count(*)", f"{len(shown) + 1}"], 0, 3)
        if order and self._random.random() < 0.7:
            ways = ["", "", " DESC", " NULLS FIRST", " DESC NULLS LAST"]
            sql += " ORDER BY " + ", ".join(f"{key}{self._random.choice(ways)}" for key in order)
            sql += self._limit()
        return sql

    def _total(self) -> str:
        values = [self._computed() for _ in range(self._random.randint(1, 5))]
        return f"SELECT {', '.join(values)} FROM {self._random.choice(SOURCES)}{self._where()}"

    def _rows(self) -> str:
        shown = self._some([*ORDERED, *KEYS, "list", "doc"], 1, 4)
        sql = f"SELECT {', '.join(shown)} FROM {self._random.choice(SOURCES)}{self._where()}"
        if self._random.random() < 0.7:
            keys = self._some(shown, 1, len(shown))
            if self._random.random() < 0.4:
                keys.append("t.id")
            keys = [key for key in keys if key != "doc"]
            if keys:
                ways = ["", " DESC", " NULLS FIRST"]
                sql += " ORDER BY " + ", ".join(f"{key}{self._random.choice(ways)}" for key in keys)
                sql += self._limit()
        return sql

    def _distinct(self) -> str:
        shown = self._some([*KEYS, "n"], 1, 2)
        sql = (
            f"SELECT DISTINCT {', '.join(shown)} FROM {self._random.choice(SOURCES)}{self._where()}"
        )
        if self._random.random() < 0.6:
            sql += f" ORDER BY {', '.join(shown)}{self._limit()}"
        return sql
