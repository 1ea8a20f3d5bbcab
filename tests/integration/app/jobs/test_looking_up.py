"""Jobs are listed, polled, ended, paused, retried; their log and tasks are read in pages."""

from typing import Any

import pytest

from tests.integration.app.conftest import wait_until
from tests.integration.app.jobs.conftest import Desk


def pages(desk: Desk, address: str, member: str) -> list[dict[str, Any]]:
    """Return all items from the page at `address` on."""
    found: list[dict[str, Any]] = []
    following: str | None = address
    while following is not None:
        page = desk.http.get(following)
        assert page.status_code == 200, page.text
        found += page.json()[member]
        following = page.json()["next"]
    return found


def test_jobs_are_listed_in_pages_newest_first(desk: Desk) -> None:
    places = [desk.submit("programmed", tasks=[]) for _ in range(7)]
    found = pages(desk, "/v1/jobs?kind=programmed&limit=3", "jobs")
    assert [job["links"]["self"] for job in found][:7] == places[::-1]
    desk.wait(places[-1])
    done = desk.http.get("/v1/jobs", params={"state": "done", "limit": 1}).json()["jobs"]
    assert [job["state"] for job in done] == ["done"]
    assert desk.http.get("/v1/jobs", params={"kind": "nothing"}).json() == {
        "jobs": [], "next": None,
    }  # fmt: skip


def test_a_page_goes_on_when_its_last_job_is_gone(desk: Desk) -> None:
    places = [desk.finished("programmed", tasks=[]) for _ in range(3)]
    page = desk.http.get("/v1/jobs", params={"kind": "programmed", "limit": 2}).json()
    assert desk.http.delete(places[1], params={"forget": "true"}).status_code == 204
    assert desk.http.get(page["next"]).json()["jobs"][0]["links"]["self"] == places[0]


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/v1/jobs?limit=0", 422),
        ("/v1/jobs?limit=501", 422),
        ("/v1/jobs?limit=ten", 422),
        ("/v1/jobs?state=over", 422),
        ("/v1/jobs?kind=%00", 422),
        ("/v1/jobs?after=1", 400),
        ("/v1/jobs?after=2026-02-30T00:00:00%2B00:00_abc", 400),
        ("/v1/dead-letters?after=x", 400),
        ("/v1/dead-letters?task=-1", 422),
        ("{place}/log?after=x", 400),
        ("{place}/log?after=99999999999999999999", 400),
        ("{place}/log?level=loud", 422),
        ("{place}/log?format=csv", 422),
        ("{place}/tasks?state=running", 422),
        ("{place}/tasks?after=99999999999", 422),
        ("{place}/result?offset=-1", 422),
        ("{place}/result?partial=yes", 422),
        ("{place}/result?format=json", 422),
        ("{place}/output/nothing", 404),
        ("/v1/jobs/nobody", 404),
        ("/v1/jobs/nobody/events", 404),
        ("/v1/jobs/nobody/log", 404),
        ("/v1/jobs/nobody/tasks", 404),
        ("/v1/jobs/nobody/result", 404),
    ],
)
def test_what_makes_no_sense_is_refused(desk: Desk, address: str, status: int) -> None:
    place = desk.finished(tasks=[1])
    response = desk.http.get(address.format(place=place))
    assert response.status_code == status, response.text
    assert response.json()["type"].startswith("/problems/")


def test_polling_is_told_when_nothing_has_changed(desk: Desk) -> None:
    place = desk.submit(tasks=[1, 1], slow=2)
    wait_until(
        lambda: desk.job(place)["progress"]["tasks"] == {"done": 2, "leased": 1},
        "the first task is done, and the slow one has begun",
    )
    running = desk.http.get(place)
    assert running.headers["Retry-After"] == "1"
    tag = running.headers["ETag"]
    assert tag.startswith('W/"')
    same = desk.http.get(place, headers={"If-None-Match": tag})
    assert (same.status_code, same.content, same.headers["ETag"]) == (304, b"", tag)
    assert same.headers["Retry-After"] == "1"
    assert desk.http.delete(place).status_code == 200
    changed = desk.http.get(place, headers={"If-None-Match": f'"other", {tag}'})
    assert (changed.status_code, changed.json()["state"]) == (200, "cancelled")
    assert "Retry-After" not in changed.headers


