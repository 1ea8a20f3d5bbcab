"""The keeper's process, as its worker sees it: started, heard, started again, ended."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import structlog

from tasks.events import OnEvent
from worker.keeping.messages import hear
from worker.keeping.metrics import KeepingMetrics

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0
# one that ran for so long was no failure to start
STEADY_S = 60.0
# longer than the process itself takes to end whatever it does
PATIENCE_S = 10.0

_log = structlog.get_logger(__name__)


class KeeperProcess:
    """Runs `command`, to which the descriptor for its reports is added, until it is stopped."""

    def __init__(
        self,
        metrics: KeepingMetrics,
        emit: OnEvent,
        *,
        command: tuple[str, ...] = (sys.executable, "-m", "worker.keeping"),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._metrics = metrics
        self._emit = emit
        self._command = command
        self._clock = clock
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)
        self._handlers: dict[str, Callable[..., None]] = {
            "event": emit,
            "built": metrics.built,
            "failed": metrics.failed,
            "removed": metrics.removed,
        }

    @property
    def pid(self) -> int | None:
        """The process's number, while there is one."""
        process = self._process
        return None if process is None else process.pid

    def start(self) -> None:
        """Start it; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """Tell it to end, which takes it at most some seconds; returns at once."""
        with self._lock:
            self._stopping.set()
            if self._process is not None:
                self._process.terminate()

    def join(self) -> None:
        """Wait until it has ended."""
        if not self._thread.is_alive():
            return
        self._thread.join(PATIENCE_S)
        with self._lock:
            if self._process is not None:
                self._process.kill()
        self._thread.join()

    def _run(self) -> None:
        pause_s = FIRST_PAUSE_S
        while not self._stopping.is_set():
            began = self._clock()
            try:
                cause = f"it ended with {self._run_once()}"
            except OSError as error:  # no memory, or too many processes
                cause = f"it cannot be started: {error}"
            if self._stopping.is_set():
                return
            if self._clock() - began > STEADY_S:
                pause_s = FIRST_PAUSE_S
            self._emit("keeper_restarted", cause, pause_s=pause_s)
            self._stopping.wait(pause_s)
            pause_s = min(LONGEST_PAUSE_S, 2 * pause_s)

    def _run_once(self) -> int:
        """Run it to its end; return its exit code."""
        reading, writing = os.pipe()
        with self._lock:
            if self._stopping.is_set():
                os.close(reading)
                os.close(writing)
                return 0
            try:
                # it holds the other end of its input, and hears of our death by that
                self._process = process = subprocess.Popen(
                    [*self._command, str(writing)], stdin=subprocess.PIPE, pass_fds=[writing]
                )
            except OSError:
                os.close(reading)
                raise
            finally:
                os.close(writing)
        self._metrics.up(is_up=True)
        with os.fdopen(reading, "rb") as reports:
            for line in reports:
                try:
                    hear(line, self._handlers)
                except (ValueError, KeyError, TypeError):  # cut off by its death
                    _log.warning("a report of the keeper cannot be read", report=line[:200])
        code = process.wait()
        with self._lock:
            self._process = None
        if process.stdin is not None:
            process.stdin.close()
        self._metrics.up(is_up=False)
        return code
