"""Whatever is done to the ledger, in whatever order: effects happen once, states are as listed."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from db.database import Database
from db.pool import Connection
from jobs.errors import Lost, NotPossible
from jobs.kind import PLAN, Done
from jobs.ledger import Failure, Ledger
from jobs.record import NewTask, TaskClaim
from jobs.states import JOB_TRANSITIONS, TASK_TRANSITIONS
from tests.integration.jobs.conftest import Office
from tests.integration.jobs.programmed_kind import Programmed, Tolerant

RECORDER = """
    CREATE TABLE public.transitions (kind text, before text, after text);
    CREATE FUNCTION public.record() RETURNS trigger LANGUAGE plpgsql AS $body$
    BEGIN
        IF OLD.state <> NEW.state THEN
            INSERT INTO public.transitions VALUES (TG_TABLE_NAME, OLD.state, NEW.state);
        END IF;
        RETURN NULL;
    END $body$;
    CREATE TRIGGER recorder AFTER UPDATE ON millrace.jobs
        FOR EACH ROW EXECUTE FUNCTION public.record();
    CREATE TRIGGER recorder AFTER UPDATE ON millrace.job_tasks
        FOR EACH ROW EXECUTE FUNCTION public.record();
"""
FORBIDDEN = """
    SELECT 'open task of a finished job' FROM millrace.jobs AS job
      JOIN millrace.job_tasks AS task ON job_id = id
     WHERE job.state IN ('done', 'cancelled') AND task.state IN ('held', 'ready', 'leased')
    UNION ALL
    SELECT 'ready task of a job that waits' FROM millrace.jobs AS job
      JOIN millrace.job_tasks AS task ON job_id = id
     WHERE job.state IN ('paused', 'failed') AND task.state = 'ready'
    UNION ALL
    SELECT 'dead letter in a job that does not tolerate it' FROM millrace.jobs AS job
      JOIN millrace.job_tasks AS task ON job_id = id
     WHERE job.state = 'done' AND task.state = 'dead' AND job.kind = 'programmed'
    UNION ALL
    SELECT 'effects without their mark, or twice' FROM (
        SELECT job_id, number, count(*) FROM public.effects GROUP BY job_id, number) AS effect
      JOIN millrace.job_tasks AS task USING (job_id, number)
     WHERE NOT is_last AND (count > 1 OR state <> 'done')
    UNION ALL
    SELECT 'a mark without effects' FROM millrace.job_tasks AS task
     WHERE state = 'done' AND NOT EXISTS (SELECT FROM public.effects AS effect
            WHERE effect.job_id = task.job_id AND effect.number = task.number)
    UNION ALL
    SELECT 'a state that no event tells' FROM millrace.jobs AS job WHERE state <> (
        SELECT CASE WHEN event <> 'resumed' THEN event WHEN started_at IS NULL THEN 'queued'
                    ELSE 'running' END
          FROM (SELECT CASE event WHEN 'retried' THEN 'running' ELSE event END AS event
                  FROM millrace.job_events
                 WHERE job_id = job.id AND task IS NULL
                   AND NOT (event = 'retried' AND job.state = 'paused')
                 ORDER BY id DESC LIMIT 1) AS latest)
    UNION ALL
    SELECT 'a clock that is wrong' FROM millrace.jobs
     WHERE (state = 'running') <> (running_since IS NOT NULL)
