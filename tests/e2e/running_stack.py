"""`millrace up` as a child of the tests."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from cli.embedded.place import place_for
from cli.supervisor.leftovers import end_leftovers
from cli.supervisor.process import is_running
from cli.supervisor.run_file import RunContents, RunFile
from tests.e2e.balancer_client import BalancerClient
from tests.ports import free_port

START_LIMIT_S = 90.0
STOP_LIMIT_S = 60.0


def until(condition: Callable[[], bool], limit_s: float = START_LIMIT_S) -> None:
    """Wait for a condition; fail when it does not come true in time."""
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.05)


def own_environment() -> dict[str, str]:
    """Return our environment without servers that others gave."""
    given = {"DATABASE_URL", "REDIS_URL"}
    return {name: value for name, value in os.environ.items() if name not in given}


class RunningStack:
    """One `millrace up`, and what it says; `settings` are added to its environment."""

    def __init__(self, data: Path, *options: str, **settings: str) -> None:
        self.data = data
        self.port, self.admin_port = free_port(), free_port()
        self.client = BalancerClient(self.port)
        self._said = data.parent / f"said-{self.port}"
        argv = [sys.executable, "-m", "cli", "up", "--data", str(data), "--port", str(self.port)]
        argv += ["--admin-port", str(self.admin_port), *options]
        with self._said.open("wb") as output:
            self.process = subprocess.Popen(
                argv, stdout=output, stderr=subprocess.STDOUT, env=own_environment() | settings
            )

    @property
    def said(self) -> str:
        """What it has written so far."""
        return self._said.read_text()

    def wait_until_running(self) -> None:
        """Wait until it says that it answers."""
        until(lambda: "Millrace answers at" in self.said or self.process.poll() is not None)
        assert self.process.poll() is None, self.said

    def run_file(self) -> RunContents:
        """Return the record of what runs."""
        return RunFile(self.data).read()

    def pid(self, name: str) -> int:
        """Return the process id of a program."""
        return next(one.pid for one in self.run_file().programs if one.name == name)

    def processes(self) -> list[psutil.Process]:
        """Return every process of the run: the recorded ones, and all below them."""
        found = []
        for record in self.run_file().programs:
            with suppress(psutil.NoSuchProcess):
                process = psutil.Process(record.pid)
                found += [process, *process.children(recursive=True)]
        return found

    def call(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Send a request through the balancer; return the status and the JSON."""
        return self.client.call(method, path, body)

    def rows(self, sql: str) -> list[list[Any]]:
        """Return a query's rows, from the balancer."""
        rows: list[list[Any]] = self.client.query(sql)["rows"]
        return rows

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(STOP_LIMIT_S)

    def kill(self) -> None:
        """End the supervisor alone, with no chance to tidy up."""
        self.process.kill()
        self.process.wait(STOP_LIMIT_S)

    def clean(self) -> None:
        """End whatever still runs, also after a test that failed."""
        if self.process.poll() is None:
            self.stop()
        end_leftovers(self.run_file().programs, print)


def left_behind(stack: RunningStack, processes: list[psutil.Process]) -> list[str]:
    """Return what a run has left: processes, sockets, locks, ports that are taken."""
    left = [f"process {one.pid}" for one in processes if is_running(one)]
    left += [str(path) for path in place_for(stack.data).sockets.iterdir()]
    left += [str(path) for path in stack.data.glob("up.*")]
    for port in (stack.port, stack.admin_port):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                left.append(f"port {port}")
    return left
