"""Queries and workers: how queries run, what waits for whom, and how busy workers are."""

from monitoring.dashboards.dashboard import Dashboard, Row, Variable
from monitoring.dashboards.panel import GREEN, YELLOW, Panel, Query, Thresholds, stat

_HERE = 'job=~"$service", instance=~"$instance"'
_LANE = f'{_HERE}, lane=~"$lane"'
_RATE = "[$__rate_interval]"

QUERIES = Dashboard(
    "millrace-queries",
    "Millrace: queries and workers",
    "How queries run, the stages that they pass, the queue, and the workers.",
    ("app", "worker", "scaler"),
    (
        Row(
            "Queries",
            (
                Panel(
                    "By mode",
                    "Queries a second that were computed: whole on PostgreSQL, or in parts.",
                    (Query(f"sum by (mode) (rate(millrace_app_queries_total{{{_HERE}}}{_RATE}))",
                           "{{mode}}"),),
                    "ops",
                    stacked=True,
                ),
                Panel(
                    "Slow stages",
                    "95 of 100 queries take no longer in a stage; postgresql is what of it was "
                    "waiting for PostgreSQL.",
                    (Query("histogram_quantile(0.95, sum by (stage, le) "
                           f"(rate(millrace_app_query_stage_seconds_bucket{{{_HERE}}}{_RATE})))",
                           "{{stage}}", exemplars=True),),
                    "s",
                ),
                Panel(
                    "Time by stage",
                    "Mean time in each stage.",
                    (Query("sum by (stage) (rate(millrace_app_query_stage_seconds_sum"
                           f'{{{_HERE}, stage!="postgresql"}}{_RATE})) / sum by (stage) '
                           "(rate(millrace_app_query_stage_seconds_count"
                           f'{{{_HERE}, stage!="postgresql"}}{_RATE}))', "{{stage}}"),),
                    "s",
                    stacked=True,
                ),
                Panel(
                    "Self-checks",
                    "Split answers that were computed again, whole, a second.",
                    (
                        Query("sum by (result) (rate(millrace_app_self_checks_total"
                              f"{{{_HERE}}}{_RATE}))", "{{result}}"),
                        Query(f"sum(rate(millrace_app_splits_left_total{{{_HERE}}}{_RATE}))",
                              "left the split way"),
                    ),
                    "ops",
                ),
                Panel(
                    "Ended early",
                    "Queries a second that were ended before their answer, by why.",
                    (Query("sum by (cause) (rate(millrace_app_queries_cancelled_total"
                           f"{{{_HERE}}}{_RATE}))", "{{cause}}"),),
                    "ops",
                ),
                Panel(
                    "Asynchronous queries",
                    "How many came into a state, in 5 minutes.",
                    (Query("sum by (state) (increase(millrace_app_async_queries_total"
                           f"{{{_HERE}}}[5m]))", "{{state}}"),),
                ),
            ),
        ),
        Row(
            "Lanes of the replicas",
            (
                Panel(
                    "In flight",
                    "Requests that are worked on, by lane of the replicas.",
                    (Query(f"sum by (lane) (millrace_app_lane_in_flight{{{_LANE}}})",
                           "{{lane}}"),),
                ),
                Panel(
                    "Limits",
                    "Requests that may be worked on at once; that of queries adapts.",
                    (Query(f"sum by (lane) (millrace_app_lane_limit{{{_LANE}}})", "{{lane}}"),),
                ),
                Panel(
                    "Waiting and refused",
                    "Requests that wait for their turn, and refusals a second.",
                    (
                        Query(f"sum by (lane) (millrace_app_lane_waiting{{{_LANE}}})",
                              "{{lane}} waiting"),
                        Query("sum by (lane) (rate(millrace_app_lane_refused_total"
                              f"{{{_LANE}}}{_RATE}))", "{{lane}} refused"),
                    ),
                ),
            ),
        ),
        Row(
            "The queue",
            (
                stat(
                    "Workers",
                    "Live workers that take tasks.",
                    Query(f'max(millrace_app_workers{{{_HERE}, state="taking"}})'),
                    thresholds=Thresholds(1, 1, low=True),
                    width=4,
                    height=7,
                ),
                stat(
                    "Dead letters",
                    "Tasks of queries and passwords that were given up, of those that are kept.",
                    Query(f"max(millrace_app_queue_dead_letters{{{_HERE}}})"),
                    thresholds=Thresholds(1, 100),
                    width=4,
                    height=7,
                ),
                Panel(
                    "Tasks",
                    "Tasks on the queue: waiting, or held by a worker.",
                    (Query(f"max by (lane, state) (millrace_app_queue_tasks{{{_LANE}}})",
                           "{{lane}} {{state}}"),),
                ),
                Panel(
                    "Oldest task",
                    "How long the oldest task of a lane has been on the queue.",
                    (Query("max by (lane) (millrace_app_queue_oldest_task_seconds"
                           f"{{{_LANE}}})", "{{lane}}"),),
                    "s",
                    thresholds=Thresholds(10, 60),
                ),
            ),
        ),
        Row(
            "Workers",
            (
                Panel(
                    "Slots in use",
                    "Part of the slots that are busy.",
                    (Query(f"sum by (lane) (millrace_worker_busy{{{_LANE}}}) / "
                           f"(sum by (lane) (millrace_worker_slots{{{_LANE}}}) > 0)", "{{lane}}"),),
                    "percentunit",
                    most=1,
                ),
                Panel(
                    "Tasks",
                    "Tasks a second, by lane and by how they ended.",
                    (Query("sum by (lane, outcome) (rate(millrace_worker_tasks_total"
                           f"{{{_LANE}}}{_RATE}))", "{{lane}} {{outcome}}"),),
                    "ops",
                    stacked=True,
                ),
                Panel(
                    "Duration",
                    "95 of 100 tasks run no longer.",
                    (Query("histogram_quantile(0.95, sum by (lane, le) "
                           f"(rate(millrace_worker_task_seconds_bucket{{{_LANE}}}{_RATE})))",
                           "{{lane}}", exemplars=True),),
                    "s",
                ),
                Panel(
                    "Processor",
                    "Processors that each worker uses.",
                    (Query(f"rate(process_cpu_seconds_total{{{_HERE}}}{_RATE})", "{{instance}}"),),
                    "short",
                ),
                Panel(
                    "Memory",
                    "Memory that each worker has.",
                    (Query(f"process_resident_memory_bytes{{{_HERE}}}", "{{instance}}"),),
                    "bytes",
                ),
                Panel(
                    "Files open",
                    "Part of the files and connections that a worker may have open.",
                    (Query(f"process_open_fds{{{_HERE}}} / process_max_fds{{{_HERE}}}",
                           "{{instance}}"),),
                    "percentunit",
                    thresholds=Thresholds(0.5, 0.9),
                ),
            ),
        ),
        Row(
            "Scaling",
            (
                Panel(
                    "Wanted and running",
                    "Workers that there should be, that there are, and that are leaving, within "
                    "the bounds.",
                    (
                        Query(f"max(millrace_scaler_workers_wanted{{{_HERE}}})", "wanted"),
                        Query(f"max(millrace_scaler_workers_running{{{_HERE}}})", "running"),
                        Query(f"max(millrace_scaler_workers_leaving{{{_HERE}}})", "leaving"),
                        Query(f"max(millrace_scaler_workers_min{{{_HERE}}})", "fewest"),
                        Query(f"max(millrace_scaler_workers_max{{{_HERE}}})", "most"),
                    ),
                ),
                Panel(
                    "Decisions",
                    "Decisions a minute, by what was to be done and why.",
                    (Query("60 * sum by (direction, reason) (rate("
                           f"millrace_scaler_decisions_total{{{_HERE}}}{_RATE})) > 0",
                           "{{direction}}: {{reason}}"),),
                    stacked=True,
                ),
                Panel(
                    "Failures",
                    "Decisions a minute that could not be made so, and workers that were started "
                    "and do not work.",
                    (
                        Query("60 * sum(rate(millrace_scaler_driver_failures_total"
                              f"{{{_HERE}}}{_RATE}))", "failures"),
                        Query(f"max(millrace_scaler_workers_not_joined{{{_HERE}}})",
                              "not joined"),
                    ),
                    thresholds=Thresholds(1, 5),
                ),
                Panel(
                    "Deciding",
                    "Which scaler decides; the others stand by.",
                    (Query(f"millrace_scaler_active{{{_HERE}}}", "{{instance}}"),),
                    kind="state-timeline",
                    width=12,
                    height=4,
                    words={0: ("stands by", YELLOW), 1: ("decides", GREEN)},
                ),
                Panel(
                    "Last decision",
                    "How long ago workers and queues were last known to the scaler.",
                    (Query(f"max by (instance) (millrace_scaler_decision_age_seconds{{{_HERE}}})",
                           "{{instance}}"),),
                    "s",
                    width=12,
                    height=4,
                    thresholds=Thresholds(30, 120),
                ),
            ),
        ),
        Row(
            "Hashing",
            (
                Panel(
                    "Passwords",
                    "Passwords a second to hash or check, by what came of them.",
                    (Query("sum by (outcome) (rate(millrace_app_passwords_total"
                           f"{{{_HERE}}}{_RATE}))", "{{outcome}}"),),
                    "ops",
                ),
                Panel(
                    "Digests stored",
                    "Digests a second that were stored, and those that were not, by why.",
                    (
                        Query(f"sum(rate(millrace_app_digests_stored_total{{{_HERE}}}{_RATE}))",
                              "stored"),
                        Query("sum by (reason) (rate(millrace_app_digests_refused_total"
                              f"{{{_HERE}}}{_RATE}))", "{{reason}}"),
                    ),
                    "ops",
                ),
                Panel(
                    "Waiting",
                    "Passwords that wait for a worker, and digests that wait for a commit.",
                    (
                        Query(f"sum(millrace_app_passwords_waiting{{{_HERE}}})", "passwords"),
                        Query(f"sum(millrace_app_digests_waiting{{{_HERE}}})", "digests"),
                    ),
                ),
            ),
        ),
    ),
    (Variable("lane", "Lane",
              'label_values({__name__=~"millrace_app_lane_limit|millrace_worker_slots"}, lane)'),),
)  # fmt: skip