"""


class LedgerMachine(RuleBasedStateMachine):
    """Workers, users and death at work on one ledger."""

    office: Office
    ledger: Ledger

    jobs = Bundle("jobs")
    claims = Bundle("claims")

    def __init__(self) -> None:
        super().__init__()
        self.office.query("DELETE FROM millrace.jobs RETURNING 1")
        self.office.query("DELETE FROM public.effects RETURNING 1")

    @rule(target=jobs, kind=st.sampled_from(["programmed", "tolerant"]))
    def create(self, kind: str) -> str:
        return self.office.create(kind=kind)

    @rule(target=claims)
    def claim(self) -> object:
        claim = self.ledger.claim(("programmed", "tolerant"), "worker")
        return multiple() if claim is None else claim

    @rule(
        claim=claims,
        adds=st.integers(0, 3),
        ends=st.booleans(),
    )
    def end(self, claim: TaskClaim, adds: int, ends: bool) -> None:
        """Also with claims that ended long ago."""

        def effects(connection: Connection) -> None:
            connection.execute(
                "INSERT INTO public.effects VALUES ($1, $2::int, $3::int, $4::int8)",
                [claim.job_id, str(claim.number), str(claim.attempt), str(claim.token)],
            )

        kind = (Tolerant if claim.kind == "tolerant" else Programmed)(self.office.database)
        tasks = [NewTask("act") for _ in range(adds)]
        if claim.name == PLAN and ends:
            tasks.append(NewTask("sum up", is_last=True))
        done = Done(effects, tasks if claim.name in {PLAN, "act"} else ())
        try:
            self.ledger.done(claim, done, kind, 2)
        except Lost:
            return
        self.ledger.settle(claim.job_id)

    @rule(claim=consumes(claims), pause_s=st.sampled_from([None, 0.0]))
    def fail(self, claim: TaskClaim, pause_s: float | None) -> None:
        if self.ledger.failed(claim, Failure("E", "failed", pause_s)) is not None:
            self.ledger.settle(claim.job_id)

    @rule(claim=claims)
    def release(self, claim: TaskClaim) -> None:
        self.ledger.release(claim)

    @rule(job_id=jobs)
    def cancel(self, job_id: str) -> None:
        self.office.jobs.cancel(job_id)

    @rule(job_id=jobs)
    def pause(self, job_id: str) -> None:
        self.office.jobs.pause(job_id)

    @rule(job_id=jobs)
    def resume(self, job_id: str) -> None:
        self.office.jobs.resume(job_id)
        self.ledger.settle(job_id)

    @rule(job_id=jobs)
    def retry(self, job_id: str) -> None:
        try:
            self.office.jobs.retry(job_id)
        except NotPossible:
            assert self.office.job(job_id).state == "cancelled"

    @invariant()
    def nothing_forbidden_is_there(self) -> None:
        assert self.office.query(FORBIDDEN) == []

    def teardown(self) -> None:
        """With workers at work, every job that may go on comes to its end."""
        for (job_id,) in self.office.query("SELECT id FROM millrace.jobs WHERE state = 'paused'"):
            self.office.jobs.resume(job_id)
        self.office.query(
            "UPDATE millrace.job_tasks SET lease_until = now() - interval '1 s' "
            "WHERE state = 'leased' RETURNING 1"
        )
        for lapsed, _ in self.ledger.lapsed(1000):
            self.ledger.failed(lapsed, Failure("WorkerLost", "", 0.0), only_if_lapsed=True)
        while True:
            for job_id in self.ledger.over():
                self.ledger.settle(job_id)
            claim = self.ledger.claim(("programmed", "tolerant"), "worker")
            if claim is None and not self.ledger.over():
                break
            if claim is not None:
                self.end(claim, 0, ends=False)
        self.nothing_forbidden_is_there()
        left = "SELECT state FROM millrace.jobs WHERE state IN ('queued', 'running', 'paused')"
        assert self.office.query(left) == []


@pytest.fixture
def recorded(office: Office, database: Database) -> Iterator[Office]:
    with database.connection() as connection:
        connection.execute(RECORDER.encode(), prepare=False)
    yield office
    seen = office.query("SELECT DISTINCT kind, before, after FROM public.transitions")
    listed = {
        *(("jobs", before, after) for before, to in JOB_TRANSITIONS.items() for after in to),
        *(("job_tasks", before, after) for before, to in TASK_TRANSITIONS.items() for after in to),
    }
    assert set(seen) <= listed


def test_whatever_is_done_in_whatever_order(recorded: Office, ledger: Ledger) -> None:
    class Machine(LedgerMachine):
        office = recorded

    Machine.ledger = ledger
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=12,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
