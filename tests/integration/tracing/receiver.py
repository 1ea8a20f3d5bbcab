"""A receiver of OTLP over HTTP, which keeps the spans that it is sent."""

import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

DEADLINE_S = 60.0


@dataclass(frozen=True)
class ReceivedSpan:
    """A span, with its ids in hex; `parent` is empty for the first of a trace."""

    service: str
    name: str
    trace: str
    id: str
    parent: str
    links: tuple[str, ...]
    state: str
    failed: bool
    attributes: dict[str, Any]


class Receiver:
    """A context manager: serves on a port of its own for as long as its context lasts."""

    def __init__(self) -> None:
        self.spans: list[ReceivedSpan] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def await_spans(self, *names: str) -> dict[str, ReceivedSpan]:
        """Wait until spans of all these names are there; return one of each, by name."""
        end = time.monotonic() + DEADLINE_S
        while missing := set(names) - {span.name for span in self.spans}:
            assert time.monotonic() < end, (missing, [span.name for span in self.spans])
            time.sleep(0.02)
        return {span.name: span for span in list(self.spans)}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        spans = self.spans

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                assert self.path == "/v1/traces"
                spans.extend(_read(body))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        return Handler


def _read(body: bytes) -> list[ReceivedSpan]:
    message = ExportTraceServiceRequest.FromString(body)
    return [
        ReceivedSpan(
            _values(group.resource.attributes)["service.name"],
            span.name,
            span.trace_id.hex(),
            span.span_id.hex(),
            span.parent_span_id.hex(),
            tuple(link.span_id.hex() for link in span.links),
            span.trace_state,
            span.status.code == 2,
            _values(span.attributes),
        )
        for group in message.resource_spans
        for scope in group.scope_spans
        for span in scope.spans
    ]


def _values(pairs: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}
