"""Which backend serves a request: one pure function a strategy."""

from collections.abc import Callable, Sequence
from typing import Literal, Protocol, get_args

Strategy = Literal["least_connections", "round_robin", "power_of_two"]
STRATEGIES: tuple[Strategy, ...] = get_args(Strategy)

# Seconds assumed of a backend that works on its first request and has answered none: so it is
# tried with one request, and not with every one that comes before the first answer.
_UNKNOWN_LATENCY_S = 1000.0


class Candidate(Protocol):
    """What a pick looks at."""

    @property
    def active(self) -> int:
        """Requests that the backend has now."""

    @property
    def weight(self) -> float:
        """Its share of the requests, in proportion to the others' weights; above 0."""

    @property
    def due(self) -> float:
        """Virtual time of its next turn: see `next_due`."""

    @property
    def peak_s(self) -> float | None:
        """Its recent peak of the time to the first byte; None: not known yet."""


def pick(strategy: Strategy, candidates: Sequence[Candidate], draw: float) -> int:
    """Return the index of the candidate to use.

    `draw`: a random number, 0 <= draw < 1, which only `power_of_two` looks at.
    `candidates` must not be empty.
    """
    return _PICKS[strategy](candidates, draw)


def round_robin(candidates: Sequence[Candidate], _draw: float) -> int:
    """The one whose turn is due first: smooth, and exactly in proportion to the weights."""
    best = 0
    best_due = candidates[0].due
    for index, candidate in enumerate(candidates):
        if candidate.due < best_due:
            best, best_due = index, candidate.due
    return best


def least_connections(candidates: Sequence[Candidate], _draw: float) -> int:
    """The one that would have the fewest active requests for its weight; equals take turns.

    Without the turns an idle system would send everything to the first backend.
    """
    best = 0
    best_load = best_due = float("inf")
    for index, candidate in enumerate(candidates):
        load = (candidate.active + 1) / candidate.weight
        if load < best_load or (load == best_load and candidate.due < best_due):
            best, best_load, best_due = index, load, candidate.due
    return best


def power_of_two(candidates: Sequence[Candidate], draw: float) -> int:
    """Of two by chance, the one with less latency x requests / weight.

    Latency as peak EWMA, as Finagle has it.  Two by chance instead of the best of all: several
    balancers, who don't know of one another's requests, would all choose the same best one.
    """
    others = len(candidates) - 1
    if not others:
        return 0
    first, second = divmod(int(draw * (others + 1) * others), others)
    if second >= first:
        second += 1
    return first if _cost(candidates[first]) <= _cost(candidates[second]) else second


def _cost(candidate: Candidate) -> float:
    active, latency_s = candidate.active, candidate.peak_s
    if latency_s is None:
        latency_s = _UNKNOWN_LATENCY_S if active else 0.0
    return latency_s * (active + 1) / candidate.weight


def first_due(virtual_now: float, weight: float) -> float:
    """Return when a newcomer's first turn is due: half its distance from now.

    Half, so that a round of turns (of which each gets as many as its weight) is symmetric: the
    turns of a heavy one surround those of the light ones instead of preceding them.
    """
    return virtual_now + 0.5 / weight


def next_due(due: float, virtual_now: float, weight: float) -> float:
    """Return when the next turn of the one that was picked is due.

    Turns of one candidate are 1 / weight apart.  One that could not take its turns (it was full,
    or busier than others) has lost them: else it would get all requests until it has caught up.
    Virtual time is the due time of the latest turn (start-time fair queueing).
    """
    return max(due, virtual_now) + 1 / weight


_PICKS: dict[Strategy, Callable[[Sequence[Candidate], float], int]] = {
    "least_connections": least_connections,
    "round_robin": round_robin,
    "power_of_two": power_of_two,
}
