"""A program to run in the foreground: how it is started, and how one knows that it is well."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Self

from cli.embedded.errors import ServerDidNotStart
from cli.embedded.place import Account


@dataclass(frozen=True)
class Program:
    """What a supervisor needs to run a program in the foreground.

    `is_ready` tells that it can be used, `is_alive` that it still works (None: as long as its
    process lives).  `stop_signal` asks for an orderly end, which may take `stop_limit_s`;
    `quick_stop_signal` for one at once (PostgreSQL would leave shared memory behind on SIGKILL).
    Programs of a higher `rank` are stopped before those of a lower one.  `remedy`: what to do when
    it cannot be started.
    """

    name: str
    argv: list[str]
    cwd: Path
    account: Account | None
    is_ready: Callable[[], bool]
    stop_signal: signal.Signals = signal.SIGTERM
    environment: Mapping[str, str] = field(default_factory=dict)
    address: str = ""
    rank: int = 0
    stop_limit_s: float = 20.0
    quick_stop_signal: signal.Signals = signal.SIGKILL
    is_alive: Callable[[], bool] | None = None
    remedy: str = ""

    def spawn(self, log: BinaryIO | int) -> subprocess.Popen[bytes]:
        """Start the program in a session of its own, so that Ctrl-C reaches only the supervisor."""
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "LC_ALL": "C",
            **self.environment,
        }
        if self.account is None:
            return subprocess.Popen(
                self.argv, cwd=self.cwd, env=environment, stdin=subprocess.DEVNULL,
                stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        return subprocess.Popen(
            self.argv, cwd=self.cwd, env=environment, stdin=subprocess.DEVNULL,
            stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            user=self.account.uid, group=self.account.gid, extra_groups=[], umask=0o077,
        )  # fmt: skip


class RunningServer:
    """A server program started here and stopped here; a context manager."""

    def __init__(self, program: Program, log: Path, *, start_timeout_s: float = 30.0) -> None:
        self._program = program
        self._log = log
        self._start_timeout_s = start_timeout_s
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Process id of the running server."""
        assert self._process is not None  # noqa: S101 - misuse by the caller, not bad input
        return self._process.pid

    def start(self) -> None:
        """Start and wait until ready.  Raises ServerDidNotStart, with nothing left running."""
        with self._log.open("ab") as log:
            self._process = self._program.spawn(log)
        end = time.monotonic() + self._start_timeout_s
        while not self._program.is_ready():
            if self._process.poll() is not None or time.monotonic() > end:
                self.stop()
                tail = "\n".join(self._log.read_text(errors="replace").splitlines()[-8:])
                raise ServerDidNotStart(
                    f"{self._program.name} did not start. Its log says:\n{tail}"
                )
            time.sleep(0.01)

    def stop(self, *, wait_s: float = 20.0) -> None:
        """Stop in order; by SIGKILL when that takes longer than `wait_s`."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(self._program.stop_signal)
        try:
            self._process.wait(wait_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def kill(self) -> None:
        """End the server with no chance to tidy up."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()
