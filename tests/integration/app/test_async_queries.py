"""Queries whose answer is fetched later: durable, watched, ended, taken over."""

import json
import os
import signal
from typing import Any

import httpx
import psycopg
import pytest

from cli.embedded.postgres import EmbeddedPostgres
from db.migrate import migrate
from db.settings import DatabaseSettings
from tests.integration.app.conftest import DEADLINE_S, Replica, Start, wait_until
from tests.integration.app.long_queries import DIRECT, LongQuery

ASYNC = {"Prefer": "respond-async"}
QUICK: dict[str, Any] = {"sql": "SELECT 40 + 2 AS n, 1.10::numeric AS d"}


@pytest.fixture
def replica(start: Start, environment: dict[str, str]) -> Replica:
    """A replica that runs one asynchronous query at a time."""
    return start(**environment, MILLRACE_ASYNC_THREADS="1", MILLRACE_ASYNC_MAX_STREAMS="1",
                 MILLRACE_ASYNC_MAX_QUEUED="2")  # fmt: skip


def promised(replica: Replica, body: dict[str, Any], **headers: str) -> str:
    """Ask for an answer later; return where it will be."""
    response = replica.http.post("/v1/query", json=body, headers={**ASYNC, **headers})
    document = response.json()
    # on a busy machine it may be over before it is promised
    if "rows" in document or document["state"] == "failed":
        assert response.status_code == 200, response.text
    else:
        assert response.status_code == 202, response.text
        assert document["state"] in {"queued", "running"}
    assert response.headers["Preference-Applied"] == "respond-async"
    place = response.headers["Location"]
    assert place == f"/v1/queries/{document['query_id']}"
    return place


def state(replica: Replica, place: str) -> str:
    """Return the state; "done" once the answer is there."""
    document = replica.http.get(place).json()
    return "done" if "rows" in document else str(document["state"])


def wait_for(replica: Replica, place: str, wanted: str) -> httpx.Response:
    """Wait until the query is in a state; return what is said of it then."""
    wait_until(lambda: state(replica, place) == wanted, wanted)
    return replica.http.get(place)


def test_an_answer_is_promised_and_fetched(replica: Replica) -> None:
    place = promised(replica, QUICK)
    answer = wait_for(replica, place, "done").json()
    assert place.endswith(answer["query_id"])
    assert (answer["rows"], answer["columns"][1]["type"]) == ([[42, 1.10]], "numeric")
    csv = replica.http.get(place, headers={"Accept": "text/csv"})
    assert csv.text == "n,d\n42,1.10\n"
    as_strings = replica.http.get(place, params={"numbers": "string"}).json()
    assert as_strings["rows"] == [[42, "1.10"]]
    assert replica.http.delete(place).status_code == 204
    gone = replica.http.get(place)
    assert (gone.status_code, gone.json()["type"]) == (404, "/problems/query-unknown")


def test_an_answer_that_comes_soon_is_sent_at_once_to_who_waits(replica: Replica) -> None:
    headers = {"Prefer": "respond-async, wait=30"}
    response = replica.http.post("/v1/query", json=QUICK, headers=headers)
    assert (response.status_code, response.json()["rows"]) == (200, [[42, 1.10]])
    assert response.headers["Preference-Applied"] == "respond-async, wait=30"
    assert replica.http.get(response.headers["Location"]).json()["rows"] == [[42, 1.10]]


def test_what_goes_wrong_is_kept_as_a_problem(replica: Replica) -> None:
    failed = wait_for(replica, promised(replica, {"sql": "SELECT 1 / 0"}), "failed").json()
    assert failed["problem"]["type"] == "/problems/sql-failed"
    assert failed["problem"]["sqlstate"] == "22012"
    late = {"sql": LongQuery(DIRECT).body["sql"], "timeout_s": 2.0}
    failed = wait_for(replica, promised(replica, late), "failed").json()
    assert failed["problem"]["type"] == "/problems/timed-out"


@pytest.mark.parametrize(
    ("body", "status"),
    [({"sql": "DELETE FROM t"}, 400), ({"sql": "SELEC 1"}, 400),
     ({"sql": "SELECT $1"}, 422), ({"sql": "SELECT 1", "timeout_s": 10**6}, 422)],
)  # fmt: skip
def test_what_can_be_refused_at_once_is_never_promised(
    replica: Replica, body: dict[str, object], status: int
) -> None:
    answer = replica.http.post("/v1/query", json=body, headers={"Prefer": "respond-async"})
    assert answer.status_code == status
    assert answer.json()["type"].startswith("/problems/")