def test_deleting_cancels_and_keeps_what_is_done(desk: Desk) -> None:
    place = desk.submit(tasks=[3, 1], slow=2)
    wait_until(lambda: desk.job(place)["progress"]["rows"] == 3, "the first task is done")
    early = desk.http.delete(place, params={"forget": "true"})
    assert (early.status_code, early.json()["type"]) == (409, "/problems/job-state-unfit")
    assert early.json()["state"] == "running"
    cancelled = desk.http.delete(place)
    assert (cancelled.status_code, cancelled.json()["state"]) == (200, "cancelled")
    assert desk.http.delete(place).json()["state"] == "cancelled"
    assert desk.http.delete(place, params={"forget": "true"}).status_code == 204
    for gone in (desk.http.get(place), desk.http.delete(place), desk.http.get(f"{place}/result")):
        assert (gone.status_code, gone.json()["type"]) == (404, "/problems/job-unknown")
    assert desk.http.delete(place, params={"forget": "true"}).status_code == 404


def test_deleting_what_has_just_come_to_its_end_loses_nothing(desk: Desk) -> None:
    place = desk.finished(tasks=[3])
    late = desk.http.delete(place)
    assert (late.status_code, late.json()["state"]) == (200, "done")
    assert desk.http.get(f"{place}/result").status_code == 200


def test_a_job_is_paused_and_goes_on(desk: Desk) -> None:
    for wait_s in (0.2, 2.0, 8.0):
        place = desk.submit("programmed", tasks=[{"wait_s": wait_s}] * 4)
        paused = desk.http.post(f"{place}/pause")
        if paused.status_code == 200:
            break
        assert desk.job(place)["state"] == "done"  # it was over too soon
    assert (paused.status_code, paused.json()["state"]) == (200, "paused")
    assert desk.http.post(f"{place}/pause").json()["state"] == "paused"
    resumed = desk.http.post(f"{place}/resume")
    assert resumed.json()["state"] in ("queued", "running")
    desk.wait(place)
    for what in ("pause", "resume"):
        late = desk.http.post(f"{place}/{what}")
        assert (late.status_code, late.json()["type"]) == (409, "/problems/job-state-unfit")
        assert desk.http.post(f"/v1/jobs/nobody/{what}").status_code == 404


def test_a_failed_job_is_retried(desk: Desk) -> None:
    place = desk.submit(tasks=[1, 1], broken=2)
    failed = desk.wait(place, "failed")
    assert failed["error"]["class"] == "BrokenRow"
    body = desk.http.post(f"{place}/retry", json={"rows": []})
    assert body.json()["errors"][0]["pointer"] == "/rows"
    retried = desk.http.post(f"{place}/retry")
    assert (retried.status_code, retried.json()["replayed"]) == (200, 1)
    assert desk.wait(place)["error"] is None
    assert desk.http.post(f"{place}/retry", json={}).json()["replayed"] == 0
    cancelled = desk.submit(tasks=[1], slow=1)
    desk.http.delete(cancelled)
    refused = desk.http.post(f"{cancelled}/retry")
    assert (refused.status_code, refused.json()["state"]) == (409, "cancelled")
    assert desk.http.post("/v1/jobs/nobody/retry").status_code == 404


def test_the_log_is_read_in_pages_and_as_text(desk: Desk) -> None:
    place = desk.submit(tasks=[1] * 5, broken=3)
    desk.wait(place, "failed")
    wait_until(lambda: "leased" not in desk.job(place)["progress"]["tasks"], "nothing runs")
    lines = pages(desk, f"{place}/log?limit=3", "lines")
    assert [line["event"] for line in lines if line["event"] != "log"][:2] == ["queued", "running"]
    assert "failed" in {line["event"] for line in lines}
    ids = [int(line["id"]) for line in lines]
    assert ids == sorted(set(ids))
    said = {line["message"] for line in lines if line["event"] == "log"}
    assert "the plan says so" in said
    of_task = pages(desk, f"{place}/log?task=1&limit=1", "lines")
    assert {line["task"] for line in of_task} == {1}
    errors = pages(desk, f"{place}/log?level=error", "lines")
    assert {line["level"] for line in errors} == {"error"}
    response = desk.http.get(f"{place}/log", headers={"Accept": "text/plain"})
    assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert len(response.text.splitlines()) == len(lines)
    assert "Link" not in response.headers


