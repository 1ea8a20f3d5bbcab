"""Failures: tried again after pauses, given up, looked at, and replayed."""

from jobs.dead_letters import DeadLetterFilter
from tests.integration.jobs.conftest import Crew, Office, eventually


def test_a_thousand_tasks_of_which_some_fail_for_a_while_and_some_for_good(
    office: Office, crew: Crew
) -> None:
    office.query("INSERT INTO public.broken VALUES ('mill') RETURNING 1")
    tasks = [
        {"broken": "mill"} if n % 100 == 50 else {"transient": 1 + n % 3} if n % 10 == 0 else {}
        for n in range(1000)
    ]
    crew.start(slots=4)
    job_id = office.create(*tasks, kind="tolerant")
    job = office.await_state(job_id, "done")
    assert job.progress.tasks == {"done": 991, "dead": 10}
    transient = office.query(
        "SELECT (parameters ->> 'transient')::int, attempt, jsonb_array_length(failures), "
        "(SELECT bool_and((f ->> 'due_at')::timestamptz - (f ->> 'at')::timestamptz "
        "BETWEEN '0' AND least(0.02 * 2 ^ ((f ->> 'attempt')::int - 1), 0.1) * interval '1.001 s') "
        "FROM jsonb_array_elements(failures) AS f) "
        "FROM millrace.job_tasks WHERE parameters ->> 'transient' IS NOT NULL"
    )
    assert len(transient) == 90
    for failing, attempts, failures, within_the_ceiling in transient:
        assert (int(attempts), int(failures)) == (int(failing) + 1, int(failing))
        assert within_the_ceiling == "t"

    (cluster,) = office.jobs.dead_letters.clusters(DeadLetterFilter(kind="tolerant"))
    assert (cluster.count, cluster.jobs, cluster.error_class) == (10, 1, "Broken")
    assert cluster.cause == "Broken: service … says no to #"
    letters = office.jobs.dead_letters.page(office.everything, limit=100)
    assert [letter.attempts for letter in letters] == [1] * 10  # no further attempt would help

    office.query("DELETE FROM public.broken RETURNING 1")
    assert office.jobs.replay(DeadLetterFilter(cause=cluster.cause), over_s=0.2) == 10
    job = office.await_state(job_id, "done")
    assert job.progress.tasks == {"done": 1001}
    assert office.effects(job_id) == list(range(1, 1001))


def test_a_dead_letter_fails_its_job_and_a_retry_runs_only_what_failed(
    office: Office, crew: Crew
) -> None:
    office.query("INSERT INTO public.broken VALUES ('mill') RETURNING 1")
    job_id = office.create({}, {"broken": "mill"}, {}, {"last": True})
    crew.start(slots=1)
    job = office.await_state(job_id, "failed")
    assert (job.error_class, job.error) == ("Broken", "service 'mill' says no to 2")
    assert job.progress.tasks == {"done": 2, "dead": 1, "held": 2}
    office.query("DELETE FROM public.broken RETURNING 1")
    assert office.jobs.retry(job_id) == 1
    job = office.await_state(job_id, "done")
    assert (job.error_class, job.error) == (None, None)
    assert office.effects(job_id) == [1, 2, 3, 4]
    assert office.jobs.retry(job_id) == 0
    assert office.job(job_id).state == "done"


def test_a_task_is_given_up_after_its_last_attempt(office: Office, crew: Crew) -> None:
    job_id = office.create({"transient": 4})
    crew.start()
    office.await_state(job_id, "failed")
    (letter,) = office.jobs.dead_letters.page(office.everything, limit=10)
    assert (letter.attempts, letter.error_class) == (4, "ConnectionResetError")
    assert letter.error == "attempt 4 of row 1"
    assert [failure["attempt"] for failure in letter.failures] == [1, 2, 3, 4]
    assert letter.failures[-1]["due_at"] is None


def test_dead_letters_are_found_by_filter_and_page_and_replayed_one_by_one(
    office: Office, crew: Crew
) -> None:
    office.query("INSERT INTO public.broken VALUES ('mill'), ('lathe') RETURNING 1")
    first = office.create(*[{"broken": "mill"}] * 3, kind="tolerant")
    second = office.create({"broken": "lathe"}, {"transient": 9}, kind="tolerant")
    crew.start()
    office.await_state(first, "done")
    office.await_state(second, "done")
    letters = office.jobs.dead_letters

    def count(**chosen: str) -> int:
        return len(letters.page(DeadLetterFilter(**chosen), limit=10))  # type: ignore[arg-type]

    assert count() == 5
    assert count(job_id=first) == 3
    assert count(error_class="Broken") == 4
    assert count(kind="programmed") == 0
    seen: list[tuple[str, int]] = []
    while page := letters.page(office.everything, limit=2, after=seen[-1] if seen else None):
        seen += [(letter.job_id, letter.number) for letter in page]
    assert seen == sorted({*((first, n) for n in (1, 2, 3)), *((second, n) for n in (1, 2))})

    office.query("DELETE FROM public.broken RETURNING 1")
    assert office.jobs.replay(DeadLetterFilter(job_id=first, number=2)) == 1
    eventually(lambda: office.effects(first) == [2])
    office.await_state(first, "done")
    assert count(job_id=first) == 2
    assert office.jobs.replay(DeadLetterFilter(job_id=first)) == 2
    eventually(lambda: office.effects(first) == [1, 2, 3])


def test_the_last_task_runs_again_after_a_replay(office: Office, crew: Crew) -> None:
    office.query("INSERT INTO public.broken VALUES ('mill') RETURNING 1")
    job_id = office.create({"broken": "mill"}, {"last": True}, kind="tolerant")
    crew.start()
    office.await_state(job_id, "done")
    assert office.effects(job_id) == [2]
    office.query("DELETE FROM public.broken RETURNING 1")
    office.jobs.replay(office.everything)
    office.await_state(job_id, "done")
    assert office.effects(job_id) == [1, 2, 2]


def test_dead_letters_of_a_cancelled_job_are_left_alone(office: Office, crew: Crew) -> None:
    office.query("INSERT INTO public.broken VALUES ('mill') RETURNING 1")
    job_id = office.create({"broken": "mill"}, {"wait_s": 100}, kind="tolerant")
    crew.start()
    eventually(lambda: office.job(job_id).progress.tasks.get("dead"))
    office.jobs.cancel(job_id)
    assert office.jobs.dead_letters.clusters(office.everything) == []
    assert office.jobs.replay(office.everything) == 0
    assert office.job(job_id).state == "cancelled"
