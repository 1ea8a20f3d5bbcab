"""How long queries took, by shape and mode: what is measured overrules what is guessed."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, get_args

from query.shape import shape_of
from query.statement import Statement

Way = Literal["postgresql", "columnar"]

WAYS = get_args(Way)
SMALL_MS = 20.0
CLEARLY = 1.2  # so many times faster is no matter of chance
MOST_SHAPES = 2_000
WEIGHT_IF_FASTER = 0.6  # of the newest time: what was cold once, is so no more
WEIGHT_IF_SLOWER = 0.2
MEMORY_S = 600.0
AGAIN_EVERY = 50  # how often the way that seems slower is taken, to see whether it still is
AGAIN_EARLY = (2, 4, 8, 16)  # a first time says little
AGAIN_FACTOR = 2.0  # unless it is slower by so much
# where nothing was measured yet: milliseconds for a planner unit, and for a row of segments
MS_PER_COST = 0.01
COLUMNAR_MS = 4.0
MS_PER_ROW = 0.00005


@dataclass
class _Known:
    """A shape's times in ms, when they were taken, and how often was chosen between them."""

    took_ms: dict[Way, tuple[float, float]] = field(default_factory=dict)
    failed_until: float = float("-inf")
    failure: str = ""
    choices: int = 0


@dataclass(frozen=True)
class Choice:
    """Which way, and why in words."""

    way: Way
    reason: str


class Times:
    """Safe for use by many threads."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._shapes: OrderedDict[str, str] = OrderedDict()
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._per_cost = MS_PER_COST
        self._per_row = MS_PER_ROW

    def settled(self, statement: Statement) -> str | None:
        """Return why PostgreSQL is to run a query, where that is known before it is planned."""
        with self._lock:
            known = self._of(statement)
            now = self._monotonic()
            if now < known.failed_until:
                return known.failure
            took = {way: ms for way, (ms, at) in known.took_ms.items() if now - at < MEMORY_S}
            if len(took) < len(WAYS) or took["postgresql"] > SMALL_MS:
                return None  # planning costs little in comparison, and partials may be kept
            if took["postgresql"] * CLEARLY > took["columnar"]:
                return None
            known.choices += 1
            if _is_due(known.choices):
                return None
            return (
                f"PostgreSQL took {took['postgresql']:.0f} ms, and DuckDB over segments "
                f"{took['columnar']:.0f} ms"
            )

    def choose(self, statement: Statement, *, cost: float, rows: int) -> Choice:
        """Choose for a query that PostgreSQL estimates at `cost`, over `rows` of segments."""
        with self._lock:
            known = self._of(statement)
            now = self._monotonic()
            if now < known.failed_until:
                return Choice("postgresql", known.failure)
            measured = {
                way: took_ms for way, (took_ms, at) in known.took_ms.items() if now - at < MEMORY_S
            }
            guesses: dict[Way, float] = {
                "postgresql": cost * self._per_cost,
                "columnar": COLUMNAR_MS + rows * self._per_row,
            }
            expected = {way: measured.get(way, guess) for way, guess in guesses.items()}
            known.choices += 1
            words = ", ".join(
                f"{way} {expected[way]:.0f} ms ({'measured' if way in measured else 'guessed'})"
                for way in expected
            )
            better: Way = (
                "columnar" if expected["columnar"] <= expected["postgresql"] else "postgresql"
            )
            other: Way = "postgresql" if better == "columnar" else "columnar"
            if _is_due(known.choices) and expected[other] < AGAIN_FACTOR * expected[better]:
                return Choice(other, f"to see what it takes: {words}")
            return Choice(better, words)

    def took(self, statement: Statement, way: Way, ms: float, *, cost: float, rows: int) -> None:
        """Note how long a query took; of cached partials nothing is learnt."""
        with self._lock:
            known = self._of(statement)
            before = known.took_ms.get(way)
            mean = ms
            if before is not None:
                weight = WEIGHT_IF_FASTER if ms < before[0] else WEIGHT_IF_SLOWER
                mean = before[0] + weight * (ms - before[0])
            known.took_ms[way] = mean, self._monotonic()
            if way == "postgresql" and cost > 0:
                self._per_cost += 0.05 * (min(ms / cost, 1.0) - self._per_cost)
            elif way == "columnar" and rows > 0:
                self._per_row += 0.05 * (
                    min(max(0.0, ms - COLUMNAR_MS) / rows, 0.01) - self._per_row
                )

    def failed(self, statement: Statement, reason: str) -> None:
        """Note that a query had to leave the columnar way: it would again."""
        with self._lock:
            known = self._of(statement)
            known.failed_until = self._monotonic() + MEMORY_S
            known.failure = f"it was tried over segments a while ago: {reason}"

    def _of(self, statement: Statement) -> _Known:
        digest = self._shapes.get(statement.sql)
        if digest is None:
            digest = self._shapes[statement.sql] = shape_of(statement.tree).digest
            _trim(self._shapes)
        known = self._known.setdefault(digest, _Known())
        self._known.move_to_end(digest)
        _trim(self._known)
        return known


def _is_due(choices: int) -> bool:
    return choices in AGAIN_EARLY or choices % AGAIN_EVERY == 0


def _trim(kept: "OrderedDict[str, str] | OrderedDict[str, _Known]") -> None:
    while len(kept) > MOST_SHAPES:
        kept.popitem(last=False)
