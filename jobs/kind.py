"""What a kind of job must say of itself."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

from db.pool import Connection
from jobs.context import TaskContext
from jobs.record import NewTask, TaskClaim
from jobs.retry import RetryPolicy

PLAN = "plan"

# Runs in the transaction that marks the task done, so it happens with it or not at all.  It should
# be short (what takes time belongs into `run`), and neither commit nor roll back.
Effects: TypeAlias = Callable[[Connection], None]


@dataclass(frozen=True)
class Done:
    """What a task leaves behind, all in one transaction with its `done` mark.

    `rows` and `bytes` go into the job's progress, `result` refers to what was made; `adds` are
    further tasks of the job.  `expected_…` replace the job's, where they are known now.
    """

    effects: Effects | None = None
    adds: Sequence[NewTask] = ()
    rows: int = 0
    bytes: int = 0
    result: str | None = None
    expected_rows: int | None = None
    expected_bytes: int | None = None


class Kind(ABC):
    """One kind of job.  A worker has one instance, which its slots use at the same time."""

    name: ClassVar[str]
    retry: ClassVar[RetryPolicy] = RetryPolicy()
    tolerates_dead_letters: ClassVar[bool] = False
    """Whether a job goes on, and may be done, when one of its tasks has been given up."""

    @abstractmethod
    def plan(self, parameters: Mapping[str, Any], context: TaskContext) -> Done:
        """Return the job's tasks as `adds`.  Itself a task: retried, and its effects happen once.

        A long plan returns the first tasks and one more that goes on with planning.
        """

    @abstractmethod
    def run(self, task: TaskClaim, context: TaskContext) -> Done:
        """Do the task's work, and return what is to be committed.

        May be called again for the same task after a crash.  Raises PermanentFailure where a
        further attempt would not help, TaskCancelled where the context told it to stop; anything
        else is tried again.
        """

    def perform(self, task: TaskClaim, context: TaskContext) -> Done:
        """Plan or run, as the task wants it."""
        if task.name == PLAN:
            return self.plan(task.job_parameters, context)
        return self.run(task, context)
