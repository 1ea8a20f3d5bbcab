"""The promises, seen from outside: right answers, nothing lost, whatever is killed.

Against `millrace up`; or, where MILLRACE_COMPOSE_PROJECT names one, against the running containers
of that project, which must have the demo table and no rate limit.
"""

import hashlib
import json
import threading
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from tests.e2e.running_stack import until
from tests.e2e.stacks import Stack, stack_under_test

pytestmark = pytest.mark.e2e

# 25 million pairs: some two seconds over the workers of a small machine
LONG = (
    "SELECT a.grp, count(*), sum(a.n % 7 + b.id % 5), max(a.n) FROM numbers a "
    "CROSS JOIN (SELECT id FROM numbers WHERE id <= 250) b GROUP BY a.grp ORDER BY a.grp"
)
QUERIES = [
    "SELECT count(*) AS a, sum(n) AS b, avg(amount) AS c, stddev_samp(amount) AS d FROM numbers",
    "SELECT grp AS a, min(amount) AS b, max(n::text) AS c, variance(n) AS d FROM numbers "
    "GROUP BY grp ORDER BY grp",
    "SELECT grp AS a, count(DISTINCT n % 97) AS b, bool_or(amount IS NULL) AS c FROM numbers "
    "WHERE id % 3 <> 0 GROUP BY grp HAVING count(*) > 10 ORDER BY b DESC, a",
    "SELECT id AS a, amount AS b FROM numbers WHERE n > 99990 ORDER BY amount NULLS FIRST, id",
    "SELECT a.grp AS a, count(b.id) AS b FROM numbers a LEFT JOIN numbers b "
    "ON b.id = a.n AND b.n > a.n GROUP BY a.grp ORDER BY a.grp",
]
LOOP = 500
JOB_LIMIT_S = 120.0
RESTART_LIMIT_S = 120.0


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with stack_under_test() as found:
        yield found


def from_postgres(stack: Stack, sql: str) -> list[list[Any]]:
    """Return the rows of a query as PostgreSQL itself gives them, each column having a name."""
    rows = stack.postgres(f"SELECT coalesce(json_agg(row_to_json(q)), '[]')::text FROM ({sql}) q")
    if isinstance(rows, str):
        rows = json.loads(rows, parse_float=Decimal)
    return [list(row.values()) for row in rows]


def known(value: Any) -> Any:
    """Make numbers comparable: one digit less, and they would differ."""
    return str(value) if isinstance(value, int | Decimal) and not isinstance(value, bool) else value


@pytest.mark.parametrize("sql", QUERIES, ids=range(len(QUERIES)))
@pytest.mark.parametrize("engine", ["direct", "auto", "partitioned"])
def test_an_answer_is_postgresqls_own(stack: Stack, sql: str, engine: str) -> None:
    answer = stack.client.query(sql, engine=engine, max_staleness_s=0)
    expected = from_postgres(stack, sql)
    assert [list(map(known, row)) for row in answer["rows"]] == [
        list(map(known, row)) for row in expected
    ]


def test_a_digest_comes_back_through_the_balancer(stack: Stack) -> None:
    body = {"algorithm": "sha256", "data": "hello"}
    status, answer = stack.client.call("POST", "/v1/hash", body)
    assert status == 200
    assert answer["digest"] == hashlib.sha256(b"hello").hexdigest()


def test_the_demo_rows_are_the_same_everywhere(stack: Stack) -> None:
    told = stack.postgres(
        "SELECT json_build_array(md5(string_agg(numbers::text, '|' ORDER BY id)), "
        "count(*) - count(amount)) FROM numbers"
    )
    assert told == ["7c59494f063a072df5a909195c1acd3e", 4954]


def test_what_is_wrong_is_told_and_changes_nothing(stack: Stack) -> None:
    for sql, problem in [
        ("SELEC 1", "sql-syntax"),
        ("DELETE FROM numbers", "statement-not-allowed"),
    ]:
        status, answer = stack.client.call("POST", "/v1/query", {"sql": sql})
        assert (status, answer["type"].rpartition("/")[2]) == (400, problem)
    assert stack.client.query("SELECT count(*) FROM numbers")["rows"] == [[100_000]]


