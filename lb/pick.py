"""Which backend serves a request: one pure function a strategy."""

from collections.abc import Callable, Sequence
from typing import Literal, Protocol, get_args

Strategy = Literal["least_connections", "round_robin"]
STRATEGIES: tuple[Strategy, ...] = get_args(Strategy)


class Candidate(Protocol):
    """What a pick looks at."""

    @property
    def active(self) -> int:
        """Requests that the backend has now."""


def pick(strategy: Strategy, candidates: Sequence[Candidate], turn: int) -> int:
    """Return the index of the candidate to use; `turn` goes up by one with every pick.

    `candidates` must not be empty.
    """
    return _PICKS[strategy](candidates, turn)


def round_robin(candidates: Sequence[Candidate], turn: int) -> int:
    """Each in turn."""
    return turn % len(candidates)


def least_connections(candidates: Sequence[Candidate], turn: int) -> int:
    """One with the fewest active requests; those with equally few take turns.

    Without the turns an idle system would send everything to the first backend.
    """
    active = [candidate.active for candidate in candidates]
    fewest = min(active)
    ties = active.count(fewest)
    index = active.index(fewest)
    for _ in range(turn % ties):
        index = active.index(fewest, index + 1)
    return index


_PICKS: dict[Strategy, Callable[[Sequence[Candidate], int], int]] = {
    "least_connections": least_connections,
    "round_robin": round_robin,
}
