"""Jobs as their owners see them: accepted once, run, shown, paused, cancelled, forgotten."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import redis

from db.database import Database
from jobs import job_sql, task_sql
from jobs.clean_up import CleanUp
from jobs.errors import KeyInUse, KeyReused, NotPossible, TooManyJobs
from jobs.kind import Done
from jobs.ledger import Ledger
from jobs.record import NewJob, NewTask
from jobs.service import Jobs
from jobs.settings import JobSettings
from tasks.bell import Bell
from tests.integration.jobs.conftest import SHORT, Crew, Office, eventually
from tests.integration.jobs.programmed_kind import Programmed


def test_a_job_runs_and_tells_its_progress(office: Office, crew: Crew) -> None:
    job_id = office.create(*[{} for _ in range(20)])
    assert office.job(job_id).state == "queued"
    crew.start()
    job = office.await_state(job_id, "done")
    assert office.effects(job_id) == list(range(1, 21))
    assert job.progress.tasks == {"done": 21}
    assert (job.progress.rows, job.progress.bytes) == (20, 200)
    assert job.progress.expected_rows == 20
    assert job.started_at is not None
    assert job.created_at <= job.started_at <= (job.finished_at or "") < (job.expires_at or "")


def test_a_task_may_add_tasks_and_the_last_one_runs_after_all_others(
    office: Office, crew: Crew
) -> None:
    job_id = office.create({"last": True}, {"wait_s": 0.1, "adds": [{"wait_s": 0.1}, {}]}, {})
    crew.start(slots=4)
    office.await_state(job_id, "done")
    assert office.effects(job_id) == [1, 2, 3, 4, 5]
    (last,) = office.query(
        "SELECT number FROM millrace.job_tasks ORDER BY finished_at DESC LIMIT 1"
    )
    assert last == ("1",)


def test_a_job_without_tasks_is_done(office: Office, crew: Crew) -> None:
    crew.start()
    office.await_state(office.create(), "done")


def test_fifty_creations_with_one_key_are_one_job(office: Office) -> None:
    """Those that come while the first is being written are told so, and later get its job."""
    job = NewJob("programmed", {"tasks": []}, idempotency_key="k")
    gate = threading.Barrier(50)

    def create(_: int) -> tuple[str, bool] | None:
        gate.wait()
        try:
            return office.jobs.create(job)
        except KeyInUse:
            return None

    with ThreadPoolExecutor(50) as pool:
        created = [found for found in pool.map(create, range(50)) if found is not None]
    assert len({job_id for job_id, _ in created}) == 1
    assert sum(is_new for _, is_new in created) == 1
    assert office.jobs.create(job) == (created[0][0], False)
    assert office.query("SELECT count(*) FROM millrace.job_tasks") == [("1",)]


def test_a_key_is_in_use_until_the_job_is_committed_or_given_up(
    office: Office, database: Database
) -> None:
    job = NewJob("programmed", {"tasks": []}, idempotency_key="k")
    other_job = NewJob("programmed", {"tasks": [{}]}, idempotency_key="k")
    with database.connection() as connection, connection.transaction(force_rollback=True):
        office.jobs.create_in(connection, job)
        for second in (job, other_job):
            with pytest.raises(KeyInUse):
                office.jobs.create(second)
        office.jobs.create(NewJob("programmed", {"tasks": []}, idempotency_key="another"))
    job_id, is_new = office.jobs.create(other_job)
    assert is_new
    assert office.jobs.create(other_job) == (job_id, False)
    with pytest.raises(KeyReused):
        office.jobs.create(job)


def test_a_key_is_for_one_request_until_it_is_forgotten(office: Office, database: Database) -> None:
    first, _ = office.jobs.create(NewJob("programmed", {"tasks": []}, idempotency_key="k"))
    other = NewJob("programmed", {"tasks": [{}]}, idempotency_key="k")
    with pytest.raises(KeyReused):
        office.jobs.create(other)
    CleanUp(database, key_retention_s=3600.0).step()
    with pytest.raises(KeyReused):
        office.jobs.create(other)
    CleanUp(database, key_retention_s=0.0).step()
    second, is_new = office.jobs.create(other)
    assert is_new
    assert second != first


def test_no_more_jobs_are_accepted_than_there_is_room_for(
    office: Office, database: Database, client: redis.Redis
) -> None:
    jobs = Jobs(database, Bell(client), JobSettings(**SHORT, max_unfinished=2))
    new = NewJob("programmed", {"tasks": []}, idempotency_key="k")
    kept, _ = jobs.create(new)
    jobs.create(NewJob("programmed", {"tasks": []}))
    with pytest.raises(TooManyJobs):
        jobs.create(NewJob("programmed", {"tasks": []}))
    assert jobs.create(new) == (kept, False)
    jobs.cancel(kept)
    jobs.create(NewJob("programmed", {"tasks": []}))


def test_jobs_are_listed_in_pages_newest_first(office: Office) -> None:
    created = [office.create(kind="programmed" if n % 2 else "tolerant") for n in range(7)]
    office.jobs.cancel(created[3])
    seen: list[str] = []
    after = None
    while page := office.jobs.list(limit=3, after=after):
        seen += [job.id for job in page]
        after = (page[-1].created_at, page[-1].id)
    assert seen == created[::-1]
    assert [job.id for job in office.jobs.list(limit=9, state="cancelled")] == [created[3]]
    assert not office.jobs.forget(created[4])  # it is not finished
    assert office.jobs.forget(created[3])
    assert [job.id for job in office.jobs.list(limit=9)] == [*created[:3], *created[4:]][::-1]
    assert [job.id for job in office.jobs.list(limit=9, kind="tolerant")] == created[::-2]
    assert office.jobs.list(limit=9)[0].progress.tasks == {"ready": 1}


def test_a_cancelled_job_drops_what_waits_and_stops_what_runs(office: Office, crew: Crew) -> None:
    job_id = office.create({"sleep_s": 9}, {"wait_s": 100}, {}, {})
    crew.start(slots=2)
    eventually(lambda: office.job(job_id).progress.tasks.get("leased") == 2)
    assert office.jobs.cancel(job_id) == "cancelled"
    # the slots are free again long before the tasks would have ended
    office.await_state(office.create({}, {}), "done")
    job = office.job(job_id)
    assert (job.state, job.progress.tasks) == ("cancelled", {"done": 1, "cancelled": 4})
    assert office.effects(job_id) == []
    assert office.jobs.cancel(job_id) == "cancelled"
    assert office.jobs.cancel("unknown") is None
    with pytest.raises(NotPossible):
        office.jobs.retry(job_id)


def test_a_paused_job_begins_nothing_until_it_is_resumed(office: Office, crew: Crew) -> None:
    job_id = office.create(*[{} for _ in range(5)])
    assert office.jobs.pause(job_id) == "paused"
    crew.start()
    office.await_state(office.create({}), "done")
    assert office.job(job_id).progress.tasks == {"held": 1}
    assert office.jobs.resume(job_id) == "queued"
    job = office.await_state(job_id, "done")
    assert job.started_at is not None


def test_what_runs_when_a_job_is_paused_is_finished_and_adds_held_tasks(
    office: Office, crew: Crew, tmp_path: Path
) -> None:
    go_on = tmp_path / "go on"
    job_id = office.create({"waits_for": str(go_on), "adds": [{}]})
    crew.start()
    eventually(lambda: office.job(job_id).progress.tasks == {"done": 1, "leased": 1})
    office.jobs.pause(job_id)
    go_on.touch()
    eventually(lambda: office.job(job_id).progress.tasks == {"done": 2, "held": 1})
    office.jobs.resume(job_id)
    office.await_state(job_id, "done")
    assert office.effects(job_id) == [1, 2]


def test_a_short_job_is_not_behind_all_of_a_long_one(
    office: Office, crew: Crew, tmp_path: Path
) -> None:
    go_on = tmp_path / "go on"
    long = office.create(*[{"waits_for": str(go_on)} if n == 10 else {} for n in range(200)])
    crew.start(slots=1)
    eventually(lambda: office.job(long).progress.tasks.get("leased") and len(office.effects(long)))
    short = office.create({}, {})
    go_on.touch()
    job = office.await_state(short, "done")
    assert job.finished_at is not None
    assert job.finished_at < (office.await_state(long, "done").finished_at or "")


def test_the_higher_priority_goes_first(office: Office, crew: Crew) -> None:
    low = office.create({}, {}, priority=1)
    high = office.create({}, {}, priority=9)
    crew.start(slots=1)
    first = office.await_state(high, "done")
    assert (first.finished_at or "") < (office.await_state(low, "done").finished_at or "")


def test_expired_jobs_are_forgotten_with_all_they_left(office: Office, crew: Crew) -> None:
    crew.start(settings=JobSettings(**SHORT, retention_s=0.0))
    job_id = office.create(*[{"says": ["done"]} for _ in range(10)])
    eventually(lambda: office.jobs.find(job_id) is None)
    for table in ("jobs", "job_tasks", "job_events"):
        eventually(lambda table=table: office.query(f"SELECT FROM millrace.{table}") == [])  # type: ignore[misc]


def test_a_large_job_is_forgotten_step_by_step(office: Office, database: Database) -> None:
    job_id = office.create()
    office.jobs.cancel(job_id)
    office.query(
        "INSERT INTO millrace.job_output "
        f"SELECT '{job_id}', 'result', n, 1, 0, 1, '' FROM generate_series(1, 1000) AS n "
        "RETURNING 1"
    )
    office.jobs.forget(job_id)
    clean_up = CleanUp(database, key_retention_s=3600.0)
    left = []
    while office.query("SELECT FROM millrace.jobs"):
        clean_up.step()
        left.append(len(office.query("SELECT FROM millrace.job_output")))
    assert left == [488, 0]


def test_a_claim_does_not_look_at_all_tasks_that_are_ready(
    office: Office, ledger: Ledger, database: Database
) -> None:
    """Also of a job so new that no statistics know its tasks."""
    job_id = office.create()
    claim = ledger.claim(["programmed"], "a")
    assert claim is not None
    ledger.done(claim, Done(adds=[NewTask("act")] * 5000), Programmed(database), 1)
    values = ["programmed", "a", "1"]
    with database.connection() as connection:
        plan = connection.execute(f"EXPLAIN {task_sql.CLAIM}".encode(), values).fetchall()
        over = connection.execute(f"EXPLAIN {job_sql.IS_OVER}".encode(), [job_id]).fetchall()
    text = "\n".join(line or "" for (line,) in plan + over)
    assert "Index Scan using job_tasks_ready" in text
    assert "Index Scan using job_tasks_open" in text
    assert "Index Cond: ((job_id = (InitPlan" in text
    assert not any(node in text for node in ("Sort", "Seq Scan", "Bitmap"))
