"""Passwords through replica, Redis and worker: right, bounded, and readable by nobody between."""

import base64
import hashlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import argon2
import bcrypt
import psycopg
import pytest
import redis
from flask.testing import FlaskClient

from app.main import build_app
from app.services import Services
from cli.embedded.place import place_for
from db.migrate import migrate
from db.own import own_database
from db.sealing_key import SealingKey
from db.settings import OWN_SCHEMA, DatabaseSettings
from tasks.dispatcher import Dispatcher, new_reply_to
from tasks.lanes import PASSWORD
from tasks.lease import Lease
from tasks.seal import Seal
from tasks.settings import QueueSettings
from tests.integration.app.conftest import Replica, wait_until
from tests.integration.passwords.conftest import lane_of, running_worker

PASSWORD_TEXT = "correct horse battery staple, grüße"
CHEAP: dict[str, dict[str, Any]] = {
    "argon2id": {"scheme": "argon2id", "passes": 1, "memory_kib": 64, "lanes": 2},
    "scrypt": {"scheme": "scrypt", "log_n": 4},
    "bcrypt": {"scheme": "bcrypt", "log_rounds": 4},
}


def test_all_schemes_hash_and_verify_as_others_do(
    client: FlaskClient, queue: redis.Redis, tmp_path: Path
) -> None:
    with running_worker(tmp_path / "log", queue):
        hashes = {}
        for name, cost in CHEAP.items():
            body = {"password": PASSWORD_TEXT, **cost}
            answer: Any = client.post("/v1/passwords/hash", json=body).json
            assert answer["scheme"] == name
            assert answer["parameters"].items() >= (cost.items() - {("scheme", name)})
            assert answer["took_ms"] > 0
            hashes[name] = answer["hash"]
        for name, encoded in hashes.items():
            for password, valid in ((PASSWORD_TEXT, True), (PASSWORD_TEXT + "x", False)):
                body = {"password": password, "hash": encoded, **CHEAP[name]}
                answer = client.post("/v1/passwords/verify", json=body).json
                took_ms = answer.pop("took_ms")
                assert took_ms > 0
                assert answer == {"valid": valid, "needs_rehash": False, "advice": None}
        answer = client.post(
            "/v1/passwords/verify", json={"password": PASSWORD_TEXT, "hash": hashes["bcrypt"]}
        ).json
        assert (answer["valid"], answer["needs_rehash"]) == (True, True)
        assert answer["advice"]
    assert argon2.PasswordHasher().verify(hashes["argon2id"], PASSWORD_TEXT)
    assert bcrypt.checkpw(PASSWORD_TEXT.encode(), hashes["bcrypt"].encode())
    *_, salt, derived = hashes["scrypt"].split("$")
    assert base64.b64decode(derived + "=") == hashlib.scrypt(
        PASSWORD_TEXT.encode(), salt=base64.b64decode(salt + "=="), n=16, r=8, p=1, dklen=32
    )


def test_a_damaged_hash_that_only_the_work_shows_is_a_422(
    client: FlaskClient, queue: redis.Redis, tmp_path: Path
) -> None:
    damaged = "$argon2id$v=19$m=64,t=1,p=1$AAAA$" + "A" * 43
    with running_worker(tmp_path / "log", queue):
        response = client.post("/v1/passwords/verify", json={"password": "x", "hash": damaged})
    problem: Any = response.json
    assert (response.status_code, problem["errors"][0]["pointer"]) == (422, "/hash")
    assert "damaged" in problem["detail"]


def written(folder: Path) -> bytes:
    """Return all that the Valkey of this folder has on its disk."""
    files = [path for path in place_for(folder).home.rglob("*") if path.is_file()]
    return b"".join(path.read_bytes() for path in files)


def test_a_password_is_found_in_no_log_and_not_on_the_disk_of_redis(
    environment: dict[str, str], queue: redis.Redis, folder: Path, tmp_path: Path
) -> None:
    before = written(folder)
    replica = Replica(tmp_path / "replica", environment)
    try:
        wait_until(replica.answers, "the replica answers")
        with running_worker(tmp_path / "worker.log", queue):
            body = {"password": PASSWORD_TEXT, **CHEAP["argon2id"]}
            answer = replica.http.post("/v1/passwords/hash", json=body).json()
            body["hash"] = answer["hash"]
            assert replica.http.post("/v1/passwords/verify", json=body).json()["valid"]
            refused = {**body, "scheme": "bcrypt", "hash": "none"}
            assert replica.http.post("/v1/passwords/verify", json=refused).status_code == 422
            status: Any = replica.http.get("/v1/status").json()
            assert PASSWORD.name in {lane["name"] for lane in status["lanes"]["items"]}
            [worker] = status["workers"]["items"]
            assert PASSWORD.name in worker["lanes"]
    finally:
        replica.stop()
    logs = [replica.log, tmp_path / "worker.log"]
    disk = written(folder)
    for command in ("XADD", "RPUSH"):  # tasks and answers are there, as Redis took them: sealed
        assert disk.count(command.encode()) - before.count(command.encode()) >= 2
    for secret in (PASSWORD_TEXT, "horse battery", answer["hash"], answer["hash"].split("$")[-1]):
        assert secret.encode() not in disk
        assert all(secret.encode() not in log.read_bytes() for log in logs)


def post(client: FlaskClient, **more: Any) -> tuple[int, str]:
    """Hash a password; return the status and the problem's type and detail."""
    response = client.post("/v1/passwords/hash", json={"password": "x", **CHEAP["bcrypt"], **more})
    body: Any = response.json
    return response.status_code, body.get("type", "") + " " + body.get("detail", "")


