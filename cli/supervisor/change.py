"""What the supervisor tells of a program, each time that its state changes."""

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """The states that a supervised program goes through."""

    STARTING = "starting"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    WAITING = "waiting"  # died, and is started again when its back-off has passed
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"  # given up


@dataclass(frozen=True)
class Change:
    """One change of state; `seconds` since the state before it began."""

    name: str
    state: State
    address: str = ""
    pid: int | None = None
    seconds: float = 0.0
    detail: str = ""
