"""What may be stored, and what happens while PostgreSQL is away."""

import json
from typing import Any

import pytest
from flask.testing import FlaskClient

from app.services import Services

KEY = "k" * 32


@pytest.mark.parametrize(
    ("body", "pointer", "word"),
    [
        ({"key": KEY, "store": True}, "/store", "made with key"),
        ({"key": KEY, "hmac": True, "store": True}, "/store", "hmac and key"),
        ({"algorithm": "blake3", "key": KEY, "store": True}, "/store", "made with key"),
        ({"algorithm": "blake3", "context": "c", "store": True}, "/store", "context"),
        ({"algorithm": "blake2b", "salt": "s", "store": True}, "/store", "salt"),
        ({"algorithm": "blake2b", "length": 20, "store": True}, "/store", "length"),
        ({"algorithm": "shake128", "length": 64, "store": True}, "/store", "length"),
        ({"algorithm": "xxh3_64", "seed": 1, "store": True}, "/store", "seed"),
        ({"label": "mine"}, "/label", "store: true"),
        ({"label": "x" * 201, "store": True}, "/label", "200"),
        ({"label": "a\0b", "store": True}, "/label", "zero character"),
        ({"store": 1}, "/store", "true or false"),
    ],
)
def test_what_cannot_be_stored_is_refused_with_a_remedy(
    client: FlaskClient, body: dict[str, Any], pointer: str, word: str
) -> None:
    response = client.post("/v1/hash", json={"data": "x", **body})
    problem: Any = response.json
    assert response.status_code == 422
    assert problem["errors"][0]["pointer"] == pointer
    assert word in problem["detail"]


def test_a_check_stores_nothing(client: FlaskClient) -> None:
    body = {"data": "x", "digest": "00", "store": True}
    assert client.post("/v1/hash/verify", json=body).status_code == 422


@pytest.mark.parametrize(
    ("parameters", "word"),
    [
        ("store=yes", "neither true nor false"),
        ("label=x", "Add store=true"),
        ("store=true&label=" + "x" * 201, "200"),
        ("store=true&label=%00", "zero character"),
    ],
)
def test_parameters_of_a_stream_that_make_no_sense_are_refused(
    client: FlaskClient, parameters: str, word: str
) -> None:
    response = client.post(f"/v1/hash/stream?{parameters}", data=b"x")
    problem: Any = response.json
    assert response.status_code == 422
    assert word in problem["detail"]


@pytest.fixture
def cut_off(services: Services) -> None:
    """A replica that stores, or would: its PostgreSQL is away."""
    services.own_database.open()
    services.digests.commit.start()


def test_without_postgresql_nothing_is_said_to_be_stored_and_hashing_goes_on(
    cut_off: None, client: FlaskClient
) -> None:
    answers = {
        "/v1/hash": client.post("/v1/hash", json={"data": "x", "store": True}),
        "/v1/hash/stream": client.post("/v1/hash/stream?store=true", data=b"x"),
    }
    for response in answers.values():
        problem: Any = response.json
        assert (response.status_code, problem["type"]) == (503, "/problems/database-unavailable")
        assert response.headers["Retry-After"]
    assert client.post("/v1/hash", json={"data": "x"}).status_code == 200
    assert client.get("/v1/digests/md5/" + "0" * 32).status_code == 503


def test_without_postgresql_only_the_items_to_be_stored_fail(
    cut_off: None, client: FlaskClient
) -> None:
    items = [{"data": "a"}, {"data": "b", "store": True}, {"data": "c"}, {"data": "d"}]
    response = client.post("/v1/hash/batch", json=items)
    answers: Any = json.loads(response.text)
    assert [answer["index"] for answer in answers] == [0, 1, 2, 3]
    assert [answer.get("problem", {}).get("status") for answer in answers] == [
        None,
        503,
        None,
        None,
    ]
