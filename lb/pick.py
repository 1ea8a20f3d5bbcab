"""Which backend serves a request: one pure function a strategy."""

from collections.abc import Sequence
from typing import Literal, Protocol, TypeVar, get_args

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
        """Virtual time of its next turn: see `first_due`."""

    @property
    def peak_s(self) -> float | None:
        """Its recent peak of the time to the first byte; None: not known yet."""


C = TypeVar("C", bound=Candidate)


class Pick(Protocol):
    """A strategy."""

    def __call__(self, candidates: Sequence[C], draw: float, /) -> C:
        """Return the candidate to use; there must be one.

        `draw`: a random number, 0 <= draw < 1, which only `power_of_two` looks at.
        """


def round_robin(candidates: Sequence[C], _draw: float, /) -> C:
    """The one whose turn is due first: smooth, and exactly in proportion to the weights."""
    chosen = candidates[0]
    due = chosen.due
    for candidate in candidates:
        if candidate.due < due:
            chosen, due = candidate, candidate.due
    return chosen


def least_connections(candidates: Sequence[C], _draw: float, /) -> C:
    """The one with the fewest active requests for its weight; equals take turns.

    Without the turns an idle system would send everything to the first backend.  The request
    that is to come is not counted in: else a light one would get nothing while a heavier is idle.
    """
    chosen = candidates[0]
    least, due = chosen.active / chosen.weight, chosen.due
    for candidate in candidates:
        load = candidate.active / candidate.weight
        if load < least or (load == least and candidate.due < due):
            chosen, least, due = candidate, load, candidate.due
    return chosen


def power_of_two(candidates: Sequence[C], draw: float, /) -> C:
    """Of two by chance, the one with less latency x requests / weight.

    Latency as peak EWMA, as Finagle has it.  Two by chance instead of the best of all: several
    balancers, who don't know of one another's requests, would all choose the same best one.
    """
    others = len(candidates) - 1
    if not others:
        return candidates[0]
    first, second = divmod(int(draw * (others + 1) * others), others)
    one, other = candidates[first], candidates[second + (second >= first)]
    return one if _cost(one) <= _cost(other) else other


def _cost(candidate: Candidate) -> float:
    active, latency_s = candidate.active, candidate.peak_s
    if latency_s is None:
        latency_s = _UNKNOWN_LATENCY_S if active else 0.0
    return latency_s * (active + 1) / candidate.weight


def first_due(virtual_now: float, weight: float) -> float:
    """Return when a newcomer's first turn is due: after half the distance of its turns.

    Turns of one candidate are 1 / weight apart, in a virtual time that is the due time of the
    latest turn taken (start-time fair queueing).  Half a distance, so that a round of turns, of
    which each gets as many as its weight, is symmetric: the turns of a heavy one surround those of
    the light ones instead of preceding them.
    """
    return virtual_now + 0.5 / weight


PICKS: dict[Strategy, Pick] = {
    "least_connections": least_connections,
    "round_robin": round_robin,
    "power_of_two": power_of_two,
}
