"""Answers that are there already, in any format."""

from collections.abc import Iterator
from contextlib import contextmanager

from flask import Response

from app.formats.choice import JSON
from app.formats.responses import Asked, json_answer, stream_response
from app.queries.control import Control
from app.queries.open_answer import OpenAnswer
from app.queries.request import Answer
from app.waiting_client import patience_s

LONGEST_S = 3600.0  # to send it all


def kept_answer(answer: Answer, form: Asked, query_id: str) -> Response:
    """Return the response of an answer that was kept, in the form that is asked for now."""
    if form.format is JSON:
        return json_answer(answer, form, query_id=query_id)
    control = Control(query_id, patience_s(LONGEST_S))

    @contextmanager
    def opened() -> Iterator[tuple[OpenAnswer, Control]]:
        yield as_open(answer), control

    return stream_response(opened, form, query_id)


def as_open(answer: Answer) -> OpenAnswer:
    """Return the answer as if it came just now."""

    def ended(opened: OpenAnswer) -> None:
        opened.truncated = answer.truncated

    return OpenAnswer(
        columns=answer.columns,
        types=answer.types,
        mode=answer.mode,
        reason=answer.reason,
        fragments=answer.fragments,
        snapshot=answer.snapshot,
        timings=answer.timings,
        max_rows=len(answer.rows),
        source=answer.rows,
        ended=ended,
    )
