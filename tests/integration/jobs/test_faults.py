"""What dies takes nothing with it: each effect happens once, whoever was killed or wiped."""

import signal
from collections.abc import Iterable
from pathlib import Path

import psycopg
import pytest
import redis

from db.database import Database
from db.errors import DatabaseReadOnly
from db.pool import Connection
from jobs import task_sql
from jobs.context import TaskContext
from jobs.errors import Lost
from jobs.kind import Done
from jobs.ledger import Failure, Ledger
from jobs.record import TaskClaim
from jobs.settings import JobSettings
from tasks.client import connect
from tasks.lanes import BULK
from tasks.settings import QueueSettings
from tests.integration.jobs.conftest import Crew, Office, eventually
from tests.integration.jobs.programmed_kind import Programmed

KINDS = ("programmed", "tolerant")
NOWHERE = "unix:///nowhere/redis.socket"


def claimed(ledger: Ledger, worker: str = "a") -> TaskClaim:
    claim = ledger.claim(KINDS, worker)
    assert claim is not None
    return claim


@pytest.fixture
def kind(database: Database) -> Programmed:
    return Programmed(database)


def test_a_worker_killed_between_effects_and_commit_leaves_no_effect(
    office: Office, crew: Crew, tmp_path: Path
) -> None:
    stalled = tmp_path / "stalled"
    job_id = office.create({"stall": str(stalled)}, {})
    worker = crew.start_process(slots=1)
    eventually(stalled.exists)
    assert office.effects(job_id) == []
    worker.kill()
    crew.start()
    office.await_state(job_id, "done")
    assert office.effects(job_id) == [1, 2]
    sql = "SELECT attempt, failures -> 0 ->> 'error_class' FROM millrace.job_tasks WHERE number = 1"
    assert office.query(sql) == [("2", "WorkerLost")]


def test_a_worker_that_freezes_within_its_transaction_holds_up_nobody(
    office: Office, crew: Crew, tmp_path: Path
) -> None:
    stalled = tmp_path / "stalled"
    job_id = office.create({"stall": str(stalled)}, {})
    frozen = crew.start_process(slots=1)
    eventually(stalled.exists)
    frozen.send_signal(signal.SIGSTOP)
    crew.start()
    office.await_state(job_id, "done")
    assert office.effects(job_id) == [1, 2]


def test_a_worker_that_stopped_for_longer_than_its_lease_commits_nothing(
    ledger: Ledger, office: Office, kind: Programmed, crew: Crew
) -> None:
    job_id = office.create({})
    hasty = Ledger(office.database, lease_s=0.01, retention_s=60.0)
    plan = claimed(hasty)
    ledger.done(plan, kind.plan(plan.job_parameters, TaskContext()), kind, 3)
    stale = claimed(hasty)
    eventually(lambda: ledger.lapsed(10))
    crew.start()
    office.await_state(job_id, "done")

    def effects(connection: Connection) -> None:
        pytest.fail("these effects are not wanted")

    with pytest.raises(Lost):
        ledger.done(stale, Done(effects), kind, 3)
    assert ledger.failed(stale, Failure("E", "late", None)) is None
    ledger.release(stale)
    assert ledger.renew([(stale, 0, 0)]).held == set()
    assert office.job(job_id).state == "done"
    assert office.effects(job_id) == [1]


def test_a_job_that_is_paused_between_its_first_claim_and_the_note_of_it_goes_on(
    ledger: Ledger, office: Office, kind: Programmed, database: Database
) -> None:
    job_id = office.create()
    with database.connection() as connection:
        row = connection.execute(task_sql.CLAIM.encode(), ["programmed", "a", "9"]).fetchone()
    office.jobs.pause(job_id)
    assert row is not None
    ledger.done(TaskClaim.read(row), Done(), kind, 1)
    assert office.jobs.resume(job_id) == "running"
    assert ledger.over() == [job_id]
    ledger.settle(job_id)
    assert office.job(job_id).state == "done"