def test_a_running_one_and_a_queued_one_are_cancelled(
    replica: Replica, environment: dict[str, str]
) -> None:
    query, waiting = LongQuery(DIRECT), LongQuery(DIRECT)
    first, second = promised(replica, query.body), promised(replica, waiting.body)
    query.wait_until_it_runs(environment["DATABASE_URL"])
    running = replica.http.get(first)
    assert running.headers["Retry-After"] == "1"
    assert running.json()["attempts"] == 1
    for place in (second, first):
        assert replica.http.delete(place).status_code == 204
        assert state(replica, place) == "cancelled"
    query.wait_until_it_is_over(environment["DATABASE_URL"])
    assert waiting.running(environment["DATABASE_URL"]) == 0
    wait_for(replica, promised(replica, QUICK), "done")


def test_more_than_may_wait_are_refused(replica: Replica, environment: dict[str, str]) -> None:
    query = LongQuery(DIRECT)
    places = [promised(replica, query.body)]
    query.wait_until_it_runs(environment["DATABASE_URL"])
    places += [promised(replica, QUICK), promised(replica, QUICK)]
    refused = replica.http.post("/v1/query", json=QUICK, headers=ASYNC)
    assert (refused.status_code, refused.json()["type"]) == (503, "/problems/too-many-queued")
    assert refused.headers["Retry-After"] == "1"
    replica.http.delete(places[0])
    for place in places[1:]:
        wait_for(replica, place, "done")


def test_the_same_key_is_the_same_query(replica: Replica) -> None:
    key = {"Idempotency-Key": '"8e03978e-40d5-43dd-bc93-6894a57f9324"'}
    assert promised(replica, {"sql": "SELECT 1"}, **key) is not None
    again = replica.http.post("/v1/query", json={"sql": "SELECT 1"}, headers={**ASYNC, **key})
    place = again.headers["Location"]
    wait_for(replica, place, "done")
    with_answer = replica.http.post("/v1/query", json={"sql": "SELECT 1"}, headers={**ASYNC, **key})
    assert (with_answer.status_code, with_answer.headers["Location"]) == (200, place)
    other = replica.http.post("/v1/query", json={"sql": "SELECT 2"}, headers={**ASYNC, **key})
    assert (other.status_code, other.json()["type"]) == (422, "/problems/idempotency-key-reused")
    bad = replica.http.post("/v1/query", json=QUICK, headers={**ASYNC, "Idempotency-Key": ""})
    assert (bad.status_code, bad.json()["type"]) == (400, "/problems/idempotency-key-invalid")


def test_progress_is_told_as_events(replica: Replica, environment: dict[str, str]) -> None:
    query = LongQuery(DIRECT)
    place = promised(replica, query.body)
    query.wait_until_it_runs(environment["DATABASE_URL"])
    events = []
    with replica.http.stream("GET", f"{place}/events") as stream:
        assert stream.headers["Content-Type"] == "text/event-stream"
        with httpx.Client(base_url=replica.http.base_url, timeout=DEADLINE_S) as other:
            refused = other.get(f"{place}/events")
            assert refused.json()["type"] == "/problems/too-many-streams"
            for line in stream.iter_lines():
                if line.startswith("event: "):
                    events.append(line.removeprefix("event: "))
                    if events[-1] == "running":
                        assert other.delete(place).status_code == 204
                elif line.startswith("data: "):
                    assert json.loads(line.removeprefix("data: "))["state"] == events[-1]
    assert list(dict.fromkeys(events)) == ["running", "cancelled"]

    def is_told_again() -> bool:
        with replica.http.stream("GET", f"{place}/events") as stream:
            return "event: cancelled" in list(stream.iter_lines())

    # the place is given back just after the last byte was sent
    wait_until(is_told_again, "its place is free again")


def runs(replica: Replica) -> bool:
    """Tell whether the replica runs a query."""
    return bool(replica.http.get("/v1/status").json()["replica"]["running_queries"])


def test_a_query_of_a_killed_replica_is_run_by_another(
    start: Start, environment: dict[str, str]
) -> None:
    # who hangs for a second loses its lease and tries once more: that may happen to either
    short = {**environment, "MILLRACE_ASYNC_LEASE_S": "1", "MILLRACE_ASYNC_MAX_ATTEMPTS": "50"}
    doomed = start(**short)
    query = LongQuery(DIRECT)
    place = promised(doomed, query.body)
    query.wait_until_it_runs(environment["DATABASE_URL"])
    survivor = start(**short)
    _kill(doomed)
    wait_until(lambda: runs(survivor) and state(survivor, place) == "running", "the other runs it")
    assert survivor.http.get(place).json()["attempts"] >= 2
    assert survivor.http.delete(place).status_code == 204
    wait_until(lambda: not runs(survivor), "it is over")


