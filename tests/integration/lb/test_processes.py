"""Several processes behind one address: deaths, reloads, and the parent's end."""

import json
import os
import signal
import socket
from pathlib import Path
from typing import Any

import pytest

from tests.integration.lb.conftest import Connection, RawBackend, Running, until
from tests.integration.lb.running_program import Load, is_gone, running_program


@pytest.fixture
def backends(running: Running) -> str:
    """Two backends, as the setting names them."""
    for _ in range(2):
        backend = RawBackend()
        running.do(backend.start())
        running.backends.append(backend)
    return ",".join(f"127.0.0.1:{backend.port}" for backend in running.backends)


def test_a_killed_process_is_replaced_and_its_siblings_serve_meanwhile(backends: str) -> None:
    with running_program("--processes", "2", MILLRACE_LB_BACKENDS=backends) as program:
        before = program.pids()
        assert len(before) == 2
        killed = min(before)
        os.kill(killed, signal.SIGKILL)
        until(lambda: is_gone(killed), "it is dead")
        for _ in range(20):  # some go to the socket of the dead one
            with Connection(program.address) as client:
                assert client.request()[0] == 200
        until(lambda: len(program.pids()) == 2, "there are two again")
        assert killed not in program.pids()
        assert program.admin("GET", "/lb/status")[1]["restarts"] == 1


def test_a_killed_parent_leaves_no_process_and_no_listener(backends: str) -> None:
    with running_program("--processes", "2", MILLRACE_LB_BACKENDS=backends) as program:
        pids = program.pids()
        with Connection(program.address) as idle:
            program.process.kill()
            until(lambda: all(is_gone(pid) for pid in pids), "they are gone")
            assert idle.rest() == b""
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(program.address)


def test_reloads_under_load_lose_nothing(backends: str) -> None:
    with running_program("--processes", "2", MILLRACE_LB_BACKENDS=backends) as program:
        seen = program.pids()
        with Load(program.address) as load:
            for _ in range(3):
                program.reload()
                assert program.pids().isdisjoint(seen)
                seen |= program.pids()
        assert load.failures == []
        assert load.answered > 100
        until(lambda: not program.pids("draining"), "the old ones are gone")


def test_a_broken_configuration_keeps_the_old_processes_and_says_why(
    backends: str, tmp_path: Path
) -> None:
    file = tmp_path / "lb.env"
    file.write_text("MILLRACE_LB_STRATEGY=round_robin\n")
    with running_program(
        MILLRACE_LB_BACKENDS=backends, MILLRACE_LB_SETTINGS_FILE=str(file)
    ) as program:
        assert program.admin("GET", "/lb/strategy")[1] == {"strategy": "round_robin"}
        before = program.pids()
        file.write_text("MILLRACE_LB_STRATEGY=at_random\n")
        program.process.send_signal(signal.SIGHUP)
        until(lambda: program.said("reload refused"), "it refuses")
        assert "MILLRACE_LB_STRATEGY" in program.said("reload refused")[0]["cause"]
        assert program.pids() == before
        with Connection(program.address) as client:
            assert client.request()[0] == 200
        status = program.admin("GET", "/lb/status")[1]
        assert status["reloads_refused"] == 1
        assert "MILLRACE_LB_STRATEGY" in status["last_refusal"]
        file.write_text("MILLRACE_LB_STRATEGY=least_connections\n")
        program.reload()
        assert program.pids().isdisjoint(before)
        assert program.admin("GET", "/lb/strategy")[1] == {"strategy": "least_connections"}


def test_a_reload_after_which_no_backend_would_be_ready_is_refused(
    backends: str, tmp_path: Path
) -> None:
    file = tmp_path / "lb.env"
    file.write_text(f"MILLRACE_LB_BACKENDS={backends}\n")
    with running_program(MILLRACE_LB_SETTINGS_FILE=str(file)) as program:
        before = program.pids()
        until(lambda: program.admin("GET", "/health")[1]["backends_ready"], "one is ready")
        file.write_text("MILLRACE_LB_BACKENDS=127.0.0.1:1\n")
        program.process.send_signal(signal.SIGHUP)
        until(lambda: program.said("reload refused"), "it refuses")
        assert program.pids() == before


