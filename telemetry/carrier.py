"""What goes with a task, a job or a kept query, so that its log lines and spans find together."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import structlog

from telemetry.spans import NOTHING, Attributes, Nothing, Span, current
from telemetry.trace_context import parse

if TYPE_CHECKING:
    from telemetry.tracer import Tracer

Headers = Mapping[str, str]
LOGGED = ("request_id", "query_id", "job_id", "trace_id")
TRACEPARENT, TRACESTATE = "traceparent", "tracestate"


def outgoing() -> dict[str, str]:
    """Return the ids that log lines have here, and the current span where there is one."""
    bound = structlog.contextvars.get_contextvars()
    headers = {name: str(bound[name]) for name in LOGGED if name in bound}
    recording = current()
    if recording is not None:
        headers[TRACEPARENT] = recording.traceparent
        if recording.tracestate:
            headers[TRACESTATE] = recording.tracestate
    return headers


class Continuations:
    """Lets work go on under the ids of the request that it was accepted with.

    Without a tracer only log lines have them.
    """

    def __init__(self, tracer: "Tracer | None" = None) -> None:
        self._tracer = tracer

    @contextmanager
    def of(
        self,
        headers: Headers,
        name: str,
        attributes: Attributes | None = None,
        *,
        what: str = "",
        attempt: int = 1,
        **ids: str,
    ) -> Iterator[Span | Nothing]:
        """Have log lines carry what `headers` and `ids` say, and record a span if others did.

        `what` names the work among all in the world: a later `attempt` is linked to the one before.
        """
        known = {key: headers[key] for key in LOGGED if key in headers}
        with (
            structlog.contextvars.bound_contextvars(**known | ids),
            self._span(headers, name, attributes, what, attempt) as span,
        ):
            yield span

    def _span(
        self, headers: Headers, name: str, attributes: Attributes | None, what: str, attempt: int
    ) -> Span | Nothing:
        if self._tracer is None:
            return NOTHING
        parent = parse(headers.get(TRACEPARENT, ""), headers.get(TRACESTATE, ""))
        if parent is None or not parent.sampled:
            return NOTHING
        return Span(self._tracer.go_on(parent, name, attributes, what=what, attempt=attempt))
