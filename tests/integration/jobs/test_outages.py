"""Outages of PostgreSQL use up no attempt at a task; what a task does to itself does."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import psycopg
import pytest
import redis

from cli.embedded.postgres import EmbeddedPostgres
from cli.faults.endpoint import Endpoint
from cli.faults.rules import Rules
from db.database import Database
from db.errors import DatabaseError
from db.migrate import migrate
from db.own import own_database
from db.reader import reader_database
from db.settings import DatabaseSettings
from jobs.ledger import Ledger, worker_session
from jobs.reconciler import Reconciler
from jobs.record import TaskClaim
from jobs.retry import RetryPolicy
from jobs.settings import JobSettings
from tasks.bell import Bell
from tests.chaos.local_proxy import LocalProxy
from tests.integration.jobs.conftest import PATIENT, Crew, Office, eventually
from tests.integration.jobs.programmed_kind import EFFECTS
from worker.outages import MOST_OUTAGES, Outages

AWAY = Rules(refuse=True)
FRAGILE = JobSettings(**PATIENT, retry={"programmed": {"attempts": 1}})  # the plan of Office has 5
KINDS = ("programmed",)
NOWHERE = "postgresql://127.0.0.1:1/nowhere"


@pytest.fixture
def line(postgres: EmbeddedPostgres) -> Iterator[LocalProxy]:
    """A line to PostgreSQL that can be cut."""
    any_port = Endpoint(host="127.0.0.1", port=0)
    server = Endpoint(path=str(postgres.sockets / ".s.PGSQL.5432"))
    with LocalProxy(any_port, server) as proxy:
        yield proxy


@pytest.fixture
def database(database_url: str, line: LocalProxy) -> Iterator[Database]:
    """What workers have: at the far end of the line."""
    migrate(database_url, DatabaseSettings(url=database_url))
    with psycopg.connect(database_url) as connection:
        connection.execute(EFFECTS)
    name, where = urlsplit(database_url).path[1:], line.address
    settings = DatabaseSettings(
        url=f"postgresql://millrace@{where.host}:{where.port}/{quote(name)}",
        own_pool_size=12, breaker_reset_s=0.05, breaker_reset_max_s=0.1, breaker_slow_s=60.0,
    )  # fmt: skip
    with own_database(settings, "test", session=worker_session(60.0)) as database:
        yield database


@pytest.fixture
def office(database_url: str, database: Database, client: redis.Redis) -> Iterator[Office]:
    """Whoever looks at the jobs: on this side."""
    del database  # it migrates
    with own_database(DatabaseSettings(url=database_url), "office") as near:
        yield Office(near, client, FRAGILE)


def go_away(line: LocalProxy) -> None:
    line.set(AWAY)
    line.cut()


def attempts(office: Office) -> list[tuple[str, str]]:
    """Return attempts of the job's only task, and how many of its attempts were given back."""
    return office.query("SELECT attempt, outages FROM millrace.job_tasks WHERE number = 1")


def is_leased(office: Office) -> bool:
    sql = "SELECT state FROM millrace.job_tasks WHERE number = 1"
    return office.query(sql) == [("leased",)]


def test_a_task_that_loses_its_connection_in_an_outage_keeps_its_only_attempt(
    office: Office, database: Database, crew: Crew, line: LocalProxy, tmp_path: Path
) -> None:
    sleeping = tmp_path / "sleeping"
    job_id = office.create({"sleeps_once": str(sleeping)})
    crew.start(slots=1, settings=FRAGILE)
    eventually(sleeping.exists)
    go_away(line)
    eventually(lambda: database.breaker.state == "open")
    line.reset()
    office.await_state(job_id, "done")
    assert attempts(office) == [("1", "1")]
    assert office.effects(job_id) == [1]
    told = [event for event in office.jobs.events(job_id, limit=50) if event.event == "outage"]
    assert [event.level for event in told] == ["warning"]
    assert "(not counted; again in " in told[0].message
    assert [name for name, _ in crew.events] == ["outage"]
    eventually(lambda: crew.ends == ["done", "outage", "done"])


