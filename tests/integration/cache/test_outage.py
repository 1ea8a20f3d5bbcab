"""Redis dies, PostgreSQL dies: answers go on, and say what they are."""

import os
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from app.cache.policy import CachePolicy
from app.cache.status import CachedAnswer
from cli.embedded.place import place_for
from cli.embedded.postgres import EmbeddedPostgres
from cli.embedded.program import RunningServer
from cli.embedded.valkey import EmbeddedValkey
from db.errors import DatabaseUnavailable
from db.migrate import migrate
from db.settings import DatabaseSettings
from tests.integration.cache.replicas import PATIENT, Replica, eventually, replica

SQL = "SELECT sum(n) FROM t"


@pytest.fixture
def folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="mr-"))
    yield folder
    place_for(folder).remove()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def mortal(folder: Path) -> Iterator[RunningServer]:
    """A Valkey of this test alone, which keeps nothing."""
    program = EmbeddedValkey(place_for(folder), settings={"appendonly": "no"}).program()
    with RunningServer(program, folder / "valkey.log") as server:
        yield server


@pytest.fixture
def redis_url(folder: Path, mortal: RunningServer) -> str:
    return EmbeddedValkey(place_for(folder)).url()


def test_the_database_answers_when_redis_dies(
    one: Replica, other: Replica, mortal: RunningServer
) -> None:
    for _ in range(3):
        one.origin(SQL)
    eventually(lambda: one.cache.stores.database.size().entries == 1)
    mortal.kill()
    found = other.ask(SQL)
    assert (found.status.origin, found.answer.rows) == ("hit", [("30",)])
    assert other.cache.stores.mode == "database"
    assert [one.origin("SELECT 1"), other.origin("SELECT 1")] == ["miss", "hit"]
    assert not one.cache.stores.invalidate(("t",))
    assert other.origin(SQL) == "miss"
    mortal.start()
    eventually(lambda: one.cache.stores.mode == other.cache.stores.mode == "redis")
    assert [one.origin(SQL), other.origin(SQL)] == ["miss", "hit"]


def test_one_computation_for_two_replicas_without_redis(
    one: Replica, other: Replica, mortal: RunningServer
) -> None:
    mortal.kill()
    one.service.gate.clear()
    other.service.gate.clear()
    threads = [
        threading.Thread(target=asked.ask, args=(SQL,)) for asked in (one, other) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    eventually(
        lambda: one.cache.answers._flights._waiting + other.cache.answers._flights._waiting == 6
    )
    eventually(lambda: one.service.begun + other.service.begun == 1)
    one.service.gate.set()
    other.service.gate.set()
    for thread in threads:
        thread.join(30)
    assert one.service.runs + other.service.runs == 1


def test_a_redis_that_dies_while_an_answer_is_computed_costs_nobody_the_answer(
    one: Replica, other: Replica, mortal: RunningServer
) -> None:
    one.service.gate.clear()
    origins: list[str] = []
    threads = [threading.Thread(target=lambda: origins.append(one.origin(SQL))) for _ in range(4)]
    for thread in threads:
        thread.start()
    eventually(lambda: one.cache.answers._flights._waiting == 3)
    mortal.kill()
    one.service.gate.set()
    for thread in threads:
        thread.join(30)
    assert sorted(origins) == ["collapsed"] * 3 + ["miss"]
    assert other.origin(SQL) == "hit"


@pytest.mark.parametrize(
    "cache_settings", [PATIENT.model_copy(update={"cache_redis_timeout_s": 1.0})]
)
def test_a_redis_that_hangs_costs_its_time_limit_once(one: Replica, mortal: RunningServer) -> None:
    one.origin(SQL)
    os.kill(mortal.pid, signal.SIGSTOP)
    try:
        assert one.ask(SQL).answer.rows == [("30",)]
        assert one.cache.stores.mode == "database"
        tried: list[str] = []
        one.cache.stores.redis.enter = tried.append  # type: ignore[method-assign,assignment]
        assert one.origin(SQL) == "hit"
        assert not tried
    finally:
        os.kill(mortal.pid, signal.SIGCONT)


def test_an_old_answer_is_given_and_marked_while_postgresql_is_away(
    folder: Path, valkey: EmbeddedValkey
) -> None:
    settings = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
    server = EmbeddedPostgres(place_for(folder), settings=settings)
    server.initialise()
    cache = PATIENT.model_copy(update={"cache_ttl_s": 0.05, "cache_stale_s": 300.0})
    with RunningServer(server.program(), folder / "postgres.log") as running:
        url = server.url("postgres")
        migrate(url, DatabaseSettings(url=url))
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE TABLE t (id int, n int)")
            connection.execute("INSERT INTO t VALUES (1, 30)")
        with replica(url, valkey.url(1000), cache) as one:
            assert one.origin(SQL) == "miss"
            began = time.monotonic()
            eventually(lambda: time.monotonic() - began > 0.1)
            running.kill()
            found = one.ask(SQL)
            assert (found.status.origin, found.stale) == ("stale", True)
            assert found.answer.rows == [("30",)]
            assert found.age_s > 0.05
            assert "PostgreSQL is away" in found.answer.reason
            for policy in (CachePolicy(max_age_s=0.0), CachePolicy(max_age_s=0.01)):
                with pytest.raises(DatabaseUnavailable):
                    one.ask(SQL, policy)
            one.service.gate.clear()
            runs, asked_at = one.service.begun, time.monotonic()
            late: list[CachedAnswer] = []
            asking = threading.Thread(target=lambda: late.append(one.ask(SQL)))
            asking.start()
            eventually(lambda: one.service.begun > runs and time.monotonic() - asked_at > 0.3)
            one.service.gate.set()
            asking.join(30)
            assert late[0].stale
            assert late[0].age_s >= found.age_s + 0.3  # it is older by what was waited, too
            # one that allows this age gets it as a hit
            assert one.origin(SQL, CachePolicy(max_age_s=100.0)) == "hit"
