"""The worker's side of passwords: what leaves it, and how it stays behind queries."""

import os
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest
import structlog

from db.errors import DatabaseUnavailable
from hashing.errors import OutOfService
from hashing.passwords.argon2id import Argon2id
from hashing.passwords.bcrypt import Bcrypt
from hashing.passwords.scheme import Limits, Scheme
from hashing.passwords.scrypt import Scrypt
from hashing.passwords.work import Outcome, Work
from tasks.errors import MessageMalformed, TaskFailed
from tasks.lease import Lease
from tasks.message import Task
from tasks.seal import Seal
from worker.password_runner import PasswordRunner, lower_priority

KEY = bytes(range(32))
NAME = "0" * 24
SECRET = "a secret password"


def lease_of(payload: bytes) -> Lease:
    return Lease(Task("1-0", 0, 20_000, NAME, payload), deliveries=1, age_s=0.0)


def sealed(work: Work) -> bytes:
    return Seal(KEY).close("password task", NAME, work.encode())


def outcome_of(work: Work, limits: Limits | None = None) -> Outcome:
    answer = PasswordRunner(lambda: KEY, limits or Limits(), {}).run(lease_of(sealed(work)))
    return Outcome.decode(Seal(KEY).open("password answer", NAME, answer))


def test_it_hashes_and_checks() -> None:
    encoded = outcome_of(Work(SECRET, Bcrypt(4))).encoded
    assert encoded is not None
    found = outcome_of(Work(SECRET, Bcrypt(5), encoded))
    assert (found.valid, found.rehash) == (True, "Its cost is not the one that is configured.")
    assert outcome_of(Work("other", Bcrypt(4), encoded)).valid is False


def test_its_own_limits_hold_whatever_the_replica_let_through() -> None:
    limits = Limits(memory_bytes=1024 * 1024)
    for work in (
        Work(SECRET, Argon2id(1, 2048, 1)),
        Work(SECRET, Scrypt(14, 8, 1)),
        Work(SECRET, Bcrypt(4), "$argon2id$v=19$m=2048,t=1,p=1$AAAAAAAAAAA$" + "A" * 43),
    ):
        refusal = outcome_of(work, limits).refusal
        assert refusal is not None
        assert refusal.kind == "CostRefused"


def test_a_scheme_out_of_service_is_refused_and_no_other() -> None:
    runner = PasswordRunner(lambda: KEY, Limits(), {"bcrypt": "it is wrong"})
    encoded = Bcrypt(4).hash(b"x", Limits(), os.urandom)
    for work in (Work(SECRET, Bcrypt(4)), Work(SECRET, Scrypt(4, 8, 1), encoded)):
        answer = Seal(KEY).open("password answer", NAME, runner.run(lease_of(sealed(work))))
        with pytest.raises(OutOfService, match="'bcrypt' is out of service: it is wrong"):
            Outcome.decode(answer).raise_refusal()
    answer = runner.run(lease_of(sealed(Work(SECRET, Scrypt(4, 8, 1)))))
    assert Outcome.decode(Seal(KEY).open("password answer", NAME, answer)).encoded


def fails(runner: PasswordRunner, payload: bytes) -> str:
    with pytest.raises((TaskFailed, MessageMalformed)) as failure:
        runner.run(lease_of(payload))
    return str(failure.value)


def test_what_it_fails_with_never_repeats_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(*_: object) -> Any:
        raise RuntimeError(f"cannot hash {SECRET}")

    def away() -> bytes:
        raise DatabaseUnavailable(f"gone {SECRET}", 1.0)

    payload = sealed(Work(SECRET, Bcrypt(4)))
    monkeypatch.setattr(Work, "perform", explode)
    with structlog.testing.capture_logs() as log:
        told = [
            fails(PasswordRunner(lambda: KEY, Limits(), {}), payload),
            fails(PasswordRunner(away, Limits(), {}), payload),
            fails(PasswordRunner(lambda: bytes(32), Limits(), {}), payload),
            fails(PasswordRunner(lambda: KEY, Limits(), {}), SECRET.encode()),
        ]
    assert told[0] == "the worker failed with RuntimeError"
    assert "sealing key" in told[1]
    assert SECRET not in str(log) + str(told)
    assert SECRET not in repr(Work(SECRET, Bcrypt(4), SECRET))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has priorities of threads")
def test_the_priority_of_one_thread_is_lowered_and_no_others() -> None:
    found: list[int] = []

    def run() -> None:
        lower_priority(7)
        found.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        child = threading.Thread(
            target=lambda: found.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        )
        child.start()
        child.join()

    before = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert found == [before + 7, before + 7]  # Argon2's own threads are behind, too
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == before


@pytest.fixture
def long_turns() -> Any:
    """Make threads keep the interpreter's lock until they give it up themselves."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1000)
    yield
    sys.setswitchinterval(before)


@pytest.mark.parametrize(
    "scheme", [Argon2id(4, 65536, 1), Scrypt(17, 8, 1), Bcrypt(12)], ids=lambda one: one.name
)
def test_the_interpreter_runs_other_threads_while_a_password_is_hashed(
    scheme: Scheme, long_turns: None
) -> None:
    begun, seen, over = threading.Event(), threading.Event(), threading.Event()

    def run(hash_one: Callable[[], object]) -> None:
        begun.set()
        for _ in range(20):  # however late the other thread gets a processor
            hash_one()
            if seen.is_set():
                return
        over.set()

    thread = threading.Thread(target=run, args=(lambda: scheme.hash(b"x", Limits(), os.urandom),))
    thread.start()
    begun.wait()
    seen.set()  # without its lock released, this is reached too late
    thread.join()
    assert not over.is_set()
