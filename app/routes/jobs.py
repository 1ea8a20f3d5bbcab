"""Durable jobs: taken in, looked up, ended, and told what to do."""

import re
from datetime import datetime
from typing import Any, get_args

from flask import Response, request
from pydantic import RootModel

from app.bodies import json_response, parse_body
from app.endpoints import Endpoints, PathParameter, QueryParameter
from app.idempotency_key import idempotency_key
from app.jobs.acceptance import Accepted
from app.jobs.documents import address, etag, job_document, link
from app.jobs.wiring import JOB_TYPES
from app.models_jobs import (
    JobDocument,
    JobForm,
    JobKindDocument,
    JobKinds,
    JobPage,
    NewJobBody,
    RetryOutcome,
    job_request_model,
)
from app.problem_types import (
    BAD_REQUEST,
    BODY_TOO_LARGE,
    CURSOR_INVALID,
    DATABASE_BUSY,
    DATABASE_READ_ONLY,
    DATABASE_UNAVAILABLE,
    IDEMPOTENCY_KEY_BUSY,
    IDEMPOTENCY_KEY_INVALID,
    IDEMPOTENCY_KEY_REUSED,
    JOB_STATE_UNFIT,
    JOB_UNKNOWN,
    JOB_UNSURE,
    MALFORMED_JSON,
    TOO_MANY_BODIES,
    TOO_MANY_JOBS,
    TOO_MANY_UPLOADS,
    UNSUPPORTED_MEDIA_TYPE,
    VALIDATION_FAILED,
)
from app.problems import Problem
from app.raw_body import pieces
from app.services import services
from app.uploads.multipart import boundary_of, read_multipart
from app.url_parameters import FLAG, flag, one_of, text, whole_number
from jobs.errors import NotPossible
from jobs.record import Job
from jobs.states import JobState

endpoints = Endpoints("jobs", lane="bulk")
JOB_ID = PathParameter("job_id", r"[A-Za-z0-9_-]{1,64}", "Id of a job.")
DATABASE_PROBLEMS = (DATABASE_UNAVAILABLE, DATABASE_BUSY, DATABASE_READ_ONLY)
PROBLEMS = (JOB_UNKNOWN, *DATABASE_PROBLEMS)
BODY_PROBLEMS = (MALFORMED_JSON, BODY_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE, VALIDATION_FAILED)
STATES: tuple[JobState, ...] = get_args(JobState)
REPLAYED = "Idempotency-Replayed"
RETRY_AFTER_S = 1
FORM = "multipart/form-data"
USUAL_LIMIT, MOST_AT_ONCE = 50, 500
LIMIT = QueryParameter(
    "limit", f"How many at most, {USUAL_LIMIT} when it is left out, {MOST_AT_ONCE} at most.",
    type="integer",
)  # fmt: skip
AFTER = QueryParameter("after", "Where to go on: take `next` of the page before.")
_CURSOR = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?\+00:00)_([A-Za-z0-9_-]{1,64})")


class _RetryBody(RootModel[dict[str, Any]]):
    """What some kinds of jobs take for a retry."""


@endpoints.endpoint(
    "POST", "/v1/jobs", response=JobDocument, status=202,
    reads={"application/json": job_request_model(JOB_TYPES), FORM: JobForm},
    problems=(BAD_REQUEST, *BODY_PROBLEMS, *DATABASE_PROBLEMS, TOO_MANY_JOBS, JOB_UNSURE,
              TOO_MANY_BODIES, TOO_MANY_UPLOADS, IDEMPOTENCY_KEY_INVALID,
              IDEMPOTENCY_KEY_REUSED, IDEMPOTENCY_KEY_BUSY),
)  # fmt: skip
def create_job() -> Response:
    """Take in a job, which is not lost from then on.

    As JSON, or as a form with a part `job`, the JSON, and a part `file`, which is streamed.
    `Location` says where it is told of. With `Idempotency-Key`, the same request again gets the
    same job, and the header `Idempotency-Replayed: true`; a key is kept for
    `MILLRACE_JOBS_KEY_RETENTION_S`.
    """
    desk = services().jobs
    key = idempotency_key()
    if request.mimetype == FORM:
        parts = read_multipart(pieces(0, ""), boundary_of(request.headers["Content-Type"]))
        return _promised(desk.forms.accept(parts, key))
    return _promised(desk.acceptance.accept(parse_body(NewJobBody), key))


@endpoints.endpoint(
    "GET", "/v1/jobs", response=JobPage,
    query=(
        QueryParameter("state", "Only those in this state.", STATES),
        QueryParameter("kind", "Only those of this kind."),
        LIMIT, AFTER,
    ),
    problems=(*DATABASE_PROBLEMS, VALIDATION_FAILED, CURSOR_INVALID),
)  # fmt: skip
def list_jobs() -> JobPage:
    """List jobs, newest first."""
    desk = services().jobs
    state = one_of("state", STATES)
    kind, limit = text("kind"), page_limit()
    found = desk.jobs.list(
        limit=limit + 1,
        after=_cursor(text("after")),
        state=None if state is None else STATES[STATES.index(state)],
        kind=kind,
    )
    jobs = found[:limit]
    following = None
    if len(found) > limit:
        after = f"{jobs[-1].created_at}_{jobs[-1].id}"
        following = link("/v1/jobs", state=state, kind=kind, limit=limit, after=after)
    return JobPage(jobs=list(map(described, jobs)), next=following)


@endpoints.endpoint("GET", "/v1/jobs/kinds", response=JobKinds)
def list_job_kinds() -> JobKinds:
    """List the kinds of jobs, with the JSON schemas of their parameters."""
    return JobKinds(
        kinds=[
            JobKindDocument(
                name=kind.name,
                summary=kind.summary,
                parameters=kind.parameters.model_json_schema(),
                file_parameter=kind.file_parameter,
                streams={name: list(columns) for name, columns in kind.streams.items()},
            )
            for kind in services().jobs.types.values()
        ]
    )