def refusals(monkeypatch: pytest.MonkeyPatch, method: str) -> threading.Event:
    """Return what is set once a method of the ledger could not be done."""
    done, refused = getattr(Ledger, method), threading.Event()

    def noted(*given: Any, **options: Any) -> Any:
        try:
            return done(*given, **options)
        except DatabaseError:
            refused.set()
            raise

    monkeypatch.setattr(Ledger, method, noted)
    return refused


def blind(monkeypatch: pytest.MonkeyPatch) -> set[Reconciler]:
    """Return a set that reconcilers come into once they have found PostgreSQL away."""
    found: set[Reconciler] = set()
    look = Reconciler.round

    def noted(reconciler: Reconciler) -> bool:
        try:
            return look(reconciler)
        except DatabaseError:
            found.add(reconciler)
            raise

    monkeypatch.setattr(Reconciler, "round", noted)
    return found


def let_lapse(office: Office) -> None:
    """Have the lease of the job's only task behind it, as after a minute."""
    sql = "UPDATE millrace.job_tasks SET lease_until = now() WHERE number = 1 RETURNING 1"
    assert office.query(sql) == [("1",)]


def test_an_end_that_cannot_be_written_for_longer_than_a_lease_is_no_attempt(
    office: Office,
    crew: Crew,
    line: LocalProxy,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    go_on, refused = tmp_path / "go on", refusals(monkeypatch, "done")
    reconcilers = blind(monkeypatch)
    job_id = office.create({"waits_for": str(go_on)})
    crew.start(slots=1, settings=FRAGILE)
    crew.start(slots=0, settings=FRAGILE)  # its reconciler would take the lease for lapsed
    eventually(lambda: is_leased(office))
    go_away(line)
    go_on.touch()
    assert refused.wait(60)
    # as both of them have within the time of a lease
    eventually(lambda: len(reconcilers) == 2)
    let_lapse(office)
    line.reset()
    office.await_state(job_id, "done")
    assert attempts(office)[0][0] == "1"
    assert office.effects(job_id) == [1]


def test_the_failure_of_a_task_is_noted_when_postgresql_is_back(
    office: Office,
    crew: Crew,
    line: LocalProxy,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    go_on, refused = tmp_path / "go on", refusals(monkeypatch, "failed")
    job_id = office.create({"waits_for": str(go_on), "says": ["still here"], "fails": "of its own"})
    crew.start(slots=1, settings=FRAGILE)
    eventually(lambda: is_leased(office))
    go_away(line)
    go_on.touch()
    assert refused.wait(60)
    let_lapse(office)
    line.reset()
    office.await_state(job_id, "failed")
    (letter,) = office.jobs.dead_letters.page(office.everything, limit=10)
    assert (letter.error_class, letter.error) == ("ValueError", "of its own")
    assert attempts(office) == [("1", "0")]


def test_a_task_that_always_ends_its_own_session_is_a_dead_letter(
    office: Office, crew: Crew
) -> None:
    job_id = office.create({"ends_session": True})
    crew.start(slots=1, settings=FRAGILE)
    office.await_state(job_id, "failed")
    (letter,) = office.jobs.dead_letters.page(office.everything, limit=10)
    assert (letter.error_class, letter.attempts) == ("ConnectionLost", 1)
    assert attempts(office) == [("1", "0")]


def test_a_worker_that_is_stopped_in_an_outage_ends_in_its_time(
    office: Office, crew: Crew, line: LocalProxy, tmp_path: Path
) -> None:
    go_on = tmp_path / "go on"
    office.create({"waits_for": str(go_on)})
    runner = crew.start(slots=1, settings=FRAGILE)
    eventually(lambda: is_leased(office))
    go_away(line)
    go_on.touch()
    eventually(lambda: not runner.drain(0.2))
    assert is_leased(office)


def lost(
    database: Database, sql: str = "SELECT pg_terminate_backend(pg_backend_pid())"
) -> DatabaseError:
    """Return the error of a statement that ends its session, or of one that is not begun."""
    try:
        with database.connection() as connection:
            connection.execute(sql.encode())
    except DatabaseError as error:
        return error
    raise AssertionError("it answered")


@pytest.fixture
def ledger(database: Database) -> Ledger:
    return Ledger(database, lease_s=0.2, retention_s=60.0)


@pytest.fixture
def claim(office: Office, ledger: Ledger) -> TaskClaim:
    office.create({})
    claim = ledger.claim(KINDS, "a")
    assert claim is not None
    return claim


@pytest.fixture
def outages(ledger: Ledger) -> Outages:
    return Outages(ledger, {"test-own"}, lambda: 0.5, lambda _seconds: None)


def test_a_task_that_brings_the_server_down_each_time_is_given_up(
    database: Database, claim: TaskClaim, outages: Outages, line: LocalProxy
) -> None:
    error = lost(database)
    assert not outages.ended(claim, error)
    go_away(line)
    assert outages.ended(claim, error)
    assert outages.ended(replace(claim, outages=MOST_OUTAGES - 1), error)
    assert not outages.ended(replace(claim, outages=MOST_OUTAGES), error)
    not_begun = lost(database)
    assert outages.ended(replace(claim, outages=MOST_OUTAGES), not_begun)


def test_a_connection_that_was_lost_just_before_the_server_fell_was_lost_by_it(
    database: Database, ledger: Ledger, claim: TaskClaim, line: LocalProxy
) -> None:
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 2:
            go_away(line)

    outages = Outages(ledger, {"test-own"}, lambda: 0.5, pause)
    assert outages.ended(claim, lost(database))
    assert len(pauses) == 2


def test_another_database_that_is_away_is_no_outage(claim: TaskClaim, outages: Outages) -> None:
    elsewhere = reader_database(DatabaseSettings(url=NOWHERE), "worker-elsewhere", url=NOWHERE)
    with elsewhere:
        error = lost(elsewhere)
    assert error.pool == "worker-elsewhere"
    assert not outages.ended(claim, error)


def test_within_the_block_of_one_database_the_other_is_blamed_for_its_own(
    database: Database,
) -> None:
    elsewhere = reader_database(DatabaseSettings(url=NOWHERE), "worker-elsewhere", url=NOWHERE)
    with elsewhere, pytest.raises(DatabaseError) as caught, database.connection():
        raise lost(elsewhere)
    assert caught.value.pool == "worker-elsewhere"


def test_pauses_grow_to_a_bound_and_half_of_each_is_by_chance(
    claim: TaskClaim, outages: Outages
) -> None:
    counts = (0, 1, 3, 4, 10**6)
    pauses = [outages.pause_s(replace(claim, outages=count)) for count in counts]
    assert pauses == [0.75, 1.5, 6.0, 11.25, 11.25]


def test_lapsed_leases_are_taken_back_only_a_lease_after_an_outage(
    database: Database, office: Office, client: redis.Redis, line: LocalProxy
) -> None:
    now = 100.0
    ledger = Ledger(database, lease_s=0.01, retention_s=60.0, clock=lambda: now)
    job_id = office.create({})
    claim = ledger.claim(KINDS, "a")
    eventually(lambda: ledger.lapsed(10))
    go_away(line)
    with pytest.raises(DatabaseError):
        ledger.lapsed(10)
    line.reset()
    eventually(ledger.answers)

    policies = {"programmed": RetryPolicy(base_s=0.0)}
    reconciler = Reconciler(ledger, [], Bell(client), policies, lambda: 0.0)
    eventually(reconciler.round)
    assert claim is not None
    assert office.job(job_id).progress.tasks == {"leased": 1}
    now += 0.02
    eventually(reconciler.round)
    assert office.job(job_id).progress.tasks == {"ready": 1}
