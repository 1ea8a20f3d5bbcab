"""Keeps one program running, in a thread of its own."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

from cli.embedded.program import Program
from cli.supervisor.change import Change, State
from cli.supervisor.process import ProgramProcess
from cli.supervisor.restarts import RestartPolicy, Restarts
from cli.supervisor.run_file import RunFile

TICK_S = 0.05
PROBE_EVERY_S = 2.0
UNHEALTHY_AFTER = 3  # failed probes in a row: one alone is a busy machine
RESTART_UNHEALTHY_AFTER_S = 30.0


class Keeper:
    """Starts a program, watches it, starts it again when it dies, stops it when asked."""

    def __init__(
        self,
        program: Program,
        log: Path,
        run_file: RunFile,
        tell: Callable[[Change], None],
        *,
        policy: RestartPolicy,
        hurry: threading.Event,
    ) -> None:
        self.program = program
        self.log = log
        self.state = State.STARTING
        self._run_file = run_file
        self._tell = tell
        self._restarts = Restarts(policy)
        self._stop = threading.Event()
        self._hurry = hurry
        self._process: ProgramProcess | None = None
        self._since = time.monotonic()
        self._thread = threading.Thread(target=self._run, name=f"keep {program.name}", daemon=True)

    @property
    def pid(self) -> int | None:
        """Process id of the run that is alive; None between runs."""
        process = self._process
        return process.pid if process is not None else None

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """Ask for an orderly end; returns at once."""
        self._stop.set()

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait for the end; return whether it has come."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                delay_s = self._live_once()
                if delay_s is None:
                    return
                self._stop.wait(delay_s)
            self._change(State.STOPPED, "was not running")
        finally:  # whatever happens here, nothing is left running
            if self._process is not None:
                self._process.end_group()
                self._forget(self._process)

    def _live_once(self) -> float | None:
        """Run the program once; return the seconds until the next try, None: no more tries."""
        program = self.program
        try:
            process = self._process = ProgramProcess(program, self.log)
        except OSError as error:
            healthy_s, ending = None, f"cannot be started: {error}"
        else:
            self._run_file.add(
                program.name, process.pid, program.argv, program.rank, program.stop_signal,
                program.address,
            )  # fmt: skip
            self._change(State.STARTING)
            healthy_s = self._watch(process)
            if self._stop.is_set() and process.exit_code() is None:
                self._end(process)
                return None
            ending = _ending(process.exit_code())
            process.end_group()
            self._forget(process)
        if self._stop.is_set():
            return 0.0
        delay_s = self._restarts.after_death(time.monotonic(), healthy_s)
        if delay_s is None:
            self._change(State.FAILED, f"died again and again, last: {ending}")
        else:
            when = f"in {delay_s:.1f} s" if delay_s > 0 else "at once"
            self._change(State.WAITING, f"{ending}; next try {when}")
        return delay_s

    def _watch(self, process: ProgramProcess) -> float | None:
        """Return when the process has ended, must end, or a stop is asked for.

        Returns how long it was healthy, in seconds; None when it never was.
        """
        healthy_at: float | None = None
        failures = 0
        last_good = next_probe = time.monotonic()
        while process.exit_code() is None and not self._stop.wait(TICK_S):
            now = time.monotonic()
            if now < next_probe:
                continue
            if healthy_at is None:
                if self.program.is_ready() and process.exit_code() is None:
                    healthy_at = last_good = now
                    next_probe = now + PROBE_EVERY_S
                    self._change(State.HEALTHY)
                continue
            next_probe = now + PROBE_EVERY_S
            if self.program.is_alive is None or self.program.is_alive():
                failures, last_good = 0, now
                if self.state is State.UNHEALTHY:
                    self._change(State.HEALTHY)
                continue
            failures += 1
            if failures == UNHEALTHY_AFTER:
                self._change(State.UNHEALTHY, "does not answer its health probe")
            if failures > UNHEALTHY_AFTER and now - last_good > RESTART_UNHEALTHY_AFTER_S:
                break
        return None if healthy_at is None else time.monotonic() - healthy_at

    def _end(self, process: ProgramProcess) -> None:
        """Stop in order, then at once, then by SIGKILL."""
        self._change(State.STOPPING)
        began = time.monotonic()
        quick = self.program.quick_stop_signal
        detail = ""
        process.send(self.program.stop_signal)
        if not self._ended_within(process, self.program.stop_limit_s, hurry=True):
            process.send(quick)
            detail = f", by {quick.name}"
            if not self._ended_within(process, 3.0, hurry=False):
                detail = ", by SIGKILL"
        process.end_group()
        self._forget(process)
        code = process.exit_code()
        took = time.monotonic() - began
        self._change(State.STOPPED, f"{_ending(code)} after {took:.1f} s{detail}")

    def _ended_within(self, process: ProgramProcess, limit_s: float, *, hurry: bool) -> bool:
        end = time.monotonic() + limit_s
        while process.exit_code() is None:
            if time.monotonic() > end or (hurry and self._hurry.is_set()):
                return False
            time.sleep(0.01)
        return True

    def _forget(self, process: ProgramProcess) -> None:
        self._process = None
        self._run_file.discard(process.pid)

    def _change(self, state: State, detail: str = "") -> None:
        now = time.monotonic()
        self.state = state
        change = Change(
            self.program.name, state, self.program.address, self.pid, now - self._since, detail
        )
        if state is not State.HEALTHY:
            self._since = now
        self._tell(change)


def _ending(exit_code: int | None) -> str:
    if exit_code is None:
        return "had to be ended"
    if exit_code < 0:
        return f"ended by signal {-exit_code}"
    return f"exit code {exit_code}"
