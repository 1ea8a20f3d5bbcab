"""What metrics and the status call say of the ledger."""

import redis
from prometheus_client import CollectorRegistry

from app.jobs.metrics import JobMetrics
from db.database import Database
from jobs.ledger import Failure, Ledger
from jobs.reconciler import Reconciler
from jobs.survey import FRESH_S, Survey
from tasks.bell import Bell, due_tasks
from tests.integration.jobs.conftest import Office


def fill(office: Office, ledger: Ledger) -> None:
    """A dead letter, a leased task, one that is due for five minutes, and one that is not yet."""
    for expected in ("dead", "leased"):
        office.create(kind="tolerant")
        claim = ledger.claim(["tolerant"], "a")
        assert claim is not None
        if expected == "dead":
            ledger.failed(claim, Failure("E", "failed", None))
    due, later = office.create(), office.create()
    office.query(
        "UPDATE millrace.job_tasks SET due_at = now() + CASE job_id "
        f"WHEN '{due}' THEN interval '-300 s' ELSE interval '300 s' END "
        f"WHERE job_id IN ('{due}', '{later}') RETURNING 1"
    )


def test_jobs_and_tasks_are_counted_by_kind_and_state(
    office: Office, ledger: Ledger, database: Database
) -> None:
    assert Survey(database).census().lane().length == 0
    fill(office, ledger)
    census = Survey(database).census()
    assert census.jobs == {("tolerant", "running"): 1, ("programmed", "queued"): 2}
    assert census.tasks == {
        ("tolerant", "dead"): 1,
        ("tolerant", "leased"): 1,
        ("programmed", "ready"): 2,
    }
    assert census.due == 1
    assert 300 <= census.oldest_due_s < 400
    lane = census.lane()
    assert (lane.name, lane.length, lane.pending) == ("bulk", 2, 1)


def test_a_count_is_kept_for_some_seconds(office: Office, database: Database) -> None:
    now = [100.0]
    survey = Survey(database, clock=lambda: now[0])
    before = survey.census()
    office.create()
    now[0] += FRESH_S - 0.1
    assert survey.census() is before
    now[0] += 0.1
    assert survey.census().due == 1


def test_counting_takes_a_bounded_share_of_the_time(database: Database) -> None:
    readings = iter([0.0, 2.0, 39.0, 42.0, 43.0])  # it took two seconds, then one
    survey = Survey(database, clock=lambda: next(readings))
    first = survey.census()
    assert survey.census() is first
    assert survey.census() is not first


def test_gauges_show_what_there_is_and_zero_what_is_gone(
    office: Office, ledger: Ledger, database: Database
) -> None:
    registry = CollectorRegistry()
    now = [0.0]
    survey = Survey(database, clock=lambda: now[0])
    metrics = JobMetrics(registry, survey, ["programmed"])

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(f"millrace_app_{name}", labels)

    fill(office, ledger)
    metrics.look()
    assert value("jobs", kind="programmed", state="queued") == 2
    assert value("jobs", kind="other", state="running") == 1  # of a kind that it does not know
    assert value("job_tasks", kind="other", state="dead") == 1
    assert value("job_tasks", kind="programmed", state="leased") == 0
    assert value("job_tasks_due") == 1
    assert (value("job_tasks_oldest_due_seconds") or 0) >= 300
    office.query("DELETE FROM millrace.jobs RETURNING 1")
    now[0] += FRESH_S
    metrics.look()
    assert value("jobs", kind="programmed", state="queued") == 0
    assert value("job_tasks", kind="other", state="dead") == 0
    assert value("job_tasks_due") == 0
    assert value("jobs_accepted_total", kind="programmed") == 0
    metrics.accepted("programmed")
    assert value("jobs_accepted_total", kind="programmed") == 1


def test_how_much_is_due_is_told_to_those_who_have_no_ledger(
    office: Office, ledger: Ledger, client: redis.Redis
) -> None:
    reconciler = Reconciler(ledger, [], Bell(client), {}, lambda: 0.0)
    assert due_tasks(client) == 0
    fill(office, ledger)
    for _ in range(3):  # however often it rings
        reconciler.round()
        assert due_tasks(client) == 1
    assert ledger.claim(["programmed"], "a") is not None
    reconciler.round()
    assert due_tasks(client) == 0
