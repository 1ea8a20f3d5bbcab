"""What can go wrong with the queue; for every error but TaskFailed the caller can run directly."""


class QueueError(Exception):
    """Root of this package's errors."""


class QueueUnavailable(QueueError):
    """Redis is away, hangs, or refuses to serve."""


class NoWorkers(QueueError):
    """No worker lives, or none that is left takes what is queued."""


class QueueFull(QueueError):
    """The lane holds so many tasks already that more would only wait."""

    def __init__(self, length: int, limit: int) -> None:
        super().__init__(f"the queue holds {length} tasks of at most {limit}")
        self.length = length
        self.limit = limit


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
