"""What makes it so: the one thing that differs between a machine with Docker and any other."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol


class DriverFailed(Exception):
    """It could not be made so; the message says why, and what an operator can do."""


@dataclass(frozen=True)
class Crew:
    """How many workers the driver knows of: those that run, and those that are on their way out."""

    running: int
    leaving: int


class Driver(Protocol):
    """Adds workers and takes them away."""

    @property
    def name(self) -> str:
        """As in MILLRACE_SCALER_DRIVER."""

    @property
    def acts(self) -> bool:
        """Whether it changes anything; if not, neither `grow` nor `shrink` is called."""

    def crew(self) -> Crew | None:
        """Return how many there are; None: those on the roll are all it knows.

        Raises DriverFailed.
        """

    def grow(self, target: int, allowed: Callable[[], bool]) -> Iterator[str]:
        """Add workers until `target` run; yield the name of each that was started.

        Asks `allowed` before each step, and ends early when it says no.  Raises DriverFailed.
        """

    def shrink(self, target: int, allowed: Callable[[], bool]) -> Iterator[str]:
        """Let workers leave until `target` run; yield the name of each, while it still works.

        Asks `allowed` before each step, and ends early when it says no.  Raises DriverFailed.
        """


class Advise:
    """Says what should be done, and leaves it to others."""

    name = "advise"
    acts = False

    def crew(self) -> Crew | None:
        """Know of no others than those on the roll."""
        return None

    def grow(self, target: int, allowed: Callable[[], bool]) -> Iterator[str]:
        """Add none."""
        del target, allowed
        return iter(())

    def shrink(self, target: int, allowed: Callable[[], bool]) -> Iterator[str]:
        """Take none away."""
        del target, allowed
        return iter(())
