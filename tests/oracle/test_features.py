"""The table of features is true, and the documentation has it."""

import pytest

from tests.oracle.features import DOCUMENT, FEATURES, Feature, document
from tests.oracle.generator import GeneratedQuery
from tests.oracle.runner import Runner

PARAMETERS = ("20", "g1")


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)
def test_a_feature_splits_or_runs_whole_as_told(runner: Runner, feature: Feature) -> None:
    params = PARAMETERS if "$1" in feature.sql else ()
    verdict = runner.query(GeneratedQuery(0, feature.sql, params, frozenset()))
    assert verdict.difference is None, str(verdict)
    assert verdict.theirs.sqlstate is None
    assert verdict.ours.mode == ("direct" if feature.reason else "partitioned"), str(verdict)
    assert feature.reason in verdict.ours.reason


def test_the_documentation_shows_these_features() -> None:
    assert DOCUMENT.read_text() == document(), "run python -m tests.oracle.features"
