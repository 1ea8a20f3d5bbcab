"""A supervisor over toy programs."""

import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cli.embedded.program import Program
from cli.supervisor.change import Change, State
from cli.supervisor.restarts import RestartPolicy
from cli.supervisor.run_file import RunFile
from cli.supervisor.supervisor import Supervisor

QUICK = RestartPolicy(first_delay_s=0.01, max_delay_s=0.05)

# says that it is there by a file, and ends orderly on SIGTERM
GOOD = """
import os, pathlib, signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
pathlib.Path(sys.argv[1]).write_text(str(os.getpid()))
signal.pause()
while True: signal.pause()
"""
DEAF = GOOD.replace("lambda *_: sys.exit(0)", "signal.SIG_IGN")
BROKEN = "print('no such setting: colour'); raise SystemExit(3)"


def until(condition: Callable[[], bool], limit_s: float = 60.0) -> None:
    """Wait for a condition; fail when it does not come true in time."""
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.01)


class Toys:
    """Toy programs in a folder, and the supervisor that runs them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.changes: list[Change] = []
        self.run_file = RunFile(folder)
        self.supervisor = Supervisor(folder, self.run_file, self.changes.append, policy=QUICK)

    def program(
        self, name: str, source: str = GOOD, *, rank: int = 0, stop_limit_s: float = 20.0
    ) -> Program:
        """Return a toy that is ready when it has written its file."""
        ready = self.folder / f"{name}.ready"
        return Program(
            name, [sys.executable, "-S", "-E", "-c", source, str(ready)], self.folder, None,
            ready.exists, signal.SIGTERM, rank=rank, stop_limit_s=stop_limit_s,
        )  # fmt: skip

    def states(self, name: str) -> list[State]:
        """Return the states that a toy went through."""
        return [change.state for change in self.changes if change.name == name]


@pytest.fixture
def toys(tmp_path: Path) -> Iterator[Toys]:
    """Toys that are all stopped after the test."""
    made = Toys(tmp_path)
    yield made
    made.supervisor.hurry()
    made.supervisor.stop()
