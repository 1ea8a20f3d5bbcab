"""Passwords over HTTP, without a worker: what is refused, and that nothing is hashed here."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from app.services import Services
from hashing.passwords.argon2id import Argon2id

ARGON2ID = "$argon2id$v=19$m=65536,t=3,p=4$AAAAAAAAAAAAAAAAAAAAAA$" + "A" * 43


@pytest.mark.parametrize(
    ("body", "pointer", "word"),
    [
        ({}, "/password", "Add this field"),
        ({"password": 1}, "/password", "string"),
        ({"password": "x" * 4097}, "/password", "4096 bytes"),
        ({"password": "x" * 73, "scheme": "bcrypt"}, "/password", "72 bytes"),
        ({"password": "a\0b", "scheme": "bcrypt"}, "/password", "zero byte"),
        ({"password": "x", "scheme": "md5"}, "/scheme", "'argon2id'"),
        ({"password": "x", "log_rounds": 10}, "/log_rounds", "argon2id has no log_rounds"),
        ({"password": "x", "scheme": "scrypt", "passes": 1}, "/passes", "scrypt has no passes"),
        ({"password": "x", "passes": 11}, "/passes", "1 to 10 passes"),
        ({"password": "x", "passes": 0}, "/passes", "at least 1"),
        ({"password": "x", "lanes": 17}, "/lanes", "1 to 16 lanes"),
        ({"password": "x", "memory_kib": 262145}, "/memory_kib", "32 to 262144 KiB"),
        ({"password": "x", "profile": "rfc9106_high_memory"}, "/profile", "262144 KiB"),
        ({"password": "x", "profile": "rfc9106_low_memory", "lanes": 2}, "/profile", "or lanes"),
        ({"password": "x", "scheme": "bcrypt", "profile": "rfc9106_low_memory"}, "/profile", "no"),
        ({"password": "x", "scheme": "scrypt", "log_n": 18}, "/log_n", "bytes of memory"),
        ({"password": "x", "scheme": "scrypt", "r": 64}, "/scheme", "bytes of memory"),
        ({"password": "x", "scheme": "scrypt", "parallelism": 17}, "/parallelism", "up to 16"),
        ({"password": "x", "scheme": "bcrypt", "log_rounds": 16}, "/log_rounds", "4 to 15"),
    ],
)
def test_what_cannot_be_hashed_is_refused_at_once(
    client: FlaskClient, body: dict[str, Any], pointer: str, word: str
) -> None:
    response = client.post("/v1/passwords/hash", json=body)
    problem: Any = response.json
    assert (response.status_code, problem["errors"][0]["pointer"]) == (422, pointer)
    assert word in problem["detail"]


@pytest.mark.parametrize(
    ("encoded", "word"),
    [
        ("", "known scheme"),
        ("5f4dcc3b5aa765d61d8327deb882cf99", "argon2id, scrypt, bcrypt"),
        ("$argon2id$v=19$m=65536", "PHC form"),
        ("$2b$12$short", "not a hash by bcrypt"),
        ("$scrypt$ln=4", "PHC form"),
        (ARGON2ID.replace("m=65536", "m=262145"), "costs more than is allowed"),
        (ARGON2ID.replace("t=3", "t=11"), "costs more than is allowed"),
        ("$2b$16$" + "A" * 53, "costs more than is allowed"),
        ("x" * 1025, "1024"),
    ],
)
def test_a_hash_that_is_none_or_too_costly_is_refused_at_once(
    client: FlaskClient, encoded: str, word: str
) -> None:
    response = client.post("/v1/passwords/verify", json={"password": "pw", "hash": encoded})
    problem: Any = response.json
    assert (response.status_code, problem["errors"][0]["pointer"]) == (422, "/hash")
    assert word in problem["detail"]


def test_a_refused_password_is_not_repeated(client: FlaskClient, log: list[Any]) -> None:
    secret = "my secret, as it is" * 5
    for body in ({"password": secret, "scheme": "bcrypt"}, {"password": secret, "passes": 99}):
        response = client.post("/v1/passwords/hash", json=body)
        assert response.status_code == 422
        assert "secret" not in response.text
    assert "secret" not in str(log)


def test_without_postgresql_and_redis_nothing_is_hashed(
    services: Services, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hash_here(*_: object) -> str:
        raise AssertionError("a replica hashes no password")

    monkeypatch.setattr(Argon2id, "hash", hash_here)
    response = client.post("/v1/passwords/hash", json={"password": "pw"})
    problem: Any = response.json
    assert (response.status_code, problem["type"]) == (503, "/problems/database-unavailable")
    monkeypatch.setattr(services.passwords, "_key", lambda: bytes(32))
    response = client.post("/v1/passwords/hash", json={"password": "pw"})
    problem = response.json
    assert (response.status_code, problem["type"]) == (503, "/problems/queue-unavailable")
    assert response.headers["Retry-After"]


def test_a_process_waits_for_so_many_and_no_more(services: Services, client: FlaskClient) -> None:
    for _ in range(10):
        services.passwords._enter()
    response = client.post("/v1/passwords/hash", json={"password": "pw"})
    problem: Any = response.json
    assert (response.status_code, problem["type"]) == (503, "/problems/passwords-busy")
    assert response.headers["Retry-After"] == "5"  # ten of them, half a second each, at a guess
    services.passwords._leave()
    assert client.post("/v1/passwords/hash", json={"password": "pw"}).json != problem
