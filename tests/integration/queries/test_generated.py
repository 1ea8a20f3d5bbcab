"""Queries by chance: split and whole must agree, in rows, types, names, and in failing."""

import itertools

import pytest

from app.queries.request import Answer
from app.queries.service import QueryService
from app.queries.sql_error import SqlError
from tests.integration.queries.generator import Generator
from tests.integration.queries.test_exactness import ask

SEEDS = 400
BATCH = 50


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
def test_split_and_whole_agree(service: QueryService, first: int) -> None:
    modes = []
    for seed in range(first, first + BATCH):
        sql = Generator(seed).query()
        split, whole = outcome(service, sql, "auto"), outcome(service, sql, "direct")
        assert comparable(split) == comparable(whole), f"seed {seed}: {sql}"
        modes.append(split.mode if isinstance(split, Answer) else split)
    # a generator whose queries all fail, or all run whole, would prove nothing
    counts = {mode: len(list(group)) for mode, group in itertools.groupby(sorted(modes))}
    assert counts.get("partitioned", 0) >= BATCH // 4, counts
