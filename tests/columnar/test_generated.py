"""Queries by chance over segments: seconds of what `python -m tests.columnar` does for hours."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.embedded.postgres import EmbeddedPostgres
from columnar.engine import ColumnarEngine
from tests.columnar.campaign import Campaign, campaign
from tests.oracle.world import world

SEEDS = 120
LEAST_COMPARED = 0.3
FRESH = 30


@pytest.fixture(scope="module")
def compared(
    postgres: EmbeddedPostgres, engine: ColumnarEngine, segment_folder: Path
) -> Iterator[Campaign]:
    """The oracle's tables, in two files each."""
    with (
        world(postgres.url("postgres"), "columnar") as made,
        campaign(made, segment_folder, engine) as started,
    ):
        yield started


def test_fragments_and_merges_agree_with_postgresql(compared: Campaign) -> None:
    before = compared.tally.outcomes["compared"]
    for seed in range(SEEDS):
        compared.seed(seed)
    assert not compared.tally.mismatches, "\n\n".join(compared.tally.mismatches)
    assert compared.tally.outcomes["compared"] - before >= LEAST_COMPARED * SEEDS


def test_fresh_seeds_agree_too(compared: Campaign) -> None:
    first = random.SystemRandom().randrange(10**6, 10**9)
    for seed in range(first, first + FRESH):
        compared.seed(seed)
    assert not compared.tally.mismatches, "\n\n".join(compared.tally.mismatches)
