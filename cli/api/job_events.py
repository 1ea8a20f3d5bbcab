"""What happens to a job, event by event, over as many connections as it takes."""

import http.client
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from cli.api.client import ApiClient, ApiFailed, ApiRefused

FINISHED = ("done", "failed", "cancelled")
PAUSE_S = 1.0
TRIES = 30  # without an answer, one after the other


@dataclass(frozen=True)
class Event:
    """One event; `id` is None for progress."""

    id: str | None
    name: str
    data: dict[str, Any]


class JobEvents:
    """Follows a job to its end: by its stream, or by polling where none is to be had."""

    def __init__(self, client: ApiClient, pause: Callable[[float], None] = time.sleep) -> None:
        self._client = client
        self._pause = pause

    def follow(self, job_id: str) -> Iterator[Event]:
        """Yield what happens, until the job is finished.  Raises ApiRefused, ApiFailed."""
        path, last, failed = f"/v1/jobs/{job_id}", None, 0
        while True:
            try:
                for event in self._stream(f"{path}/events", last):
                    last, failed = event.id or last, 0
                    yield event
                job = self._client.document("GET", path)
            except ApiRefused as refused:
                if refused.status != http.client.SERVICE_UNAVAILABLE:
                    raise
                # as many streams are open as may be, or the database is away for a moment
                yield from self._look(path)
                job = {}
            except ApiFailed:
                failed += 1
                if failed == TRIES:
                    raise
                job = {}
            if job.get("state") in FINISHED:
                return
            self._pause(PAUSE_S)

    def _look(self, path: str) -> Iterator[Event]:
        try:
            job = self._client.document("GET", path)
        except ApiRefused as refused:
            if refused.status != http.client.SERVICE_UNAVAILABLE:
                raise
            return
        yield Event(None, "progress", {"state": job["state"], **job["progress"]})

    def _stream(self, path: str, last: str | None) -> Iterator[Event]:
        headers = {"Accept": "text/event-stream"}
        if last is not None:
            headers["Last-Event-ID"] = last
        fields: dict[str, str] = {}
        with self._client.response("GET", path, None, headers) as response:
            for raw in response:
                line = raw.decode().rstrip("\n")
                if line:
                    name, _, value = line.partition(": ")
                    fields[name] = value
                    continue
                # what is cut off before its empty line comes again, with the next connection
                if "data" in fields:
                    yield Event(fields.get("id"), fields["event"], json.loads(fields["data"]))
                fields = {}
