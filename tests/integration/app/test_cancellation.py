"""A query that nobody waits for any more ends everywhere."""

import time
from collections.abc import Iterator

import pytest

from tests.integration.app.conftest import Replica, Start, wait_until
from tests.integration.app.long_queries import (
    DIRECT,
    PARTITIONED,
    Asker,
    LongQuery,
    make_table,
    send_and_stay,
    wait_for_worker,
    worker,
)
from tests.integration.lb.running_program import RunningProgram


@pytest.fixture
def replica(start: Start, environment: dict[str, str]) -> Iterator[Replica]:
    """A replica with a worker, and a table to split."""
    make_table(environment["DATABASE_URL"])
    with worker(environment):
        replica = start(**environment, MILLRACE_MAX_QUERY_COST="1e30")
        wait_for_worker(replica)
        yield replica


@pytest.mark.parametrize("mode", [DIRECT, PARTITIONED])
def test_a_query_ends_when_its_client_leaves(
    replica: Replica, environment: dict[str, str], mode: str
) -> None:
    query = LongQuery(mode)
    with send_and_stay(replica.port, query):
        query.wait_until_it_runs(environment["DATABASE_URL"])
    query.wait_until_it_is_over(environment["DATABASE_URL"])
    # counted by the thread that ended it, which may be a little behind PostgreSQL
    counted = 'millrace_app_queries_cancelled_total{cause="client_gone"} 1.0'
    wait_until(lambda: counted in replica.http.get("/metrics").text, "it is counted")


@pytest.mark.parametrize("mode", [DIRECT, PARTITIONED])
def test_a_query_ends_when_its_client_leaves_the_balancer(
    replica: Replica, environment: dict[str, str], mode: str
) -> None:
    query = LongQuery(mode)
    balancer = RunningProgram(MILLRACE_LB_BACKENDS=f"127.0.0.1:{replica.port}")
    try:
        wait_until(lambda: _is_passed_on(balancer), "the balancer has its replica")
        with send_and_stay(balancer.address[1], query):
            query.wait_until_it_runs(environment["DATABASE_URL"])
        query.wait_until_it_is_over(environment["DATABASE_URL"])
    finally:
        balancer.end()


def _is_passed_on(balancer: RunningProgram) -> bool:
    backends = balancer.admin("GET", "/lb/status")[1]["backends"]
    return any(backend["state"] == "ready" for backend in backends)


def test_the_next_request_on_the_connection_is_no_reason_to_end_a_query(
    replica: Replica, environment: dict[str, str]
) -> None:
    query = LongQuery(DIRECT)
    url = environment["DATABASE_URL"]
    with send_and_stay(replica.port, query, b"GET /health/live HTTP/1.1\r\nHost: h\r\n\r\n"):
        query.wait_until_it_runs(url)
        other = LongQuery(DIRECT)
        with send_and_stay(replica.port, other):
            other.wait_until_it_runs(url)
        other.wait_until_it_is_over(url)  # so the clients have been looked at
        assert query.running(url) == 1

        def only_one_runs() -> bool:
            status = replica.http.get("/v1/status").json()
            return bool(status["replica"]["running_queries"] == 1)

        # PostgreSQL is done with the other one a little before the replica is
        wait_until(only_one_runs, "the replica knows of one")
        assert query.running(url) == 1
    query.wait_until_it_is_over(url)


@pytest.mark.parametrize("mode", [DIRECT, PARTITIONED])
def test_a_query_ends_when_it_is_deleted(
    replica: Replica, environment: dict[str, str], mode: str
) -> None:
    query = LongQuery(mode)
    asker = Asker(replica.port, query, "mine")
    query.wait_until_it_runs(environment["DATABASE_URL"])
    assert replica.http.delete("/v1/queries/mine").status_code == 204
    response = asker.answer()
    assert (response.status_code, response.json()["type"]) == (409, "/problems/cancelled")
    query.wait_until_it_is_over(environment["DATABASE_URL"])

    def is_unknown() -> bool:
        answer = replica.http.delete("/v1/queries/mine").json()
        return bool(answer["type"] == "/problems/query-unknown")

    wait_until(is_unknown, "all have said that they do not have it")  # in time, that is


def test_a_query_is_deleted_on_whichever_replica_it_runs(
    start: Start, environment: dict[str, str]
) -> None:
    first, second = start(**environment), start(**environment)
    query = LongQuery(DIRECT)
    asker = Asker(first.port, query, "elsewhere")
    query.wait_until_it_runs(environment["DATABASE_URL"])
    statuses: list[int] = []

    def is_deleted() -> bool:
        """Try to; where it runs, nobody may listen yet, or be slow to say that it was ended."""
        statuses.append(second.http.delete("/v1/queries/elsewhere").status_code)
        return statuses[-1] == 204 or asker.is_answered()

    wait_until(is_deleted, "it is found")
    assert statuses[-1] == 204 or 503 in statuses
    assert asker.answer().status_code == 409
    query.wait_until_it_is_over(environment["DATABASE_URL"])


@pytest.mark.parametrize("mode", [DIRECT, PARTITIONED])
def test_a_query_ends_with_its_deadline(
    replica: Replica, environment: dict[str, str], mode: str
) -> None:
    # so much of it has to be left, once it has begun, that somebody can see it run
    for timeout_s in (1.0, 4.0, 16.0):
        query = LongQuery(mode)
        asker = Asker(replica.port, query, timeout_s=timeout_s)
        ran = query.is_seen_before(asker.is_answered, environment["DATABASE_URL"])
        response = asker.answer()
        query.wait_until_it_is_over(environment["DATABASE_URL"])
        if ran:
            break
    assert ran
    assert (response.status_code, response.json()["type"]) == (504, "/problems/timed-out")


def test_the_balancers_patience_bounds_a_query(
    replica: Replica, environment: dict[str, str]
) -> None:
    for patience_s in ("0.5", "4"):
        began = time.monotonic()
        headers = {"X-Millrace-Timeout-S": patience_s}
        response = replica.http.post("/v1/query", json=LongQuery(DIRECT).body, headers=headers)
        if response.status_code != 503:  # else all of it passed before its turn came
            break
    assert response.status_code == 504
    assert time.monotonic() - began < 25  # without it, it would be 30