def test_a_worker_killed_in_the_middle_of_a_query_costs_time_not_rows(stack: Stack) -> None:
    whole = stack.client.query(LONG, engine="direct", max_staleness_s=0)
    answers: list[dict[str, Any]] = []
    killed = threading.Event()

    def ask() -> None:
        while not killed.is_set():  # one may be over before anybody has seen it
            answers.append(stack.client.query(LONG, engine="partitioned", max_staleness_s=0))

    worker = stack.programs("worker")[0]
    before = stack.incarnation(worker)
    asking = threading.Thread(target=ask)
    asking.start()
    try:
        until(lambda: stack.is_busy(worker), limit_s=40)
        stack.kill(worker)
    finally:
        killed.set()
    asking.join(60)
    assert answers, "no answer came"
    assert not asking.is_alive(), "the last answer is missing"
    assert all(answer["rows"] == whole["rows"] for answer in answers)
    assert {answer["plan"]["mode"] for answer in answers} == {"partitioned"}
    until(lambda: stack.incarnation(worker) != before, RESTART_LIMIT_S)


def test_a_killed_replica_fails_no_request(stack: Stack) -> None:
    replica = stack.programs("app")[-1]
    before = stack.incarnation(replica)
    failed = []
    for number in range(LOOP):
        if number == LOOP // 5:
            stack.kill(replica)
        status, answer = stack.client.call("POST", "/v1/query", {"sql": f"SELECT {number}"})
        if status != 200 or answer["rows"] != [[number]]:
            failed.append((number, status, answer))
    assert failed == []
    until(lambda: stack.incarnation(replica) != before, RESTART_LIMIT_S)


def test_a_job_is_done_though_its_worker_is_killed(stack: Stack) -> None:
    body = {"kind": "hash_query", "parameters": {"sql": "SELECT id, n, grp FROM numbers"}}
    status, job = stack.client.call("POST", "/v1/jobs", body)
    assert status == 202, job
    worker = stack.programs("worker")[-1]
    before = stack.incarnation(worker)
    stack.kill(worker)

    def state() -> dict[str, Any]:
        found = stack.client.call("GET", f"/v1/jobs/{job['id']}")[1]
        assert found["state"] not in {"failed", "cancelled"}, found
        return dict(found)

    until(lambda: state()["state"] == "done", JOB_LIMIT_S)
    assert state()["progress"]["rows"] == 100_000
    status, _ = stack.client.call("DELETE", f"/v1/jobs/{job['id']}?forget=true")
    assert status == 204
    until(lambda: stack.incarnation(worker) != before, RESTART_LIMIT_S)


SUMMED = (
    "SELECT grp AS a, count(*) AS b, sum(n) AS c, min(id) AS d, avg(amount) AS e FROM numbers "
    "GROUP BY grp ORDER BY grp"
)


def test_segments_answer_as_postgresql_does_while_rows_change_and_workers_die(
    stack: Stack,
) -> None:
    path = "/v1/tables/numbers/acceleration"
    status, answer = stack.client.call("POST", path, as_operator=True)
    assert status == 202, answer

    def is_copied() -> bool:
        _, table = stack.client.call("GET", "/v1/tables/numbers")
        assert table["acceleration"]["failure"] is None, table
        return bool(table["acceleration"]["clean_share"] == 1)

    def ask() -> str:
        answer = stack.client.query(SUMMED, engine="columnar", max_staleness_s=0)
        rows = [list(map(known, row)) for row in from_postgres(stack, SUMMED)]
        assert [list(map(known, row)) for row in answer["rows"]] == rows
        return str(answer["plan"]["mode"])

    until(is_copied, JOB_LIMIT_S)
    assert ask() == "columnar"
    # the same value: other tests count on the demo rows
    assert stack.postgres("UPDATE numbers SET n = n WHERE id = 500 RETURNING id") == 500
    assert ask() == "mixed"
    worker = stack.programs("worker")[0]
    before = stack.incarnation(worker)
    stack.kill(worker)
    assert [ask() for _ in range(5)] == ["mixed"] * 5
    until(lambda: stack.incarnation(worker) != before, RESTART_LIMIT_S)
    status, answer = stack.client.call("DELETE", path, as_operator=True)
    assert status < 300, answer
    until(lambda: stack.client.query(SUMMED, max_staleness_s=0)["plan"]["mode"] == "direct", 20)