def test_effects_and_added_tasks_are_undone_when_a_task_fails_while_committing(
    ledger: Ledger, office: Office, kind: Programmed
) -> None:
    job_id = office.create()
    plan = claimed(ledger)

    def effects(connection: Connection) -> None:
        connection.execute("INSERT INTO public.effects VALUES ('x', 1, 1, 1)")
        raise OSError("no space left")

    added = kind.plan({"tasks": [{}]}, TaskContext()).adds
    with pytest.raises(OSError, match="no space"):
        ledger.done(plan, Done(effects, added), kind, 3)
    assert office.effects("x") == []
    assert office.job(job_id).progress.tasks == {"leased": 1}
    assert ledger.renew([(plan, 0, 0)]).held == {plan.key}


def test_a_task_that_kills_its_workers_is_a_dead_letter_in_the_end(
    office: Office, database: Database, crew: Crew
) -> None:
    job_id = office.create({})
    hasty = Ledger(database, lease_s=0.01, retention_s=60.0)
    crew.start(slots=0)  # reconciles, and runs nothing

    def dead() -> bool:
        hasty.claim(KINDS, "dying")
        return office.job(job_id).state == "failed"

    eventually(dead)
    (letter,) = office.jobs.dead_letters.page(office.everything, limit=10)
    assert (letter.error_class, letter.attempts, letter.name) == ("WorkerLost", 5, "plan")
    assert "dying" in letter.error


def test_a_wiped_redis_loses_no_task(office: Office, crew: Crew, client: redis.Redis) -> None:
    crew.start(slots=2)
    job_ids = [office.create(*[{"wait_s": 0.01} for _ in range(20)]) for _ in range(5)]
    for _ in range(5):
        client.flushdb()
        job_ids.append(office.create({}))
        client.flushdb()
    for job_id in job_ids:
        office.await_state(job_id, "done")
    effects = office.query("SELECT count(*), count(DISTINCT (job_id, number)) FROM public.effects")
    assert effects == [("105", "105")]


def test_without_redis_jobs_are_accepted_and_run(
    database: Database, settings: JobSettings, crew: Crew
) -> None:
    away = connect(QueueSettings(url=NOWHERE), "test")
    office = Office(database, away, settings)
    crew.start(redis_url=NOWHERE)
    job_id = office.create({}, {}, {"transient": 2})
    office.await_state(job_id, "done")
    assert office.effects(job_id) == [1, 2, 3]


def test_doubled_and_needless_notices_do_no_harm(
    office: Office, crew: Crew, client: redis.Redis
) -> None:
    for _ in range(30):
        client.xadd(BULK.stream, {"ready": "1"})
    crew.start(slots=4)
    job_id = office.create(*[{} for _ in range(30)])
    for _ in range(20):
        office.jobs.wake(64)
    office.await_state(job_id, "done")
    assert office.effects(job_id) == list(range(1, 31))
    eventually(lambda: client.xlen(BULK.stream) == 0)


def test_each_effect_happens_once_while_workers_are_killed(office: Office, crew: Crew) -> None:
    job_id = office.create(*[{"wait_s": 0.02} for _ in range(150)], kind="tolerant")
    workers = [crew.start_process() for _ in range(2)]
    for at in (20, 50, 80):
        eventually(lambda at=at: len(office.effects(job_id)) >= at)  # type: ignore[misc]
        workers.pop(0).kill()
        workers.append(crew.start_process())
    office.await_state(job_id, "done")
    assert office.effects(job_id) == list(range(1, 151))


def test_a_stopping_worker_finishes_what_it_holds(
    office: Office, crew: Crew, tmp_path: Path
) -> None:
    go_on = tmp_path / "go on"
    job_id = office.create({"waits_for": str(go_on)})
    runner = crew.start(slots=1)
    eventually(lambda: office.job(job_id).progress.tasks == {"done": 1, "leased": 1})
    runner.stop()
    go_on.touch()
    assert runner.drain(60.0)
    assert office.effects(job_id) == [1]
    assert office.job(job_id).state == "done"


