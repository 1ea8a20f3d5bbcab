"""One server process of the benchmark: started, watched for CPU time, ended by its pid."""

import os
import socket
import subprocess
import time
from pathlib import Path
from typing import IO

import psutil

START_S = 15.0
ROOT = Path(__file__).parents[2]


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class Server:
    """Runs from the constructor to stop().  Raises SystemExit when it does not serve."""

    def __init__(
        self, name: str, port: int, start: tuple[list[str], dict[str, str]], folder: Path
    ) -> None:
        arguments, variables = start
        self.name = name
        self.port = port
        log = folder / f"{name.replace(', ', '-')}.log"
        self._output: IO[bytes] = log.open("wb")
        clean = {name: value for name, value in os.environ.items() if "MILLRACE" not in name}
        self._process = subprocess.Popen(
            arguments, env=clean | variables, cwd=ROOT, stdout=self._output,
            stderr=subprocess.STDOUT,
        )  # fmt: skip
        deadline = time.monotonic() + START_S
        while not self._serves():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise SystemExit(f"{name} did not start: {log.read_text()[-2000:]}")
            time.sleep(0.05)

    def _serves(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1.0) as client:
                client.sendall(b"GET /v1/bench HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                return client.recv(12) == b"HTTP/1.1 200"
        except OSError:
            return False

    def cpu_s(self) -> float:
        """Return the user and system time of the process and all below it, in seconds."""
        total = 0.0
        root = psutil.Process(self._process.pid)
        for process in (root, *root.children(recursive=True)):
            times = process.cpu_times()
            total += times.user + times.system
        return total

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._output.close()
