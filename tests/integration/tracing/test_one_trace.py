"""One request is one trace, through every program that has a part in it."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from tests.integration.app.conftest import Replica, Start, wait_until
from tests.integration.lb.running_program import RunningProgram, running_program
from tests.integration.tracing.receiver import ReceivedSpan, Receiver

GIVEN = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7"
TRACE = GIVEN.split("-")[1]
SPLIT = {"sql": "SELECT sum(n) FROM t", "engine": "partitioned", "partitions": 2}
WARM_UP = SPLIT | {"sql": "SELECT count(*) FROM t"}  # its answer is not what is asked for later
SLOW = "SELECT count(*) FROM t AS a, t AS b WHERE a.n < 5000"  # seconds
ACTIVITY = """SELECT query, application_name FROM pg_stat_activity
 WHERE state = 'active' AND query LIKE '%a.n < 5000%' AND query NOT LIKE 'EXPLAIN%'
   AND query NOT LIKE 'DECLARE%' AND pid <> pg_backend_pid() AND datname = current_database()"""


class Stack:
    """A balancer before one replica, and a worker."""

    def __init__(self, balancer: RunningProgram, replica: Replica, log: Path) -> None:
        self.balancer, self.replica, self._log = balancer, replica, log
        host, port = balancer.address
        self.http = httpx.Client(base_url=f"http://{host}:{port}", timeout=30)

    def worker_lines(self) -> list[dict[str, Any]]:
        return _lines(self._log)

    def replica_lines(self) -> list[dict[str, Any]]:
        return _lines(self.replica.log)


@pytest.fixture
def stack(receiver: Receiver, start: Start, environment: dict[str, str], tmp_path: Path) -> Any:
    with psycopg.connect(environment["DATABASE_URL"]) as connection:
        connection.execute("CREATE TABLE t AS SELECT n FROM generate_series(1, 20000) AS n")
        connection.execute("GRANT SELECT ON t TO millrace_reader")
    environment |= {
        "MILLRACE_OTLP_ENDPOINT": receiver.endpoint,
        "MILLRACE_TRACE_RATIO": "0",  # what is traced here, a client asks for
        "MILLRACE_QUEUE_BLOCK_S": "0.1",
        "MILLRACE_APP_SLOW_REQUEST_S": "0",
        "MILLRACE_LOG_LEVEL": "info",
        "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
    }
    replica = start(**environment)
    log = tmp_path / "worker.log"
    with log.open("wb") as output:
        worker = subprocess.Popen(
            [sys.executable, "-m", "worker"], env=os.environ | environment, stdout=output
        )
    balancer = {
        "MILLRACE_LB_BACKENDS": f"127.0.0.1:{replica.port}",
        "MILLRACE_LB_ACCESS_LOG": "full",
        "MILLRACE_OTLP_ENDPOINT": receiver.endpoint,
        "MILLRACE_TRACE_RATIO": "0",
    }
    try:
        with running_program(**balancer) as program:
            made = Stack(program, replica, log)
            wait_until(
                lambda: made.http.post("/v1/query", json=WARM_UP).status_code == 200, "split"
            )
            yield made
            made.http.close()
    finally:
        worker.terminate()
        with suppress(subprocess.TimeoutExpired):
            worker.wait(20)
        worker.kill()
        worker.wait()


def test_a_split_query_and_a_job_are_one_trace_each_and_nothing_else_is_traced(
    stack: Stack, receiver: Receiver
) -> None:
    assert receiver.spans == []
    fields = {"traceparent": f"{GIVEN}-01", "tracestate": "a=b", "X-Request-ID": "mine"}
    assert stack.http.post("/v1/query", json=SPLIT, headers=fields).json()["rows"] == [[200010000]]
    found = receiver.await_spans(
        "lb.request", "lb.attempt", "POST /v1/query", "pool.wait", "plan", "scatter", "gather",
        "merge", "query task", "execute", "cache.lookup", "cache.store",
    )  # fmt: skip
    # both tasks' spans, and those around them, come in their own time
    _until(lambda: sum(span.name == "query task" for span in list(receiver.spans)) == 2)
    _until(lambda: sum(name == "" for name, _, _ in _tree(list(receiver.spans))) == 1)
    assert {span.trace for span in receiver.spans} == {TRACE}
    assert {span.state for span in receiver.spans} == {"a=b"}
    assert _tree(receiver.spans) == {
        ("", "lb.request", "millrace-lb"),
        ("lb.request", "lb.attempt", "millrace-lb"),
        ("lb.attempt", "POST /v1/query", "millrace-app"),
        ("POST /v1/query", "cache.lookup", "millrace-app"),
        ("POST /v1/query", "pool.wait", "millrace-app"),
        ("POST /v1/query", "plan", "millrace-app"),
        ("POST /v1/query", "scatter", "millrace-app"),
        ("POST /v1/query", "gather", "millrace-app"),
        ("POST /v1/query", "merge", "millrace-app"),
        ("POST /v1/query", "cache.store", "millrace-app"),
        ("scatter", "query task", "millrace-worker"),
        ("query task", "pool.wait", "millrace-worker"),
        ("query task", "execute", "millrace-worker"),
    }
    assert sum(span.name == "query task" for span in receiver.spans) == 2
    assert found["lb.request"].parent == GIVEN.split("-")[2]
    assert found["POST /v1/query"].attributes["http.response.status_code"] == 200
    assert not any("sum(n)" in str(span.attributes) for span in receiver.spans)
    _log_lines_have_the_ids(stack)

    receiver.spans.clear()
    body = {"kind": "checksum_table", "parameters": {"table": "t", "key": ["n"]}}
    job = stack.http.post("/v1/jobs", json=body, headers=fields)
    assert job.status_code == 202, job.text
    receiver.await_spans("POST /v1/jobs", "job checksum_table")
    place = job.headers["Location"]
    wait_until(lambda: stack.http.get(place).json()["state"] == "done", "the job is done")
    wait_until(lambda: len(_named(receiver, "job checksum_table")) == 2, "both tasks")
    (request,) = _named(receiver, "POST /v1/jobs")
    for task in _named(receiver, "job checksum_table"):
        assert (task.trace, task.parent) == (TRACE, request.id)
        assert task.attributes["millrace.outcome"] == "done"


def test_postgresql_sees_whose_statement_it_runs(
    stack: Stack, receiver: Receiver, environment: dict[str, str]
) -> None:
    def running(path: str, **fields: str) -> tuple[str, str]:
        """Return a statement and its application's name, as PostgreSQL has them."""
        body = {"sql": SLOW, "engine": "direct"}
        with ThreadPoolExecutor() as threads, psycopg.connect(url, autocommit=True) as owner:
            asked = threads.submit(stack.http.post, path, json=body, headers=fields)
            found: list[tuple[str, str]] = []
            while not found and not asked.done():
                found = owner.execute(ACTIVITY).fetchall()
            stack.http.delete(f"/v1/queries/{fields['X-Request-ID']}")
        return found[0]

    url = environment["DATABASE_URL"]
    assert running("/v1/query", **{"X-Request-ID": "a"}) == (SLOW, "millrace/app")
    given = {"traceparent": f"{GIVEN}-01", "X-Request-ID": "b"}
    text, _ = running("/v1/query", **given)
    executed = receiver.await_spans("execute")["execute"]
    assert text == f"{SLOW}\n/*traceparent='00-{TRACE}-{executed.id}-01'*/"
    given = {"traceparent": f"{GIVEN}-01", "X-Request-ID": "c"}
    text, _ = running("/v1/query?format=csv", **given)
    assert text.startswith("COPY (")
    assert f"\n/*traceparent='00-{TRACE}-" in text
    assert receiver.await_spans("send")["send"].trace == TRACE


