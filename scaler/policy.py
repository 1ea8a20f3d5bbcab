"""How many workers a load asks for.  Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from scaler.demand import LaneDemand

_ROUNDING = 1e-9  # so that three times a third of a worker is one, and not two

Ground: TypeAlias = Literal["load", "backlog", "minimum", "maximum"]


@dataclass(frozen=True)
class Policy:
    """Bounds and pace; durations in seconds.  scaler/settings.py says what each means."""

    minimum: int
    maximum: int
    target_utilisation: float
    drain_s: float
    stabilise_s: float
    step_up: int
    step_down: int
    join_s: float

    @property
    def absent_limit(self) -> int:
        """With so many workers that were started and never joined, no more are started."""
        return max(2, self.step_up)


@dataclass(frozen=True)
class Want:
    """So many workers, within the bounds, and what asks for them; `cause` is one sentence."""

    workers: int
    ground: Ground
    cause: str


def wanted_workers(demands: Sequence[LaneDemand], policy: Policy) -> Want:
    """Return what the lane asks for that asks for most."""
    wants = [_of_lane(one, policy) for one in demands if one.slots_each > 0]
    most = max(wants, key=lambda want: want.workers, default=_NOTHING)
    if most.workers < policy.minimum:
        return Want(policy.minimum, "minimum", "so many there are always")
    if most.workers > policy.maximum:
        cause = f"{most.cause}; that is {most.workers} workers, and more than there may be"
        return Want(policy.maximum, "maximum", cause)
    return most


_NOTHING = Want(0, "load", "there is nothing to do")


def _of_lane(lane: LaneDemand, policy: Policy) -> Want:
    steady = lane.load / policy.target_utilisation
    # more slots than one for each task that waits would help none of them
    share = 0.0 if lane.mean_s is None else min(1.0, lane.mean_s / policy.drain_s)
    backlog = lane.waiting * share
    workers = math.ceil((steady + backlog) / lane.slots_each - _ROUNDING)
    cause = (
        f"lane {lane.lane}: {lane.load:.2f} slots busy with what comes, "
        f"and {lane.waiting} tasks wait"
    )
    return Want(max(0, workers), "backlog" if backlog > steady else "load", cause)
