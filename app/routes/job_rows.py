"""The rows that jobs leave, streamed as NDJSON or CSV in their order."""

from typing import NoReturn

from flask import Response, g, request

from app.endpoints import Endpoints, PathParameter, QueryParameter
from app.formats.choice import CSV, NDJSON, chosen_encoding, chosen_format
from app.formats.responses import TRAILERS_KEY, VARY
from app.formats.stream import TRAILERS
from app.jobs.record_stream import RecordStream
from app.jobs.row_stream import RowsAsked, RowStream
from app.models_jobs import RowsHead
from app.problem_types import JOB_NOT_DONE, NOT_ACCEPTABLE, NOT_FOUND, VALIDATION_FAILED
from app.problems import Problem
from app.routes.jobs import JOB_ID, PROBLEMS, RETRY_AFTER_S, known
from app.services import services
from app.url_parameters import FLAG, flag, whole_number
from app.waiting_client import client_socket
from jobs.record import Job

endpoints = Endpoints("jobs", lane="bulk")
MOST_ROWS = 10**15
STREAM = PathParameter("stream", r"[a-z_]{1,64}", "Name of a stream of the job's kind.")
FORMATS = (NDJSON, CSV)
QUERY = (
    QueryParameter("format", "As `Accept`, which it wins over.", tuple(f.name for f in FORMATS)),
    QueryParameter("partial", "`true`: what there is, of a job that is not done.", FLAG),
    QueryParameter("offset", "How many rows to leave out, those you have.", type="integer"),
    QueryParameter("limit", "How many rows at most.", type="integer"),
)
ROW_PROBLEMS = (*PROBLEMS, JOB_NOT_DONE, NOT_ACCEPTABLE, VALIDATION_FAILED)


@endpoints.endpoint(
    "GET", "/v1/jobs/{job_id}/result", parameters=[JOB_ID], response=RowsHead, query=QUERY,
    problems=ROW_PROBLEMS,
)  # fmt: skip
def read_job_result(job_id: str) -> Response:
    """Read the rows of a job's result, as NDJSON or CSV.

    NDJSON: a line with what RowsHead says, a line for each row, an array, and one with `row_count`,
    `truncated`, `"complete": true` and the job's `state`. CSV has a header line. Either is broken
    off when it cannot be sent whole, and ends with trailers when it was. `offset` goes on behind
    rows that came before.
    """
    return _rows(job_id, "result")


@endpoints.endpoint(
    "GET", "/v1/jobs/{job_id}/errors", parameters=[JOB_ID], response=RowsHead, query=QUERY,
    problems=ROW_PROBLEMS,
)  # fmt: skip
def read_job_errors(job_id: str) -> Response:
    """Read the rows that failed, in the form of a result."""
    return _rows(job_id, "errors")


@endpoints.endpoint(
    "GET", "/v1/jobs/{job_id}/failed-records", parameters=[JOB_ID],
    response=None, also={200: None}, problems=(*PROBLEMS, JOB_NOT_DONE, NOT_FOUND),
)  # fmt: skip
def read_failed_records(job_id: str) -> Response:
    """Read the records of the rows that failed, as they were sent, a line end behind each.

    In the order of `…/errors`: the n-th record is of the n-th row there. Corrected, and sent back
    as an upload, they are hashed by `…/retry` with `{"corrected": upload}`. Where no row failed,
    there is no content (204).
    """
    desk, job = services().jobs, known(job_id)
    kind = desk.types.get(job.kind)
    if kind is None or kind.records_stream is None:
        raise Problem(NOT_FOUND, f"Jobs of kind {job.kind} keep no records of failed rows.")
    if job.state != "done":
        _refuse_unfinished(job)
    if not desk.output.count(job.id, kind.records_stream):
        return Response(status=204)
    body = RecordStream(desk.output, desk.jobs.find, job, kind.records_stream, client_socket())
    body.begin()
    return Response(body, content_type="application/octet-stream")


@endpoints.endpoint(
    "GET", "/v1/jobs/{job_id}/output/{stream}", parameters=[JOB_ID, STREAM], response=RowsHead,
    query=QUERY, problems=ROW_PROBLEMS,
)  # fmt: skip
def read_job_output(job_id: str, stream: str) -> Response:
    """Read the rows of any stream of a job, in the form of a result."""
    return _rows(job_id, stream)


def _refuse_unfinished(job: Job, remedy: str = "") -> NoReturn:
    raise Problem(
        JOB_NOT_DONE,
        f"The job is {job.state}: not all rows are there.{remedy}",
        extra={"state": job.state},
        retry_after_s=None if job.is_finished else RETRY_AFTER_S,
    )


def _rows(job_id: str, stream: str) -> Response:
    form = chosen_format(request.headers.get("Accept"), request.args.get("format"), FORMATS)
    encoding = chosen_encoding(request.headers.get("Accept-Encoding"))
    offset = whole_number("offset", least=0, most=MOST_ROWS) or 0
    limit = whole_number("limit", least=0, most=MOST_ROWS)
    is_partial = flag("partial")
    desk, job = services().jobs, known(job_id)
    kind = desk.types.get(job.kind)
    streams = {} if kind is None else kind.streams
    if stream not in streams:
        there_are = f"There are: {', '.join(streams)}." if streams else "There are none."
        raise Problem(NOT_FOUND, f"Jobs of kind {job.kind} leave no '{stream}'. {there_are}")
    if job.state != "done" and not is_partial:
        _refuse_unfinished(job, " partial=true gets those that are.")
    trailers = request.environ.get(TRAILERS_KEY)
    asked = RowsAsked(
        stream, streams[stream], offset, limit, form, encoding, g.request_id, client_socket(),
        {} if trailers is None else trailers,
    )  # fmt: skip
    body = RowStream(desk.output, desk.jobs.find, job, asked)
    body.begin()
    response = Response(body, content_type=form.content_type)
    response.headers["Vary"] = VARY
    if trailers is not None:
        response.headers["Trailer"] = ", ".join(TRAILERS)
    if encoding is not None:
        response.headers["Content-Encoding"] = encoding
    return response