def test_a_request_that_its_sender_does_not_record_is_not_recorded_here_but_logged_by_its_trace(
    stack: Stack, receiver: Receiver
) -> None:
    fields = {"traceparent": f"{GIVEN}-00"}
    assert stack.http.post("/v1/query", json=SPLIT, headers=fields).status_code == 200
    wait_until(lambda: any(one.get("trace_id") == TRACE for one in stack.replica_lines()), "log")
    fields = {"traceparent": f"{GIVEN}-01"}
    assert stack.http.get("/v1/status", headers=fields).status_code == 200
    receiver.await_spans("GET /v1/status")
    assert {span.name for span in receiver.spans} <= {"GET /v1/status", "lb.request", "lb.attempt"}


def test_the_durations_show_a_trace_as_an_example(stack: Stack) -> None:
    fields = {"traceparent": f"{GIVEN}-01"}
    assert stack.http.get("/v1/status", headers=fields).status_code == 200
    accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
    wait_until(  # counted once the answer is sent
        lambda: (
            f'# {{trace_id="{TRACE}"}}' in stack.replica.http.get("/metrics", headers=accept).text
        ),
        "the example",
    )


def _log_lines_have_the_ids(stack: Stack) -> None:
    _until(lambda: any(one.get("request_id") == "mine" for one in stack.replica_lines()))
    (line,) = [one for one in stack.replica_lines() if one.get("request_id") == "mine"]
    assert (line["message"], line["trace_id"], line["query_id"]) == ("request", TRACE, "mine")
    _until(lambda: any(one["request_id"] == "mine" for one in stack.balancer.said("request")))
    (line,) = [one for one in stack.balancer.said("request") if one["request_id"] == "mine"]
    assert line["trace_id"] == TRACE
    others = [one for one in stack.balancer.said("request") if one["request_id"] != "mine"]
    assert all(len(one["trace_id"]) == 32 and one["trace_id"] != TRACE for one in others)


def _lines(log: Path) -> list[dict[str, Any]]:
    """Return the lines that are written whole."""
    whole = log.read_text().rpartition("\n")[0]
    return [json.loads(line) for line in whole.splitlines()]


def _until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def _named(receiver: Receiver, name: str) -> list[ReceivedSpan]:
    return [span for span in list(receiver.spans) if span.name == name]


def _tree(spans: list[ReceivedSpan]) -> set[tuple[str, str, str]]:
    """Return (parent's name, name, service) of all; the first has a parent that was not sent."""
    names = {span.id: span.name for span in spans}
    return {(names.get(span.parent, ""), span.name, span.service) for span in spans}
