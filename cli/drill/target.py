"""What a drill harms: a stack of this machine's programs, or one in containers."""

import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from cli.drill.resources import Snapshot, take_snapshot
from cli.drill.wholeness import Wholeness
from cli.faults.catalogue import Fault, Stack, catalogue, mend

Missing = Callable[[], Sequence[str]]


class Target(Protocol):
    """`address` is the public URL; `database_url` and `redis_url` lead past what is harmed."""

    @property
    def address(self) -> str:
        """Where clients ask."""

    @property
    def database_url(self) -> str:
        """PostgreSQL, as a user that may make tables."""

    @property
    def drills(self) -> Path:
        """Folder for histories."""

    def catalogue(self, rng: random.Random) -> Mapping[str, Fault]:
        """Return all faults by name; `rng` chooses whom they hit and for how long."""

    def mend(self) -> None:
        """Take back what a drill that was killed may have left.  Raises UndoFailed."""

    def whole(self) -> Missing:
        """Take what is there now as the whole; return what tells what is missing of it."""

    def snapshot(self) -> Snapshot:
        """Return what all of it holds just now."""

    def close(self) -> None:
        """Leave nothing of our own in it."""


class MachineTarget:
    """A stack of `millrace up --drill`."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self.address = stack.address
        self.database_url = stack.database_url
        self.drills = stack.data / "drills"

    def catalogue(self, rng: random.Random) -> Mapping[str, Fault]:
        """See Target."""
        return catalogue(self._stack, rng)

    def mend(self) -> None:
        """See Target."""
        mend(self._stack)

    def whole(self) -> Missing:
        """See Target."""
        return Wholeness.of(self._stack).missing

    def snapshot(self) -> Snapshot:
        """See Target."""
        return take_snapshot(
            self._stack.run().programs, self._stack.database_url, self._stack.redis_url
        )

    def close(self) -> None:
        """See Target."""
        self._stack.close()
