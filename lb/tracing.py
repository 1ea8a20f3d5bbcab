"""Traces of requests, by the OpenTelemetry SDK; imported only where tracing is on.

Which requests are traced is decided before the SDK is asked for a span, which costs it more than
all else that a request does here.
"""

import os
import random
import re
import socket
from collections.abc import Callable
from typing import Literal

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import SpanKind

from lb.span_pipeline import SpanPipeline
from lb.wire.request_head import RequestHead, TraceFields

# accept: every client's; trusted: those of trusted proxies alone; ignore: nobody's
Clients = Literal["accept", "trusted", "ignore"]

# W3C Trace Context, section 3.2.  Of a version that is not known, what is known of its beginning
# counts.
_PARENT = re.compile(
    rb"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?"
)
_SAMPLED = trace.TraceFlags(trace.TraceFlags.SAMPLED)
_MOST_STATE = 512
_STOP_S = 2.0


class Trace:
    """The trace that a request belongs to, where it is not recorded.

    `lines` are the fields by which the replica learns of it.
    """

    __slots__ = ("id", "lines")

    def __init__(self, trace_id: str, lines: bytes) -> None:
        self.id = trace_id
        self.lines = lines

    def attempt(self, backend: str) -> None:
        """Note an attempt at a backend."""

    def attempt_failed(self, failure: str) -> None:
        """Note that it failed."""

    def end(self, status: int, retries: int) -> None:
        """Note the request's end; status 0: the client went away."""


class RecordedTrace(Trace):
    """A trace that gets spans: one of the request, and one of each attempt."""

    __slots__ = ("_attempt", "_before", "_context", "_request", "_state", "_tracer")

    def __init__(self, tracer: trace.Tracer, request: trace.Span, state: bytes) -> None:
        super().__init__(f"{request.get_span_context().trace_id:032x}", b"")
        self._tracer = tracer
        self._request = request
        self._context = trace.set_span_in_context(request, Context())
        self._state = state
        self._attempt: trace.Span | None = None
        self._before: trace.SpanContext | None = None

    def attempt(self, backend: str) -> None:
        """Begin an attempt at a backend, linked to the one before."""
        links = [] if self._before is None else [trace.Link(self._before)]
        self._attempt = self._tracer.start_span(
            "lb.attempt", self._context, SpanKind.CLIENT, {"server.address": backend}, links
        )
        made = self._before = self._attempt.get_span_context()
        self.lines = b"traceparent: 00-%b-%016x-01\r\n%b" % (
            self.id.encode(), made.span_id, self._state,
        )  # fmt: skip

    def attempt_failed(self, failure: str) -> None:
        """End the attempt."""
        if self._attempt is not None:
            self._attempt.set_attribute("error.type", failure)
            self._attempt.set_status(trace.Status(trace.StatusCode.ERROR))
            self._attempt.end()
            self._attempt = None

    def end(self, status: int, retries: int) -> None:
        """End the request, and the attempt that answered it."""
        for span in (self._attempt, self._request):
            if span is None:
                continue
            if status:
                span.set_attribute("http.response.status_code", status)
            else:
                span.set_attribute("error.type", "client gone")
            if not status or status >= 500:
                span.set_status(trace.Status(trace.StatusCode.ERROR))
        self._request.set_attribute("millrace.retries", retries)
        if self._attempt is not None:
            self._attempt.end()
        self._request.end()


class Tracing:
    """Decides for each request whether it is traced.  For the loop's thread.

    `told` hears, in another thread, why spans cannot be sent, and with None that they can again.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        ratio: float,
        most_waiting: int,
        clients: Clients,
        told: Callable[[str | None], None],
    ) -> None:
        self._ratio = ratio
        self._clients = clients
        self._pipeline = SpanPipeline(
            OTLPSpanExporter(endpoint=f"{endpoint}/v1/traces"),
            most_waiting=most_waiting,
            told=told,
        )
        self.spans = self._pipeline.counts
        provider = TracerProvider(
            sampler=ALWAYS_ON,
            resource=Resource.create(
                {
                    "service.namespace": "millrace",
                    "service.name": "millrace-lb",
                    "service.instance.id": f"{socket.gethostname()}:{os.getpid()}",
                }
            ),
            shutdown_on_exit=False,  # it would keep the process for half a minute
        )
        provider.add_span_processor(self._pipeline)
        self._tracer = provider.get_tracer("millrace")

    def begin(self, head: RequestHead, request_id: bytes, *, trusted: bool) -> Trace:
        """Return the request's trace: its sender's, where that is listened to, or a new one."""
        fields = head.trace
        if self._clients == "ignore" or (self._clients == "trusted" and not trusted):
            fields = None
        match = None if fields is None else _PARENT.fullmatch(fields.parent)
        if fields is None or match is None or (match[1] == b"00" and match[5]):
            if random.random() >= self._ratio:  # noqa: S311 - no secret
                return _unrecorded()
            return self._record(head, request_id, Context(), b"")
        if not int(match[4], 16) & 1:
            state = fields.state if len(fields.state) <= _MOST_STATE else b""
            return Trace(match[2].decode(), TraceFields(fields.parent, state).lines())
        return self._record(head, request_id, *_given(match[2], match[3], fields.state))

    def stop(self) -> None:
        """Send what waits; give up after two seconds."""
        self._pipeline.stop(_STOP_S)

    def _record(
        self, head: RequestHead, request_id: bytes, context: Context, state: bytes
    ) -> RecordedTrace:
        attributes = {
            "http.request.method": head.method.decode(),
            "url.path": head.target.partition(b"?")[0].decode("latin-1"),
            "millrace.request_id": request_id.decode(),
        }
        span = self._tracer.start_span("lb.request", context, SpanKind.SERVER, attributes)
        return RecordedTrace(self._tracer, span, state)


def _unrecorded() -> Trace:
    """Return a new trace of which nothing is recorded, here or by those who are told of it."""
    trace_id = f"{random.getrandbits(128) or 1:032x}"
    span_id = random.getrandbits(64) or 1
    return Trace(trace_id, b"traceparent: 00-%b-%016x-00\r\n" % (trace_id.encode(), span_id))


def _given(trace_id: bytes, span_id: bytes, state: bytes) -> tuple[Context, bytes]:
    state = state if len(state) <= _MOST_STATE else b""
    parent = trace.SpanContext(
        int(trace_id, 16),
        int(span_id, 16),
        True,
        _SAMPLED,
        trace.TraceState.from_header([state.decode("latin-1")]) if state else None,
    )
    line = b"tracestate: %b\r\n" % state if state else b""
    return trace.set_span_in_context(trace.NonRecordingSpan(parent), Context()), line
