"""Queries that allow staleness run on a streaming replica, and say how old their answer is."""

import time
from collections.abc import Iterator

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.main import build_app, build_services, close
from app.replica_settings import ReplicaSettings
from app.services import Services
from db.migrate import migrate
from db.settings import DatabaseSettings
from tests.integration.db.conftest import kill_with_sessions
from tests.integration.db.standby import StreamingPair, eventually

SQL = "SELECT sum(n) AS sum FROM t"


@pytest.fixture(scope="module")
def pair() -> Iterator[StreamingPair]:
    pair = StreamingPair()
    url = pair.url_of(0)
    migrate(url, DatabaseSettings(url=url))
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute("CREATE TABLE t AS SELECT n FROM generate_series(1, 4) AS n")
    yield pair
    pair.end()


@pytest.fixture
def app(pair: StreamingPair, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flask]:
    monkeypatch.setenv("DATABASE_URL", pair.url_of(0))
    monkeypatch.setenv("REDIS_URL", redis_url)
    monkeypatch.setenv("MILLRACE_REPLICA_URLS", pair.url_of(1))
    monkeypatch.setenv("MILLRACE_DB_BREAKER_FAILURES", "1")
    services = build_services(ReplicaSettings.from_environment())
    services.database.open()
    services.own_database.open()
    for replica in services.read_replicas.replicas:
        replica.database.open()
    services.cache.facts.refresh()
    yield build_app(services)
    close(services)


def of(app: Flask) -> Services:
    services: Services = app.extensions["millrace"]
    return services


def measured(app: Flask) -> float:
    """Measure until the replica shows all that the primary has; return its age."""
    watch = of(app).read_replicas

    asked_at = time.monotonic()
    # on a primary where nothing happens it takes up to 15 s until all of its log is written
    with of(app).own_database.connection() as own:
        own.execute("SELECT pg_catalog.pg_logical_emit_message(true, 'test', '')")

    def is_there() -> bool:
        watch.measure()
        covered_at = watch.replicas[0].covered_at
        return covered_at is not None and covered_at >= asked_at

    eventually(is_there)
    age_s = watch.age_s(watch.replicas[0])
    assert age_s is not None
    return age_s


def ask(client: FlaskClient, **body: object) -> tuple[int, dict[str, object]]:
    answer = client.post("/v1/query", json={"sql": SQL, **body})
    return answer.status_code, answer.get_json()


def is_of_replica(answer: dict[str, object]) -> bool:
    plan = answer["plan"]
    assert isinstance(plan, dict)
    return "read replica" in plan["reason"]


def test_a_query_that_allows_the_lag_runs_on_the_replica_and_others_do_not(app: Flask) -> None:
    client = app.test_client()
    measured(app)
    status, answer = ask(client, max_staleness_s=60)
    assert (status, answer["rows"]) == (200, [[10]])
    assert is_of_replica(answer)
    assert isinstance(answer["age_s"], float)
    assert 0 < answer["age_s"] < 60
    assert answer["stale"] is False
    for body in ({"max_staleness_s": 0}, {}, {"max_staleness_s": 0.000001}):
        status, answer = ask(client, **body)
        assert status == 200
        assert not is_of_replica(answer)
    (document,) = client.get("/v1/status").get_json()["database"]["read_replicas"]
    assert document["problem"] is None
    assert document["age_s"] > 0


def test_a_replica_that_stands_still_is_left_once_it_is_too_old(
    app: Flask, pair: StreamingPair
) -> None:
    client = app.test_client()
    measured(app)
    watch = of(app).read_replicas
    with (
        psycopg.connect(pair.url_of(1), autocommit=True) as standby,
        psycopg.connect(pair.url_of(0), autocommit=True) as owner,
    ):
        standby.execute("SELECT pg_wal_replay_pause()")
        try:
            eventually(
                lambda: (
                    standby.execute("SELECT pg_get_wal_replay_pause_state()").fetchone()
                    == ("paused",)
                )
            )
            owner.execute("CREATE TABLE IF NOT EXISTS later ()")
            paused_at = time.monotonic()
            eventually(lambda: time.monotonic() - paused_at > 0.2)
            watch.measure()
            age_s = watch.age_s(watch.replicas[0])
            assert age_s is not None
            assert age_s > 0.2
            _, answer = ask(client, max_staleness_s=0.2, max_rows=5)
            assert not is_of_replica(answer)
            _, answer = ask(client, max_staleness_s=60, max_rows=6)
            assert is_of_replica(answer)
            assert float(str(answer["age_s"])) > 0.2
        finally:
            standby.execute("SELECT pg_wal_replay_resume()")


def test_what_the_replica_cannot_do_the_primary_does(app: Flask, pair: StreamingPair) -> None:
    client = app.test_client()
    measured(app)
    watch = of(app).read_replicas
    watch.replicas[0].database.breaker.command("open")
    _, answer = ask(client, max_staleness_s=60, max_rows=7)
    assert not is_of_replica(answer)
    watch.replicas[0].database.breaker.command("auto")
    missing = client.post("/v1/query", json={"sql": "SELECT * FROM nowhere", "max_staleness_s": 60})
    assert missing.status_code == 400


def test_while_the_primary_is_away_the_replica_answers_and_says_how_old_it_is(
    app: Flask, pair: StreamingPair
) -> None:
    client = app.test_client()
    measured(app)
    kill_with_sessions(pair.running[0])
    try:
        eventually(lambda: ask(client, max_staleness_s=0)[0] == 503)
        status, answer = ask(client, max_rows=9)
        assert (status, answer["rows"]) == (200, [[10]])
        assert is_of_replica(answer)
        assert ask(client, max_staleness_s=0)[0] == 503
        watch = of(app).read_replicas
        before = watch.age_s(watch.replicas[0])
        watch.measure()
        after = watch.age_s(watch.replicas[0])
        assert before is not None
        assert after is not None
        assert after > before  # nothing newer can be learnt
    finally:
        pair.running[0].start()


def test_a_promoted_replica_is_none(app: Flask, pair: StreamingPair) -> None:
    watch = of(app).read_replicas
    replica = watch.replicas[0]
    replica.database.close()
    measure = of(app).database  # the primary itself: it is not in recovery
    replica.database = measure
    watch.measure()
    assert watch.age_s(replica) is None
    assert replica.problem == "it is no replica"
