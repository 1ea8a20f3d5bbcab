"""Every fault that a drill can bring about, by name."""

import random
from collections.abc import Mapping
from functools import partial

from cli.faults.client import client_faults
from cli.faults.fault import Fault, FaultImpossible, Held, Injected, Tier, UndoFailed
from cli.faults.network import network_faults
from cli.faults.postgresql import make_writable, postgresql_faults
from cli.faults.processes import process_faults, resume
from cli.faults.redis import make_room, redis_faults
from cli.faults.stack import DrillRefused, Stack

__all__ = [
    "DrillRefused", "Fault", "FaultImpossible", "Injected", "Stack", "Tier", "UndoFailed",
    "catalogue", "mend",
]  # fmt: skip

GROUPS = (process_faults, postgresql_faults, redis_faults, network_faults)


def catalogue(stack: Stack, rng: random.Random) -> Mapping[str, Fault]:
    """Return the faults by name; `rng` chooses whom they hit and for how long."""
    faults = [fault for group in GROUPS for fault in group(stack, rng)]
    faults += client_faults(stack.address, rng)
    return {fault.name: fault for fault in faults}


def mend(stack: Stack) -> None:
    """Take back what a drill that was killed may have left.  Raises UndoFailed.

    The proxies see to themselves: rules end with the connection that set them.
    """
    Held(
        "what an earlier drill left", 0.0,
        partial(resume, stack), partial(make_writable, stack.database_url),
        partial(make_room, stack),
    ).undo()  # fmt: skip
