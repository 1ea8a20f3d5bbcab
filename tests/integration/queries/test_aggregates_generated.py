# ruff: noqa: E501 - SQL reads best on one line
"""Aggregates put together by chance: any calls, any grouping, split and whole must agree."""

import random

import pytest

from app.queries.request import Answer
from app.queries.service import QueryService
from app.queries.sql_error import SqlError
from tests.integration.queries.test_exactness import ask

SEEDS = 240
BATCH = 40
VALUES = ["n", "big", "small", "amount", "free", "id", "n * amount", "n % 7", "-n", "amount / 7", "v", "r"]  # fmt: skip
SHOWN = [*VALUES, "grp", "vc", "code", "m", "d", "tz", "span", "u", "list", "name_c", "flag", "doc"]
KEYS = ["grp", "flag", "m", "n % 5", "vc", "code", "free", "v", "span", "list", "upper(grp)", "name_c", "d"]  # fmt: skip
CONDITIONS = ["n > 40", "flag", "id % 7 = 1", "grp = 'g3'", "false", "amount < 60", "free = 1", "v > 0"]  # fmt: skip
NUMERIC = ["count", "sum", "avg", "min", "max", "stddev", "stddev_pop", "variance", "var_pop", "var_samp"]  # fmt: skip


class Aggregations:
    """Makes a query for each seed; the same seed makes the same query."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def query(self) -> str:
        chance = self._random
        kind = chance.choice(["partial", "partial", "distinct", "rows"])
        calls = [self._call(kind) for _ in range(chance.randint(1, 4))]
        keys = chance.sample(KEYS, chance.choice([0, 1, 1, 2, 3]))
        distinct = "DISTINCT " if chance.random() < 0.15 else ""
        sql = f"SELECT {distinct}{', '.join([*keys, *calls])} FROM t"
        sql += f" WHERE {chance.choice(['id < 500', 'id % 3 = 1', 'id < 0', 'n < 50', 'free IS NOT NULL', 'v <> 0'])}"
        if keys:
            sql += f" GROUP BY {self._grouping(keys)}"
        if chance.random() < 0.3:
            sql += f" HAVING {self._having()}"
        if keys and chance.random() < 0.7:
            order = [str(place + 1) for place in range(len(keys) + chance.randint(0, 1))]
            chance.shuffle(order)
            sql += f" ORDER BY {', '.join(order)}"
            if chance.random() < 0.4:
                sql += f" LIMIT {chance.randint(0, 9)} OFFSET {chance.randint(0, 2)}"
        return sql

    def _grouping(self, keys: list[str]) -> str:
        chance = self._random
        roll = chance.random()
        if roll < 0.6:
            return ", ".join(keys)
        if roll < 0.8:
            return f"{chance.choice(['ROLLUP', 'CUBE'])} ({', '.join(keys)})"
        return f"GROUPING SETS (({', '.join(keys)}), ({keys[0]}), ())"

    def _having(self) -> str:
        return self._random.choice([
            "count(*) > 3", "sum(n) > 100", "bool_or(flag)", "max(free) > 1", "count(DISTINCT n) > 2",
            "stddev(n) < 40", "min(grp) > 'g2'", "(SELECT max(id) FROM s) > count(*)",
        ])  # fmt: skip

    def _call(self, kind: str) -> str:
        chance = self._random
        shown, value = chance.choice(SHOWN), chance.choice(VALUES[: chance.choice([8, 8, 12])])
        rows = [
            f"array_agg({shown} ORDER BY {value}, id)", f"array_agg({shown} ORDER BY {value})",
            f"string_agg({shown}::text, ',' ORDER BY id DESC)", f"json_agg({shown} ORDER BY {shown}, id)",
            f"percentile_cont(0.3) WITHIN GROUP (ORDER BY {value})", f"mode() WITHIN GROUP (ORDER BY {shown})",
            f"percentile_disc(0.7) WITHIN GROUP (ORDER BY {value} DESC)", f"rank(5) WITHIN GROUP (ORDER BY {value})",
        ]  # fmt: skip
        distinct = [
            f"{chance.choice(NUMERIC)}(DISTINCT {value})", f"count(DISTINCT {shown})",
            f"array_agg(DISTINCT {shown})", f"string_agg(DISTINCT {shown}::text, ';' ORDER BY {shown}::text DESC)",
        ]  # fmt: skip
        partial = [
            "count(*)", f"{chance.choice(NUMERIC)}({value})", f"{chance.choice(NUMERIC)}({value})",
            f"{chance.choice(['min', 'max', 'count'])}({shown})", f"{chance.choice(['bool_and', 'bool_or', 'every'])}(flag)",
            f"{chance.choice(['bit_and', 'bit_or', 'bit_xor'])}({chance.choice(['n', 'big', 'small'])})",
        ]  # fmt: skip
        pools = {"partial": partial, "distinct": partial + distinct * 2, "rows": partial + distinct + rows}  # fmt: skip
        call = chance.choice(pools[kind])
        if chance.random() < 0.25:
            call += f" FILTER (WHERE {chance.choice(CONDITIONS)})"
        return call


def outcome(service: QueryService, sql: str, engine: str) -> Answer | str:
    try:
        return ask(service, sql, engine)
    except SqlError as error:
        return error.sqlstate


def comparable(answer: Answer | str) -> object:
    if isinstance(answer, str):
        return answer
    return answer.columns, answer.types, sorted(map(repr, answer.rows)), answer.truncated


@pytest.mark.parametrize("first", range(0, SEEDS, BATCH))
def test_aggregates_by_chance_are_the_same_in_parts(service: QueryService, first: int) -> None:
    modes = []
    for seed in range(first, first + BATCH):
        sql = Aggregations(seed).query()
        split, whole = outcome(service, sql, "auto"), outcome(service, sql, "direct")
        assert comparable(split) == comparable(whole), f"seed {seed}: {sql}"
        modes.append(split if isinstance(split, str) else split.mode)
    assert modes.count("partitioned") >= BATCH // 4, modes
