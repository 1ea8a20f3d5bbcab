"""Makes spans by the OpenTelemetry SDK; imported only where tracing is on."""

import os
import random
import socket
import threading
from collections.abc import Callable, Sequence

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import SpanKind

from telemetry.pipeline import Outcome, Pipeline
from telemetry.spans import Attributes
from telemetry.trace_context import TraceContext, attempt_id

_STOP_S = 2.0
_SAMPLED = trace.TraceFlags(trace.TraceFlags.SAMPLED)


class Recorded:
    """A span of the SDK's, with what the next program is told of it."""

    __slots__ = ("_context", "_span", "_tracer", "trace_id", "traceparent", "tracestate")

    def __init__(self, tracer: trace.Tracer, span: trace.Span) -> None:
        self._tracer = tracer
        self._span = span
        self._context: Context | None = None
        made = span.get_span_context()
        self.trace_id = f"{made.trace_id:032x}"
        self.traceparent = f"00-{self.trace_id}-{made.span_id:016x}-01"
        self.tracestate = made.trace_state.to_header()

    def child(self, name: str, attributes: Attributes | None) -> "Recorded":
        """Begin a span within this one."""
        if self._context is None:
            self._context = trace.set_span_in_context(self._span, Context())
        span = self._tracer.start_span(name, self._context, attributes=attributes)
        return Recorded(self._tracer, span)

    def rename(self, name: str) -> None:
        """Give it another name: of a request's route one learns later."""
        self._span.update_name(name)

    def set(self, attributes: Attributes) -> None:
        """Add attributes."""
        self._span.set_attributes(attributes)

    def fail(self, kind: str) -> None:
        """Note what kind of error it met.

        Never the error's own text, nor its traceback: they can hold what a client sent.
        """
        self._span.set_attribute("error.type", kind)
        self._span.set_status(trace.Status(trace.StatusCode.ERROR))

    def end(self, error: BaseException | None) -> None:
        """End it."""
        if error is not None:
            self.fail(type(error).__name__)
        self._span.end()


class Tracer:
    """Begins traces, and goes on with those of others.

    Which requests are traced is decided here, at their head, and not by the SDK: what is not
    traced makes no span at all.  `random` returns numbers from 0 to below 1.
    """

    def __init__(
        self,
        exporter: SpanExporter,
        service: str,
        *,
        ratio: float,
        most_waiting: int,
        counted: Callable[[Outcome, int], None],
        told: Callable[[str | None], None],
        random: Callable[[], float] = random.random,
    ) -> None:
        self._ratio = ratio
        self._random = random
        self._ids = _Ids()
        self._pipeline = Pipeline(exporter, most_waiting=most_waiting, counted=counted, told=told)
        provider = TracerProvider(
            sampler=ALWAYS_ON,
            resource=Resource.create(
                {
                    "service.namespace": "millrace",
                    "service.name": service,
                    "service.instance.id": f"{socket.gethostname()}:{os.getpid()}",
                }
            ),
            shutdown_on_exit=False,  # it would keep the process for half a minute
            id_generator=self._ids,
        )
        provider.add_span_processor(self._pipeline)
        self._tracer = provider.get_tracer("millrace")

    def begin(self, parent: TraceContext | None, name: str) -> Recorded | None:
        """Begin the span of a request; None where it is not to be traced.

        Its sender has decided, if it traces; else the ratio decides.
        """
        if parent is None:
            if self._random() >= self._ratio:
                return None
            context = Context()
        elif parent.sampled:
            context = _within(parent)
        else:
            return None
        return Recorded(self._tracer, self._tracer.start_span(name, context, SpanKind.SERVER))

    def go_on(
        self,
        parent: TraceContext,
        name: str,
        attributes: Attributes | None = None,
        *,
        what: str = "",
        attempt: int = 1,
    ) -> Recorded:
        """Begin the span of an `attempt` at work that another program has handed on."""
        links: Sequence[trace.Link] = ()
        if what and attempt > 1:
            before = _context(parent, attempt_id(what, attempt - 1))
            links = [trace.Link(before, {"millrace.link": "previous attempt"})]
        with self._ids.fixed(attempt_id(what, attempt) if what else 0):
            span = self._tracer.start_span(
                name, _within(parent), SpanKind.CONSUMER, attributes, links
            )
        return Recorded(self._tracer, span)

    def stop(self) -> None:
        """Send what waits; give up after two seconds."""
        self._pipeline.stop(_STOP_S)


def _context(parent: TraceContext, span_id: int) -> trace.SpanContext:
    state = trace.TraceState.from_header([parent.state]) if parent.state else None
    return trace.SpanContext(parent.trace_id, span_id, True, _SAMPLED, state)


def _within(parent: TraceContext) -> Context:
    span = trace.NonRecordingSpan(_context(parent, parent.span_id))
    return trace.set_span_in_context(span, Context())


class _Ids(RandomIdGenerator):
    """Random ids, but where the span to be made is to have a certain one."""

    def __init__(self) -> None:
        self._local = threading.local()

    def fixed(self, span_id: int) -> "_Ids":
        """Let the next span of this thread have that id; 0: any."""
        self._local.next = span_id
        return self

    def __enter__(self) -> None:
        """Nothing: it is fixed already."""

    def __exit__(self, *_: object) -> None:
        """Let ids be random again."""
        self._local.next = 0

    def generate_span_id(self) -> int:
        """Return the id that was fixed, or a random one."""
        return getattr(self._local, "next", 0) or super().generate_span_id()
