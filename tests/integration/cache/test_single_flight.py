"""Many who ask the same at the same time, in one replica and in several."""

import threading
from collections import Counter

import pytest

from app.cache.policy import CachePolicy
from app.cache.redis_store import LOCK
from app.cache.status import CachedAnswer
from app.queries.control import Control
from app.queries.errors import Cancelled, DeadlinePassed
from app.queries.sql_error import SqlError
from tests.integration.cache.replicas import PATIENT, Replica, eventually

SQL = "SELECT sum(n) FROM t"


class Askers:
    """Threads that ask, and what they got."""

    def __init__(self) -> None:
        self.answers: list[CachedAnswer] = []
        self.errors: list[Exception] = []
        self.threads: list[threading.Thread] = []

    def ask(self, replica: Replica, sql: str = SQL, control: Control | None = None) -> None:
        def run() -> None:
            try:
                self.answers.append(replica.ask(sql, control=control))
            except Exception as error:  # noqa: BLE001 - the test looks at it
                self.errors.append(error)

        self.threads.append(threading.Thread(target=run))
        self.threads[-1].start()

    def join(self) -> None:
        for thread in self.threads:
            thread.join(30)
            assert not thread.is_alive()

    def origins(self) -> Counter[str]:
        return Counter(answer.status.origin for answer in self.answers)


def waiting(replica: Replica) -> int:
    return replica.cache.answers._flights._waiting


def test_many_in_two_replicas_cost_one_execution(one: Replica, other: Replica) -> None:
    askers = Askers()
    for replica in (one, other):
        replica.service.gate.clear()
    for _ in range(16):
        askers.ask(one)
        askers.ask(other)
    eventually(lambda: waiting(one) == waiting(other) == 15)
    for replica in (one, other):
        replica.service.gate.set()
    askers.join()
    assert not askers.errors
    assert one.service.runs + other.service.runs == 1
    assert {answer.answer.rows[0] for answer in askers.answers} == {("30",)}
    assert askers.origins() == {"miss": 1, "hit": 1, "collapsed": 30}


def test_a_leader_that_is_cancelled_hands_over(one: Replica, other: Replica) -> None:
    askers, control = Askers(), Control("first", 60.0)
    one.service.gate.clear()
    askers.ask(one, control=control)
    eventually(lambda: one.service.begun == 1)
    askers.ask(one)
    askers.ask(other)
    eventually(lambda: waiting(one) == 1)
    control.cancel("client gone")
    one.service.gate.set()
    askers.join()
    assert [type(error) for error in askers.errors] == [Cancelled]
    assert len(askers.answers) == 2
    assert one.service.runs + other.service.runs == 1


def test_a_follower_has_its_own_end(one: Replica) -> None:
    askers, control = Askers(), Control("second", 60.0)
    one.service.gate.clear()
    askers.ask(one)
    eventually(lambda: one.service.begun == 1)
    askers.ask(one, control=control)
    askers.ask(one, control=Control("third", 0.05))
    eventually(lambda: any(isinstance(error, DeadlinePassed) for error in askers.errors))
    control.cancel("deleted")
    eventually(lambda: any(isinstance(error, Cancelled) for error in askers.errors))
    one.service.gate.set()
    askers.join()
    assert askers.origins() == {"miss": 1}


@pytest.mark.parametrize("cache_settings", [PATIENT.model_copy(update={"cache_lease_s": 1.0})])
def test_a_leader_that_dies_is_replaced_when_its_lease_lapses(one: Replica, other: Replica) -> None:
    dead = other
    askers = Askers()
    dead.service.gate.clear()
    askers.ask(dead)
    eventually(lambda: dead.service.begun == 1)
    # what a killed process does no more: it renews no lease and gives none back
    dead.cache.background._keeping._stopped.set()
    found = one.ask(SQL)
    assert (found.status.origin, one.service.runs) == ("miss", 1)
    dead.service.gate.set()
    askers.join()
    assert not askers.errors


@pytest.fixture
def busy_keeping(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leases are renewed ten times a second."""
    monkeypatch.setattr("app.cache.keeping.RENEWALS_A_LEASE", 10 * PATIENT.cache_lease_s)


@pytest.mark.usefixtures("busy_keeping")
def test_a_long_computation_keeps_its_lease(one: Replica, other: Replica) -> None:
    askers = Askers()
    one.service.gate.clear()
    askers.ask(one)
    eventually(lambda: one.service.begun == 1)
    redis = one.cache.stores.redis._client
    (lock,) = redis.keys(f"{LOCK}*")
    token = redis.get(lock)
    for _ in range(3):
        redis.pexpire(lock, 30_000)  # half of it is over
        eventually(lambda: redis.pttl(lock) > 30_000)
        assert redis.get(lock) == token
    one.service.gate.set()
    askers.join()
    assert other.origin(SQL) == "hit"


def test_an_error_is_each_ones_own(one: Replica) -> None:
    askers = Askers()
    one.service.gate.clear()
    sql = "SELECT 1 / (n - n) FROM t"
    for _ in range(4):
        askers.ask(one, sql)
    eventually(lambda: waiting(one) == 3)
    one.service.gate.set()
    askers.join()
    assert [type(error) for error in askers.errors] == [SqlError] * 4
    with pytest.raises(SqlError):
        one.ask(sql)


def test_who_wants_an_answer_of_now_waits_for_no_older_computation(one: Replica) -> None:
    askers = Askers()
    one.service.gate.clear()
    askers.ask(one)
    eventually(lambda: one.service.begun == 1)
    found: list[CachedAnswer] = []
    thread = threading.Thread(target=lambda: found.append(one.ask(SQL, CachePolicy(max_age_s=0.0))))
    thread.start()
    eventually(lambda: one.service.begun == 2)
    one.service.gate.set()
    thread.join(30)
    askers.join()
    assert found[0].status.origin == "refresh"
    assert one.service.runs == 2
