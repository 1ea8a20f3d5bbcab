"""When a failed task is tried again, and when no more."""

from dataclasses import dataclass


@dataclass(frozen=True)
class RetryPolicy:
    """Exponential back-off with full jitter, in seconds.

    The pause after attempt n is drawn evenly from 0 to min(cap_s, base_s * factor ** (n - 1)): of
    the jitters that "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015) compares, the
    one with the least work for the one who recovers.
    """

    base_s: float = 1.0
    factor: float = 2.0
    cap_s: float = 300.0
    attempts: int = 5

    def __post_init__(self) -> None:
        """Raise ValueError for a policy that could not be kept."""
        if not (self.base_s >= 0 and self.factor >= 1 and self.cap_s >= 0 and self.attempts >= 1):
            raise ValueError(f"no policy for retries: {self}")

    def ceiling_s(self, attempt: int) -> float:
        """Return the longest pause after that attempt; the first is 1."""
        try:
            grown = self.base_s * self.factor ** (attempt - 1)
        except OverflowError:
            return self.cap_s if self.base_s > 0 else 0.0
        return min(self.cap_s, grown)

    def pause_s(self, attempt: int, random_share: float) -> float:
        """Return the pause after that attempt; `random_share` in [0, 1) was drawn for it."""
        return self.ceiling_s(attempt) * random_share


def next_pause_s(
    policy: RetryPolicy, attempt: int, max_attempts: int, random_share: float
) -> float | None:
    """Return the seconds until the attempt after that one; None if it was the last."""
    return policy.pause_s(attempt, random_share) if attempt < max_attempts else None
