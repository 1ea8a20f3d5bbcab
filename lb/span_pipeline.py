"""The way of ended spans to the receiver: bounded, in a thread of its own, and counted."""

import logging
import threading
from collections.abc import Callable, Sequence

from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

# encoding a batch shares the interpreter with all requests: a few milliseconds at a time
_BATCH_SPANS = 128
_PAUSE_MS = 1000


class LastWords(logging.Handler):
    """Keeps what the library says last: why spans cannot be sent.  It would say it each second."""

    said = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it."""
        self.said = record.getMessage()


class SpanPipeline(SpanProcessor):
    """Takes ended spans and returns at once, whatever the receiver does.

    At most `most_waiting` wait; what comes then is dropped, and so is what the receiver does not
    take in time.  `counts` says how many went which way.  `told` hears, in the sending thread, why
    spans cannot be sent any more, and with None that they can again.
    """

    def __init__(
        self, exporter: SpanExporter, *, most_waiting: int, told: Callable[[str | None], None]
    ) -> None:
        self.counts = {"exported": 0, "dropped": 0}
        self._words = LastWords()
        log = logging.getLogger("opentelemetry")
        log.handlers, log.propagate = [self._words], False
        self._exporter = exporter
        self._most_waiting = most_waiting
        self._told = told
        self._lock = threading.Lock()
        self._waiting = 0
        self._failing = False
        self._batches = BatchSpanProcessor(
            _Sending(self._send, exporter),
            max_queue_size=most_waiting,
            schedule_delay_millis=_PAUSE_MS,
            max_export_batch_size=min(_BATCH_SPANS, most_waiting),
        )

    def on_end(self, span: ReadableSpan) -> None:
        """Take a span."""
        with self._lock:
            if self._waiting >= self._most_waiting:
                self.counts["dropped"] += 1
                return
            self._waiting += 1
        self._batches.on_end(span)

    def stop(self, timeout_s: float) -> None:
        """Send what waits, for at most `timeout_s`; the library alone would try for 30 s."""
        end = threading.Thread(target=self._batches.shutdown, name="last-spans", daemon=True)
        end.start()
        end.join(timeout_s)
        self._exporter.shutdown()

    def _send(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        with self._lock:
            self._waiting -= len(spans)
        result = self._exporter.export(spans)
        failed = result is not SpanExportResult.SUCCESS
        with self._lock:
            self.counts["dropped" if failed else "exported"] += len(spans)
        if failed != self._failing:
            self._failing = failed
            self._told(self._words.said or "no reason was given" if failed else None)
        return result


class _Sending(SpanExporter):
    """The exporter as the batches see it."""

    def __init__(
        self, send: Callable[[Sequence[ReadableSpan]], SpanExportResult], exporter: SpanExporter
    ) -> None:
        self._send = send
        self._exporter = exporter

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send a batch."""
        return self._send(spans)

    def shutdown(self) -> None:
        """End a pause between two tries."""
        self._exporter.shutdown()
