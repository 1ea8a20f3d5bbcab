"""Jobs are taken in once, or refused with the reason."""

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest

from tests.integration.app.jobs.conftest import Desk


def new_key() -> dict[str, str]:
    """Return a header with a key that nobody has used."""
    return {"Idempotency-Key": f'"{uuid4()}"'}


def newest(desk: Desk) -> list[str]:
    """Return the id of the newest job, in a list that is empty before the first."""
    jobs = desk.http.get("/v1/jobs", params={"limit": 1}).json()["jobs"]
    return [job["id"] for job in jobs]


def test_a_job_is_promised_and_done(desk: Desk) -> None:
    response = desk.post("written", tasks=[10, 0, 5], key="hush")
    assert response.status_code == 202
    document = response.json()
    place = response.headers["Location"]
    assert place == document["links"]["self"] == f"/v1/jobs/{document['id']}"
    assert (document["kind"], document["priority"]) == ("written", 5)
    assert document["state"] in {"queued", "running"}  # a worker may have been quick
    assert "key" not in document["parameters"]
    assert document["parameters"]["tasks"] == [10, 0, 5]
    done = desk.wait(place)
    assert done["progress"]["tasks"] == {"done": 4}
    assert (done["progress"]["rows"], done["progress"]["expected_rows"]) == (15, 15)
    assert (done["progress"]["share"], done["progress"]["remaining_s"]) == (1.0, None)
    assert done["summary"] == {"source_bytes": 0}
    assert done["error"] is None
    assert done["created_at"] <= done["started_at"] <= done["finished_at"] < done["expires_at"]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/kind"),
        ({"kind": 5}, "/kind"),
        ({"kind": "writen", "parameters": {"tasks": []}}, "/kind"),
        ({"kind": "written"}, "/parameters/tasks"),
        ({"kind": "written", "parameters": []}, "/parameters"),
        ({"kind": "written", "parameters": {"tasks": [1, "2"]}}, "/parameters/tasks/1"),
        ({"kind": "written", "parameters": {"tasks": [], "slw": 1}}, "/parameters/slw"),
        ({"kind": "written", "parameters": {"tasks": [10**8]}}, "/parameters/tasks"),
        ({"kind": "written", "parameters": {"tasks": []}, "priority": 10}, "/priority"),
        ({"kind": "written", "parameters": {"tasks": []}, "prio": 1}, "/prio"),
    ],
)
def test_what_is_wrong_is_named_and_no_job_is_made(
    desk: Desk, body: dict[str, Any], pointer: str
) -> None:
    before = newest(desk)
    response = desk.http.post("/v1/jobs", json=body)
    assert (response.status_code, response.json()["type"]) == (422, "/problems/validation-failed")
    (error,) = response.json()["errors"]
    assert error["pointer"] == pointer
    assert response.json()["detail"].startswith(pointer)
    if pointer == "/kind" and body.get("kind") == "writen":
        assert error["remedy"] == "Did you mean 'written'? Known: written, programmed."
    assert newest(desk) == before


def test_what_is_no_json_is_refused(desk: Desk) -> None:
    headers = {"Content-Type": "application/json"}
    response = desk.http.post("/v1/jobs", content=b"{", headers=headers)
    assert (response.status_code, response.json()["type"]) == (400, "/problems/malformed-json")
    response = desk.http.post("/v1/jobs", content=b"a,b", headers={"Content-Type": "text/csv"})
    assert response.status_code == 415


def test_fifty_at_once_with_one_key_make_one_job(desk: Desk) -> None:
    body = {"kind": "written", "parameters": {"tasks": [1]}}
    headers = new_key()

    def post(_: int) -> httpx.Response:
        while True:
            with httpx.Client(base_url=desk.http.base_url, timeout=30) as client:
                response = client.post("/v1/jobs", json=body, headers=headers)
            if response.status_code != 409:
                return response
            assert response.json()["type"] == "/problems/idempotency-key-busy"
            assert response.headers["Retry-After"] == "1"

    with ThreadPoolExecutor(50) as pool:
        responses = list(pool.map(post, range(50)))
    assert {response.status_code for response in responses} == {202}
    assert len({response.headers["Location"] for response in responses}) == 1
    replayed = Counter(response.headers.get("Idempotency-Replayed") for response in responses)
    assert replayed == {None: 1, "true": 49}
    with psycopg.connect(desk.database_url) as connection:
        sql = "SELECT count(*) FROM millrace.jobs WHERE idempotency_key = %s"
        key = headers["Idempotency-Key"].strip('"')
        assert connection.execute(sql, [key]).fetchone() == (1,)


def test_a_key_in_a_transaction_that_is_not_over_is_answered_at_once(desk: Desk) -> None:
    headers = new_key()
    with psycopg.connect(desk.database_url) as connection:
        key = headers["Idempotency-Key"].strip('"')
        lock = "SELECT pg_advisory_xact_lock(hashtext('millrace.job_keys'), hashtext(%s))"
        connection.execute(lock, [key])
        busy = desk.post("written", headers=headers, tasks=[])
        assert (busy.status_code, busy.headers["Retry-After"]) == (409, "1")
        assert busy.json()["type"] == "/problems/idempotency-key-busy"
    assert desk.post("written", headers=headers, tasks=[]).status_code == 202