def test_decisions_hold_for_processes_that_start_later_and_counts_go_on(
    running: Running, backends: str
) -> None:
    out = f"127.0.0.1:{running.backends[0].port}"
    with running_program("--processes", "2", MILLRACE_LB_BACKENDS=backends) as program:
        assert program.admin("PUT", "/lb/strategy", {"strategy": "round_robin"})[0] == 200
        change = {"state": "maintenance", "weight": 3}
        answer = program.admin("PUT", f"/lb/backends/{out}", change)
        assert answer == (200, {"id": out, "state": "maintenance", "weight": 3})
        for number in range(10):
            with Connection(program.address) as client:
                fields = f"X-Request-ID: seen-{number}\r\n"
                assert client.request("/v1/x?secret", fields=fields)[0] == 200

        def found() -> list[dict[str, Any]]:
            requests: list[dict[str, Any]] = program.admin("GET", "/lb/requests/seen-3")[1][
                "requests"
            ]
            return requests

        until(found, "the process that served it has answered")
        (record,) = found()
        assert (record["path"], record["status"], record["failed_at"]) == ("/v1/x", 200, [])
        assert record["backend"] == f"127.0.0.1:{running.backends[1].port}"
        before = program.pids()
        program.reload()
        until(lambda: not program.pids("draining"), "the old ones are gone")
        killed = min(program.pids())
        os.kill(killed, signal.SIGKILL)
        until(lambda: len(program.pids() - {killed} - before) == 2, "two new ones serve")
        status = program.admin("GET", "/lb/status")[1]
        assert status["strategy"] == "round_robin"
        (backend,) = [one for one in status["backends"] if one["id"] == out]
        assert (backend["state"], backend["weight"]) == ("maintenance", 3)
        assert running.backends[0].received == []

        def counted() -> bool:  # a process that is slow to answer is left out
            _, metrics = program.admin("GET", "/metrics")
            return (
                "millrace_lb_request_duration_seconds_count 10.0" in metrics
                and "millrace_lb_process_restarts_total 1.0" in metrics
            )

        until(counted, "all requests are counted, and the restart")


def test_a_process_told_to_end_is_replaced_while_it_drains(backends: str) -> None:
    with running_program(
        MILLRACE_LB_BACKENDS=backends,
        MILLRACE_LB_DRAIN_IDLE_S="60",
        MILLRACE_LB_DRAIN_TIMEOUT_S="60",
    ) as program:
        (old,) = program.pids()
        with Connection(program.address) as client:
            assert client.request()[0] == 200
            os.kill(old, signal.SIGTERM)
            until(lambda: old in program.pids("draining"), "it drains")
            assert client.request()[1][b"connection"] == b"close"
        until(lambda: program.pids() and program.pids() != {old}, "another serves")
        with Connection(program.address) as client:
            assert client.request()[0] == 200


def test_draining_ends_after_the_last_answer_and_refuses_new_clients(
    running: Running, backends: str
) -> None:
    with (
        running_program(MILLRACE_LB_BACKENDS=backends, MILLRACE_LB_DRAIN_TIMEOUT_S="60") as program,
        Connection(program.address) as client,
    ):
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n1")
        until(
            lambda: program.admin("GET", "/lb/status")[1]["requests"]["active"] == 1, "it is active"
        )
        program.process.send_signal(signal.SIGTERM)
        until(lambda: program.admin("GET", "/health")[0] == 503, "it drains")
        assert program.admin("GET", "/lb/status")[1]["draining"] is True
        client.send("2")
        status, fields, body = client.response()
        assert (status, fields[b"connection"], body) == (200, b"close", b"ok")
        assert client.rest() == b""
        client.socket.close()
        assert program.wait() == 0
        assert json.loads(program.lines[-1])["message"] == "stopped"
        with pytest.raises(ConnectionRefusedError):
            Connection(program.address)


def test_what_is_still_busy_after_the_drain_timeout_is_cut_off(backends: str) -> None:
    with (
        running_program(
            MILLRACE_LB_BACKENDS=backends, MILLRACE_LB_DRAIN_TIMEOUT_S="0.5"
        ) as program,
        Connection(program.address) as client,
    ):
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n1")
        until(
            lambda: program.admin("GET", "/lb/status")[1]["requests"]["active"] == 1, "it is active"
        )
        program.process.send_signal(signal.SIGTERM)
        assert program.wait() == 0
        assert client.rest() == b""
        assert program.said("drain timed out")[0]["active"] == 1
