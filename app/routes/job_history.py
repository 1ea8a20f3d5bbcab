"""What happened to a job: as events while it happens, as a log, task by task."""

from typing import get_args

from flask import Response, request

from app.bodies import json_response
from app.endpoints import Endpoints, QueryParameter
from app.event_response import event_response
from app.formats.choice import JSON, Format, chosen_format
from app.jobs.documents import address, event_document, event_line, link, task_document
from app.models_jobs import JobEventDocument, LogPage, TaskPage
from app.problem_types import (
    CURSOR_INVALID,
    NOT_ACCEPTABLE,
    TOO_MANY_STREAMS,
    VALIDATION_FAILED,
)
from app.routes.jobs import AFTER, JOB_ID, LIMIT, PROBLEMS, known, page_limit
from app.services import services
from app.url_parameters import one_of, text, whole_number
from jobs.event import LEVELS
from jobs.states import TaskState

endpoints = Endpoints("jobs", lane="bulk")
TASK_STATES: tuple[TaskState, ...] = get_args(TaskState)
HIGHEST_TASK = 2**31 - 1
TEXT = Format("text", "text/plain; charset=utf-8")


@endpoints.endpoint(
    "GET", "/v1/jobs/{job_id}/events", parameters=[JOB_ID], response=JobEventDocument,
    also={204: None}, problems=(*PROBLEMS, TOO_MANY_STREAMS, CURSOR_INVALID),
)  # fmt: skip
def watch_job(job_id: str) -> Response:
    """Watch a job: server-sent events, `text/event-stream`.

    Each change of its state, each failure of a task and each line of a task's log is an event with
    an id, and a JobEventDocument as its data; `progress`, without an id, comes in between. Who
    connects again with `Last-Event-ID` goes on behind that event: none is missing, and none comes
    twice. The stream ends once the job is finished; who then still asks for more is told 204.
    """
    known(job_id)
    streams = services().jobs.events
    after = request.headers.get("Last-Event-ID") or None
    if after is not None and streams.has_ended(job_id, after):
        return Response(status=204)
    return event_response(streams.places, lambda life_s: streams.events(job_id, after, life_s))


@endpoints.endpoint(
    "GET", "/v1/jobs/{job_id}/log", parameters=[JOB_ID], response=LogPage,
    query=(
        QueryParameter("task", "Only of the task with this number.", type="integer"),
        QueryParameter("level", "Only of this level and those above.", LEVELS),
        LIMIT, AFTER,
        QueryParameter("format", "As `Accept`, which it wins over.", ("json", "text")),
    ),
    problems=(*PROBLEMS, VALIDATION_FAILED, CURSOR_INVALID, NOT_ACCEPTABLE),
)  # fmt: skip
def read_job_log(job_id: str) -> Response:
    """Read a job's log, oldest lines first; with `Accept: text/plain` as text.

    While the job is not finished, `next` is where further lines will be. It is a `Link` too.
    """
    form = chosen_format(request.headers.get("Accept"), request.args.get("format"), (JSON, TEXT))
    task = whole_number("task", least=0, most=HIGHEST_TASK)
    level, limit, after = one_of("level", LEVELS), page_limit(), text("after")
    job = known(job_id)  # before its events: one that is quiet by now has all by now
    events = services().jobs.jobs.events(
        job_id, limit=limit, after=after, task=task,
        level=None if level is None else LEVELS[LEVELS.index(level)],
    )  # fmt: skip
    following = None
    if len(events) == limit or not job.is_quiet:
        following = link(
            address(job_id, "log"), task=task, level=level, limit=limit,
            after=events[-1].id if events else after,
        )  # fmt: skip
    if form is TEXT:
        lines = "".join(f"{event_line(event)}\n" for event in events)
        response = Response(lines, content_type=TEXT.content_type)
    else:
        response = json_response(LogPage(lines=list(map(event_document, events)), next=following))
    response.headers["Vary"] = "Accept"
    if following is not None:
        response.headers["Link"] = f'<{following}>; rel="next"'
    return response


@endpoints.endpoint(
    "GET", "/v1/jobs/{job_id}/tasks", parameters=[JOB_ID], response=TaskPage,
    query=(
        QueryParameter("state", "Only those in this state.", TASK_STATES),
        LIMIT,
        QueryParameter("after", "Only those with higher numbers.", type="integer"),
    ),
    problems=(*PROBLEMS, VALIDATION_FAILED),
)  # fmt: skip
def list_job_tasks(job_id: str) -> TaskPage:
    """List a job's tasks, by number."""
    state, limit = one_of("state", TASK_STATES), page_limit()
    after = whole_number("after", least=0, most=HIGHEST_TASK)
    known(job_id)
    found = services().jobs.jobs.tasks(
        job_id, limit=limit + 1, after=after,
        state=None if state is None else TASK_STATES[TASK_STATES.index(state)],
    )  # fmt: skip
    tasks = found[:limit]
    following = None
    if len(found) > limit:
        path = address(job_id, "tasks")
        following = link(path, state=state, limit=limit, after=tasks[-1].number)
    return TaskPage(tasks=list(map(task_document, tasks)), next=following)
