"""Hashing over HTTP, without PostgreSQL and Redis."""

import base64
import hashlib
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st

from app.models_hash import HashResponse
from app.services import Services
from hashing.digester import Digester
from hashing.registry import REGISTRY
from hashing.rows import encode_row


def test_sha256_of_text_is_the_default(client: FlaskClient) -> None:
    response = client.post("/v1/hash", json={"data": "abc"})
    assert response.status_code == 200
    assert response.json == {
        "algorithm": "sha256",
        "construction": "digest",
        "digest": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        "digest_bits": 256,
        "size_bytes": 3,
    }


@settings(max_examples=30)
@given(data=st.binary(max_size=100), name=st.sampled_from(sorted(REGISTRY)))
def test_the_same_bytes_give_the_same_digest_in_base64_and_hex(
    client: FlaskClient, data: bytes, name: str
) -> None:
    expected = Digester({}).digest(name, data).hex()
    encodings = {"base64": base64.b64encode(data).decode(), "hex": data.hex()}
    for encoding, text in encodings.items():
        body = {"algorithm": name, "data": text, "encoding": encoding}
        answer: Any = client.post("/v1/hash", json=body).json
        assert (answer["digest"], answer["size_bytes"]) == (expected, len(data))


@settings(max_examples=30)
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
    blake2b = next(known for known in listed["algorithms"] if known["name"] == "blake2b")
    assert blake2b == {
        "name": "blake2b",
        "digest_bits": 512,
        "cryptographic": True,
        "legacy": False,
        "length": {"least": 1, "most": 64},
        "key": {"least": 1, "most": 64},
        "hmac": True,
        "salt_bytes": 16,
        "person_bytes": 16,
        "context": False,
        "seed": False,
        "source": "RFC 7693; salt and person: BLAKE2 specification, 2.8",
        "out_of_service": None,
    }