@endpoints.endpoint(
    "GET", "/v1/jobs/{job_id}", parameters=[JOB_ID], response=JobDocument, also={304: None},
    problems=PROBLEMS,
)  # fmt: skip
def look_job_up(job_id: str) -> Response:
    """Look a job up.

    Cheap to ask again and again: with `If-None-Match` the answer is 304 while nothing but the pace
    has changed, and `Retry-After` says when to ask again as long as it is not finished.
    """
    job = known(job_id)
    document = described(job)
    tag = etag(document)
    if request.if_none_match.contains_weak(tag):
        response = Response(status=304)
    else:
        response = json_response(document)
    response.set_etag(tag, weak=True)
    response.headers["Cache-Control"] = "no-cache"
    return _hurrying(response, job)


@endpoints.endpoint(
    "DELETE", "/v1/jobs/{job_id}", parameters=[JOB_ID], response=JobDocument, also={204: None},
    query=(
        QueryParameter("forget", "`true`: forget a finished job, with all it has left.", FLAG),
    ),
    problems=(*PROBLEMS, JOB_STATE_UNFIT, VALIDATION_FAILED),
)  # fmt: skip
def delete_job(job_id: str) -> Response:
    """Cancel a job, or forget one that is finished.

    What has not begun never will, and what runs is stopped; what is done stays done. A finished job
    stays as it is: one that has just come to its end keeps its results, and the answer tells its
    state. To delete these, ask for it with `forget=true`: then there is no answer's body.
    """
    jobs = services().jobs.jobs
    if flag("forget"):
        if not jobs.forget(job_id):
            state = known(job_id).state
            raise NotPossible("Only a finished job can be forgotten; cancel this one first.", state)
        return Response(status=204)
    if jobs.cancel(job_id) is None:
        raise unknown(job_id)
    return json_response(described(known(job_id)))


@endpoints.endpoint(
    "POST", "/v1/jobs/{job_id}/pause", parameters=[JOB_ID], response=JobDocument,
    problems=(*PROBLEMS, JOB_STATE_UNFIT),
)  # fmt: skip
def pause_job(job_id: str) -> JobDocument:
    """Begin no further task of a job until it is resumed; tasks that run are finished."""
    return _unfinished(services().jobs.jobs.pause(job_id), job_id, "paused")


@endpoints.endpoint(
    "POST", "/v1/jobs/{job_id}/resume", parameters=[JOB_ID], response=JobDocument,
    problems=(*PROBLEMS, JOB_STATE_UNFIT),
)  # fmt: skip
def resume_job(job_id: str) -> JobDocument:
    """Go on with a paused job."""
    return _unfinished(services().jobs.jobs.resume(job_id), job_id, "resumed")


@endpoints.endpoint(
    "POST", "/v1/jobs/{job_id}/retry", parameters=[JOB_ID], response=RetryOutcome,
    problems=(*PROBLEMS, *BODY_PROBLEMS, JOB_STATE_UNFIT),
)  # fmt: skip
def retry_job(job_id: str) -> RetryOutcome:
    """Run again what failed of a job, with all its attempts.

    What is done is not done again. Kinds that say so take a JSON body, the others take none.
    """
    desk = services().jobs
    job = known(job_id)
    body = _optional_body()
    kind = desk.types.get(job.kind)
    replayed = desk.jobs.retry(job_id) if kind is None else kind.retry(desk.jobs, job, body)
    return RetryOutcome(replayed=replayed, job=described(known(job_id)))


def known(job_id: str) -> Job:
    """Return the job.  Raises Problem: 404."""
    job = services().jobs.jobs.find(job_id)
    if job is None:
        raise unknown(job_id)
    return job


def unknown(job_id: str) -> Problem:
    """Return the problem that there is no such job."""
    return Problem(
        JOB_UNKNOWN, f"No job {job_id} is known: it never was, or it has been forgotten."
    )


def described(job: Job) -> JobDocument:
    """Return the document of a job."""
    return job_document(job, services().jobs.types.get(job.kind))


def page_limit() -> int:
    """Return how many a page may have.  Raises Problem."""
    return whole_number("limit", least=1, most=MOST_AT_ONCE) or USUAL_LIMIT


def _promised(accepted: Accepted) -> Response:
    job = known(accepted.job_id)
    response = json_response(described(job), 202)
    response.headers["Location"] = address(job.id)
    if not accepted.is_new:
        response.headers[REPLAYED] = "true"
    return _hurrying(response, job)


def _hurrying(response: Response, job: Job) -> Response:
    if not job.is_finished:
        response.headers["Retry-After"] = str(RETRY_AFTER_S)
    return response


def _unfinished(state: JobState | None, job_id: str, what: str) -> JobDocument:
    if state is None:
        raise unknown(job_id)
    job = known(job_id)
    if job.is_finished:
        raise NotPossible(f"The job is finished; only others can be {what}.", job.state)
    return described(job)


def _optional_body() -> dict[str, Any]:
    if not request.content_length and request.headers.get("Transfer-Encoding") is None:
        return {}
    return parse_body(_RetryBody).root


def _cursor(given: str | None) -> tuple[str, str] | None:
    if given is None:
        return None
    found = _CURSOR.fullmatch(given)
    try:
        if found is not None:
            datetime.fromisoformat(found[1])
            return found[1], found[2]
    except ValueError:  # the 30th of February
        pass
    raise Problem(CURSOR_INVALID, "The URL's parameter after is none that a page has had as next.")
