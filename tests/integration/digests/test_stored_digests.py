"""Digests that are stored: counted exactly, found again, durable once they are acknowledged."""

import base64
import hashlib
import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from flask.testing import FlaskClient

from app.main import build_app
from app.services import Services
from tests.integration.digests.conftest import MakeReplica

NDJSON = "application/x-ndjson"


def counts(owner: psycopg.Connection) -> dict[str, int]:
    """Return digest in hex to count, of SHA-256."""
    rows = owner.execute(
        "SELECT encode(digest, 'hex'), count FROM millrace.digests WHERE algorithm = 'sha256'"
    ).fetchall()
    return dict(rows)


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_a_stored_digest_is_found_by_its_hex_and_by_its_base64url(client: FlaskClient) -> None:
    body = {"data": "hello", "store": True, "label": "grüße"}
    answer: Any = client.post("/v1/hash", json=body).json
    assert answer["stored"] is True
    client.post("/v1/hash", json={"data": "hello", "store": True})
    digest = bytes.fromhex(answer["digest"])
    texts = [
        digest.hex(), digest.hex().upper(), base64.urlsafe_b64encode(digest).decode().rstrip("="),
    ]  # fmt: skip
    for text in texts:
        found: Any = client.get(f"/v1/digests/sha256/{text}").json
        assert found["digest"] == digest.hex()
        assert (found["count"], found["size_bytes"], found["label"]) == (2, 5, "grüße")
        assert found["first_seen"] < found["last_seen"]
        assert found["last_seen"].endswith("+00:00")


def test_the_latest_label_is_kept(client: FlaskClient) -> None:
    for label in ("one", "two"):
        client.post("/v1/hash", json={"data": "x", "store": True, "label": label})
    found: Any = client.get(f"/v1/digests/sha256/{sha256('x')}").json
    assert found["label"] == "two"


REPEATED = {"X-Millrace-Repeated": "1"}


def test_what_another_replica_may_have_stored_is_not_stored_again(
    client: FlaskClient, owner: psycopg.Connection
) -> None:
    body = {"data": "x", "store": True}
    client.post("/v1/hash", json=body)
    answer: Any = client.post("/v1/hash", json=body, headers=REPEATED)
    assert (answer.status_code, answer.json["type"]) == (503, "/problems/digest-store-unsure")
    assert counts(owner) == {sha256("x"): 1}


def test_a_digest_that_is_not_stored_may_be_asked_for_again(client: FlaskClient) -> None:
    answer: Any = client.post("/v1/hash", json={"data": "x"}, headers=REPEATED)
    assert answer.json["digest"] == sha256("x")


def test_what_was_not_to_be_stored_is_not(client: FlaskClient, owner: psycopg.Connection) -> None:
    assert "stored" not in client.post("/v1/hash", json={"data": "x"}).text
    client.post("/v1/hash", json={"data": "x", "store": False})
    assert counts(owner) == {}
    response = client.get(f"/v1/digests/sha256/{sha256('x')}")
    problem: Any = response.json
    assert (response.status_code, problem["type"]) == (404, "/problems/digest-unknown")


def test_the_input_is_not_stored(client: FlaskClient, owner: psycopg.Connection) -> None:
    client.post("/v1/hash", json={"data": "a secret of mine", "store": True})
    row = owner.execute("SELECT string_agg(d::text, ' ') FROM millrace.digests AS d").fetchone()
    assert row is not None
    assert sha256("a secret of mine") in row[0]
    assert "secret" not in row[0]


def test_a_body_is_stored_under_each_of_its_algorithms(client: FlaskClient) -> None:
    address = "/v1/hash/stream?algorithm=blake3&algorithm=crc32c&store=true&label=a%20file"
    answer: Any = client.post(address, data=b"123456789").json
    assert answer["stored"] is True
    for one in answer["digests"]:
        found: Any = client.get(f"/v1/digests/{one['algorithm']}/{one['digest']}").json
        assert (found["count"], found["size_bytes"], found["label"]) == (1, 9, "a file")


def test_items_of_a_batch_are_stored_and_answered_in_order(
    client: FlaskClient, owner: psycopg.Connection
) -> None:
    def item(number: int) -> dict[str, Any]:
        if number % 10 == 3:
            return {"data": str(number), "algorithm": "none"}
        return {"data": str(number % 700), "store": number % 2 == 0}

    items = [item(number) for number in range(3000)]
    body = "\n".join(map(json.dumps, items))
    answers = [
        json.loads(line)
        for line in client.post("/v1/hash/batch", data=body, content_type=NDJSON).text.splitlines()
    ]
    assert [answer["index"] for answer in answers] == list(range(3000))
    for number, answer in enumerate(answers):
        if number % 10 == 3:
            assert answer["problem"]["status"] == 422
        else:
            assert answer["digest"] == sha256(items[number]["data"])
            assert answer.get("stored", False) is items[number]["store"]
    expected = Counter(sha256(one["data"]) for one in items if one.get("store"))
    assert counts(owner) == expected