def test_a_stopping_worker_hands_on_what_takes_too_long(office: Office, crew: Crew) -> None:
    job_id = office.create({"wait_s": 100})
    runner = crew.start(slots=1)
    eventually(lambda: office.job(job_id).progress.tasks == {"done": 1, "leased": 1})
    assert not runner.drain(0.1)
    assert office.job(job_id).progress.tasks == {"done": 1, "ready": 1}
    assert office.query("SELECT attempt FROM millrace.job_tasks WHERE number = 1") == [("0",)]


def test_long_tasks_keep_their_leases(office: Office, crew: Crew, tmp_path: Path) -> None:
    go_on = tmp_path / "go on"
    job_id = office.create({"waits_for": str(go_on)})
    crew.start(slots=1)
    eventually(lambda: office.job(job_id).progress.tasks == {"done": 1, "leased": 1})
    for _ in range(3):
        # as if the lease of a minute were about to lapse
        office.query(
            "UPDATE millrace.job_tasks SET lease_until = now() + interval '30 s' "
            "WHERE number = 1 RETURNING 1"
        )
        renewed = (
            "SELECT lease_until > now() + interval '31 s' FROM millrace.job_tasks WHERE number = 1"
        )
        eventually(lambda: office.query(renewed) == [("t",)])  # noqa: B023
    go_on.touch()
    office.await_state(job_id, "done")
    assert office.query("SELECT attempt, token FROM millrace.job_tasks WHERE number = 1") == [
        ("1", "1")
    ]


def test_a_worker_stopped_by_the_system_resumes_as_a_stranger(
    office: Office, crew: Crew, tmp_path: Path
) -> None:
    go_on = tmp_path / "go on"
    job_id = office.create({"waits_for": str(go_on)})
    frozen = crew.start_process(slots=1)
    eventually(lambda: office.job(job_id).progress.tasks == {"done": 1, "leased": 1})
    frozen.send_signal(signal.SIGSTOP)
    before = int(office.query("SELECT token FROM millrace.job_tasks WHERE number = 1")[0][0])
    crew.start(slots=1)
    token = "SELECT state, token FROM millrace.job_tasks WHERE number = 1"
    eventually(lambda: office.query(token) == [("leased", str(before + 1))])
    frozen.send_signal(signal.SIGCONT)
    go_on.touch()
    office.await_state(job_id, "done")
    assert office.effects(job_id) == [1]


def test_jobs_wait_while_postgresql_takes_no_writes_and_go_on_by_themselves(
    office: Office, crew: Crew, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = 0
    claim = Ledger.claim

    def counted(self: Ledger, kinds: Iterable[str], worker: str) -> TaskClaim | None:
        nonlocal refused
        try:
            return claim(self, kinds, worker)
        except DatabaseReadOnly:
            refused += 1
            raise

    def alter(change: str) -> None:
        with psycopg.connect(database_url, autocommit=True) as owner:
            owner.execute("SET default_transaction_read_only = off")
            name = owner.info.dbname
            owner.execute(f'ALTER DATABASE "{name}" {change}'.encode())
            owner.execute(
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )

    monkeypatch.setattr(Ledger, "claim", counted)
    job_id = office.create({}, {})
    alter("SET default_transaction_read_only = on")
    crew.start(slots=1)
    eventually(lambda: refused >= 2)
    assert office.effects(job_id) == []
    assert office.job(job_id).state not in ("failed", "done")
    with pytest.raises(DatabaseReadOnly):
        office.create({})
    alter("RESET default_transaction_read_only")
    office.await_state(job_id, "done")
    assert office.effects(job_id) == [1, 2]
    assert office.query("SELECT DISTINCT attempt FROM millrace.job_tasks") == [("1",)]
