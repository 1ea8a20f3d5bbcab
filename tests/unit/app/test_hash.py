"""Hashing over HTTP, without PostgreSQL and Redis."""

import base64
import hashlib
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hashing.registry import REGISTRY


def test_sha256_of_text_is_the_default(client: FlaskClient) -> None:
    response = client.post("/v1/hash", json={"data": "abc"})
    assert response.status_code == 200
    assert response.json == {
        "algorithm": "sha256",
        "digest": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        "digest_bits": 256,
        "size_bytes": 3,
    }


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=100), name=st.sampled_from(sorted(REGISTRY)))
def test_the_same_bytes_give_the_same_digest_in_base64_and_hex(
    client: FlaskClient, data: bytes, name: str
) -> None:
    expected = hashlib.new(name, data).hexdigest()
    encodings = {"base64": base64.b64encode(data).decode(), "hex": data.hex()}
    for encoding, text in encodings.items():
        body = {"algorithm": name, "data": text, "encoding": encoding}
        answer: Any = client.post("/v1/hash", json=body).json
        assert (answer["digest"], answer["size_bytes"]) == (expected, len(data))


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=100))
def test_text_is_hashed_as_utf8(client: FlaskClient, text: str) -> None:
    answer: Any = client.post("/v1/hash", json={"data": text}).json
    assert answer["digest"] == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    ("body", "pointer", "word"),
    [
        ({"data": "YQ", "encoding": "base64"}, "/data", "padding"),
        ({"data": "YQ=\n=", "encoding": "base64"}, "/data", "line breaks"),
        ({"data": "abc", "encoding": "hex"}, "/data", "even number"),
        ({"data": "é", "encoding": "hex"}, "/data", "0-9 a-f"),
        ({"data": "a", "encoding": "UTF8"}, "/encoding", "'utf8'"),
        ({"data": "a", "algorithm": "sha-256"}, "/algorithm", "Did you mean 'sha256'?"),
        ({"data": 1}, "/data", "string"),
        ({"algorithm": "md5"}, "/data", "Add"),
        ({"data": "a", "dta": "b"}, "/dta", "Did you mean 'data'?"),
    ],
)
def test_what_does_not_fit_is_a_422_with_a_remedy(
    client: FlaskClient, body: dict[str, Any], pointer: str, word: str
) -> None:
    response = client.post("/v1/hash", json=body)
    problem: Any = response.json
    assert response.status_code == 422
    assert problem["type"] == "/problems/validation-failed"
    [error] = problem["errors"]
    assert error["pointer"] == pointer
    assert word in error["remedy"]


def test_the_registry_is_listed(client: FlaskClient) -> None:
    listed: Any = client.get("/v1/hash/algorithms").json
    assert [known["name"] for known in listed["algorithms"]] == list(REGISTRY)
    md5 = listed["algorithms"][-1]
    assert md5 == {
        "name": "md5",
        "digest_bits": 128,
        "cryptographic": True,
        "legacy": True,
        "source": "RFC 1321",
    }