def test_a_query_that_kills_who_runs_it_is_given_up(
    start: Start, environment: dict[str, str]
) -> None:
    short = {**environment, "MILLRACE_ASYNC_LEASE_S": "1", "MILLRACE_ASYNC_MAX_ATTEMPTS": "1"}
    doomed = start(**short)
    query = LongQuery(DIRECT)
    place = promised(doomed, query.body)
    query.wait_until_it_runs(environment["DATABASE_URL"])
    _kill(doomed)
    failed = wait_for(start(**short), place, "failed").json()
    assert failed["problem"]["type"] == "/problems/query-given-up"


def test_what_was_accepted_waits_for_postgresql_without_using_up_its_attempts(
    start: Start, environment: dict[str, str], postgres: EmbeddedPostgres
) -> None:
    once = {"MILLRACE_READER_ROLE": "absent_reader", "MILLRACE_ASYNC_MAX_ATTEMPTS": "1"}
    migrate(
        environment["DATABASE_URL"],
        DatabaseSettings(
            DATABASE_URL=environment["DATABASE_URL"], MILLRACE_READER_ROLE="absent_reader"
        ),
    )
    replica = start(**environment, **once)
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as connection:
        connection.execute("ALTER ROLE absent_reader NOLOGIN")
        connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE usename = 'absent_reader'"
        )
        place = promised(replica, QUICK)
        wait_until(lambda: given_back(replica) >= 2, "it was tried twice in vain")
        connection.execute("ALTER ROLE absent_reader LOGIN")
        answer = wait_for(replica, place, "done").json()
    assert answer["rows"] == [[42, 1.10]]


def given_back(replica: Replica) -> float:
    """Return how often the replica has given a query back."""
    wanted = 'millrace_app_async_queries_total{state="given_back"}'
    lines = replica.http.get("/metrics").text.splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(wanted))


def test_a_request_that_the_balancer_had_to_repeat_is_taken_once(replica: Replica) -> None:
    def taken(request_id: str, sql: str = "SELECT 1", *, repeated: bool = False) -> str:
        headers = {"Prefer": "respond-async", "X-Request-ID": request_id}
        headers |= {"X-Millrace-Repeated": "1"} if repeated else {}
        response = replica.http.post("/v1/query", json={"sql": sql}, headers=headers)
        assert response.is_success
        return str(response.headers["Location"])

    first = taken("one")
    assert taken("one", repeated=True) == first
    assert taken("two", repeated=True) not in (first, taken("three"))
    # a client that gives all its requests one id means another one each time
    second = taken("one")
    assert second != first
    assert taken("one", repeated=True) == second
    assert taken("one", "SELECT 2", repeated=True) not in (first, second)


def test_a_replica_that_stops_hands_its_queries_on_at_once(
    start: Start, environment: dict[str, str]
) -> None:
    leaving = start(**environment)  # with a lease of ten seconds and three attempts
    query = LongQuery(DIRECT)
    place = promised(leaving, query.body)
    query.wait_until_it_runs(environment["DATABASE_URL"])
    staying = start(**environment)
    assert leaving.stop() == 0
    wait_until(lambda: runs(staying) and state(staying, place) == "running", "the other runs it")
    assert staying.http.get(place).json()["attempts"] == 1
    assert staying.http.delete(place).status_code == 204
    query.wait_until_it_is_over(environment["DATABASE_URL"])


def test_what_was_kept_long_enough_is_forgotten(start: Start, environment: dict[str, str]) -> None:
    replica = start(**environment, MILLRACE_ASYNC_LEASE_S="0.4", MILLRACE_ASYNC_RESULT_TTL_S="0.5")
    place = promised(replica, QUICK)
    wait_until(lambda: replica.http.get(place).status_code == 404, "it is forgotten")
    with psycopg.connect(environment["DATABASE_URL"]) as connection:
        row = connection.execute("SELECT count(*) FROM millrace.async_queries").fetchone()
    assert row == (0,)


def test_an_answer_too_large_to_keep_is_no_answer(
    start: Start, environment: dict[str, str]
) -> None:
    replica = start(**environment, MILLRACE_ASYNC_RESULT_MAX_BYTES="2000")
    body = {"sql": "SELECT md5(i::text) FROM generate_series(1, 1000) AS i"}
    failed = wait_for(replica, promised(replica, body), "failed").json()
    assert failed["problem"]["type"] == "/problems/result-too-large"


def _kill(replica: Replica) -> None:
    """Kill the replica's serving processes and its master."""
    os.killpg(replica.process.pid, signal.SIGKILL)
    replica.process.wait()
