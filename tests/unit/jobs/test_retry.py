"""When a failed task is tried again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.retry import RetryPolicy, next_pause_s
from jobs.settings import JobSettings, RetryChange

POLICIES = st.builds(
    RetryPolicy,
    base_s=st.floats(0, 100),
    factor=st.floats(1, 100),
    cap_s=st.floats(0, 10_000),
    attempts=st.integers(1, 100),
)
SHARES = st.floats(0, 1, exclude_max=True)


@given(POLICIES, st.integers(1, 10_000), SHARES)
def test_a_pause_is_never_negative_nor_above_the_cap(
    policy: RetryPolicy, attempt: int, share: float
) -> None:
    assert 0 <= policy.pause_s(attempt, share) <= policy.ceiling_s(attempt) <= policy.cap_s


@given(POLICIES, st.integers(1, 1000))
def test_the_longest_pause_never_shrinks(policy: RetryPolicy, attempt: int) -> None:
    assert policy.ceiling_s(attempt) <= policy.ceiling_s(attempt + 1)


def test_the_longest_pause_doubles_up_to_the_cap_and_jitter_is_full() -> None:
    policy = RetryPolicy(base_s=1, factor=2, cap_s=10, attempts=9)
    assert [policy.ceiling_s(attempt) for attempt in range(1, 7)] == [1, 2, 4, 8, 10, 10]
    assert [policy.pause_s(3, share) for share in (0.0, 0.5, 0.75)] == [0, 2, 3]


@given(POLICIES, st.integers(1, 100), st.integers(1, 100), SHARES)
def test_after_the_last_attempt_there_is_no_other(
    policy: RetryPolicy, attempt: int, most: int, share: float
) -> None:
    assert (next_pause_s(policy, attempt, most, share) is None) == (attempt >= most)


@pytest.mark.parametrize("wrong", [{"base_s": -1}, {"factor": 0.5}, {"cap_s": -1}, {"attempts": 0}])
def test_a_policy_that_cannot_be_kept_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="no policy"):
        RetryPolicy(**wrong)  # type: ignore[arg-type]


def test_an_operator_changes_some_of_a_kinds_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILLRACE_JOBS_RETRY", '{"a": {"attempts": 9, "cap_s": 7}}')
    settings = JobSettings()
    assert settings.retry == {"a": RetryChange(attempts=9, cap_s=7)}
    own = RetryPolicy(base_s=3, attempts=2)
    assert settings.policy("a", own) == RetryPolicy(base_s=3, cap_s=7, attempts=9)
    assert settings.policy("b", own) == own
