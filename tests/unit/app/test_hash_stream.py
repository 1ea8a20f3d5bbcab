"""Bodies hashed as they come, and the digests that come with them."""

import base64
import hashlib
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.hashes import digest_fields
from app.problems import Problem
from app.services import Services

BODY = b"some bytes \x00\xff" * 1000


def field(*names: str, body: bytes = BODY) -> str:
    ours = digest_fields.ALGORITHMS
    return digest_fields.write({name: hashlib.new(ours[name], body).digest() for name in names})


def test_several_algorithms_take_one_pass_in_the_order_asked_for(client: FlaskClient) -> None:
    response = client.post(
        "/v1/hash/stream?algorithm=md5&algorithm=sha512&algorithm=md5", data=BODY
    )
    answer: Any = response.json
    assert answer["size_bytes"] == len(BODY)
    assert [one["algorithm"] for one in answer["digests"]] == ["md5", "sha512"]
    assert answer["digests"][0]["digest"] == hashlib.md5(BODY).hexdigest()
    assert answer["digests"][1]["digest"] == hashlib.sha512(BODY).hexdigest()
    assert answer["content_digest"] == field("sha-512")
    own = base64.b64encode(hashlib.sha256(response.data).digest()).decode()
    assert response.headers["Content-Digest"] == f"sha-256=:{own}:"


def test_sha256_in_hex_is_the_default(client: FlaskClient) -> None:
    answer: Any = client.post("/v1/hash/stream", data=b"").json
    assert answer["digests"] == [
        {"algorithm": "sha256", "digest": hashlib.sha256(b"").hexdigest(), "digest_bits": 256}
    ]
    other: Any = client.post("/v1/hash/stream?output=base64&algorithm=blake3", data=b"").json
    assert other["digests"][0]["digest"].endswith("=")
    assert other["content_digest"] is None


def test_digests_that_come_with_the_body_are_checked(client: FlaskClient) -> None:
    headers = {"Content-Digest": field("sha-256", "sha-512"), "Repr-Digest": field("sha-512")}
    answer: Any = client.post("/v1/hash/stream?algorithm=crc32c", data=BODY, headers=headers).json
    assert [one["algorithm"] for one in answer["digests"]] == ["crc32c"]
    assert answer["checked"] == [
        {"field": "Content-Digest", "algorithm": "sha-256"},
        {"field": "Content-Digest", "algorithm": "sha-512"},
        {"field": "Repr-Digest", "algorithm": "sha-512"},
    ]


@pytest.mark.parametrize("name", digest_fields.FIELDS)
def test_a_digest_of_something_else_is_a_problem(client: FlaskClient, name: str) -> None:
    headers = {name: field("sha-256", body=b"other")}
    response = client.post("/v1/hash/stream", data=BODY, headers=headers)
    problem: Any = response.json
    assert (response.status_code, problem["type"]) == (400, "/problems/digest-mismatch")
    assert (problem["field"], problem["computed"]) == (name, field("sha-256"))


@pytest.mark.parametrize(
    "text",
    ["sha-256", "sha-256=abc", "sha-256=:abc:", "sha-256=:!:", "sha-256=:YQ==:,", ",", "=:YQ==:"],
)
def test_a_malformed_digest_field_is_refused(client: FlaskClient, text: str) -> None:
    response = client.post("/v1/hash/stream", data=BODY, headers={"Content-Digest": text})
    problem: Any = response.json
    assert (response.status_code, problem["type"]) == (400, "/problems/bad-request")
    assert "Content-Digest" in problem["detail"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        ("md5=:YQ==:", {}),
        ("sha-256=:YQ==:;p=1", {"sha-256": b"a"}),
        ("x=:YQ==:, sha-512=:Yg==:", {"sha-512": b"b"}),
        ("sha-256=:YQ==:,\tsha-256=:Yg==:", {"sha-256": b"b"}),
    ],
)
def test_fields_are_read_as_dictionaries(text: str, expected: dict[str, bytes]) -> None:
    assert digest_fields.read("Content-Digest", text) == expected


def test_what_is_announced_and_not_computed_cannot_pass() -> None:
    with pytest.raises(Problem):
        digest_fields.check([("Content-Digest", "sha-256", b"")], {"sha256": b"x"})


@pytest.mark.parametrize(
    ("query", "word"), [("algorithm=sha257", "Did you mean"), ("output=HEX", "base64url")]
)
def test_a_wrong_parameter_is_refused(client: FlaskClient, query: str, word: str) -> None:
    response = client.post(f"/v1/hash/stream?{query}", data=BODY)
    problem: Any = response.json
    assert response.status_code == 422
    assert word in problem["detail"]


def test_bodies_larger_than_json_may_be_are_taken_up_to_their_own_limit(
    app: Flask, services: Services
) -> None:
    big = b"x" * (services.settings.app_max_body_bytes + 1)
    assert app.test_client().post("/v1/hash/stream", data=big).status_code == 200
    limited = services.hashing.settings.model_copy(update={"hash_stream_max_bytes": 1000})
    object.__setattr__(services.hashing, "settings", limited)
    assert app.test_client().post("/v1/hash/stream", data=b"x" * 1000).status_code == 200
    response = app.test_client().post("/v1/hash/stream", data=b"x" * 1001)
    assert response.status_code == 413
    assert "MILLRACE_HASH_STREAM_MAX_BYTES" in response.text
