"""The states of jobs and of their tasks, and which may follow which.

The statements on the ledger take their conditions from these tables (`sources`), so a transition
that is not listed here cannot happen.
"""

from collections.abc import Iterable, Mapping
from typing import Literal, TypeAlias

JobState: TypeAlias = Literal["queued", "running", "paused", "done", "failed", "cancelled"]
TaskState: TypeAlias = Literal["held", "ready", "leased", "done", "dead", "cancelled"]

# `held`: not to be run now, since its job is paused or failed, or since it is the job's last task
# and others are not done
JOB_TRANSITIONS: Mapping[JobState, frozenset[JobState]] = {
    "queued": frozenset({"running", "paused", "cancelled", "failed"}),
    "running": frozenset({"paused", "done", "failed", "cancelled"}),
    "paused": frozenset({"queued", "running", "failed", "cancelled"}),
    # a dead letter that is replayed brings its job back
    "done": frozenset({"running"}),
    "failed": frozenset({"running"}),
    "cancelled": frozenset(),
}
TASK_TRANSITIONS: Mapping[TaskState, frozenset[TaskState]] = {
    "held": frozenset({"ready", "cancelled"}),
    "ready": frozenset({"leased", "held", "cancelled"}),
    "leased": frozenset({"done", "ready", "held", "dead", "cancelled"}),
    # only a job's last task, which runs again after dead letters were replayed
    "done": frozenset({"held"}),
    "dead": frozenset({"ready", "held"}),
    "cancelled": frozenset(),
}
FINISHED: frozenset[JobState] = frozenset({"done", "failed", "cancelled"})


def job_sources(target: JobState) -> str:
    """Return the states from which a job may become `target`, as the list of an SQL `IN`."""
    return _list(state for state, targets in JOB_TRANSITIONS.items() if target in targets)


def task_sources(target: TaskState) -> str:
    """Return the states from which a task may become `target`, as the list of an SQL `IN`."""
    return _list(state for state, targets in TASK_TRANSITIONS.items() if target in targets)


def _list(states: Iterable[str]) -> str:
    return ", ".join(f"'{state}'" for state in states)
