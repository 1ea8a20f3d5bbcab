"""Direct or partitioned, and into how many fragments: the adaptive choice."""

from dataclasses import dataclass
from typing import Literal

Engine = Literal["auto", "direct", "partitioned", "columnar"]


@dataclass(frozen=True)
class Limits:
    """What bounds the choice.

    `min_fragment_cost` in planner units: below it, a fragment's overhead is not worth it.
    `max_fragment_share` of the whole query's cost: a fragment that costs more gains too little.
    `max_fragments` is the ceiling for what a request may ask for; `max_partial_rows` bounds rows
    that travel to the merge.
    """

    min_fragment_cost: float
    max_fragment_share: float
    max_fragments: int
    max_partial_rows: int


@dataclass(frozen=True)
class Decision:
    """`fragments` 0 means direct; `reason` is for people; `slots` were there to choose from."""

    fragments: int
    reason: str
    slots: int = 0


def decide(
    *,
    engine: Engine,
    wanted: int | None,
    cost: float,
    slots: int,
    blocks: int,
    limits: Limits,
) -> Decision:
    """Choose for a query that splits.

    `cost` is PostgreSQL's estimate, `slots` those of all live workers, `blocks` the most parts
    that it can be cut into, `wanted` the number of fragments that the request asks for.  `engine`
    "partitioned" overrules cost, not what is possible.
    """
    if engine == "direct":
        return Decision(0, "the request asks for it")
    if slots == 0:
        return Decision(0, "no worker is there")
    forced = engine == "partitioned" or wanted is not None
    if not forced and cost < 2 * limits.min_fragment_cost:
        return Decision(0, f"cheap: cost {cost:.0f}, splitting starts at "
                           f"{2 * limits.min_fragment_cost:.0f}")  # fmt: skip
    if blocks < 2 and not forced:
        return Decision(0, "what it reads fits in one block")
    if wanted is not None:
        count = wanted
    elif forced:
        count = slots
    else:
        count = min(slots, int(cost / limits.min_fragment_cost))
    count = max(1, min(count, limits.max_fragments, max(1, blocks)))
    if count < 2 and not forced:
        return Decision(0, "one slot alone gains nothing")
    return Decision(count, f"cost {cost:.0f} over {count} of {slots} slots", slots)


def why_not_worth(
    *, whole_cost: float, cost: float, rows: int, fragments: int, limits: Limits
) -> str | None:
    """Return why fragments that each cost `cost` and yield `rows` are not worth it, or None.

    A restriction to some rows of a table can cost an index its use, and what stands beside the
    table is done anew in each fragment.
    """
    travelling = rows * fragments
    if travelling > limits.max_partial_rows:
        return f"about {travelling} rows would travel, {limits.max_partial_rows} may"
    if cost > limits.max_fragment_share * whole_cost:
        return f"a fragment would cost {cost:.0f}, the whole query {whole_cost:.0f}"
    return None
