"""Load balancer: what comes in, where it goes, what is refused."""

from monitoring.dashboards.dashboard import Dashboard, Row, Variable
from monitoring.dashboards.panel import GREEN, Panel, Query, Thresholds, stat

_HERE = 'job=~"$service", instance=~"$instance"'
_THERE = f'{_HERE}, backend=~"$backend"'
_RATE = "[$__rate_interval]"


def _duration(share: float) -> str:
    return (
        f"histogram_quantile({share}, sum by (le) "
        f"(rate(millrace_lb_request_duration_seconds_bucket{{{_HERE}}}{_RATE})))"
    )


BALANCER = Dashboard(
    "millrace-balancer",
    "Millrace: load balancer",
    "Requests, the replicas that they go to, retries, limits, and the balancer's processes.",
    ("lb",),
    (
        Row(
            "Requests",
            (
                Panel(
                    "Answers by class",
                    "Answers a second; `gone`: the client left first.",
                    (Query(f"sum by (code) (rate(millrace_lb_requests_total{{{_HERE}}}{_RATE}))",
                           "{{code}}"),),
                    "reqps",
                    stacked=True,
                ),
                Panel(
                    "Duration",
                    "From a request's head to its answer's end.",
                    (
                        Query(_duration(0.5), "half"),
                        Query(_duration(0.95), "95 of 100"),
                        Query(_duration(0.99), "99 of 100", exemplars=True),
                    ),
                    "s",
                ),
                Panel(
                    "In flight",
                    "Requests that are worked on, and those that wait for room at a replica.",
                    (
                        Query(f"sum(millrace_lb_requests_active{{{_HERE}}})", "active"),
                        Query(f"sum(millrace_lb_requests_waiting{{{_HERE}}})", "waiting"),
                    ),
                ),
            ),
        ),
        Row(
            "Replicas",
            (
                Panel(
                    "States",
                    "How many replicas are in which state, as most balancer processes see them.",
                    (Query("sum by (state) (max by (backend, state) "
                           f"(millrace_lb_backend_state{{{_THERE}}} > bool 0))", "{{state}}"),),
                    stacked=True,
                ),
                Panel(
                    "Requests by replica",
                    "Answers a second; `balancer`: answered without a replica.",
                    (Query("sum by (backend) (rate(millrace_lb_requests_total"
                           f"{{{_THERE}}}{_RATE}))", "{{backend}}"),),
                    "reqps",
                    stacked=True,
                ),
                Panel(
                    "Errors by replica",
                    "Answers of class 5xx a second.",
                    (Query("sum by (backend) (rate(millrace_lb_requests_total"
                           f'{{{_THERE}, code="5xx"}}{_RATE}))', "{{backend}}"),),
                    "reqps",
                ),
                Panel(
                    "Active by replica",
                    "Requests that a replica works on.",
                    (Query("sum by (backend) (millrace_lb_backend_requests_active"
                           f"{{{_THERE}}})", "{{backend}}"),),
                ),
                Panel(
                    "Weight by replica",
                    "What a replica has of its weight: a new one starts with a tenth.",
                    (Query(f"avg by (backend) (millrace_lb_backend_weight{{{_THERE}}})",
                           "{{backend}}"),),
                ),
                Panel(
                    "Failures and ejections",
                    "Attempts that failed, and ejections, in 5 minutes.",
                    (
                        Query("sum by (backend) (increase(millrace_lb_backend_failures_total"
                              f"{{{_THERE}}}[5m]))", "{{backend}} failed"),
                        Query("sum by (backend) (increase(millrace_lb_backend_ejections_total"
                              f"{{{_THERE}}}[5m]))", "{{backend}} ejected"),
                    ),
                ),
                Panel(
                    "Retries",
                    "Attempts a second that were made again at another replica, by why.",
                    (Query(f"sum by (reason) (rate(millrace_lb_retries_total{{{_HERE}}}{_RATE}))",
                           "{{reason}}"),),
                    "ops",
                ),
                Panel(
                    "Not served",
                    "Requests a second that found no room in time, and those refused here since "
                    "replicas refuse most like them.",
                    (
                        Query("sum by (reason) (rate(millrace_lb_requests_unserved_total"
                              f"{{{_HERE}}}{_RATE}))", "queue {{reason}}"),
                        Query(f"sum(rate(millrace_lb_throttled_total{{{_HERE}}}{_RATE}))",
                              "throttled"),
                    ),
                    "reqps",
                ),
                stat(
                    "Panic",
                    "Processes that use ejected replicas, since too few are ready.",
                    Query(f"sum(millrace_lb_panicking{{{_HERE}}})"),
                    thresholds=Thresholds(1, 1),
                    width=8,
                    height=7,
                ),
            ),
        ),
        Row(
            "Limits",
            (
                Panel(
                    "Beyond a limit",
                    "Requests a second beyond a limit, by its name.",
                    (Query(f"sum by (policy) (rate(millrace_lb_rate_limited_total{{{_HERE}}}"
                           f"{_RATE})) or label_replace(vector(0), \"policy\", \"none\", \"\", "
                           '"")', "{{policy}}"),),
                    "reqps",
                ),
                Panel(
                    "Share",
                    "Part of all requests that are beyond a limit.",
                    (Query("millrace:rate_limited:ratio_rate5m", "beyond a limit"),),
                    "percentunit",
                    thresholds=Thresholds(0.05, 0.2),
                ),
                Panel(
                    "Where they are counted",
                    "Requests a second that are counted in Redis, or by a balancer alone.",
                    (Query("sum by (mode) (rate(millrace_lb_rate_limit_shared_checks_total"
                           f"{{{_HERE}}}{_RATE}))", "{{mode}}"),),
                    "reqps",
                ),
                stat(
                    "Clients counted",
                    "Clients that have sent requests within a limit's window.",
                    Query(f"sum(millrace_lb_rate_limit_clients{{{_HERE}}})"),
                    width=12,
                ),
                stat(
                    "Counting alone",
                    "Processes that Redis is away for.",
                    Query(f"sum(millrace_lb_rate_limit_fallback{{{_HERE}}})"),
                    thresholds=Thresholds(1, 1),
                    width=12,
                ),
            ),
        ),
        Row(
            "The balancer itself",
            (
                Panel(
                    "Connections",
                    "Connections that clients have open.",
                    (Query(f"sum by (instance) (millrace_lb_connections{{{_HERE}}})",
                           "{{instance}}"),),
                ),
                Panel(
                    "Refused connections",
                    "Connections a second beyond the limit, or without a good PROXY header.",
                    (
                        Query(f"sum(rate(millrace_lb_connections_refused_total{{{_HERE}}}{_RATE}))",
                              "too many"),
                        Query("sum by (reason) (rate(millrace_lb_proxy_protocol_refused_total"
                              f"{{{_HERE}}}{_RATE}))", "PROXY {{reason}}"),
                    ),
                    "ops",
                ),
                Panel(
                    "Changes",
                    "Processes replaced, reloads, and lines of the access log that were lost, "
                    "in 5 minutes.",
                    (
                        Query(f"sum(increase(millrace_lb_process_restarts_total{{{_HERE}}}[5m]))",
                              "replaced"),
                        Query("sum by (result) (increase(millrace_lb_reloads_total"
                              f"{{{_HERE}}}[5m]))", "reload {{result}}"),
                        Query("sum(increase(millrace_lb_access_log_dropped_total"
                              f"{{{_HERE}}}[5m]))", "lines lost"),
                    ),
                ),
                stat(
                    "Processes",
                    "Processes that take clients.",
                    Query(f"sum(millrace_lb_processes{{{_HERE}}})"),
                    thresholds=Thresholds(1, 1, low=True),
                    width=12,
                ),
                stat(
                    "Certificate",
                    "Time until the certificate expires.",
                    Query("min(millrace_lb_certificate_expiry_timestamp_seconds"
                          f"{{{_HERE}}}) - time() or vector(-1)"),
                    "dtdurations",
                    thresholds=Thresholds(14 * 86400, 2 * 86400, low=True),
                    words={-1: ("no TLS here", GREEN)},
                    width=12,
                ),
            ),
        ),
    ),
    (Variable("backend", "Replica",
              'label_values(millrace_lb_backend_weight{instance=~"$instance"}, backend)'),),
)  # fmt: skip
