"""One run of a program: its process, and everything that descends from it."""

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

import psutil

from cli.embedded.program import Program
from cli.supervisor.log_files import rotate

KILL_WAIT_S = 5.0


class ProgramProcess:
    """A started program.  Its process leads a session and a group of its own."""

    def __init__(self, program: Program, log: Path) -> None:
        """Start it, its output appended to `log`.  Raises OSError when it cannot be started."""
        rotate(log)
        with log.open("ab") as file:
            self._process = program.spawn(file)

    @property
    def pid(self) -> int:
        """Process id, which is the id of the group, too."""
        return self._process.pid

    def exit_code(self) -> int | None:
        """Return the exit code (negative: the signal that ended it); None while it runs."""
        return self._process.poll()

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the program itself; what it started is its own business."""
        self._process.send_signal(number)

    def descendants(self) -> list[psutil.Process]:
        """Return every process below the program's; those may be in other groups (PostgreSQL)."""
        below: list[psutil.Process] = []
        with contextlib.suppress(psutil.Error):
            below = psutil.Process(self.pid).children(recursive=True)
        return below

    def end_group(self) -> None:
        """Kill what is left of the group, the program itself included, and reap it."""
        below = self.descendants() if self.exit_code() is None else []
        below += members_of(self.pid)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        for process in below:
            with contextlib.suppress(psutil.Error):
                process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(KILL_WAIT_S)
        # a killed process holds its socket until the kernel has taken it down, and a program that
        # is started before that finds its port in use
        wait_gone(below, KILL_WAIT_S)


def members_of(group: int) -> list[psutil.Process]:
    """Return the processes of a group that still run."""
    found = []
    for pid in psutil.pids():
        with contextlib.suppress(psutil.Error, OSError):
            if os.getpgid(pid) == group and is_running(process := psutil.Process(pid)):
                found.append(process)
    return found


def is_running(process: psutil.Process) -> bool:
    """Tell whether a process still runs.

    One that has ended and whose parent has not asked for its exit code yet holds nothing any
    more; in a container whose first process asks nobody it stays for ever.
    """
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def wait_gone(processes: list[psutil.Process], limit_s: float) -> list[psutil.Process]:
    """Wait until none of these runs; return those that still do at the limit."""
    end = time.monotonic() + limit_s
    while (left := [one for one in processes if is_running(one)]) and time.monotonic() < end:
        time.sleep(0.01)
    return left