def test_the_log_of_a_job_that_runs_says_where_it_goes_on(desk: Desk) -> None:
    place = desk.submit(tasks=[1], slow=1)
    wait_until(
        lambda: len(desk.http.get(f"{place}/log").json()["lines"]) >= 4, "the slow task has begun"
    )
    page = desk.http.get(f"{place}/log")
    following = page.json()["next"]
    assert page.headers["Link"] == f'<{following}>; rel="next"'
    assert desk.http.get(following).json() == {"lines": [], "next": following}
    desk.http.delete(place)
    ended = desk.http.get(following).json()
    assert ([line["event"] for line in ended["lines"]], ended["next"]) == (["cancelled"], None)


def test_tasks_are_read_in_pages(desk: Desk) -> None:
    place = desk.submit(tasks=[1] * 5, broken=3)
    desk.wait(place, "failed")
    tasks = pages(desk, f"{place}/tasks?limit=2", "tasks")
    assert [task["number"] for task in tasks] == list(range(6))
    assert [task["name"] for task in tasks] == ["plan", *["write"] * 5]
    (dead,) = pages(desk, f"{place}/tasks?state=dead", "tasks")
    assert (dead["number"], dead["error"]["class"]) == (3, "BrokenRow")
    assert [failure["class"] for failure in dead["failures"]] == ["BrokenRow"]


def test_dead_letters_are_found_grouped_and_replayed(desk: Desk) -> None:
    places = [desk.submit(tasks=[1] * 4, broken=number) for number in (2, 3)]
    ids = [desk.wait(place, "failed")["id"] for place in places]
    for job_id, number in zip(ids, (2, 3), strict=True):
        (letter,) = pages(desk, f"/v1/dead-letters?job={job_id}&limit=1", "dead_letters")
        assert (letter["task"], letter["error"]["class"]) == (number, "BrokenRow")
        assert letter["cause"] == "BrokenRow: row # is broken"
        assert len(letter["failures"]) == 1
    chosen = {"kind": "written", "error_class": "BrokenRow", "cause": letter["cause"]}
    all_of_them = pages(desk, "/v1/dead-letters?limit=1&kind=written", "dead_letters")
    assert set(ids) <= {letter["job"] for letter in all_of_them}
    causes = desk.http.get("/v1/dead-letters/causes", params=chosen).json()
    (cause,) = causes["causes"]
    assert (cause["count"], cause["jobs"]) == (causes["count"], causes["count"])
    assert cause["count"] >= 2
    replay = "/v1/dead-letters/replay"
    dry = desk.http.post(replay, json={"filter": {"job": ids[0]}, "dry_run": True}).json()
    assert (dry["replayed"], dry["causes"][0]["count"]) == (0, 1)
    one = desk.http.post(replay, json={"filter": {"job": ids[0], "task": 2}}).json()
    assert one == {"replayed": 1, "causes": None}
    desk.wait(places[0])
    assert desk.job(places[1])["state"] == "failed"
    rest = desk.http.post(replay, json={"filter": {"all": True}, "over_s": 0.2}).json()
    assert rest["replayed"] >= 1
    desk.wait(places[1])


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"filter": {}}, "/filter"),
        ({}, "/filter"),
        ({"filter": {"all": False}}, "/filter/all"),
        ({"filter": {"all": True, "kind": "written"}}, "/filter/all"),
        ({"filter": {"task": 1}}, "/filter/task"),
        ({"filter": {"all": True}, "over_s": -1}, "/over_s"),
        ({"filter": {"al": True}}, "/filter/al"),
    ],
)
def test_a_replay_says_what_it_means(desk: Desk, body: dict[str, Any], pointer: str) -> None:
    response = desk.http.post("/v1/dead-letters/replay", json=body)
    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == pointer
