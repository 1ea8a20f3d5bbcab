"""What the parent knows by itself."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric


@dataclass(frozen=True)
class Overview:
    """`restarts`: processes that died and were replaced; `reloads` by their end.

    `last_refusal`: why the last reload was refused; None when it was not.
    `certificate_expires_at`: of what is served now, in seconds since 1970; None without TLS.
    """

    draining: bool = False
    restarts: int = 0
    reloads: int = 0
    reloads_refused: int = 0
    last_refusal: str | None = None
    serving: int = 0
    certificate_expires_at: float | None = None

    def reloaded(self) -> "Overview":
        """Return what holds after a reload."""
        return replace(self, reloads=self.reloads + 1, last_refusal=None)

    def refused(self, reason: str) -> "Overview":
        """Return what holds after a reload that failed."""
        return replace(self, reloads_refused=self.reloads_refused + 1, last_refusal=reason)

    def metrics(self) -> Iterator[Metric]:
        """Yield the metrics of the parent."""
        serving = GaugeMetricFamily("millrace_lb_processes", "Processes that take clients.")
        serving.add_metric([], self.serving)
        yield serving
        restarts = CounterMetricFamily(
            "millrace_lb_process_restarts", "Processes that died and were replaced."
        )
        restarts.add_metric([], self.restarts)
        yield restarts
        reloads = CounterMetricFamily(
            "millrace_lb_reloads", "Reloads (SIGHUP) by their end.", labels=["result"]
        )
        reloads.add_metric(["done"], self.reloads)
        reloads.add_metric(["refused"], self.reloads_refused)
        yield reloads
        if self.certificate_expires_at is not None:
            expiry = GaugeMetricFamily(
                "millrace_lb_certificate_expiry_timestamp_seconds",
                "When the certificate that is served expires, in seconds since 1970.",
            )
            expiry.add_metric([], self.certificate_expires_at)
            yield expiry
