"""Builds the tracer, where tracing is on."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import structlog

from telemetry.settings import TracingSettings

if TYPE_CHECKING:
    from telemetry.tracer import Tracer

_log = structlog.stdlib.get_logger("telemetry")


def build_tracer(
    settings: TracingSettings,
    service: str,
    counted: Callable[[Literal["exported", "dropped"], int], None],
) -> "Tracer | None":
    """Return the tracer of a program, running; None where tracing is off.

    `counted` hears how many spans were sent, and how many were not.  Call it after forking.
    """
    if not settings.otlp_endpoint:
        return None
    # a tenth of a second, and five megabytes, that nobody pays who does not trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    from telemetry.tracer import Tracer

    endpoint = f"{settings.otlp_endpoint}/v1/traces"

    def told(problem: str | None) -> None:
        if problem is None:
            _log.info("spans are sent again", endpoint=endpoint)
        else:
            _log.warning("spans cannot be sent", endpoint=endpoint, reason=problem)

    return Tracer(
        OTLPSpanExporter(endpoint=endpoint),
        service,
        ratio=settings.trace_ratio,
        most_waiting=settings.trace_queue,
        counted=counted,
        told=told,
    )
