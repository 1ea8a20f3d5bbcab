"""`python -m lb` as a child of the test, and clients that put load on it."""

import http.client
import json
import os
import signal
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from tests.integration.lb.conftest import Connection, until

ROOT = Path(__file__).parents[3]


class RunningProgram:
    """The program with its processes; `lines` are what it has said on standard output."""

    def __init__(self, *arguments: str, **variables: str) -> None:
        environment = {k: v for k, v in os.environ.items() if not k.startswith("MILLRACE_")}
        chosen = {
            "MILLRACE_LB_LISTEN": "127.0.0.1:0",
            "MILLRACE_LB_ADMIN_LISTEN": "127.0.0.1:0",
            "MILLRACE_LB_DRAIN_TIMEOUT_S": "5",
            "MILLRACE_LB_DRAIN_IDLE_S": "0.3",
            "MILLRACE_RATE_LIMIT": "off",
        } | variables
        self.process = subprocess.Popen(
            [sys.executable, "-m", "lb", *arguments], cwd=ROOT, env=environment | chosen,
            text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        try:
            until(lambda: self.said("listening") or self.process.poll() is not None, "it listens")
            said = self.said("listening")
            assert said, self.lines
        except BaseException:
            self.end()
            raise
        self.address = _address(said[0]["address"])
        self.admin_address = _address(said[0]["admin"])

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)

    def said(self, message: str) -> list[dict[str, Any]]:
        """Return the log's lines with this message."""
        documents = [json.loads(line) for line in self.lines if line.startswith("{")]
        return [one for one in documents if one["message"] == message]

    def admin(
        self, method: str, path: str, body: object = None, token: str = ""
    ) -> tuple[int, Any]:
        connection = http.client.HTTPConnection(*self.admin_address, timeout=60)
        fields = {"Authorization": f"Bearer {token}"} if token else {}
        connection.request(method, path, None if body is None else json.dumps(body), fields)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        is_json = "json" in (answer.getheader("content-type") or "")
        return answer.status, json.loads(content) if is_json else content.decode()

    def pids(self, stage: str = "serving") -> set[int]:
        processes = self.admin("GET", "/lb/status")[1]["processes"]
        return {one["pid"] for one in processes if one["stage"] == stage}

    def reload(self) -> None:
        """Ask for a reload, and wait until the new processes have taken over."""
        number = len(self.said("reloaded"))
        self.process.send_signal(signal.SIGHUP)
        until(lambda: len(self.said("reloaded")) > number, "it has reloaded")

    def wait(self) -> int:
        """Wait for its end, and for all that it says; return its exit code."""
        code = self.process.wait(60)
        self._reader.join()
        return code

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


@contextmanager
def running_program(*arguments: str, **variables: str) -> Iterator[RunningProgram]:
    made = RunningProgram(*arguments, **variables)
    try:
        yield made
    finally:
        made.end()


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


class Load:
    """Clients that send one request after the other; half of them keep their connections."""

    def __init__(self, address: tuple[str, int], clients: int = 4) -> None:
        self._address = address
        self._stopping = threading.Event()
        self.answered = 0
        self.failures: list[str] = []
        self._threads = [
            threading.Thread(target=self._run, args=(number % 2 == 0,)) for number in range(clients)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _run(self, keep: bool) -> None:
        connection: Connection | None = None
        while not self._stopping.is_set():
            try:
                connection = connection or Connection(self._address)
                status, fields, _ = connection.request("/v1/status")
                self.answered += 1
                if status != 200:
                    self.failures.append(f"status {status}")
                if not keep or fields.get(b"connection") == b"close":
                    connection.socket.close()
                    connection = None
            except (OSError, AssertionError) as error:
                self.failures.append(repr(error))
                connection = None
        if connection is not None:
            connection.socket.close()


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """Return a new self-signed certificate for `name`, and its key."""
    made, key = folder / f"{name}.pem", folder / f"{name}.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-keyout", str(key), "-out", str(made), "-days", "2", "-subj", f"/CN={name}",
         "-addext", f"subjectAltName=DNS:{name}"],
        check=True, capture_output=True,
    )  # fmt: skip
    return made, key


def trusting(made: Path) -> ssl.SSLContext:
    """Return a client's context that trusts this certificate alone."""
    context = ssl.create_default_context(cafile=str(made))
    context.set_alpn_protocols(["http/1.1"])
    return context


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host, int(port)
