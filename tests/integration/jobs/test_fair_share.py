"""Jobs of one priority share the slots, whatever each of them does to its tasks."""

from collections.abc import Callable

import pytest

from db.database import Database
from jobs.context import TaskContext
from jobs.kind import PLAN, Done
from jobs.ledger import Failure, Ledger
from jobs.record import NewTask, TaskClaim
from tests.integration.jobs.conftest import Office
from tests.integration.jobs.programmed_kind import Programmed, Tolerant

MANY = 2000


class Slot:
    """Runs one task after the other, as a worker with one slot; remembers whose they were."""

    def __init__(self, ledger: Ledger, database: Database) -> None:
        self._ledger = ledger
        self._kinds = {kind.name: kind(database) for kind in (Programmed, Tolerant)}
        self.ran: list[str] = []

    def claim(self) -> TaskClaim:
        claim = self._ledger.claim(self._kinds, "slot")
        assert claim is not None
        return claim

    def finish(self, claim: TaskClaim, adds: int = 0) -> None:
        kind = self._kinds[claim.kind]
        if claim.name == PLAN:
            done = Done(adds=kind.plan(claim.job_parameters, TaskContext()).adds)
        else:
            done = Done(adds=[NewTask("act")] * adds)
        self._ledger.done(claim, done, kind, 3)
        self._ledger.settle(claim.job_id)
        self.ran.append(claim.job_id)

    def run(self, tasks: int) -> None:
        for _ in range(tasks):
            self.finish(self.claim())

    def run_until_done(self, office: Office, job_id: str) -> list[str]:
        """Return whose tasks ran up to the end of that job."""
        self.ran.clear()
        while office.job(job_id).state != "done":
            self.run(1)
        return self.ran


@pytest.fixture
def slot(ledger: Ledger, database: Database) -> Slot:
    return Slot(ledger, database)


def small_job(office: Office) -> str:
    return office.create({}, {}, {})


def assert_shared(ran: list[str], small: str, others: int = 1) -> None:
    """Each of the others has had about as many tasks as the small job."""
    assert ran.count(small) == 4
    assert len(ran) <= 4 + others * (4 + 2)


def test_a_small_job_waits_for_about_one_task_of_a_large_one_for_each_of_its_own(
    office: Office, slot: Slot
) -> None:
    office.create(*[{}] * MANY)
    slot.run(50)
    small = small_job(office)
    assert_shared(slot.run_until_done(office, small), small)


def test_several_large_jobs_do_not_starve_a_small_one(office: Office, slot: Slot) -> None:
    for _ in range(3):
        office.create(*[{}] * MANY)
        slot.run(20)
    small = small_job(office)
    assert_shared(slot.run_until_done(office, small), small, others=3)


def test_a_job_whose_tasks_add_tasks_has_no_larger_share(office: Office, slot: Slot) -> None:
    office.create(*[{}] * 20)
    slot.run(1)
    for _ in range(20):
        slot.finish(slot.claim(), adds=20)
    small = small_job(office)
    assert_shared(slot.run_until_done(office, small), small)


@pytest.mark.parametrize("held_by", ["a pause", "a failure"])
def test_a_job_that_goes_on_does_not_make_up_for_the_time_that_it_waited(
    office: Office, slot: Slot, ledger: Ledger, held_by: str
) -> None:
    held = office.create(*[{}] * MANY)
    slot.run(3)
    go_on: Callable[[str], object]
    if held_by == "a pause":
        office.jobs.pause(held)
        go_on = office.jobs.resume
    else:
        ledger.failed(slot.claim(), Failure("E", "failed", None))
        go_on = office.jobs.retry
    office.create(*[{}] * MANY)
    slot.run(100)
    small = small_job(office)
    slot.run(1)
    go_on(held)
    assert_shared([*slot.ran[-1:], *slot.run_until_done(office, small)], small, others=2)


def test_replayed_dead_letters_take_their_turns(office: Office, slot: Slot, ledger: Ledger) -> None:
    dead = office.create(*[{}] * 100, kind="tolerant")
    slot.run(1)
    for _ in range(100):
        ledger.failed(slot.claim(), Failure("E", "failed", None))
    ledger.settle(dead)
    office.create(*[{}] * MANY)
    slot.run(100)
    small = small_job(office)
    office.jobs.replay(office.everything)
    assert_shared(slot.run_until_done(office, small), small, others=2)


def test_a_job_that_waits_for_its_next_attempt_is_not_behind_all_of_a_new_one(
    office: Office, slot: Slot, ledger: Ledger
) -> None:
    retried = office.create(*[{}] * 100)
    slot.run(100)
    ledger.failed(slot.claim(), Failure("E", "failed", 60.0))
    office.create(*[{}] * MANY)
    slot.run(10)
    office.query("UPDATE millrace.job_tasks SET due_at = now() RETURNING 1")
    assert slot.run_until_done(office, retried).count(retried) == 1
    assert len(slot.ran) <= 2
