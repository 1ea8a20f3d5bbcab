"""Every fault that a drill can bring about, by name."""

import random
from collections.abc import Mapping

from cli.faults.fault import Fault, FaultImpossible, Injected, Tier, UndoFailed
from cli.faults.stack import DrillRefused, Stack

__all__ = [
    "DrillRefused", "Fault", "FaultImpossible", "Injected", "Stack", "Tier", "UndoFailed",
    "catalogue",
]  # fmt: skip


def catalogue(stack: Stack, rng: random.Random) -> Mapping[str, Fault]:
    """Return the faults by name; `rng` chooses whom they hit and for how long."""
    faults: list[Fault] = []
    return {fault.name: fault for fault in faults}