def test_a_key_belongs_to_one_request(desk: Desk) -> None:
    headers = new_key()
    first = desk.post("written", headers=headers, tasks=[1])
    bare = {"Idempotency-Key": headers["Idempotency-Key"].strip('"')}
    again = desk.post("written", headers=bare, tasks=[1])
    assert again.headers["Location"] == first.headers["Location"]
    assert again.headers["Idempotency-Replayed"] == "true"
    for other in ({"tasks": [2]}, {"tasks": [1], "key": "k"}):
        refused = desk.post("written", headers=headers, **other)
        assert refused.status_code == 422
        assert refused.json()["type"] == "/problems/idempotency-key-reused"
    # once forgotten, there is nothing that the key could stand for
    desk.wait(first.headers["Location"])
    assert desk.http.delete(first.headers["Location"], params={"forget": "true"}).status_code == 204
    anew = desk.post("written", headers=headers, tasks=[2])
    assert anew.status_code == 202
    assert anew.headers["Location"] != first.headers["Location"]


@pytest.mark.parametrize("key", ["", '""', '"no end', '"a"b', "x" * 256, "tab\there"])
def test_a_key_that_is_none_is_refused(desk: Desk, key: str) -> None:
    response = desk.post("written", headers={"Idempotency-Key": key}, tasks=[])
    assert response.status_code == 400
    assert response.json()["type"] == "/problems/idempotency-key-invalid"


def form(job: object, file: bytes, *, job_first: bool = True) -> list[Any]:
    """Return the parts of a form as httpx takes them."""
    parts = [
        ("job", (None, json.dumps(job), "application/json")),
        ("file", ("rows.csv", file, "text/csv")),
    ]
    return parts if job_first else parts[::-1]


def uploads(desk: Desk) -> int:
    """Return how many uploads are kept."""
    with psycopg.connect(desk.database_url) as connection:
        sql = "SELECT count(*) FROM millrace.uploads WHERE NOT is_deleted"
        row = connection.execute(sql).fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.parametrize("job_first", [True, False])
def test_a_file_comes_with_its_job(desk: Desk, job_first: bool) -> None:
    file = b"a,b\r\n--not the boundary\r\n" * 200_000
    job = {"kind": "written", "parameters": {"tasks": [3]}}
    response = desk.http.post("/v1/jobs", files=form(job, file, job_first=job_first))
    assert response.status_code == 202, response.text
    done = desk.wait(response.headers["Location"])
    assert done["summary"] == {"source_bytes": len(file)}


def test_a_file_with_a_key_is_the_same_request_only_with_the_same_bytes(desk: Desk) -> None:
    headers = new_key()
    job = {"kind": "written", "parameters": {"tasks": [3]}}
    first = desk.http.post("/v1/jobs", files=form(job, b"abc"), headers=headers)
    before = uploads(desk)
    again = desk.http.post("/v1/jobs", files=form(job, b"abc", job_first=False), headers=headers)
    assert again.headers["Location"] == first.headers["Location"]
    assert again.headers["Idempotency-Replayed"] == "true"
    other = desk.http.post("/v1/jobs", files=form(job, b"abd"), headers=headers)
    assert (other.status_code, other.json()["type"]) == (422, "/problems/idempotency-key-reused")
    assert uploads(desk) == before


@pytest.mark.parametrize(
    "parts",
    [
        form({"kind": "written", "parameters": {"tasks": "many"}}, b"abc"),
        form({"kind": "written", "parameters": {"tasks": "many"}}, b"abc", job_first=False),
        form({"kind": "written", "parameters": {"tasks": [10**8]}}, b"abc"),
        form({"kind": "written", "parameters": {"tasks": [], "source": "x"}}, b"abc"),
        form({"kind": "programmed", "parameters": {"tasks": []}}, b"abc"),
        form({"kind": "written", "parameters": {"tasks": []}}, b"abc")[:1],
        form({"kind": "written", "parameters": {"tasks": []}}, b"abc")[1:],
        form({"kind": "written", "parameters": {"tasks": []}}, b"abc") * 2,
        [*form({"kind": "written", "parameters": {"tasks": []}}, b"abc"), ("more", (None, "x"))],
    ],
)
def test_a_wrong_form_leaves_no_upload(desk: Desk, parts: list[Any]) -> None:
    before = uploads(desk)
    response = desk.http.post("/v1/jobs", files=parts)
    assert (response.status_code, response.json()["type"]) == (422, "/problems/validation-failed")
    assert uploads(desk) == before


def test_the_kinds_tell_what_they_take(desk: Desk) -> None:
    written, told = desk.http.get("/v1/jobs/kinds").json()["kinds"]
    assert (written["name"], told["name"]) == ("written", "programmed")
    assert written["parameters"]["required"] == ["tasks"]
    assert written["streams"] == {"result": ["row", "value"], "errors": ["row"]}
    assert (written["file_parameter"], told["file_parameter"]) == ("source", None)
