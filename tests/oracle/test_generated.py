"""Queries by chance: whole and split agree in rows, order, types, names, and in failing."""

import random

import pytest

from tests.oracle.runner import Runner, Tally

SEEDS = 1000
BATCH = 100
FRESH = 40
MOST_FAILED = 0.05

# Least share of the queries with a feature that split, about two thirds of what does: queries that
# all run whole would prove nothing.
LEAST_SPLIT = {
    "all": 0.34,
    "ORDER BY": 0.37,
    "NULLS FIRST or LAST": 0.36,
    "grouped": 0.39,
    "rows": 0.50,
    "LIMIT": 0.30,
    "sum": 0.30,
    "avg": 0.25,
    "FILTER": 0.33,
    "min max": 0.32,
    "count": 0.36,
    "ORDER BY expression": 0.36,
    "total": 0.34,
    "join": 0.34,
    "CASE": 0.36,
    "HAVING": 0.40,
    "scalar subquery": 0.20,
    "left join": 0.28,
    "view": 0.22,
    "semi or anti join": 0.36,
    "partitioned table": 0.32,
    "joined subquery": 0.24,
    "dropped columns": 0.38,
    "mode": 0.34,
    "DISTINCT inside": 0.34,
    "lateral": 0.12,
    "set operation": 0.12,
    "percentile": 0.40,
    "bit": 0.41,
    "bool": 0.28,
    "DISTINCT": 0.45,
    "stddev": 0.34,
    "other": 0.10,
    "array_agg": 0.36,
    "subquery in FROM": 0.24,
    "CTE": 0.33,
    "string_agg": 0.38,
    "json_agg": 0.41,
    "parameter": 0.24,
    "grouping sets": 0.36,
    "right join": 0.27,
    "variance": 0.31,
    "cross join": 0.40,
    "one-row table": 0.43,
    "materialized view": 0.45,
    "UNION ALL": 0.16,
    "inherited table": 0.36,
    "empty table": 0.35,
    "ROLLUP": 0.33,
    "GROUPING()": 0.33,
    "CUBE": 0.50,
    "USING": 0.38,
    "NATURAL": 0.38,
    "GROUPING SETS": 0.24,
    "window": 0.20,
    "window over groups": 0.36,
}


class Batches:
    """Runs each batch of seeds once, whichever test asks first."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._tallies: dict[int, Tally] = {}

    def tally(self, first: int) -> Tally:
        """Return what the seeds from `first` came to."""
        if first not in self._tallies:
            tally = Tally()
            for seed in range(first, first + BATCH):
                tally.add(self._runner.seed(seed))
            self._tallies[first] = tally
        return self._tallies[first]


@pytest.fixture(scope="module")
def batches(runner: Runner) -> Batches:
    """What has been run so far."""
    return Batches(runner)


@pytest.mark.parametrize("first", range(0, SEEDS, BATCH))
def test_split_under_writes_and_whole_agree(batches: Batches, first: int) -> None:
    tally = batches.tally(first)
    assert not tally.mismatches, "\n\n".join(map(str, tally.mismatches))


@pytest.mark.timeout(400)  # it may be the first to ask, and then runs all batches
def test_enough_queries_of_each_feature_split(batches: Batches) -> None:
    tally = Tally()
    for first in range(0, SEEDS, BATCH):
        tally.merge(batches.tally(first))
    shares = {feature: tally.share(feature) for feature in LEAST_SPLIT}
    assert not {feature: share for feature, share in shares.items() if share < LEAST_SPLIT[feature]}
    assert tally.failed <= MOST_FAILED * SEEDS


def test_fresh_seeds_agree_too(runner: Runner) -> None:
    first = random.SystemRandom().randrange(10**6, 10**9)
    verdicts = [runner.seed(seed) for seed in range(first, first + FRESH)]
    failures = [str(verdict) for verdict in verdicts if verdict.difference is not None]
    assert not failures, "\n\n".join(failures)
