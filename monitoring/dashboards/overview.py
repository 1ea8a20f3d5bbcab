"""Overview: what clients notice, by route, and where the time of queries goes."""

from monitoring.dashboards.dashboard import Dashboard, Row
from monitoring.dashboards.panel import GREEN, RED, Panel, Query, Thresholds, stat

_HERE = 'job=~"$service", instance=~"$instance"'
_ROUTES = "millrace_app_request_duration_seconds"

OVERVIEW = Dashboard(
    "millrace-overview",
    "Millrace: overview",
    "Requests, errors and durations by route, the stages of queries, and what is not as usual.",
    ("lb", "app", "worker"),
    (
        Row(
            "Now",
            (
                stat(
                    "Requests",
                    "Requests a second that the balancer takes.",
                    Query("millrace:requests:rate1m"),
                    "reqps",
                    link="millrace-balancer",
                ),
                stat(
                    "Errors",
                    "Part of the requests that ended with 5xx, of the last 5 minutes. "
                    "The objective is 0.1 % over 30 days.",
                    Query("millrace:request_errors:ratio_rate5m"),
                    "percentunit",
                    thresholds=Thresholds(0.001, 0.0144),
                    decimals=2,
                ),
                stat(
                    "Slowest of 100",
                    "99 of 100 requests take no longer, from head to end of the answer.",
                    Query("millrace:request_duration_seconds:p99_rate5m"),
                    "s",
                    thresholds=Thresholds(2.5, 10),
                ),
                stat(
                    "Replicas ready",
                    "Replicas that get requests.",
                    Query('count(max by (backend) (millrace_lb_backend_state{state="ready"}) > 0)'
                          " or vector(0)"),
                    thresholds=Thresholds(2, 1, low=True),
                    link="millrace-balancer",
                ),
                stat(
                    "Workers",
                    "Workers that take tasks.",
                    Query('max(millrace_app_workers{state="taking"})'),
                    thresholds=Thresholds(1, 1, low=True),
                    link="millrace-queries",
                ),
                stat(
                    "Alerts",
                    "Alerts that fire now.",
                    Query('count(ALERTS{alertstate="firing"}) or vector(0)'),
                    thresholds=Thresholds(1, 1),
                ),
            ),
        ),
        Row(
            "Requests by route",
            (
                Panel(
                    "Rate",
                    "Requests a second that replicas answered.",
                    (Query(f"sum by (route) (rate({_ROUTES}_count{{{_HERE}}}[$__rate_interval]))",
                           "{{route}}"),),
                    "reqps",
                    stacked=True,
                ),
                Panel(
                    "Errors",
                    "Answers of class 5xx a second.",
                    (Query(f'sum by (route) (rate({_ROUTES}_count{{{_HERE}, status=~"5.."}}'
                           "[$__rate_interval])) or 0 * sum by (route) "
                           f"(rate({_ROUTES}_count{{{_HERE}}}[$__rate_interval]))", "{{route}}"),),
                    "reqps",
                ),
                Panel(
                    "Duration",
                    "95 of 100 requests take no longer, in the replica.",
                    (Query("histogram_quantile(0.95, sum by (route, le) "
                           f"(rate({_ROUTES}_bucket{{{_HERE}}}[$__rate_interval])))",
                           "{{route}}", exemplars=True),),
                    "s",
                ),
                Panel(
                    "Answers by class",
                    "All answers of the balancer a second; `gone`: the client left first.",
                    (Query(f"sum by (code) (rate(millrace_lb_requests_total{{{_HERE}}}"
                           "[$__rate_interval]))", "{{code}}"),),
                    "reqps",
                    stacked=True,
                ),
                Panel(
                    "Errors, by window",
                    "Part of the requests that ended with 5xx; the alerts look at these.",
                    (
                        Query("millrace:request_errors:ratio_rate5m", "5 minutes"),
                        Query("millrace:request_errors:ratio_rate1h", "1 hour"),
                        Query("millrace:request_errors:ratio_rate6h", "6 hours"),
                        Query("millrace:request_errors:ratio_rate3d", "3 days"),
                    ),
                    "percentunit",
                    thresholds=Thresholds(0.001, 0.0144),
                ),
                Panel(
                    "Refused",
                    "Requests a second that were refused: for overload by replicas, or by limits.",
                    (
                        Query("sum(rate(millrace_app_lane_refused_total"
                              f"{{{_HERE}}}[$__rate_interval]))", "overload"),
                        Query("sum(rate(millrace_lb_rate_limited_total"
                              f"{{{_HERE}}}[$__rate_interval])) or vector(0)", "limits"),
                    ),
                    "reqps",
                ),
            ),
        ),
        Row(
            "The pipeline of queries",
            (
                Panel(
                    "Queries by mode",
                    "Queries a second that were computed, by how.",
                    (Query(f"sum by (mode) (rate(millrace_app_queries_total{{{_HERE}}}"
                           "[$__rate_interval]))", "{{mode}}"),),
                    "ops",
                    stacked=True,
                    link="millrace-queries",
                ),
                Panel(
                    "Time by stage",
                    "Mean time that a query spends in each stage.",
                    (Query(f"sum by (stage) (rate(millrace_app_query_stage_seconds_sum{{{_HERE}"
                           ', stage!="postgresql"}[$__rate_interval])) / sum by (stage) '
                           f"(rate(millrace_app_query_stage_seconds_count{{{_HERE}"
                           ', stage!="postgresql"}[$__rate_interval]))', "{{stage}}"),),
                    "s",
                    stacked=True,
                    link="millrace-queries",
                ),
                Panel(
                    "Answers by origin",
                    "Queries a second by where their answer came from.",
                    (Query(f"sum by (origin) (rate(millrace_app_cache_answers_total{{{_HERE}}}"
                           "[$__rate_interval]))", "{{origin}}"),),
                    "ops",
                    stacked=True,
                    link="millrace-database",
                ),
                Panel(
                    "Tasks waiting",
                    "Tasks that wait for a worker, and tasks of jobs that wait for a slot.",
                    (
                        Query("lane:queue_tasks_waiting:max", "{{lane}}"),
                        Query("millrace:job_tasks_due:max", "jobs"),
                    ),
                ),
                Panel(
                    "Slots in use",
                    "Part of the workers' slots that are busy.",
                    (Query("lane:worker_busy:ratio", "{{lane}}"),),
                    "percentunit",
                    most=1,
                ),
                Panel(
                    "Tasks run",
                    "Tasks a second that workers ended, by lane.",
                    (Query(f"sum by (lane) (rate(millrace_worker_tasks_total{{{_HERE}}}"
                           "[$__rate_interval]))", "{{lane}}"),),
                    "ops",
                    stacked=True,
                ),
            ),
        ),
        Row(
            "Not as usual",
            (
                Panel(
                    "Modes",
                    "What is not as usual, on any replica: docs/trouble.md.",
                    (Query(f"max by (mode) (millrace_app_mode{{{_HERE}}})", "{{mode}}"),),
                    kind="state-timeline",
                    width=12,
                    height=9,
                    words={0: ("off", GREEN), 1: ("on", RED)},
                ),
                Panel(
                    "Events",
                    "What changed most often, in 5 minutes each: docs/trouble.md.",
                    (Query("topk(8, sum by (event) (increase(millrace_events_total"
                           f"{{{_HERE}}}[5m])))", "{{event}}"),),
                    width=6,
                    height=9,
                ),
                Panel(
                    "Targets",
                    "Processes that answer Prometheus.",
                    (Query(f"sum by (job) (up{{{_HERE}}})", "{{job}}"),),
                    width=6,
                    height=9,
                ),
            ),
        ),
    ),
)  # fmt: skip