@pytest.mark.parametrize(
    ("body", "construction", "digest"),
    [
        # RFC 4231, case 2; BLAKE3's and BLAKE2's own vectors; xxHash's sanity test; FIPS 202
        (
            {"data": "what do ya want for nothing?", "key": "Jefe"},
            "hmac",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
        (
            {"algorithm": "blake3", "data": "", "key": "whats the Elvish word for friend"},
            "keyed",
            "92b2b75604ed3c761f9d6f62392c8a9227ad0ea3f09573e783f1498a4ed60d26",
        ),
        (
            {
                "algorithm": "blake3",
                "data": "",
                "context": "BLAKE3 2019-12-27 16:29:52 test vectors context",
            },
            "derive_key",
            "2cc39783c223154fea8dfb7c1b1660f2ac2dcbd1c1de8277b0b0dd39b7e50d7d",
        ),
        (
            {
                "algorithm": "blake2s",
                "data": "",
                "key": bytes(range(32)).hex(),
                "key_encoding": "hex",
            },
            "keyed",
            "48a8997da407876b3d79c0d92325ad3b89cbb754d86ab71aee047ad345fd2c49",
        ),
        (
            {"algorithm": "xxh3_64", "data": "", "seed": 11400714785074694797},
            "digest",
            "a8a6b918b2f0364a",
        ),
        ({"algorithm": "shake128", "data": "", "length": 4}, "digest", "7f9c2ba4"),
    ],
)
def test_options_reach_the_algorithm(
    client: FlaskClient, body: dict[str, Any], construction: str, digest: str
) -> None:
    answer = HashResponse.model_validate(client.post("/v1/hash", json=body).json)
    assert (answer.construction, answer.digest) == (construction, digest)
    assert answer.digest_bits == 4 * len(digest)


def test_digests_are_written_as_asked(client: FlaskClient) -> None:
    raw = hashlib.sha256(b"abc").digest()
    padded = base64.urlsafe_b64encode(raw).decode()
    for output, expected in (
        ("base64", base64.b64encode(raw).decode()),
        ("base64url", padded.rstrip("=")),
    ):
        answer: Any = client.post("/v1/hash", json={"data": "abc", "output": output}).json
        assert answer["digest"] == expected


def test_rows_are_hashed_in_their_canonical_encoding(client: FlaskClient) -> None:
    seen = set()
    for row in (["ab", "c"], ["a", "bc"], [None], [""], [1], [1.0], ["1"], [True], []):
        answer: Any = client.post("/v1/hash", json={"row": row}).json
        assert answer["digest"] == hashlib.sha256(encode_row(row)).hexdigest()
        seen.add(answer["digest"])
    assert len(seen) == 9


@pytest.mark.parametrize(
    ("body", "pointer", "word"),
    [
        ({"data": "a", "row": []}, "/row", "one of them"),
        ({"data": "a", "length": 5}, "/length", "Leave length out"),
        ({"data": "a", "hmac": True}, "/key", "Send key"),
        ({"data": "a", "key": ""}, "/key", "1 to 65536"),
        ({"data": "a", "key": "zz", "key_encoding": "hex"}, "/key", "0-9 a-f"),
        ({"data": "a", "salt": "s"}, "/salt", "Leave it out"),
        ({"data": "a", "algorithm": "crc32c", "key": "k"}, "/key", "Leave it out"),
        ({"data": "\ud800"}, "", ""),
    ],
)
def test_options_that_do_not_fit_are_refused_by_name(
    client: FlaskClient, body: dict[str, Any], pointer: str, word: str
) -> None:
    response = client.post("/v1/hash", json=body)
    problem: Any = response.json
    if not pointer:  # half a surrogate is no JSON text at all
        assert problem["type"] == "/problems/malformed-json"
        return
    assert problem["type"] == "/problems/validation-failed"
    assert problem["errors"][0]["pointer"] == pointer
    assert word in problem["errors"][0]["remedy"]


def test_verify_tells_right_from_wrong(client: FlaskClient) -> None:
    body = {"data": "abc", "key": "k", "output": "base64"}
    digest: Any = client.post("/v1/hash", json=body).json
    right: Any = client.post("/v1/hash/verify", json={**body, "digest": digest["digest"]}).json
    assert right == {"algorithm": "sha256", "construction": "hmac", "valid": True}
    for other in ("", base64.b64encode(bytes(32)).decode()):
        wrong: Any = client.post("/v1/hash/verify", json={**body, "digest": other}).json
        assert wrong["valid"] is False
    broken: Any = client.post("/v1/hash/verify", json={**body, "digest": "!"}).json
    assert broken["errors"][0]["pointer"] == "/digest"


def test_keys_are_derived(client: FlaskClient) -> None:
    # RFC 5869, A.1, and RFC 6070, the second
    hkdf = {
        "function": "hkdf", "key": "0b" * 22, "salt": "000102030405060708090a0b0c",
        "info": "f0f1f2f3f4f5f6f7f8f9", "length": 42, "encoding": "hex",
    }  # fmt: skip
    answer: Any = client.post("/v1/hash/derive", json=hkdf).json
    assert answer["derived"].startswith("3cb25f25faacd57a90434f64d0362f2a")
    pbkdf2 = {
        "function": "pbkdf2", "algorithm": "sha1", "key": "password", "salt": "salt",
        "iterations": 2, "length": 20,
    }  # fmt: skip
    answer = client.post("/v1/hash/derive", json=pbkdf2).json
    assert answer["derived"] == "ea6c014dc72d6f8ccd1ed92ace1d41f0d8de8957"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"function": "pbkdf2"}, "/iterations"),
        ({"function": "pbkdf2", "iterations": 2_000_001}, "/iterations"),
        ({"function": "pbkdf2", "iterations": 1, "info": "x"}, "/info"),
        ({"function": "hkdf", "iterations": 1}, "/iterations"),
        ({"function": "hkdf", "algorithm": "blake3"}, "/algorithm"),
        ({"function": "hkdf", "length": 0}, "/length"),
    ],
)
def test_derivations_that_make_no_sense_are_refused(
    client: FlaskClient, body: dict[str, Any], pointer: str
) -> None:
    problem: Any = client.post("/v1/hash/derive", json={"key": "k", **body}).json
    assert problem["errors"][0]["pointer"] == pointer


def test_an_algorithm_out_of_service_is_refused_and_shown(
    client: FlaskClient, services: Services
) -> None:
    services.hashing.digester.failures["md5"] = "its digest of a published message is wrong"
    response = client.post("/v1/hash", json={"algorithm": "md5", "data": "a"})
    problem: Any = response.json
    assert (response.status_code, problem["type"]) == (503, "/problems/algorithm-out-of-service")
    assert "'md5'" in problem["detail"]
    assert response.headers["Retry-After"]
    status: Any = client.get("/v1/status").json
    assert status["hashing"]["out_of_service"] == [
        {"algorithm": "md5", "reason": "its digest of a published message is wrong"}
    ]
    listed: Any = client.get("/v1/hash/algorithms").json
    assert [one["name"] for one in listed["algorithms"] if one["out_of_service"]] == ["md5"]
    assert client.post("/v1/hash", json={"data": "a"}).status_code == 200
