"""The proxies that the table is run against: each a process of its own on free ports."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

from tests.conformance.case import MAX_BODY, MAX_HEAD, MAX_LINE
from tests.conformance.client import FENCE, RawClient
from tests.ports import free_port

_START_S = 60.0

_NGINX = """
daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log crit;
{user}
events {{ worker_connections 256; }}
http {{
  access_log off; client_max_body_size {max_body}; large_client_header_buffers 4 8k;
  client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
  uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
  upstream backend {{ server 127.0.0.1:{backend} max_fails=0; keepalive 16; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://backend; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header Host $http_host; proxy_set_header X-Forwarded-For $remote_addr;
    }}
  }}
}}
"""

_HAPROXY = """
global
  nbthread 1
  tune.bufsize {max_head}
defaults
  mode http
  option forwardfor
  http-reuse safe
  timeout connect 2s
  timeout client 20s
  timeout server 20s
frontend front
  bind 127.0.0.1:{port}
  default_backend back
backend back
  server one 127.0.0.1:{backend}
"""


@dataclass(frozen=True, slots=True)
class Start:
    """What a target's process is started with."""

    folder: Path
    port: int
    backend: int

    def file(self, name: str, text: str) -> str:
        """Write a configuration file from its template; return its path."""
        path = self.folder / name
        user = "user root;" if os.geteuid() == 0 else ""
        filled = text.format(
            folder=self.folder, port=self.port, backend=self.backend, user=user,
            max_body=MAX_BODY, max_head=MAX_HEAD,
        )  # fmt: skip
        path.write_text(filled)
        return str(path)


Command = Callable[[Start], tuple[list[str], dict[str, str]]]


def _ours(start: Start) -> tuple[list[str], dict[str, str]]:
    settings = {
        "LISTEN": f"127.0.0.1:{start.port}",
        "ADMIN_LISTEN": f"127.0.0.1:{free_port()}",
        "BACKENDS": f"127.0.0.1:{start.backend}",
        "CHECK_INTERVAL_S": "0.05",
        "CHECK_RISE": "1",
        # The cases' faults are many, and of one backend: it must not be taken out for them.
        "MAX_CONNECTION_FAILURES": "1000000",
        "ACCESS_LOG": "off",
        "MAX_REQUEST_LINE_BYTES": str(MAX_LINE),
        "MAX_HEADER_BYTES": str(MAX_HEAD),
        "MAX_BODY_BYTES": str(MAX_BODY),
    }
    environment = {f"MILLRACE_LB_{name}": value for name, value in settings.items()}
    environment |= {"MILLRACE_RATE_LIMIT": "off", "MILLRACE_LOG_LEVEL": "error"}
    return [sys.executable, "-m", "lb"], environment


def _nginx(start: Start) -> tuple[list[str], dict[str, str]]:
    configuration = start.file("nginx.conf", _NGINX)
    return ["nginx", "-p", str(start.folder), "-e", "stderr", "-c", configuration], {}


def _haproxy(start: Start) -> tuple[list[str], dict[str, str]]:
    return ["haproxy", "-db", "-q", "-f", start.file("haproxy.cfg", _HAPROXY)], {}


class Target:
    """A proxy in front of one backend; runs while the context lasts."""

    def __init__(self, name: str, command: Command, folder: Path, backend: int) -> None:
        self.name = name
        self.address = ("127.0.0.1", free_port())
        self._log: Path = folder / f"{name}.log"
        self._output: IO[bytes] | None = None
        self._arguments, self._environment = command(Start(folder, self.address[1], backend))
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start, and wait until a request passes.  Raises RuntimeError with the output."""
        self._output = self._log.open("wb")
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("MILLRACE")
        }
        self._process = subprocess.Popen(
            self._arguments, env=environment | self._environment, stdout=self._output,
            stderr=subprocess.STDOUT,
        )  # fmt: skip
        deadline = time.monotonic() + _START_S
        while not self._serves():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.__exit__()
                raise RuntimeError(f"{self.name} did not start: {self._log.read_text()[-2000:]}")
            time.sleep(0.02)
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it by its pid."""
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self._output is not None:
            self._output.close()

    def _serves(self) -> bool:
        try:
            with RawClient(self.address, 1.0) as client:
                client.send(FENCE)
                answer = client.answer()
        except OSError:
            return False
        return answer is not None and answer.status == 200


def version(name: str) -> str | None:
    """Return the version that a peer's program tells of itself, or None where it is missing."""
    if shutil.which(name) is None:
        return None
    done = subprocess.run([name, "-v"], capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr).splitlines()[0].strip()


OURS: Command = _ours
PEERS: dict[str, Command] = {"nginx": _nginx, "haproxy": _haproxy}
