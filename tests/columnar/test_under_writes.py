"""Seconds of what `python -m tests.columnar.under_writes` does for as long as one likes."""

from pathlib import Path

import pytest

from cli.embedded.postgres import EmbeddedPostgres
from tests.columnar.under_writes import Plan, run

COMPARED = 60
DEADLINE_S = 240.0


@pytest.mark.timeout(400)  # some seconds, unless the machine is busy
def test_answers_over_segments_are_of_one_moment_while_all_is_changing(
    postgres: EmbeddedPostgres, redis_url: str, tmp_path: Path
) -> None:
    plan = Plan(DEADLINE_S, COMPARED, processes=1, kill_every_s=1.0)
    result = run(postgres.url("postgres"), redis_url, tmp_path, plan)
    assert not result.asked.mismatches, "\n\n".join(result.asked.mismatches)
    assert result.asked.over_segments >= COMPARED, result.asked.not_compared
    assert result.written  # in which ways, and who died meanwhile, is a matter of chance here
