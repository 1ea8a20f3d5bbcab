"""Responses that carry an answer, in the format and the compression that were asked for."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import structlog
from flask import Response, g, request

from app.formats.choice import Format, chosen_encoding, chosen_format
from app.formats.compression import compressed
from app.formats.documents import column_documents, plan_document, timings_document
from app.formats.export_places import ExportPlaces
from app.formats.stream import TRAILERS, AnswerStream, Streaming
from app.problem_types import VALIDATION_FAILED
from app.problems import Problem
from app.queries.control import Control
from app.queries.encoding import encode_rows
from app.queries.open_answer import OpenAnswer
from app.queries.request import Answer, QueryInput
from app.queries.running import RunningQueries
from app.queries.service import QueryService
from app.waiting_client import client_socket, patience_s
from db.errors import ConnectionLost

# where the server offers trailers, it has put a mapping here
TRAILERS_KEY = "millrace.trailers"
COMPRESS_FROM_BYTES = 1024
VARY = "Accept, Accept-Encoding"


@dataclass(frozen=True)
class Asked:
    """The form in which the current request wants its answer."""

    format: Format
    encoding: str | None
    numbers_as_strings: bool


def asked() -> Asked:
    """Return the form that is asked for.  Raises Problem for what there is not."""
    numbers = request.args.get("numbers", "number")
    if numbers not in ("number", "string"):
        raise Problem(
            VALIDATION_FAILED,
            "The URL's parameter numbers is neither number nor string. Send one of these.",
        )
    return Asked(
        chosen_format(request.headers.get("Accept"), request.args.get("format")),
        chosen_encoding(request.headers.get("Accept-Encoding")),
        numbers == "string",
    )


@dataclass(frozen=True)
class History:
    """Where an answer came from (`plan.cache`), and how old it is."""

    cache: str = "bypass"
    age_s: float = 0.0
    stale: bool = False


COMPUTED = History()


def json_answer(
    answer: Answer, form: Asked, history: History = COMPUTED, query_id: str | None = None
) -> Response:
    """Return the response of a whole answer, as JSON; the query's id is else the request's."""
    body = encode_answer(answer, form.numbers_as_strings, history, query_id or g.request_id)
    return json_body(body, form.encoding)


def json_body(body: bytes, encoding: str | None) -> Response:
    """Return a response of JSON, compressed where that is asked for and worth it."""
    response = Response(content_type="application/json")
    response.headers["Vary"] = VARY
    if encoding is not None and len(body) >= COMPRESS_FROM_BYTES:
        body = b"".join(compressed((piece for piece in (body,)), encoding))
        response.headers["Content-Encoding"] = encoding
    response.set_data(body)
    return response


def streamed_answer(
    queries: QueryService,
    running: RunningQueries,
    places: ExportPlaces,
    query: QueryInput,
    form: Asked,
) -> Response:
    """Return the response of an answer that is read from PostgreSQL while it is sent.

    Raises what `QueryService.open` raises, as long as nothing has been sent, and Problem when no
    place is left.
    """
    client, timeout_s, query_id = client_socket(), patience_s(query.timeout_s), g.request_id
    deadline = time.monotonic() + timeout_s
    structlog.contextvars.bind_contextvars(query_id=query_id)

    @contextmanager
    def opened() -> Iterator[tuple[OpenAnswer, Control]]:
        with (
            places.place(),
            running.track(query_id, deadline - time.monotonic(), client) as control,
            queries.open(query, control) as answer,
        ):
            yield answer, control

    try:
        return stream_response(opened, form, query_id)
    except ConnectionLost:
        # it only reads, and nothing of it was sent
        return stream_response(opened, form, query_id)


def stream_response(
    opened: Callable[[], AbstractContextManager[tuple[OpenAnswer, Control]]],
    form: Asked,
    query_id: str,
) -> Response:
    """Return the response of an opened answer, its first bytes there.  Raises what opening does."""
    client, trailers = client_socket(), request.environ.get(TRAILERS_KEY)
    stream = AnswerStream(
        opened,
        Streaming(
            form.format, form.encoding, query_id, form.numbers_as_strings, client,
            {} if trailers is None else trailers,
        ),
    )  # fmt: skip
    stream.begin()
    response = Response(stream, content_type=form.format.content_type)
    response.headers["Vary"] = VARY
    if trailers is not None:
        response.headers["Trailer"] = ", ".join(TRAILERS)
    if form.encoding is not None:
        response.headers["Content-Encoding"] = form.encoding
    return response


def encode_answer(
    answer: Answer, numbers_as_strings: bool, history: History, query_id: str
) -> bytes:
    """Return the body of an answer: a QueryAnswer, its rows encoded straight from their text."""
    head = {"query_id": query_id, "columns": column_documents(answer)}
    tail = {
        "row_count": len(answer.rows),
        "truncated": answer.truncated,
        "plan": {**plan_document(answer), "cache": history.cache},
        "snapshot": answer.snapshot,
        "age_s": round(history.age_s, 3),
        "stale": history.stale,
        "timings_ms": timings_document(answer.timings),
    }
    rows = encode_rows(answer.columns, answer.rows, numbers_as_strings=numbers_as_strings)
    start = json.dumps(head, ensure_ascii=False)[:-1]
    end = json.dumps(tail, ensure_ascii=False)[1:]
    return f'{start}, "rows": {rows}, {end}\n'.encode()
