"""Lanes of a real replica: what is full refuses at once, and everybody else is served."""

import http.client
import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import psycopg
import pytest

from tests.integration.app.conftest import Replica, Start, wait_until

HELD = {"sql": "SELECT count(*) FROM held", "max_staleness_s": 0}


class Lock:
    """Keeps queries of the table `held` waiting, without work for anybody."""

    def __init__(self, database_url: str) -> None:
        self._connection = psycopg.connect(database_url)
        self._connection.execute("CREATE TABLE held AS SELECT 1 AS n")
        self._connection.commit()
        self._connection.execute("LOCK TABLE held")

    def release(self) -> None:
        """Let them go on."""
        self._connection.close()


@pytest.fixture
def lock(environment: dict[str, str]) -> Iterator[Lock]:
    """Keep queries of `held` waiting until the end of the test, or the release."""
    held = Lock(environment["DATABASE_URL"])
    yield held
    held.release()


@pytest.fixture
def narrow(start: Start, environment: dict[str, str]) -> Replica:
    """A replica that works on two queries at once and lets one wait."""
    return start(
        **environment,
        MILLRACE_APP_QUERY_LIMIT="2",
        MILLRACE_APP_MAX_WAITING="1",
        MILLRACE_APP_WAIT_S="0.3",
        MILLRACE_APP_BULK_LIMIT="2",
    )


def runs(replica: Replica, count: int) -> bool:
    """Tell whether so many queries run."""
    return bool(replica.http.get("/v1/status").json()["replica"]["running_queries"] == count)


@pytest.fixture
def busy(narrow: Replica, lock: Lock) -> Iterator[Replica]:
    """The same with two queries under way that do not end."""
    with ThreadPoolExecutor(2) as threads:
        asked = [threads.submit(narrow.http.post, "/v1/query", json=HELD) for _ in range(2)]
        wait_until(lambda: runs(narrow, 2), "two queries run")
        yield narrow
        lock.release()
        assert [each.result().status_code for each in asked] == [200, 200]


def test_a_query_too_many_is_refused_unread_and_its_connection_serves_on(busy: Replica) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", busy.port, timeout=30)
    connection.connect()
    before = connection.sock
    headers = {"Content-Type": "application/json", "X-Request-ID": "too-many"}
    connection.request("POST", "/v1/query", json.dumps(HELD), headers)
    response = connection.getresponse()
    problem = json.loads(response.read())
    assert (response.status, problem["type"]) == (503, "/problems/overloaded")
    assert (problem["lane"], problem["instance"]) == ("query", "too-many")
    assert response.headers["X-Request-ID"] == "too-many"
    assert int(response.headers["Retry-After"]) >= 1
    connection.request("GET", "/health/live")
    assert connection.getresponse().status == 200
    assert connection.sock is before
    connection.close()
    metrics = busy.http.get("/metrics").text
    assert 'millrace_app_lane_refused_total{cause="expired",lane="query"} 1.0' in metrics
    assert "overload_began" in busy.log.read_text()


def test_a_full_lane_leaves_the_others_alone(busy: Replica) -> None:
    for _ in range(20):
        assert busy.http.get("/health/ready").status_code == 200
        assert busy.http.get("/v1/status").status_code == 200
        assert busy.http.post("/v1/hash", json={"data": "a"}).status_code == 200
        assert busy.http.post("/v1/hash/stream", content=b"a" * 100_000).status_code == 200


def test_a_refusal_arrives_though_a_large_body_is_still_being_sent(busy: Replica) -> None:
    def refused() -> tuple[int, str]:
        with httpx.Client(base_url=busy.http.base_url, timeout=30) as client:
            answer = client.post("/v1/query", content=b" " * 20_000_000)
            return answer.status_code, answer.headers["Connection"]

    assert refused() == (503, "close")
    assert busy.http.get("/health/live").status_code == 200


def test_a_place_that_becomes_free_goes_to_who_waits(
    start: Start, environment: dict[str, str], lock: Lock
) -> None:
    replica = start(**environment, MILLRACE_APP_QUERY_LIMIT="2", MILLRACE_APP_WAIT_S="20")
    with ThreadPoolExecutor(6) as threads:
        asked = [threads.submit(replica.http.post, "/v1/query", json=HELD) for _ in range(6)]
        waiting = 'millrace_app_lane_waiting{lane="query"} 4.0'
        wait_until(lambda: waiting in replica.http.get("/metrics").text, "four wait")
        assert runs(replica, 2)
        lock.release()
        assert [each.result().status_code for each in asked] == [200] * 6


def test_the_time_in_the_queue_counts_against_the_deadline(
    start: Start, environment: dict[str, str], lock: Lock
) -> None:
    replica = start(
        **environment, MILLRACE_APP_QUERY_LIMIT="1", MILLRACE_APP_QUERY_LIMIT_MIN="1",
        MILLRACE_APP_WAIT_S="20",
    )  # fmt: skip
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(replica.http.post, "/v1/query", json=HELD)
        wait_until(lambda: runs(replica, 1), "the first one runs")
        hurried = {"sql": "SELECT 1", "timeout_s": 3.0}
        second = threads.submit(replica.http.post, "/v1/query", json=hurried)
        # the state of the lanes is published once a second
        waiting = 'millrace_app_lane_waiting{lane="query"} 1.0'
        wait_until(lambda: waiting in replica.http.get("/metrics").text, "the second one waits")
        published = replica.http.get("/v1/status").json()["replica"]["uptime_s"]
        wait_until(
            lambda: replica.http.get("/v1/status").json()["replica"]["uptime_s"] > published + 3.0,
            "it has no time left",
        )
        lock.release()
        assert first.result().status_code == 200
        assert second.result().status_code == 503
        assert second.result().json()["type"] == "/problems/overloaded"


def test_connections_that_say_nothing_take_no_thread(narrow: Replica) -> None:
    silent = [socket.create_connection(("127.0.0.1", narrow.port)) for _ in range(60)]
    assert narrow.http.get("/health/live").status_code == 200
    body = {"sql": "SELECT 1"}
    assert narrow.http.post("/v1/query", json=body).status_code == 200
    for connection in silent:
        connection.close()


def test_streamed_answers_leave_connections_to_queries(
    start: Start, environment: dict[str, str]
) -> None:
    replica = start(**environment, MILLRACE_APP_EXPORTS="1", MILLRACE_DB_POOL_SIZE="2")
    body = {"sql": "SELECT i, repeat('x', 1000) FROM generate_series(1, 500000) AS s(i)"}
    with replica.http.stream("POST", "/v1/query", json=body, headers={"Accept": "text/csv"}):
        again = replica.http.post("/v1/query", json=body, headers={"Accept": "text/csv"})
        assert again.status_code == 503
        assert again.json()["type"] == "/problems/overloaded"
        assert replica.http.post("/v1/query", json={"sql": "SELECT 1"}).status_code == 200
