"""The balancer's metrics for Prometheus.  Labels are bounded by the number of backends."""

from collections.abc import Iterator
from itertools import accumulate
from typing import get_args

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from lb.admin.totals import Family, families
from lb.backend.health import State
from lb.counters import BUCKETS
from lb.proxy import Proxy


class ProxyCollector(Collector):
    """Turns the proxy's plain counters into metric families when asked.

    prometheus_client's own counters cost 1 to 3 µs each a request; these cost nothing until then.
    """

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy

    def collect(self) -> Iterator[Metric]:
        """Yield every family."""
        proxy = self._proxy
        yield self._requests()
        yield self._durations()
        yield from self._backends()
        active = GaugeMetricFamily("millrace_lb_requests_active", "Requests in flight.")
        active.add_metric([], proxy.counters.active)
        yield active
        connections = GaugeMetricFamily("millrace_lb_connections", "Open client connections.")
        connections.add_metric([], len(proxy.clients))
        yield connections
        refused = CounterMetricFamily(
            "millrace_lb_connections_refused", "Client connections beyond the limit."
        )
        refused.add_metric([], proxy.counters.connections_refused)
        yield refused
        unproxied = CounterMetricFamily(
            "millrace_lb_proxy_protocol_refused",
            "Connections whose peer is not trusted, or whose header was malformed or late.",
            labels=["reason"],
        )
        for reason, count in proxy.counters.proxy_protocol_refused.items():
            unproxied.add_metric([reason], count)
        yield unproxied
        retries = CounterMetricFamily(
            "millrace_lb_retries", "Attempts made again, by why.", labels=["reason"]
        )
        for reason, count in proxy.counters.retries.items():
            retries.add_metric([reason], count)
        yield retries
        throttled = CounterMetricFamily(
            "millrace_lb_throttled", "Requests refused here since replicas refuse most like them."
        )
        throttled.add_metric([], proxy.throttle.refused)
        yield throttled
        yield from self._queue()
        yield from self._limiter()
        dropped = CounterMetricFamily(
            "millrace_lb_access_log_dropped", "Lines that nobody read in time."
        )
        dropped.add_metric([], proxy.access_log.dropped)
        yield dropped
        yield proxy.events.metric()
        spans = CounterMetricFamily(
            "millrace_lb_trace_spans",
            "Spans of traces, by what became of them: exported or dropped.",
            labels=["outcome"],
        )
        counts = {"exported": 0, "dropped": 0} if proxy.tracing is None else proxy.tracing.spans
        for outcome, count in counts.items():
            spans.add_metric([outcome], count)
        yield spans

    def _requests(self) -> Metric:
        family = CounterMetricFamily(
            "millrace_lb_requests",
            "Requests by backend and class of status; gone: the client left first; "
            "backend balancer: answered without one.",
            labels=["backend", "code"],
        )
        named = [(backend.id, backend.answers) for backend in self._proxy.backends.by_id.values()]
        for name, answers in [*named, ("balancer", self._proxy.counters.own_answers)]:
            for number in (0, 2, 3, 4, 5):
                code = f"{number}xx" if number else "gone"
                family.add_metric([name, code], answers[number])
        return family

    def _durations(self) -> Metric:
        counters = self._proxy.counters
        bounds = [*(str(bound) for bound in BUCKETS), "+Inf"]
        sums = list(accumulate(counters.duration_counts))
        family = HistogramMetricFamily(
            "millrace_lb_request_duration_seconds", "From a request's head to its answer's end."
        )
        family.add_metric([], list(zip(bounds, sums, strict=True)), counters.duration_sum_s)
        return family

    def _backends(self) -> Iterator[Metric]:
        label = ["backend"]
        state = GaugeMetricFamily(
            "millrace_lb_backend_state",
            "1 for the state that it is in.",
            labels=["backend", "state"],
        )
        weight = GaugeMetricFamily(
            "millrace_lb_backend_weight",
            "What it has of its weight now, summed over processes.",
            labels=label,
        )
        active = GaugeMetricFamily(
            "millrace_lb_backend_requests_active", "Requests at the backend.", labels=label
        )
        failures = CounterMetricFamily(
            "millrace_lb_backend_failures", "Attempts that failed.", labels=label
        )
        ejections = CounterMetricFamily(
            "millrace_lb_backend_ejections", "Times that it was ejected.", labels=label
        )
        for backend in self._proxy.backends.by_id.values():
            for name in get_args(State):
                state.add_metric([backend.id, name], float(backend.state == name))
            weight.add_metric([backend.id], backend.weight)
            active.add_metric([backend.id], backend.active)
            failures.add_metric([backend.id], backend.failures)
            ejections.add_metric([backend.id], backend.ejections)
        yield from (state, weight, active, failures, ejections)

    def _queue(self) -> Iterator[Metric]:
        backends = self._proxy.backends
        waiting = GaugeMetricFamily(
            "millrace_lb_requests_waiting", "Requests that wait for room at a backend."
        )
        waiting.add_metric([], len(backends.queue.waiting))
        yield waiting
        unserved = CounterMetricFamily(
            "millrace_lb_requests_unserved",
            "Requests that found the queue full, or waited in it too long.",
            labels=["reason"],
        )
        unserved.add_metric(["full"], backends.queue.refused)
        unserved.add_metric(["late"], backends.queue.expired)
        yield unserved
        panicking = GaugeMetricFamily(
            "millrace_lb_panicking", "Processes that use ejected backends, since too few are ready."
        )
        panicking.add_metric([], float(backends.panicking))
        yield panicking

    def _limiter(self) -> Iterator[Metric]:
        # Without limits there is the same, of zeros: whoever draws or alerts need not know them.
        limiter = self._proxy.limiter
        shared = None if limiter is None else limiter.shared
        limited = CounterMetricFamily(
            "millrace_lb_rate_limited",
            "Requests beyond a limit: refused, or let pass in shadow mode.",
            labels=["policy"],
        )
        for policy in () if limiter is None else limiter.policies:
            limited.add_metric([policy.name], policy.refused)
        yield limited
        clients = GaugeMetricFamily("millrace_lb_rate_limit_clients", "Clients counted now.")
        clients.add_metric([], 0 if limiter is None else limiter.clients)
        yield clients
        checks = CounterMetricFamily(
            "millrace_lb_rate_limit_shared_checks",
            "Requests counted in Redis (shared), or by this balancer alone since Redis was away or "
            "late (fallback).",
            labels=["mode"],
        )
        checks.add_metric(["shared"], 0 if shared is None else shared.answered)
        checks.add_metric(["fallback"], 0 if shared is None else shared.unanswered)
        yield checks
        fallback = GaugeMetricFamily(
            "millrace_lb_rate_limit_fallback",
            "Processes that Redis is away for: each enforces its part of the limits.",
        )
        fallback.add_metric([], float(shared is not None and shared.mode == "fallback"))
        yield fallback


def samples(proxy: Proxy) -> list[Family]:
    """Return what this process counts, to be summed with what others count."""
    return families(ProxyCollector(proxy).collect())
