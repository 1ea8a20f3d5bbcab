"""What a worker tells of tasks: each failed attempt, lapsed lease and dead letter once."""

from pathlib import Path

from tests.integration.jobs.conftest import Crew, Office, eventually


def names(crew: Crew) -> list[str]:
    return [name for name, _ in crew.events]


def test_failed_attempts_and_a_dead_letter_are_told_with_their_cause(
    office: Office, crew: Crew
) -> None:
    crew.start(slots=1)
    job = office.create({"transient": 2}, {"transient": 99})
    eventually(lambda: office.job(job).state == "failed")
    eventually(lambda: "dead_letter" in names(crew))
    assert sorted(names(crew)) == ["dead_letter"] + ["failed_attempt"] * len(names(crew)[1:])
    (dead,) = [facts for name, facts in crew.events if name == "dead_letter"]
    assert dead["cause"] == "ConnectionResetError: attempt 4 of row 2"
    assert (dead["lane"], dead["job"], dead["task"], dead["attempt"]) == ("bulk", job, 2, 4)
    eventually(lambda: crew.ends.count("dead") == 1)  # told after the event
    assert crew.ends.count("failed") == names(crew).count("failed_attempt")
    assert set(crew.ends) <= {"done", "failed", "dead"}


def test_a_lease_that_lapsed_is_told_by_the_worker_that_found_it(
    office: Office, crew: Crew, tmp_path: Path
) -> None:
    doomed = crew.start_process(slots=1)
    job = office.create({"stall": str(tmp_path / "begun")})
    eventually((tmp_path / "begun").exists)
    crew.start(slots=1)
    doomed.kill()
    eventually(lambda: office.job(job).state == "done")
    (facts,) = [facts for name, facts in crew.events if name == "lease_lapsed"]
    assert str(facts["cause"]).startswith("nothing was heard of worker ")
    assert (facts["job"], facts["attempt"], facts["state"]) == (job, 1, "ready")
    assert "dead_letter" not in names(crew)