def test_two_replicas_count_exactly(make_replica: MakeReplica, owner: psycopg.Connection) -> None:
    clients = [build_app(make_replica()).test_client for _ in range(2)]

    def post(number: int) -> int:
        client = clients[number % 2]()
        texts = [f"{(number * step) % 7}" for step in range(1, 21)]
        statuses = {
            client.post("/v1/hash", json={"data": text, "store": True}).status_code
            for text in texts
        }
        # in the opposite order of the other replica's, in one group: rows lock in one order
        lines = "\n".join(json.dumps({"data": text, "store": True}) for text in texts[::-1])
        answer = client.post("/v1/hash/batch", data=lines, content_type=NDJSON)
        assert "problem" not in answer.text
        assert statuses == {200}
        return len(texts)

    with ThreadPoolExecutor(12) as threads:
        assert sum(threads.map(post, range(24))) == 480
    expected = Counter(
        sha256(f"{(number * step) % 7}") for number in range(24) for step in range(1, 21)
    )
    assert counts(owner) == {digest: 2 * count for digest, count in expected.items()}


def test_all_that_was_acknowledged_is_there_whatever_backends_die(
    make_replica: MakeReplica, owner: psycopg.Connection, database_url: str
) -> None:
    clients = [build_app(make_replica()).test_client for _ in range(2)]
    over, stored_some = threading.Event(), threading.Event()
    killed = 0

    def goes_on(for_s: float) -> bool:
        """Three seconds, or until both have happened."""
        return for_s < 3 or (for_s < 60 and not (killed and stored_some.is_set()))

    def kill() -> None:
        nonlocal killed
        with psycopg.connect(database_url, autocommit=True) as connection:
            while not over.is_set():
                row = connection.execute(
                    "SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) "
                    "FROM pg_stat_activity WHERE datname = current_database() "
                    "AND application_name = 'millrace/app-own' AND state = 'active'"
                ).fetchone()
                killed += row[0] if row else 0
                over.wait(0.002)

    def post(number: int) -> tuple[Counter[str], Counter[str]]:
        client = clients[number % 2]()
        acknowledged, refused = Counter[str](), Counter[str]()
        began = time.monotonic()
        step = 0
        while goes_on(time.monotonic() - began):
            step += 1
            text = f"{step % 5}"
            response = client.post("/v1/hash", json={"data": text, "store": True})
            assert response.status_code in (200, 503)
            if response.status_code == 200:
                acknowledged[sha256(text)] += 1
                stored_some.set()
            else:
                assert response.headers["Retry-After"]
                refused[sha256(text)] += 1
        return acknowledged, refused

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        with ThreadPoolExecutor(8) as threads:
            found = list(threads.map(post, range(8)))
    finally:
        over.set()
        killer.join()
    acknowledged = sum((one for one, _ in found), Counter[str]())
    refused = sum((one for _, one in found), Counter[str]())
    stored = counts(owner)
    assert killed > 0
    assert acknowledged.total() > 0
    for digest in acknowledged | refused:
        assert stored.get(digest, 0) >= acknowledged[digest]
        assert stored.get(digest, 0) <= acknowledged[digest] + refused[digest]


def test_a_row_that_somebody_else_locks_is_not_known_to_be_stored(
    client: FlaskClient, services: Services, owner: psycopg.Connection, database_url: str
) -> None:
    client.post("/v1/hash", json={"data": "x", "store": True})
    database = owner.info.dbname
    owner.execute(f"ALTER DATABASE {database} SET lock_timeout = '50ms'".encode())
    owner.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE application_name = 'millrace/app-own' AND datname = current_database()"
    )
    with psycopg.connect(database_url) as other:
        other.execute("SELECT FROM millrace.digests FOR UPDATE")
        response = client.post("/v1/hash", json={"data": "x", "store": True})
    problem: Any = response.json
    assert (response.status_code, problem["type"]) == (503, "/problems/digest-store-unsure")
    assert counts(owner) == {sha256("x"): 1}


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("sha-256/00", "Did you mean 'sha256'?"),
        ("sha256/00", "32 bytes"),
        ("sha256/" + "g" * 64, "64 digits of hex"),
        ("crc32c/e306929", "8 digits of hex"),
    ],
)
def test_an_address_that_names_no_digest_is_refused(
    client: FlaskClient, address: str, words: str
) -> None:
    response = client.get(f"/v1/digests/{address}")
    problem: Any = response.json
    assert (response.status_code, problem["type"]) == (422, "/problems/validation-failed")
    assert words in problem["detail"]


def test_every_algorithm_can_be_stored(
    client: FlaskClient, services: Services, forms: Callable[[bytes], list[str]]
) -> None:
    algorithms: Any = client.get("/v1/hash/algorithms").json
    for known in algorithms["algorithms"]:
        body = {"data": "v", "algorithm": known["name"], "store": True}
        answer: Any = client.post("/v1/hash", json=body).json
        for text in forms(bytes.fromhex(answer["digest"])):
            found: Any = client.get(f"/v1/digests/{known['name']}/{text}").json
            assert found["count"] == 1


@pytest.fixture
def forms() -> Callable[[bytes], list[str]]:
    def both(digest: bytes) -> list[str]:
        return [digest.hex(), base64.urlsafe_b64encode(digest).decode().rstrip("=")]

    return both
