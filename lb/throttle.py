"""Refusing here what the replicas would refuse: for a fraction of what it costs them."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from lb.events import Emit, unheard

# Counts lose 63 % in so long.  After ten times too much, all passes again in about 10 s.
_MEMORY_S = 2.0
# So many refusals say nothing yet.
_CHANCE = 5
# With fewer refusals left than this, a path is no longer watched.
_FORGOTTEN = 0.1
_MOST_PATHS = 64
# Checks must always arrive; and `bulk` is also formats of paths whose usual requests have another.
_NEVER = frozenset((b"health", b"bulk"))


@dataclass(slots=True)
class _Counts:
    """Of late: attempts that were due, those refused here, and those that replicas refused.

    `refused`: all that were refused here.
    """

    requests: float = 0.0
    here: float = 0.0
    there: float = 0.0
    refused: int = 0


class Throttle:
    """Client-side throttling (Beyer and others, Site Reliability Engineering, chapter 21).

    Of a path's requests, such a part is refused here that replicas get `factor` times as many as
    they take: enough for them to be asked for all that they can do, and to notice at once when
    that is more.  A request counts as taken until a replica refuses it, so slow ones are no
    overload.  Only paths with refusals are watched: while there are none, a request costs one look
    at an empty mapping.  `draw` returns numbers from 0 to below 1.
    """

    __slots__ = ("_draw", "_emit", "_factor", "_swept", "refused", "watched")

    def __init__(
        self, *, factor: float, draw: Callable[[], float], now: float, emit: Emit = unheard
    ) -> None:
        self._factor = factor
        self._draw = draw
        self._emit = emit
        self._swept = now
        self.watched: dict[tuple[bytes, bytes], _Counts] = {}
        self.refused = 0

    def refuses(self, method: bytes, target: bytes) -> bool:
        """Count a request, and tell whether it is to be refused here."""
        counts = self.watched.get((method, target.partition(b"?")[0]))
        if counts is None:
            return False
        counts.requests += 1
        share = self._share(counts)
        if share > 0 and self._draw() < share:
            counts.here += 1
            self.refused += 1
            counts.refused += 1
            if counts.refused == 1:
                cause = "replicas refuse most of these requests"
                self._emit("throttle_began", cause, method=method.decode(), path=_path(target))
            return True
        return False

    def refused_there(self, method: bytes, target: bytes, lane: bytes, *, active: int) -> bool:
        """Note that a replica refused a request; tell whether others may still have room.

        `active`: requests that the balancer has now.  Where a path was not watched yet, they count
        as requests of it, and so as taken: else a burst would look as if nothing of it was.
        """
        if lane in _NEVER:
            return True
        path = (method, target.partition(b"?")[0])
        counts = self.watched.get(path)
        if counts is None:
            if len(self.watched) >= _MOST_PATHS:
                return False
            self.watched[path] = counts = _Counts(requests=active)
        counts.there += 1
        return self._share(counts) <= 0

    def again(self, method: bytes, target: bytes) -> None:
        """Count another attempt of a request that one replica has refused."""
        counts = self.watched.get((method, target.partition(b"?")[0]))
        if counts is not None:
            counts.requests += 1

    def sweep(self, now: float) -> None:
        """Forget with time: to be called a few times a second."""
        left = math.exp((self._swept - now) / _MEMORY_S)
        self._swept = now
        for path, counts in tuple(self.watched.items()):
            counts.requests *= left
            counts.here *= left
            counts.there *= left
            if counts.there < _FORGOTTEN:
                del self.watched[path]
                if counts.refused:
                    method, target = path
                    self._emit(
                        "throttle_ended", "replicas refuse no more of them",
                        method=method.decode(), path=_path(target), refused=counts.refused,
                    )  # fmt: skip

    def _share(self, counts: _Counts) -> float:
        taken = counts.requests - counts.here - counts.there
        return (counts.requests - self._factor * taken - _CHANCE) / (counts.requests + 1)


def _path(target: bytes) -> str:
    return target.partition(b"?")[0].decode("latin-1")
