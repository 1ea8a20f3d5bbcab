"""Events of a job arrive once each and in order, however often the stream is cut."""

import json
import random
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.integration.app.conftest import wait_until
from tests.integration.app.jobs.conftest import Desk


@dataclass(frozen=True)
class Told:
    """One event, as a client of server-sent events reads it."""

    id: str | None
    event: str
    data: dict[str, Any]


def told(response: httpx.Response) -> Iterator[Told]:
    """Yield the whole events of a stream."""
    fields: dict[str, str] = {}
    for line in response.iter_lines():
        if line.startswith(":"):
            continue
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif "data" in fields:
            yield Told(fields.get("id"), fields["event"], json.loads(fields["data"]))
            fields = {}
        else:
            assert fields == {"retry": "1000"}
            fields = {}


def log(desk: Desk, place: str) -> list[str]:
    """Return the ids of all events."""
    lines = desk.http.get(f"{place}/log", params={"limit": 500}).json()["lines"]
    return [line["id"] for line in lines]


def test_a_job_is_told_from_its_beginning_to_its_end(desk: Desk) -> None:
    place = desk.submit(tasks=[1] * 5)
    with desk.watching(place) as response:
        assert response.headers["Content-Type"] == "text/event-stream"
        events = list(told(response))
    numbered = [event for event in events if event.id is not None]
    assert [event.id for event in numbered] == log(desk, place)
    assert [event.event for event in numbered if event.event != "log"] == [
        "queued", "running", "done",
    ]  # fmt: skip
    assert all(event.data["id"] == event.id for event in numbered)
    progress = [event for event in events if event.event == "progress"]
    assert all(event.id is None for event in progress)
    assert (progress[-1].data["state"], progress[-1].data["share"]) == ("done", 1.0)


@pytest.mark.parametrize("seed", range(4))
def test_a_stream_that_is_cut_anywhere_goes_on_where_it_was(desk: Desk, seed: int) -> None:
    choose = random.Random(seed)
    place = desk.submit("programmed", tasks=[{"transient": 1, "wait_s": 0.05}] * 12)
    seen: list[str] = []
    cuts = 0
    while True:
        # what is behind the last whole event is lost with its connection
        length = choose.randrange(1, 1200)
        headers = {"Last-Event-ID": seen[-1]} if seen else {}
        text = b""
        with desk.http.stream("GET", f"{place}/events", headers=headers) as response:
            if response.status_code == 204:
                break
            for piece in response.iter_raw():
                text += piece
                if len(text) >= length:
                    text = text[:length]
                    cuts += 1
                    break
        whole = text[: text.rfind(b"\n\n") + 2].decode()
        seen += [line[4:] for line in whole.splitlines() if line.startswith("id: ")]
    assert cuts > 3
    assert seen == log(desk, place)
    assert desk.job(place)["state"] == "done"


def test_who_watches_a_job_to_its_end_hears_of_a_retry_later(desk: Desk) -> None:
    place = desk.submit(tasks=[1], broken=1)
    with desk.watching(place) as response:
        first = [event for event in told(response) if event.id]
    assert first[-1].event == "failed"
    headers = {"Last-Event-ID": str(first[-1].id)}
    assert desk.http.get(f"{place}/events", headers=headers).status_code == 204
    desk.http.post(f"{place}/retry")
    with desk.watching(place, headers) as response:
        rest = [event for event in told(response) if event.id]
    assert rest[-1].event == "done"
    assert [event.id for event in first + rest] == log(desk, place)


def test_an_id_that_is_none_is_refused(desk: Desk) -> None:
    place = desk.submit(tasks=[])
    refused = desk.http.get(f"{place}/events", headers={"Last-Event-ID": "x"})
    assert (refused.status_code, refused.json()["type"]) == (400, "/problems/cursor-invalid")


def test_only_so_many_streams_are_open(desk: Desk) -> None:
    place = desk.submit(tasks=[1], slow=1)
    with ExitStack() as streams:
        for _ in range(3):
            assert streams.enter_context(desk.watching(place)).status_code == 200
        refused = desk.http.get(f"{place}/events")
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
        assert refused.json()["type"] == "/problems/too-many-streams"
    desk.http.delete(place)

    def is_free() -> bool:
        with desk.http.stream("GET", f"{place}/events") as response:
            return response.status_code == 200

    wait_until(is_free, "a place is given back")


def test_a_stream_ends_before_the_balancer_would_cut_it(desk: Desk) -> None:
    place = desk.submit(tasks=[1], slow=1)
    desk.wait(place, "running")
    headers = {"X-Millrace-Timeout-S": "1.5"}
    with desk.watching(place, headers) as response:
        events = list(told(response))
    assert events[-1].event == "progress" or events[-1].id is not None
    assert desk.job(place)["state"] == "running"
    desk.http.delete(place)
