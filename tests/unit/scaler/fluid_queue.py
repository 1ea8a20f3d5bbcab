"""A queue and its workers, as a fluid: what comes, what is worked off, what waits."""

from dataclasses import dataclass, field, replace

from scaler.decision import Decision, Fleet, Memory, decide
from scaler.demand import LaneDemand
from scaler.policy import Policy

INTERVAL_S = 5.0

POLICY = Policy(
    minimum=1,
    maximum=20,
    target_utilisation=0.7,
    drain_s=60.0,
    stabilise_s=60.0,
    step_up=4,
    step_down=1,
    join_s=30.0,
)


@dataclass
class FluidQueue:
    """One lane; `step` lets a round pass and does what was decided.

    Workers that are added join `joins_after` rounds later; those that leave have gone at the next.
    """

    policy: Policy = POLICY
    running: int = 1
    slots: int = 2
    mean_s: float = 1.0
    joins_after: int = 1
    waiting: float = 0.0
    now: float = 0.0
    memory: Memory = field(default_factory=Memory)
    joining: list[int] = field(default_factory=list)
    history: list[Decision] = field(default_factory=list)

    @property
    def taking(self) -> int:
        return self.running - len(self.joining)

    def step(self, arrivals_per_s: float) -> Decision:
        """Let a round pass while so many tasks come."""
        self.joining = [left - 1 for left in self.joining if left > 1]
        most = self.taking * self.slots / self.mean_s * INTERVAL_S
        came = arrivals_per_s * INTERVAL_S
        done = min(most, self.waiting + came)
        growth = (came - done) / INTERVAL_S
        self.waiting += came - done
        self.now += INTERVAL_S
        load = max(0.0, (done / INTERVAL_S + growth) * self.mean_s)
        demand = LaneDemand("query", self.slots, load, int(self.waiting), self.mean_s)
        fleet = Fleet(self.running, self.taking)
        decision, self.memory = decide(self.policy, self.memory, self.now, [demand], fleet)
        added = max(0, decision.target - self.running)
        self.joining += [self.joins_after] * added
        self.running = decision.target
        self.history.append(decision)
        return decision

    def run(self, rounds: int, arrivals_per_s: float) -> list[int]:
        """Let rounds pass; return how many workers there were after each."""
        counts = []
        for _ in range(rounds):
            self.step(arrivals_per_s)
            counts.append(self.running)
        return counts


def policy(**changes: float) -> Policy:
    """Return the usual policy with some changes."""
    return replace(POLICY, **changes)  # type: ignore[arg-type]
