"""How gunicorn serves the replica: connections, broken requests, drain, bad settings."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.integration.app.conftest import ROOT, STOP_S, Replica, Start, wait_until


def test_it_hashes_though_postgresql_and_redis_are_away(alone: Replica) -> None:
    response = alone.http.post("/v1/hash", json={"algorithm": "md5", "data": ""})
    assert response.json()["digest"] == "d41d8cd98f00b204e9800998ecf8427e"
    wait_until(lambda: alone.state() == "unavailable", "unavailable")
    status = alone.http.get("/v1/status")
    assert status.status_code == 200
    assert status.json()["database"]["error"] == "PostgreSQL cannot be reached"


def test_connections_are_kept_and_pipes_stay_clean_after_errors(alone: Replica) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", alone.port, timeout=30)
    connection.connect()
    before = connection.sock
    requests = [
        ("POST", "/v1/hash", b'{"data": "a"}', 200),
        ("POST", "/v1/hash", b"{", 400),
        ("POST", "/nothing", b"unread" * 1000, 404),
        ("GET", "/health/live", None, 200),
    ]
    for method, path, body, status in requests:
        connection.request(method, path, body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        response.read()
        assert response.status == status
        assert connection.sock is before
    connection.close()


def test_a_413_arrives_though_the_client_sends_all_before_it_reads(alone: Replica) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", alone.port, timeout=30)
    connection.request("POST", "/v1/hash", b" " * 50_000_000, {"Content-Type": "application/json"})
    response = connection.getresponse()
    problem = json.loads(response.read())
    connection.close()
    assert (response.status, problem["type"]) == (413, "/problems/body-too-large")


@pytest.mark.parametrize("sent", [b"NONSENSE\r\n\r\n", b"GET / HTTP/1.1\r\nbad header: 1\r\n\r\n"])
def test_bytes_that_are_no_request_get_a_problem_not_html(alone: Replica, sent: bytes) -> None:
    with socket.create_connection(("127.0.0.1", alone.port), timeout=30) as raw:
        raw.sendall(sent)
        raw.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: raw.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"application/problem+json" in head
    problem = json.loads(body)
    assert problem["type"] == "/problems/bad-request"
    assert f"X-Request-ID: {problem['instance']}".encode() in head


def test_a_draining_replica_says_so_and_serves_on(start: Start, nowhere: dict[str, str]) -> None:
    # longer than any test: it is ended below
    replica = start(**nowhere, MILLRACE_APP_DRAIN_S="600")
    assert "X-Millrace-Draining" not in replica.http.get("/health/ready").headers
    replica.process.terminate()
    wait_until(lambda: replica.state() == "draining", "draining")
    assert replica.http.get("/health/ready").status_code == 503
    answer = replica.http.post("/v1/hash", json={"data": "a"})
    assert (answer.status_code, answer.headers["X-Millrace-Draining"]) == (200, "true")
    replica.process.send_signal(signal.SIGINT)
    replica.process.wait(30)


def test_a_replica_that_has_drained_ends_with_0(start: Start, nowhere: dict[str, str]) -> None:
    replica = start(**nowhere, MILLRACE_APP_DRAIN_S="0.5")
    began = time.monotonic()
    replica.process.terminate()
    assert replica.process.wait(STOP_S) == 0
    assert time.monotonic() - began > 0.4


def test_a_request_that_runs_when_sigterm_comes_is_finished(
    start: Start, nowhere: dict[str, str]
) -> None:
    replica = start(**nowhere)
    body = b'{"data": "a"}'
    head = b"POST /v1/hash HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    head += b"Content-Length: %d\r\nExpect: 100-continue\r\n\r\n" % len(body)
    with socket.create_connection(("127.0.0.1", replica.port), timeout=30) as raw:
        raw.sendall(head)
        assert raw.recv(65536).startswith(b"HTTP/1.1 100 ")  # now a thread reads the body
        replica.process.terminate()
        wait_until(lambda: not listens(replica.port), "no longer listening")
        raw.sendall(body)
        answer = b"".join(iter(lambda: raw.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert replica.stop() == 0


def test_a_replica_that_lost_its_parent_goes_on_with_the_connections_it_has(
    start: Start, environment: dict[str, str]
) -> None:
    replica = start(**environment)
    for _ in range(5):  # connections that end, as health checks are
        replica.http.get("/health/live", headers={"Connection": "close"})
    kept = http.client.HTTPConnection("127.0.0.1", replica.port, timeout=30)
    try:
        body = json.dumps({"sql": "SELECT count(*) FROM generate_series(1, 100000)"})
        for number in range(20):
            if number == 2:
                os.kill(replica.process.pid, signal.SIGKILL)
            kept.request("POST", "/v1/query", body, {"Content-Type": "application/json"})
            answer = kept.getresponse()
            assert (answer.status, number) == (200, number), answer.read()
            answer.read()
    finally:
        kept.close()


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def test_it_leaves_nothing_behind(start: Start, nowhere: dict[str, str]) -> None:
    replica = start(**nowhere, MILLRACE_APP_PROCESSES="4")
    assert [path.name[:16] for path in replica.temporary.iterdir()] == ["millrace-metrics"]
    assert replica.stop() == 0
    assert list(replica.temporary.iterdir()) == []
    assert list(replica.home.iterdir()) == []  # gunicorn's control socket would be here


def test_every_line_of_its_log_is_json(start: Start, nowhere: dict[str, str]) -> None:
    replica = start(**nowhere)
    assert replica.stop() == 0
    messages = [json.loads(line)["message"] for line in replica.log.read_text().splitlines()]
    assert any(message.startswith("Listening at: ") for message in messages)


def test_metrics_of_two_processes_are_summed(start: Start, nowhere: dict[str, str]) -> None:
    replica = start(**nowhere, MILLRACE_APP_PROCESSES="2")
    pids = set()
    sent = 0

    def both_have_served() -> bool:
        nonlocal sent
        # a connection of its own each time, so that the kernel picks a process
        connection = http.client.HTTPConnection("127.0.0.1", replica.port, timeout=30)
        connection.request("GET", "/v1/status")
        pids.add(json.loads(connection.getresponse().read())["replica"]["pid"])
        connection.close()
        sent += 1
        return len(pids) == 2 and sent >= 40

    wait_until(both_have_served, "both processes have served")
    pattern = r'request_duration_seconds_count\{.*route="/v1/status".*\} (\S+)'
    for _ in range(4):  # whoever answers
        [count] = re.findall(pattern, replica.http.get("/metrics").text)
        assert float(count) == sent


def test_a_killed_process_is_replaced_and_its_gauges_go(
    start: Start, nowhere: dict[str, str]
) -> None:
    replica = start(**nowhere, MILLRACE_APP_PROCESSES="2")

    def pool_max() -> float:
        pattern = r'millrace_app_pool_connections\{kind="max",pool="app"\} (\S+)'
        return sum(map(float, re.findall(pattern, replica.http.get("/metrics").text)))

    wait_until(lambda: pool_max() == 20, "both processes show their pool of 10")
    pid = replica.http.get("/v1/status").json()["replica"]["pid"]
    os.kill(pid, 9)
    replica.http.close()
    replica.http = type(replica.http)(base_url=f"http://127.0.0.1:{replica.port}", timeout=30)
    folder = next(replica.temporary.iterdir())
    wait_until(lambda: not list(folder.glob(f"gauge_live*_{pid}.db")), "its gauges are gone")
    wait_until(lambda: pool_max() == 20, "the new process shows its pool")


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"MILLRACE_APP_LISTEN": "nowhere"}, "MILLRACE_APP_LISTEN: "),
        ({"DATABASE_URL": "mysql://x"}, "DATABASE_URL: "),
    ],
)
def test_a_wrong_setting_ends_it_with_a_message_that_names_it(
    tmp_path: Path, nowhere: dict[str, str], changed: dict[str, str], named: str
) -> None:
    argv = [sys.executable, "-m", "gunicorn", "-c", str(ROOT / "app" / "gunicorn.conf.py")]
    done = subprocess.run(
        [*argv, "app.main:create_app()"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], **nowhere, **changed},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert named in done.stderr
    assert "Traceback" not in done.stderr
