"""A fault: what it is called, how it is brought about, and how it is taken back."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Literal, Protocol, Self

from cli.errors import CommandError

Tier = Literal[
    "worker", "workers", "replica", "balancer", "redis", "postgresql", "network", "client"
]

UNDO_LIMIT_S = 30.0
UNDO_EVERY_S = 0.2


class FaultImpossible(CommandError):
    """The fault cannot be brought about just now, and nothing was changed.

    As when the process that it wants to hit is being started again; try later.
    """


class UndoFailed(CommandError):
    """A fault could not be taken back; calling `undo` again tries again."""


class Injected(Protocol):
    """A fault that is in place.

    `description` says what was hit (one line), `hold_s` for how long a drill leaves it so.
    """

    @property
    def description(self) -> str:
        """What was done, to what."""

    @property
    def hold_s(self) -> float:
        """Seconds to leave it in place."""

    def undo(self) -> None:
        """Take it back; any number of times.  Raises UndoFailed."""


@dataclass(frozen=True)
class Fault:
    """One thing that can go wrong.  `inject` raises FaultImpossible."""

    name: str
    tier: Tier
    inject: Callable[[], Injected]


class Held:
    """A fault in place, with the steps that take it back.

    A step may fail because of another fault that is in place at the same time (PostgreSQL is away
    when its setting is to be put back), so it is tried again for `limit_s` seconds.
    """

    def __init__(
        self,
        description: str,
        hold_s: float,
        *steps: Callable[[], object],
        limit_s: float = UNDO_LIMIT_S,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.description = description
        self.hold_s = hold_s
        self._steps = list(steps)
        self._limit_s = limit_s
        self._clock = clock
        self._pause = pause
        self._lock = threading.Lock()

    def undo(self) -> None:
        """Take the steps that were not taken yet.  Raises UndoFailed."""
        with self._lock:
            end = self._clock() + self._limit_s
            while self._steps:
                try:
                    self._steps[0]()
                except Exception as error:
                    if self._clock() > end:
                        raise UndoFailed(f"{self.description}: not undone: {error}") from error
                    self._pause(UNDO_EVERY_S)
                else:
                    self._steps.pop(0)


class Undoing:
    """Collects what will take a fault back while it is brought about; takes it back on an error."""

    def __init__(self) -> None:
        self._steps: list[Callable[[], object]] = []

    def later(self, step: Callable[..., object], *arguments: object) -> None:
        """Note a step.  It must do no harm when what it undoes was not done yet."""
        self._steps.insert(0, partial(step, *arguments))

    def held(self, description: str, hold_s: float) -> Held:
        """Hand the steps over to the fault that is now in place."""
        steps, self._steps = self._steps, []
        return Held(description, hold_s, *steps)

    def __enter__(self) -> Self:
        """Nothing."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Take back what was not handed over."""
        self.held("a fault that was not brought about", 0.0).undo()
