"""One fault of a drill: when it was there, when answers were right and all was whole again."""

from dataclasses import dataclass


@dataclass(frozen=True)
class FaultRun:
    """Times in seconds since the drill began.

    `undone_at` None: there was nothing to undo.  `normal_at`: since when answers were right;
    `whole_at`: since when all of the stack was there.  None: not in time, and `missing` says what
    was not; or the drill was interrupted before, `is_awaited` False.  `trouble`: why it could not
    be undone.
    """

    name: str
    tier: str
    description: str
    injected_at: float
    undone_at: float | None
    normal_at: float | None
    whole_at: float | None
    ended_at: float
    missing: tuple[str, ...] = ()
    is_awaited: bool = True
    trouble: str = ""

    @property
    def recovery_s(self) -> float | None:
        """Seconds from its undoing, or where nothing was undone its injection, to right answers."""
        return self._since(self.normal_at)

    @property
    def whole_s(self) -> float | None:
        """Seconds from then until the stack was whole."""
        return self._since(self.whole_at)

    def _since(self, at: float | None) -> float | None:
        if at is None:
            return None
        since = self.injected_at if self.undone_at is None else self.undone_at
        return max(0.0, at - since)

    @property
    def is_failure(self) -> bool:
        """Whether it could not be undone, or all did not become normal."""
        is_over = self.normal_at is not None and self.whole_at is not None
        return bool(self.trouble) or (self.is_awaited and not is_over)
