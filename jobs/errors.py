"""What can go wrong with jobs.  What goes wrong with PostgreSQL itself stays an error of db."""


class JobError(Exception):
    """Root of this package's errors; the message says what to do."""


class KeyReused(JobError):
    """The idempotency key was used for another request."""


class TooManyJobs(JobError):
    """So many jobs are unfinished that another one is not taken in."""


class NotPossible(JobError):
    """What was asked for does not fit the job's state."""

    def __init__(self, message: str, state: str) -> None:
        super().__init__(message)
        self.state = state


class Lost(JobError):
    """The task is this worker's no more: its lease lapsed, or its job was cancelled."""


class TaskCancelled(JobError):
    """Raised inside a task that was told to stop, by whoever looks."""


class PermanentFailure(Exception):
    """Raised by a kind for a task that no further attempt would help.

    `error_class` names the cause where that is another one than this.
    """

    def __init__(self, message: str, error_class: str | None = None) -> None:
        super().__init__(message)
        self.error_class = error_class or type(self).__name__


class KeyInUse(JobError):
    """A request with the same idempotency key is just being processed."""


class CursorMalformed(JobError):
    """What was given as the id of an event is none."""
