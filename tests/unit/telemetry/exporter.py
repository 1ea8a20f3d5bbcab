"""An exporter that keeps spans, and can be made to fail or to stop."""

import threading
from collections.abc import Sequence

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult


class Kept(SpanExporter):
    """`open` lets exports return; `result` is what they return."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []
        self.result = SpanExportResult.SUCCESS
        self.open = threading.Event()
        self.open.set()
        self.busy = threading.Event()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Keep them."""
        self.busy.set()
        self.open.wait(30)
        self.spans += spans
        return self.result

    def shutdown(self) -> None:
        """Nothing is held."""
