"""All programs of one run: added and removed at any time, stopped in order."""

import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from cli.embedded.program import Program
from cli.errors import DidNotStart
from cli.supervisor.change import Change, State
from cli.supervisor.keeper import Keeper
from cli.supervisor.log_files import tail
from cli.supervisor.restarts import RestartPolicy
from cli.supervisor.run_file import RunFile


class Stopped(Exception):
    """The start was called off."""


class Supervisor:
    """Keeps programs running.  Its methods may be called from any thread.

    `tell` is called from the keepers' threads at each change of state.
    """

    def __init__(
        self,
        logs: Path,
        run_file: RunFile,
        tell: Callable[[Change], None],
        *,
        policy: RestartPolicy | None = None,
    ) -> None:
        self._logs = logs
        self._run_file = run_file
        self._tell = tell
        self._policy = policy or RestartPolicy()
        self._keepers: dict[str, Keeper] = {}
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._hurry = threading.Event()

    def add(self, program: Program) -> None:
        """Start a program and keep it running; returns at once.

        Raises ValueError when one of that name is there, Stopped once everything is being stopped.
        """
        with self._lock:
            if self._stopping.is_set():
                raise Stopped
            if program.name in self._keepers:
                raise ValueError(f"{program.name} is running already")
            keeper = Keeper(
                program,
                self._logs / f"{program.name}.log",
                self._run_file,
                self._tell,
                policy=self._policy,
                hurry=self._hurry,
            )
            self._keepers[program.name] = keeper
            keeper.start()

    def remove(self, name: str) -> None:
        """Stop one program in order and forget it; returns when it has ended."""
        with self._lock:
            keeper = self._keepers[name]
        keeper.stop()
        keeper.join()
        with self._lock:
            self._keepers.pop(name, None)

    def names(self) -> list[str]:
        """Return the programs that are kept running."""
        with self._lock:
            return list(self._keepers)

    def pid(self, name: str) -> int | None:
        """Return the process id of a program; None while it is not running."""
        with self._lock:
            return self._keepers[name].pid

    def wait_healthy(self, names: Iterable[str], limit_s: float) -> None:
        """Wait until all of these programs are healthy.

        Raises DidNotStart, with the end of the log, when one is given up or takes longer than
        `limit_s`; Stopped when everything is being stopped meanwhile.
        """
        with self._lock:
            waiting = [self._keepers[name] for name in names]
        end = time.monotonic() + limit_s
        while True:
            for keeper in waiting:
                if keeper.state is State.FAILED:
                    raise DidNotStart(_why(keeper, "cannot be started"))
            waiting = [keeper for keeper in waiting if keeper.state is not State.HEALTHY]
            if not waiting:
                return
            if time.monotonic() > end:
                raise DidNotStart(_why(waiting[0], f"was not healthy within {limit_s:.0f} s"))
            if self._stopping.wait(0.02):
                raise Stopped

    def stop(self) -> None:
        """Stop everything, higher ranks first, and return when nothing runs any more."""
        with self._lock:
            self._stopping.set()
            keepers = list(self._keepers.values())
        for rank in sorted({keeper.program.rank for keeper in keepers}, reverse=True):
            together = [keeper for keeper in keepers if keeper.program.rank == rank]
            for keeper in together:
                keeper.stop()
            for keeper in together:
                keeper.join()

    def call_off(self) -> None:
        """Make a start that is under way give up; `stop` is still to be called."""
        self._stopping.set()

    def hurry(self) -> None:
        """Make a stop that is under way wait for nobody."""
        self._hurry.set()


def _why(keeper: Keeper, what: str) -> str:
    end_of_log = tail(keeper.log) or "(nothing)"
    why = f"{keeper.program.name} {what}. The end of its log, {keeper.log}:\n{end_of_log}"
    return f"{why}\n{keeper.program.remedy}".rstrip()
