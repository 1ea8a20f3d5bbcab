"""What to do now: add workers, take some away, or hold.  Pure.

Up at once, in bounded steps; down only to the most that was wanted within the stabilisation window,
so that a pause of the load costs nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from scaler.demand import LaneDemand
from scaler.policy import Ground, Policy, wanted_workers

Direction: TypeAlias = Literal["up", "down", "hold"]
Reason: TypeAlias = Literal[
    "load", "backlog", "minimum", "maximum", "idle", "steady", "stabilising", "joining",
    "not_joined", "leaving", "redis_away", "driver_failed",
]  # fmt: skip
# what a decision can be, for a counter that begins with zeros
REASONS: dict[Direction, tuple[Reason, ...]] = {
    "up": ("load", "backlog", "minimum", "maximum"),
    "down": ("idle", "maximum"),
    "hold": (
        "steady", "stabilising", "joining", "not_joined", "leaving", "redis_away", "driver_failed",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Fleet:
    """The workers that there are: `running`, of which `taking` have joined the roll, and `leaving`.

    Who leaves counts as leaving alone.
    """

    running: int
    taking: int
    leaving: int = 0

    @property
    def absent(self) -> int:
        """Workers that run and have not joined."""
        return max(0, self.running - self.taking)


@dataclass(frozen=True)
class Decision:
    """`target` workers shall there be next, on the way to `wanted`; `cause` is one sentence."""

    direction: Direction
    reason: Reason
    target: int
    wanted: int
    cause: str


@dataclass(frozen=True)
class Memory:
    """What earlier looks left: what they wanted, since when without a gap, who is absent."""

    wanted: tuple[tuple[float, int], ...] = ()
    since: float | None = None
    absent: int = 0
    absent_since: float = 0.0


def blind(memory: Memory) -> Memory:
    """Return the memory after a look that showed nothing: the window for going down begins anew."""
    return replace(memory, since=None)


def decide(
    policy: Policy,
    memory: Memory,
    now: float,
    demands: Sequence[LaneDemand],
    fleet: Fleet,
) -> tuple[Decision, Memory]:
    """Return what to do, and what to remember; `now` in seconds of a monotonic clock."""
    want = wanted_workers(demands, policy)
    memory = _remembering(memory, policy, now, want.workers, fleet)
    wanted = max(workers for _, workers in memory.wanted)
    if want.workers > fleet.running:
        decision = _up(policy, memory, now, fleet, want.workers, want.ground, want.cause)
    elif wanted < fleet.running or fleet.running > policy.maximum:
        decision = _down(policy, memory, now, fleet, wanted)
    elif want.workers < wanted:
        cause = f"{want.workers} would do, and within {policy.stabilise_s:g} s {wanted} were wanted"
        decision = Decision("hold", "stabilising", fleet.running, wanted, cause)
    else:
        decision = Decision("hold", "steady", fleet.running, wanted, want.cause)
    return replace(decision, wanted=wanted), memory


def _remembering(memory: Memory, policy: Policy, now: float, wanted: int, fleet: Fleet) -> Memory:
    recent = [(at, one) for at, one in memory.wanted if now - at <= policy.stabilise_s]
    grew = fleet.absent > memory.absent
    return Memory(
        wanted=(*recent, (now, wanted)),
        since=now if memory.since is None else memory.since,
        absent=fleet.absent,
        absent_since=now if grew else memory.absent_since,
    )


def _up(
    policy: Policy,
    memory: Memory,
    now: float,
    fleet: Fleet,
    wanted: int,
    ground: Ground,
    cause: str,
) -> Decision:
    def hold(reason: Reason, why: str) -> Decision:
        return Decision("hold", reason, fleet.running, wanted, why)

    if fleet.absent and now - memory.absent_since < policy.join_s:
        return hold("joining", f"{fleet.absent} workers that were started have not joined yet")
    if fleet.absent >= policy.absent_limit:
        return hold(
            "not_joined",
            f"{fleet.absent} workers have not joined within {policy.join_s:g} s: see their logs",
        )
    # who leaves still has its connections to PostgreSQL, whose number follows from the maximum
    target = min(wanted, fleet.running + policy.step_up, policy.maximum - fleet.leaving)
    if target <= fleet.running:
        return hold(
            "leaving", f"{fleet.leaving} workers are leaving, and their places are not free"
        )
    return Decision("up", ground, target, wanted, cause)


def _down(policy: Policy, memory: Memory, now: float, fleet: Fleet, wanted: int) -> Decision:
    def hold(reason: Reason, why: str) -> Decision:
        return Decision("hold", reason, fleet.running, wanted, why)

    if fleet.leaving:
        return hold("leaving", f"{fleet.leaving} workers finish what they hold, and leave")
    step = max(wanted, fleet.running - policy.step_down)
    if fleet.running > policy.maximum:
        return Decision("down", "maximum", step, wanted, f"there may be {policy.maximum} at most")
    if memory.since is None or now - memory.since < policy.stabilise_s:
        why = f"{wanted} would do, and that has to last for {policy.stabilise_s:g} s"
        return hold("stabilising", why)
    # Only those on the roll are known to work.  Whichever is taken away, enough of them must stay.
    spare = fleet.taking - wanted
    if spare <= 0:
        return hold("not_joined", f"{fleet.absent} workers that run have not joined the others")
    target = max(step, fleet.running - spare)
    cause = f"for {policy.stabilise_s:g} s no more than {wanted} were wanted"
    return Decision("down", "idle", target, wanted, cause)
