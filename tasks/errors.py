"""What can go wrong with the queue; for every error but TaskFailed the caller can run directly."""


class QueueError(Exception):
    """Root of this package's errors."""


class QueueUnavailable(QueueError):
    """Redis is away, hangs, or refuses to serve."""


class NoWorkers(QueueError):
    """No worker lives, or none that is left takes what is queued."""


class QueueFull(QueueError):
    """The lane holds so many tasks already that more would only wait.

    `wait_s` is how long they would, at a guess; None where nobody can tell yet.
    """

    def __init__(self, length: int, wait_s: float | None) -> None:
        told = "" if wait_s is None else f", {wait_s:.1f} s of work for the workers that there are"
        super().__init__(f"the queue holds {length} tasks already{told}")
        self.length = length
        self.wait_s = wait_s


class Stopped(QueueError):
    """Somebody told the scatter to stop: nobody wants its answers any more."""


class GatherTimeout(QueueError):
    """The deadline passed; `missing` are the indexes that had no answer."""

    def __init__(self, missing: tuple[int, ...]) -> None:
        super().__init__(f"no answer in time for {len(missing)} tasks")
        self.missing = missing


class TaskFailed(QueueError):
    """Raised by a handler: its text becomes `Reply.error` as it stands."""

    def __init__(self, error: str) -> None:
        super().__init__(error)
        self.error = error


class MessageMalformed(QueueError):
    """What lies in the stream or the reply list was not written by this package."""
