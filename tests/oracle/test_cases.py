"""Queries that once came out differently than in PostgreSQL."""

import json
import re
from pathlib import Path

import pytest

from tests.oracle.generator import GeneratedQuery
from tests.oracle.runner import Runner

CASES = sorted(Path(__file__).with_name("cases").glob("*.sql"))
PARAMETERS = re.compile(r"^-- params: (.*)$", re.MULTILINE)


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_what_once_differed_is_equal(runner: Runner, path: Path) -> None:
    text = path.read_text()
    found = PARAMETERS.search(text)
    params = tuple(json.loads(found.group(1))) if found else ()
    sql = "\n".join(line for line in text.splitlines() if not line.startswith("--")).strip()
    verdict = runner.query(GeneratedQuery(0, sql, params, frozenset()))
    assert verdict.difference is None, str(verdict)
    expected = "direct" if "-- runs whole" in text else "partitioned"
    assert verdict.ours.sqlstate is not None or verdict.ours.mode == expected, verdict.ours.reason
