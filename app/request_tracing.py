"""The span of each request, and its trace's id in every log line about it."""

import structlog
from flask import Flask, Response, g, request

from app.metrics import PATH as METRICS
from telemetry.spans import Span
from telemetry.trace_context import parse
from telemetry.tracer import Tracer

# asked every second by machines; nobody looks for where their time went
_UNTRACED = ("/health/", METRICS)


def register_request_tracing(app: Flask, tracer: Tracer) -> None:
    """Trace the requests of `app` that are to be traced.

    Must be registered after the request's id, and before all else: others' hooks lie within.
    """

    @app.before_request
    def begin() -> None:
        parent = parse(
            request.headers.get("traceparent", ""), request.headers.get("tracestate", "")
        )
        if parent is not None:
            structlog.contextvars.bind_contextvars(trace_id=f"{parent.trace_id:032x}")
        elif request.path.startswith(_UNTRACED):
            return
        recorded = tracer.begin(parent, request.method)
        if recorded is None:
            return
        structlog.contextvars.bind_contextvars(trace_id=recorded.trace_id)
        rule = request.url_rule
        if rule is not None:
            recorded.rename(f"{request.method} {rule.rule}")
            recorded.set({"http.route": rule.rule})
        recorded.set(
            {
                "http.request.method": request.method,
                "url.path": request.path,
                "millrace.request_id": g.request_id,
            }
        )
        g.recorded = recorded
        g.span = Span(recorded)
        g.span.__enter__()

    @app.after_request
    def tell(response: Response) -> Response:
        if "recorded" in g:
            g.recorded.set({"http.response.status_code": response.status_code})
            if response.status_code >= 500:
                g.recorded.fail(str(response.status_code))
        return response

    @app.teardown_request
    def end(error: BaseException | None) -> None:
        # a body that is streamed is sent after this; its own span lies within, and ends later
        if "span" in g:
            g.span.__exit__(None, error, None)
