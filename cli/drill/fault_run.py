"""One fault of a drill: when it was there, and when all was normal again."""

from dataclasses import dataclass


@dataclass(frozen=True)
class FaultRun:
    """Times in seconds since the drill began.

    `undone_at` None: there was nothing to undo.  `normal_at` None: not normal in time, and
    `missing` says which probes failed; or the drill was interrupted before, `is_awaited` False.
    `trouble`: why it could not be undone.
    """

    name: str
    tier: str
    description: str
    injected_at: float
    undone_at: float | None
    normal_at: float | None
    ended_at: float
    missing: tuple[str, ...] = ()
    is_awaited: bool = True
    trouble: str = ""

    @property
    def recovery_s(self) -> float | None:
        """Seconds from its undoing, or where nothing was undone its injection, to normal."""
        if self.normal_at is None:
            return None
        since = self.injected_at if self.undone_at is None else self.undone_at
        return max(0.0, self.normal_at - since)

    @property
    def is_failure(self) -> bool:
        """Whether it could not be undone, or all did not become normal."""
        return bool(self.trouble) or (self.is_awaited and self.normal_at is None)
