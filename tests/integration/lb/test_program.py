"""`python -m lb` as an operator runs it."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration.lb.conftest import Connection, Running, until
from tests.ports import free_port

ROOT = Path(__file__).parents[3]


@contextmanager
def program(*arguments: str, **variables: str) -> Iterator[subprocess.Popen[str]]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MILLRACE_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "lb", *arguments], cwd=ROOT, env=environment | variables, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    with process:
        try:
            yield process
        finally:
            process.kill()


def test_it_serves_logs_and_ends_with_0_on_sigterm(running: Running) -> None:
    running.start()  # for its backend
    port = free_port()
    with program(
        MILLRACE_LB_LISTEN=f"127.0.0.1:{port}",
        MILLRACE_LB_ADMIN_LISTEN="127.0.0.1:0",
        MILLRACE_LB_BACKENDS=f"127.0.0.1:{running.backends[0].port}",
        MILLRACE_LB_ACCESS_LOG="full",
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        for line in process.stdout:
            if json.loads(line).get("event") == "backend_ready":
                break
        with Connection(("127.0.0.1", port)) as client:
            assert client.request("/v1/query?secret=1", fields="X-Request-ID: seen\r\n")[0] == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        lines = [json.loads(line) for line in process.stdout]
        assert process.stderr.read() == ""
    (request,) = [line for line in lines if line["message"] == "request"]
    assert (request["request_id"], request["path"]) == ("seen", "/v1/query")
    assert (request["status"], request["bytes"]) == (200, 2)
    assert lines[-1]["message"] == "stopped"


def test_a_port_in_use_is_one_clear_line_and_exit_code_1() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with program(
            MILLRACE_LB_LISTEN=f"127.0.0.1:{port}", MILLRACE_LB_BACKENDS="127.0.0.1:1"
        ) as process:
            output, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert output == ""
    assert errors.count("\n") == 1
    assert f"127.0.0.1:{port} is in use" in errors
    assert "MILLRACE_LB_LISTEN" in errors


def test_wrong_settings_are_named_and_end_with_2() -> None:
    with program(MILLRACE_RATE_LIMIT="many") as process:
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "MILLRACE_RATE_LIMIT" in errors
    assert "MILLRACE_LB_BACKENDS" in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize(
    ("arguments", "variables", "named"),
    [
        (["--processes", "0"], {}, "MILLRACE_LB_PROCESSES"),
        (["--processes", "two"], {}, "--processes"),
        ([], {"MILLRACE_LB_ADMIN_LISTEN": "0.0.0.0:0"}, "MILLRACE_LB_ADMIN_TOKEN"),
        ([], {"MILLRACE_LB_SETTINGS_FILE": "/nowhere"}, "MILLRACE_LB_SETTINGS_FILE: /nowhere"),
        ([], {"MILLRACE_LB_TLS_KEY": "key.pem"}, "MILLRACE_LB_TLS_CERTIFICATE"),
    ],
)
def test_what_is_wrong_at_the_start_is_named(
    arguments: list[str], variables: dict[str, str], named: str
) -> None:
    with program(*arguments, **{"MILLRACE_LB_BACKENDS": "127.0.0.1:1"} | variables) as process:
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert named in errors
    assert "Traceback" not in errors


def test_a_certificate_that_cannot_be_read_is_one_clear_line_and_exit_code_1() -> None:
    with program(
        MILLRACE_LB_LISTEN="127.0.0.1:0", MILLRACE_LB_ADMIN_LISTEN="127.0.0.1:0",
        MILLRACE_LB_BACKENDS="127.0.0.1:1",
        MILLRACE_LB_TLS_CERTIFICATE="/nowhere.pem", MILLRACE_LB_TLS_KEY="/nowhere.key",
    ) as process:  # fmt: skip
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert errors.count("\n") == 1
    assert "/nowhere.pem" in errors


def test_an_interrupt_ends_it_like_a_term(running: Running) -> None:
    running.start()
    port = free_port()
    with program(
        MILLRACE_LB_LISTEN=f"127.0.0.1:{port}",
        MILLRACE_LB_ADMIN_LISTEN="127.0.0.1:0",
        MILLRACE_LB_BACKENDS=f"127.0.0.1:{running.backends[0].port}",
    ) as process:
        assert process.stdout is not None
        until(lambda: "listening" in process.stdout.readline(), "it listens")  # type: ignore[union-attr]
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
