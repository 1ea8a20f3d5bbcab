"""Which states may follow which."""

from typing import get_args

from jobs.states import (
    FINISHED,
    JOB_TRANSITIONS,
    TASK_TRANSITIONS,
    JobState,
    TaskState,
    job_sources,
    task_sources,
)


def test_each_state_has_its_transitions() -> None:
    assert set(JOB_TRANSITIONS) == set(get_args(JobState))
    assert set(TASK_TRANSITIONS) == set(get_args(TaskState))


def test_what_is_cancelled_stays_so() -> None:
    assert not JOB_TRANSITIONS["cancelled"]
    assert not TASK_TRANSITIONS["cancelled"]


def test_only_what_is_not_finished_can_be_cancelled() -> None:
    for state, targets in JOB_TRANSITIONS.items():
        assert ("cancelled" in targets) == (state not in FINISHED)


def test_only_a_leased_task_ends() -> None:
    for target in ("done", "dead"):
        assert task_sources(target) == "'leased'"


def test_sources_are_written_as_sql() -> None:
    assert job_sources("paused") == "'queued', 'running'"