def test_an_answer_that_was_changed_or_is_anothers_is_refused(
    client: FlaskClient, queue: redis.Redis, services: Services
) -> None:
    seal = Seal(services.passwords._key())
    honest = b'{"took_s": 1.0, "encoded": "forged", "valid": true, "rehash": null, "refusal": null}'
    answers: list[Callable[[Lease], bytes]] = [
        lambda lease: honest,
        lambda lease: lease.task.payload,
        lambda lease: seal.close("password answer", new_reply_to(), honest),
        lambda lease: seal.close("password task", lease.task.reply_to, honest),
        lambda lease: seal.close("password answer", lease.task.reply_to, b"nonsense"),
    ]
    for answer in answers:
        with lane_of(queue, answer):
            status, told = post(client)
        assert status == 503
        assert "changed on its way" in told
    with lane_of(queue, lambda lease: seal.close("password answer", lease.task.reply_to, honest)):
        assert post(client)[0] == 200  # the same, sealed as it should be


def test_a_worker_refuses_a_task_that_was_changed_or_moved(
    services: Services, queue: redis.Redis, tmp_path: Path
) -> None:
    key, name = services.passwords._key(), new_reply_to()
    work = b'{"password": "x", "scheme": "bcrypt", "cost": {"log_rounds": 4}, "encoded": null}'
    sealed = Seal(key).close("password task", name, work)
    dispatcher = Dispatcher(queue, QueueSettings(), lane=PASSWORD)

    def error_of(payload: bytes, reply_to: str) -> str | None:
        with dispatcher.scatter([payload], timeout_s=20, reply_to=reply_to) as scatter:
            return next(scatter.gather()).error

    with running_worker(tmp_path / "log", queue):
        assert "changed" in str(error_of(sealed, new_reply_to()))
        assert "changed" in str(error_of(sealed[:-1] + bytes([sealed[-1] ^ 1]), name))
        assert "changed" in str(error_of(work, new_reply_to()))
        assert "changed" in str(error_of(Seal(bytes(32)).close("password task", name, work), name))
        assert error_of(sealed, name) is None


def test_without_a_worker_that_takes_passwords_they_are_refused(
    client: FlaskClient, queue: redis.Redis, tmp_path: Path
) -> None:
    assert post(client)[0] == 503
    with running_worker(tmp_path / "log", queue, MILLRACE_WORKER_PASSWORD_SLOTS="0"):
        status, told = post(client)
    assert (status, told.split()[0]) == (503, "/problems/queue-unavailable")


def test_when_the_lane_is_full_retry_after_says_when_to_come_back(
    services: Services, client: FlaskClient, queue: redis.Redis
) -> None:
    gate = threading.Event()

    def hold(lease: Lease) -> bytes:
        assert gate.wait(30)
        return b""

    others = [build_app(services).test_client() for _ in range(2)]
    with lane_of(queue, hold):
        threads = [threading.Thread(target=post, args=(other,)) for other in others]
        for thread in threads:
            thread.start()
        wait_until(lambda: queue.xlen(PASSWORD.stream) == 2, "two tasks are queued")
        response = client.post("/v1/passwords/hash", json={"password": "x"})
        gate.set()
        for thread in threads:
            thread.join()
    problem: Any = response.json
    assert (response.status_code, problem["type"]) == (503, "/problems/passwords-busy")
    assert response.headers["Retry-After"] == "1"
    assert "MILLRACE_PASSWORD_MAX_QUEUED" in problem["detail"]


def test_a_password_that_would_wait_too_long_is_refused_with_the_estimate(
    services: Services, client: FlaskClient, queue: redis.Redis
) -> None:
    gates = [threading.Event(), threading.Event()]

    def hold(lease: Lease) -> bytes:
        gates[0].wait(0.7)
        assert not gates[0].is_set() or gates[1].wait(30)
        return b""

    other = build_app(services).test_client()
    dispatcher = services.passwords._dispatcher
    with lane_of(queue, hold):
        post(client)  # takes a while, and so tells how long one takes
        wait_until(lambda: dispatcher.capacity().rate is not None, "that is known")
        gates[0].set()
        thread = threading.Thread(target=post, args=(other,))
        thread.start()
        wait_until(lambda: queue.xlen(PASSWORD.stream) == 1, "one is queued")
        services.passwords.timeout_s = 0.9
        response = client.post("/v1/passwords/hash", json={"password": "x"})
        gates[1].set()
        thread.join()
    problem: Any = response.json
    assert (response.status_code, problem["type"]) == (503, "/problems/passwords-busy")
    assert int(response.headers["Retry-After"]) >= 1
    assert "can be hashed in time" in problem["detail"]


def test_the_deadline_ends_the_wait(
    services: Services, client: FlaskClient, queue: redis.Redis
) -> None:
    services.passwords.timeout_s = 0.3
    gate = threading.Event()

    def hold(lease: Lease) -> bytes:
        assert gate.wait(30)
        return b""

    with lane_of(queue, hold):
        status, told = post(client)
        gate.set()
    assert (status, told.split()[0]) == (504, "/problems/timed-out")
    wait_until(lambda: queue.xlen(PASSWORD.stream) == 0, "nothing is left of it")


def test_every_installation_has_a_key_of_its_own_that_only_the_owner_reads(
    database_url: str,
) -> None:
    settings = DatabaseSettings(url=database_url)
    migrate(database_url, settings)
    with own_database(settings, "test") as own:
        key = SealingKey(own)
        known = key.get()
        assert len(known) == 32
        assert known == SealingKey(own).get()
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"SET ROLE {settings.reader_role}".encode())
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(f"SELECT value FROM {OWN_SCHEMA}.secrets".encode())
