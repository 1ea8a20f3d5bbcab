"""What is told of a job while it runs and afterwards: events, log lines, tasks, progress."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from db.database import Database
from db.errors import DatabaseError
from jobs.context import MOST_LINES, TaskContext
from jobs.errors import CursorMalformed
from jobs.event import JobEvent, NewEvent, append
from jobs.event_sql import LONGEST_MESSAGE
from jobs.kind import Done
from jobs.ledger import Failure, Ledger
from jobs.record import NewTask
from tests.integration.jobs.conftest import Crew, Office, eventually
from tests.integration.jobs.programmed_kind import Programmed


def told(office: Office, job_id: str) -> list[tuple[str, int | None, int | None]]:
    events = office.jobs.events(job_id, limit=1000)
    return [(event.event, event.task, event.attempt) for event in events]


def test_each_change_of_a_job_and_each_failure_of_a_task_is_an_event(
    office: Office, crew: Crew
) -> None:
    office.query("INSERT INTO public.broken VALUES ('mill') RETURNING 1")
    job_id = office.create({"broken": "mill", "transient": 1})
    office.jobs.pause(job_id)
    office.jobs.pause(job_id)  # no change, no event
    office.jobs.resume(job_id)
    crew.start(slots=1)
    office.await_state(job_id, "failed")
    office.query("DELETE FROM public.broken RETURNING 1")
    office.jobs.retry(job_id)
    office.await_state(job_id, "done")
    job_events = ["queued", "paused", "resumed", "running", "failed", "retried", "done"]
    assert [event for event, task, _ in told(office, job_id) if task is None] == job_events
    of_task = [(event, attempt) for event, task, attempt in told(office, job_id) if task == 1]
    # all attempts are given back by a replay, and the first one fails again
    assert of_task == [("failed_attempt", 1), ("dead_letter", 2), ("failed_attempt", 1)]

    failed, dead = office.jobs.events(job_id, limit=2, task=1)
    assert (failed.level, dead.level) == ("warning", "error")
    assert failed.message.startswith("ConnectionResetError: attempt 1 of row 1 (next attempt in ")
    assert dead.message == "Broken: service 'mill' says no to 1"
    worst = office.jobs.events(job_id, limit=9, level="error")
    assert [event.event for event in worst] == ["dead_letter", "failed"]


def test_a_cancelled_job_and_a_lapsed_lease_are_events(
    office: Office, database: Database, crew: Crew
) -> None:
    hasty = Ledger(database, lease_s=0.01, retention_s=60.0)
    job_id = office.create()
    assert hasty.claim(["programmed"], "dying") is not None
    crew.start(slots=0)  # reconciles, and runs nothing
    eventually(lambda: ("lease_lapsed", 0, 1) in told(office, job_id))
    office.jobs.cancel(job_id)
    assert told(office, job_id)[-1] == ("cancelled", None, None)


def test_what_tasks_say_is_read_while_they_run_and_after_they_failed(
    office: Office, crew: Crew
) -> None:
    job_id = office.create(
        {"says": ["one", "two"], "wait_s": 30.0}, {"says": ["three"], "transient": 1}
    )
    crew.start(slots=2)
    eventually(lambda: len(office.jobs.events(job_id, limit=9, task=1)) == 2)
    lines = office.jobs.events(job_id, limit=9, task=1)
    assert [(line.event, line.message, line.attempt) for line in lines] == [
        ("log", "one", 1),
        ("log", "two", 1),
    ]
    eventually(lambda: office.job(job_id).progress.tasks == {"done": 2, "leased": 1})
    of_second = [
        (event.event, event.attempt) for event in office.jobs.events(job_id, limit=9, task=2)
    ]
    assert of_second == [("log", 1), ("failed_attempt", 1), ("log", 2)]


def test_what_a_cancelled_task_had_said_is_kept(office: Office, crew: Crew) -> None:
    job_id = office.create({"says": ["last words"], "wait_s": 30.0})
    crew.start(slots=1)
    eventually(lambda: office.job(job_id).progress.tasks == {"done": 1, "leased": 1})
    office.jobs.cancel(job_id)
    eventually(lambda: ("log", 1, 1) in told(office, job_id))


def test_what_was_said_since_the_last_renewal_is_written_by_a_stopping_worker(
    office: Office, crew: Crew
) -> None:
    job_id = office.create({"says": ["bye"], "sleep_s": 30.0})
    runner = crew.start(slots=1)
    sleeping = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
        "AND state = 'active' AND query LIKE 'SELECT pg_sleep(%'"
    )
    eventually(lambda: office.query(sleeping) == [("1",)])  # it has said its line
    runner.drain(0.0)
    said = [("handed_on", 1, 1), ("log", 1, 1)]
    eventually(
        lambda: [one for one in sorted(told(office, job_id), key=str) if one in said] == said
    )


def test_a_follower_sees_each_event_once_while_many_write(
    office: Office, database: Database
) -> None:
    """Also if the one that took its place first commits last, in all orders that chance makes."""
    job_id = office.create()
    writers, each = 6, 40
    seen: list[JobEvent] = []

    def write(writer: int) -> None:
        for number in range(each):
            with database.connection() as connection, connection.transaction():
                texts = [f"{writer}/{number}/{place}" for place in "ab"]
                append(connection, [NewEvent(job_id, "log", message=text) for text in texts])
                connection.execute("SELECT pg_sleep(random() * 0.002)")

    with ThreadPoolExecutor(writers) as pool:
        writing = [pool.submit(write, writer) for writer in range(writers)]
        while True:
            is_over = all(future.done() for future in writing)
            page = office.jobs.events(job_id, limit=7, after=seen[-1].id if seen else None)
            seen += page
            if is_over and not page:
                break
        for future in writing:
            future.result()
    said = [event.message for event in seen if event.event == "log"]
    assert len(said) == len(set(said)) == 2 * writers * each


def test_the_lease_is_renewed_although_somebody_writes_to_the_job(
    office: Office, ledger: Ledger, database: Database
) -> None:
    job_id = office.create()
    other_id = office.create()
    claim = ledger.claim(["programmed"], "a")
    assert claim is not None
    said = [NewEvent(job_id, "log", message="1"), NewEvent(other_id, "log", message="2")]
    with database.connection() as connection, connection.transaction():
        append(connection, [NewEvent(job_id, "log", message="0")])
        renewal = ledger.renew([(claim, 3, 30)], said)
    assert renewal.held == {claim.key}
    assert renewal.waiting == said[:1]
    assert ledger.renew([(claim, 3, 30)], renewal.waiting).waiting == []
    logs = [event.message for event in office.jobs.events(job_id, limit=9)]
    assert logs == ["", "", "0", "1"]
    assert ("log", None, None) in told(office, other_id)


def test_what_is_said_of_a_forgotten_job_is_dropped(office: Office, ledger: Ledger) -> None:
    said = [NewEvent("forgotten", "log", message="who hears me?")]
    renewal = ledger.renew([], said)
    assert (renewal.held, renewal.waiting) == (set(), [])
    assert office.query("SELECT FROM millrace.job_events") == []


def test_lines_come_with_the_next_renewal_when_postgresql_was_away(
    office: Office, crew: Crew, monkeypatch: pytest.MonkeyPatch
) -> None:
    renew = Ledger.renew
    refused = threading.Event()

    def fails_once(self: Ledger, *given: object) -> object:
        if given[1] and not refused.is_set():
            refused.set()
            raise DatabaseError("away")
        return renew(self, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(Ledger, "renew", fails_once)
    job_id = office.create({"says": ["one"], "wait_s": 30.0})
    crew.start(slots=1)
    eventually(lambda: ("log", 1, 1) in told(office, job_id))
    assert refused.is_set()


def test_a_tasks_lines_are_bounded_in_number_and_length(office: Office, crew: Crew) -> None:
    job_id = office.create({"says": ["ä" * 5000, "\0", *["x"] * (MOST_LINES + 10)]})
    crew.start(slots=1)
    office.await_state(job_id, "done")
    lines = office.jobs.events(job_id, limit=5000, task=1)
    assert len(lines) == MOST_LINES + 1
    assert lines[0].message == "ä" * (LONGEST_MESSAGE - 1) + "…"
    assert lines[1].message == ""
    assert lines[-1].level == "warning"


@pytest.mark.parametrize("cursor", ["", "-1", "x", "1.5", "٣", str(2**63)])
def test_a_cursor_that_is_none_is_refused(office: Office, cursor: str) -> None:
    with pytest.raises(CursorMalformed):
        office.jobs.events("any", limit=1, after=cursor)


def test_progress_counts_what_running_attempts_have_reported(office: Office, crew: Crew) -> None:
    job_id = office.create({"wait_s": 30.0}, {})
    crew.start(slots=2)
    eventually(lambda: office.job(job_id).progress.rows == 2)
    progress = office.job(job_id).progress
    assert (progress.tasks, progress.bytes) == ({"done": 2, "leased": 1}, 15)
    assert progress.attempts == 3
    assert progress.rows_per_s is not None
    assert progress.remaining_s == 0.0  # all rows that are expected


def test_a_job_runs_no_longer_while_it_is_paused_or_over(
    office: Office, ledger: Ledger, database: Database
) -> None:
    kind = Programmed(database)
    job_id = office.create()
    assert office.job(job_id).progress.ran_s == 0.0

    def ran_s() -> float:
        return office.job(job_id).progress.ran_s

    claim = ledger.claim(["programmed"], "a")
    assert claim is not None
    eventually(lambda: ran_s() > 0.05)
    office.jobs.pause(job_id)
    paused = ran_s()
    assert ran_s() == paused
    office.jobs.resume(job_id)
    eventually(lambda: ran_s() > paused)
    ledger.failed(claim, Failure("E", "failed", None))
    failed = ran_s()
    assert ran_s() == failed
    office.jobs.retry(job_id)
    eventually(lambda: ran_s() > failed)
    claim = ledger.claim(["programmed"], "a")
    assert claim is not None
    ledger.done(claim, Done(), kind, 1)
    ledger.settle(job_id)
    assert office.job(job_id).state == "done"
    assert ran_s() == ran_s() > failed


def test_the_summary_is_what_the_last_task_leaves(
    office: Office, ledger: Ledger, database: Database, crew: Crew
) -> None:
    kind = Programmed(database)
    job_id = office.create({"result": "of a part"}, {"last": True, "result": "of all"})
    without = office.create()
    for _ in range(2):
        claim = ledger.claim(["programmed"], "a")
        assert claim is not None
        adds = kind.plan(claim.job_parameters, TaskContext()).adds
        ledger.done(claim, Done(adds=adds, result="of the plan"), kind, 3)
        ledger.settle(claim.job_id)
    assert office.job(job_id).summary is None
    crew.start(slots=1)
    assert office.await_state(job_id, "done").summary == "of all"
    assert office.await_state(without, "done").summary == "of the plan"


def test_tasks_are_read_in_pages_and_by_state(office: Office, crew: Crew) -> None:
    office.query("INSERT INTO public.broken VALUES ('mill') RETURNING 1")
    job_id = office.create({"transient": 2}, {"broken": "mill"}, {}, kind="tolerant")
    assert [task.state for task in office.jobs.tasks(job_id, limit=9)] == ["ready"]
    crew.start(slots=2)
    office.await_state(job_id, "done")
    first = office.jobs.tasks(job_id, limit=2)
    rest = office.jobs.tasks(job_id, limit=9, after=first[-1].number)
    plan, failing, broken, good = [*first, *rest]
    assert (plan.name, plan.number, good.number) == ("plan", 0, 3)
    assert (failing.state, failing.attempt, failing.rows, failing.bytes) == ("done", 3, 1, 10)
    assert [failure["attempt"] for failure in failing.failures] == [1, 2]
    assert (broken.state, broken.error_class) == ("dead", "Broken")
    assert (good.error_class, good.failures, good.worker) == (None, [], None)
    assert good.started_at is not None
    assert good.due_at <= good.started_at <= (good.finished_at or "")
    assert office.jobs.tasks(job_id, limit=9, state="dead") == [broken]
    assert office.jobs.tasks("unknown", limit=9) == []


def test_events_of_a_task_that_lost_its_job_stay_out_of_its_transaction(
    office: Office, ledger: Ledger, database: Database
) -> None:
    """A failure that is not noted says nothing either."""
    kind = Programmed(database)
    job_id = office.create()
    claim = ledger.claim(["programmed"], "a")
    assert claim is not None
    ledger.done(claim, Done(adds=[NewTask("act")]), kind, 3)
    late = Failure("E", "late", 1.0)
    assert ledger.failed(claim, late, [NewEvent(job_id, "log", message="late")]) is None
    assert told(office, job_id) == [("queued", None, None), ("running", None, None)]
