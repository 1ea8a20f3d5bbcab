"""One query on several sides in turn, so that what disturbs the machine disturbs all of them."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any

from bench.query.answers import Answer, verdict
from bench.query.figures import median
from bench.query.sides import Plan, Refused, Side, TooLong
from bench.query.table import brief


@dataclass(frozen=True)
class Patience:
    """A query is ended at `limit_s`; a side that has used `budget_s` for it runs it no more."""

    budget_s: float
    limit_s: float


@dataclass
class Measured:
    """What a side took for a query, in milliseconds; `problem` says why it has no times.

    `over_ms`: it was ended at this limit.  `verdict`: whether its answer is PostgreSQL's.
    """

    milliseconds: list[float] = field(default_factory=list)
    plan: Plan | None = None
    verdict: str = ""
    problem: str = ""
    over_ms: float | None = None

    @property
    def counted(self) -> list[float]:
        """The times without the first, which fills caches, unless it is the only one."""
        return self.milliseconds[1:] or self.milliseconds

    @property
    def median_ms(self) -> float | None:
        """The median of those; None if there are none."""
        return median(self.counted) if self.milliseconds else None

    @property
    def at_least_ms(self) -> float | None:
        """The median, or the limit at which it was ended: it would have taken longer."""
        return self.median_ms if self.milliseconds else self.over_ms

    def document(self) -> dict[str, Any]:
        """Return it for JSON."""
        return asdict(self) | {"median_ms": self.median_ms}


class Contest:
    """Measures sides on one query; the first answer at all is what others are compared with."""

    def __init__(self, sql: str, patience: Patience) -> None:
        self.results: dict[str, Measured] = {}
        self._sql = sql
        self._patience = patience
        self._oracle: Answer | None = None

    def fill(self, side: Side) -> None:
        """Run the query so that what it leaves is kept; what that takes counts nowhere."""
        with suppress(Refused, TooLong):  # which the runs that count will tell
            side.run(self._sql)

    def run(self, sides: Sequence[Side], count: int) -> None:
        """Run each side `count` times, in an order that turns from round to round."""
        for number in range(count):
            turn = number % len(sides)
            for side in (*sides[turn:], *sides[:turn]):
                measured = self.results.setdefault(side.name, Measured())
                if (
                    not measured.problem
                    and sum(measured.milliseconds) < 1000 * self._patience.budget_s
                ):
                    self._run_once(side, measured)

    def _run_once(self, side: Side, measured: Measured) -> None:
        try:
            taken = side.run(self._sql)
        except TooLong:
            measured.problem = f"over {self._patience.limit_s:g} s"
            measured.over_ms = self._patience.limit_s * 1000
            return
        except Refused as error:
            measured.problem = brief(str(error), 200)
            return
        measured.milliseconds.append(taken.milliseconds)
        measured.plan = taken.plan
        if not measured.verdict:
            answer = taken.answer()
            self._oracle = self._oracle or answer
            measured.verdict = verdict(answer, self._oracle)
