"""Direct or partitioned, and into how many fragments: the adaptive choice."""

from dataclasses import dataclass
from typing import Literal

Engine = Literal["auto", "direct", "partitioned"]


@dataclass(frozen=True)
class Limits:
    """What bounds the choice.

    `min_fragment_cost` in planner units: below it, a fragment's overhead is not worth it.
    `max_fragments` is the ceiling for what a request may ask for; `max_partial_rows` bounds rows
    that travel to the merge.
    """

    min_fragment_cost: float
    max_fragments: int
    max_partial_rows: int


@dataclass(frozen=True)
class Decision:
    """`fragments` 0 means direct; `reason` is for people."""

    fragments: int
    reason: str


def decide(
    *,
    engine: Engine,
    wanted: int | None,
    cost: float,
    rows: int,
    slots: int,
    blocks: int,
    limits: Limits,
) -> Decision:
    """Choose for a query that splits.

    `cost` and `rows` (the most that all fragments may send) are PostgreSQL's estimates, `slots`
    those of all live workers, `blocks` the driving table's size, `wanted` the number of fragments
    that the request asks for.  `engine` "partitioned" overrules cost, not what is possible.
    """
    if engine == "direct":
        return Decision(0, "the request asks for it")
    if slots == 0:
        return Decision(0, "no worker is there")
    forced = engine == "partitioned" or wanted is not None
    if not forced:
        if rows > limits.max_partial_rows:
            return Decision(0, f"about {rows} rows would travel, {limits.max_partial_rows} may")
        if cost < 2 * limits.min_fragment_cost:
            return Decision(0, f"cheap: cost {cost:.0f}, splitting starts at "
                               f"{2 * limits.min_fragment_cost:.0f}")  # fmt: skip
    if blocks < 2 and not forced:
        return Decision(0, "the table fits in one block")
    if wanted is not None:
        count = wanted
    elif forced:
        count = slots
    else:
        count = min(slots, int(cost / limits.min_fragment_cost))
    count = max(1, min(count, limits.max_fragments, max(1, blocks)))
    if count < 2 and not forced:
        return Decision(0, "one slot alone gains nothing")
    return Decision(count, f"cost {cost:.0f} over {count} of {slots} slots")
