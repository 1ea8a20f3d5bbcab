"""A queue with workers on it, and the scaler as a process."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tasks.settings import QueueSettings
from tests.integration.tasks.conftest import SHORT, client, crew, crew_of, dispatcher, events

__all__ = ["client", "crew", "crew_of", "dispatcher", "events"]

# nobody dies here whose tasks another one is to take, or who is to be missed
PATIENT = SHORT | {"lease_s": 60.0, "heartbeat_ttl_s": 60.0, "socket_timeout_s": 30.0}


class RunningScaler:
    """A scaler's process; its log is a file."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self._log = log

    def lines(self) -> list[dict[str, Any]]:
        """Return what it has logged so far."""
        whole = self._log.read_text().rpartition("\n")[0]
        return [json.loads(line) for line in whole.splitlines()]

    def told(self, event: str) -> list[dict[str, Any]]:
        """Return its events of that name."""
        return [line for line in self.lines() if line.get("event") == event]

    def stop(self) -> int:
        """End it as a supervisor does; return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


@pytest.fixture
def settings(redis_url: str) -> QueueSettings:
    return QueueSettings(url=redis_url, **PATIENT)


@pytest.fixture
def short(settings: QueueSettings) -> dict[str, str]:
    """The environment of a scaler that is quick about it, and patient with workers."""
    times = {f"MILLRACE_QUEUE_{name.upper()}": str(value) for name, value in PATIENT.items()}
    return {
        **os.environ, **times,
        "REDIS_URL": settings.url,
        "MILLRACE_SCALER_INTERVAL_S": "0.2",
        "MILLRACE_SCALER_WINDOW_S": "1",
        # that of one which is killed is made to lapse; else a machine that hangs would do so
        "MILLRACE_SCALER_LEASE_S": "60",
        "MILLRACE_SCALER_STABILISE_S": "1",
        "MILLRACE_SCALER_METRICS_LISTEN": "127.0.0.1:0",
    }  # fmt: skip


@contextmanager
def running_scaler(environment: dict[str, str], log: Path) -> Iterator[RunningScaler]:
    """Run `python -m scaler`; killed in the end, if it still runs."""
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "scaler"], env=environment, stdout=file, stderr=file
        )
    try:
        yield RunningScaler(process, log)
    finally:
        process.kill()
        process.wait()
