"""What happens to a job, as server-sent events that miss nothing and tell nothing twice."""

import json
import time
from collections.abc import Callable, Iterator

from app.event_places import EventPlaces
from app.jobs.documents import event_document, lasting, progress_document
from db.errors import DatabaseError
from jobs.event import JobEvent
from jobs.record import Job
from jobs.service import Jobs

LOOK_S = 0.5
HEARTBEAT_S = 5.0
RETRY_MS = 1000
EVENTS_AT_ONCE = 500


class JobEventStreams:
    """Streams of events about jobs; each takes one of `places`."""

    def __init__(
        self,
        jobs: Jobs,
        places: EventPlaces,
        monotonic: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._jobs = jobs
        self._monotonic = monotonic
        self._pause = pause
        self.places = places

    def has_ended(self, job_id: str, after: str) -> bool:
        """Tell whether nothing comes behind the event `after`.  Raises CursorMalformed."""
        job = self._jobs.find(job_id)
        further = self._jobs.events(job_id, limit=1, after=after)
        return not further and (job is None or job.is_quiet)

    def events(self, job_id: str, after: str | None, life_s: float) -> Iterator[bytes]:
        """Yield the events behind `after`, and progress in between, until nothing of the job runs.

        Events have ids, progress has none: who connects again goes on behind the last event.
        After `life_s` the stream ends before the job does.
        """
        quiet_since = self._monotonic()
        end = quiet_since + life_s
        told: object = None
        yield f"retry: {RETRY_MS}\n\n".encode()
        while not self.places.is_stopped and self._monotonic() < end:
            try:
                # in this order: a job that is quiet by now has all its events by now
                job = self._jobs.find(job_id)
                events = self._jobs.events(job_id, limit=EVENTS_AT_ONCE, after=after)
            except DatabaseError:
                return
            text = "".join(map(_event, events))
            if job is not None and told != (now := (job.state, lasting(progress_document(job)))):
                told = now
                text += _progress(job)
            if events:
                after = events[-1].id
            if text:
                quiet_since = self._monotonic()
                yield text.encode()
            elif self._monotonic() - quiet_since >= HEARTBEAT_S:
                quiet_since = self._monotonic()
                yield b": still there\n\n"
            if len(events) == EVENTS_AT_ONCE:
                continue
            if job is None:
                yield b"event: forgotten\ndata: {}\n\n"
                return
            if job.is_quiet:
                return
            self._pause(min(LOOK_S, max(0.0, end - self._monotonic())))


def _event(event: JobEvent) -> str:
    return (
        f"id: {event.id}\nevent: {event.event}\ndata: {event_document(event).model_dump_json()}\n\n"
    )


def _progress(job: Job) -> str:
    data = {"state": job.state, **progress_document(job).model_dump()}
    return f"event: progress\ndata: {json.dumps(data)}\n\n"
