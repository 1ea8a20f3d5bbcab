"""Jobs: what is open, what waits, how tasks end."""

from monitoring.dashboards.dashboard import Dashboard, Row, Variable
from monitoring.dashboards.panel import Panel, Query, Thresholds, stat

_HERE = 'job=~"$service", instance=~"$instance"'
_KIND = f'{_HERE}, kind=~"$kind"'
_RATE = "[$__rate_interval]"

JOBS = Dashboard(
    "millrace-jobs",
    "Millrace: jobs",
    "Durable jobs: what is open, what waits, how tasks end, and what was given up.",
    ("app", "worker"),
    (
        Row(
            "Now",
            (
                stat(
                    "Open jobs",
                    "Jobs that are not finished.",
                    Query(f"sum(max by (kind, state) (millrace_app_jobs{{{_KIND}}}))"),
                    width=6,
                ),
                stat(
                    "Tasks due",
                    "Tasks that wait for a free slot.",
                    Query(f"max(millrace_app_job_tasks_due{{{_HERE}}})"),
                    width=6,
                ),
                stat(
                    "Oldest task due",
                    "How long the oldest of them has waited.",
                    Query(f"max(millrace_app_job_tasks_oldest_due_seconds{{{_HERE}}})"),
                    "s",
                    thresholds=Thresholds(60, 300),
                    width=6,
                ),
                stat(
                    "Dead letters",
                    "Tasks that were given up and not replayed yet.",
                    Query("sum(max by (kind) "
                          f'(millrace_app_job_tasks{{{_KIND}, state="dead"}}))'),
                    thresholds=Thresholds(1, 100),
                    width=6,
                ),
            ),
        ),
        Row(
            "Jobs and tasks",
            (
                Panel(
                    "Jobs by state",
                    "Jobs that are not finished.",
                    (Query(f"sum by (state) (max by (kind, state) (millrace_app_jobs{{{_KIND}}}))",
                           "{{state}}"),),
                    stacked=True,
                ),
                Panel(
                    "Jobs by kind",
                    "Jobs that are not finished.",
                    (Query(f"sum by (kind) (max by (kind, state) (millrace_app_jobs{{{_KIND}}}))",
                           "{{kind}}"),),
                    stacked=True,
                ),
                Panel(
                    "Accepted",
                    "Jobs accepted, in 5 minutes.",
                    (Query("sum by (kind) (increase(millrace_app_jobs_accepted_total"
                           f"{{{_KIND}}}[5m]))", "{{kind}}"),),
                ),
                Panel(
                    "Tasks by state",
                    "Tasks of open jobs, and dead letters.",
                    (Query("sum by (state) (max by (kind, state) "
                           f"(millrace_app_job_tasks{{{_KIND}}}))", "{{state}}"),),
                    stacked=True,
                ),
                Panel(
                    "Tasks due",
                    "Tasks that wait for a free slot; the alert looks at whether they grow.",
                    (Query("millrace:job_tasks_due:max", "due"),),
                ),
                Panel(
                    "Oldest task due",
                    "How long the oldest of them has waited.",
                    (Query("millrace:job_tasks_oldest_due_seconds:max", "oldest"),),
                    "s",
                    thresholds=Thresholds(60, 300),
                ),
            ),
        ),
        Row(
            "Slots for jobs",
            (
                Panel(
                    "Slots",
                    "Slots for tasks of jobs, and those that are busy.",
                    (
                        Query(f'sum(millrace_worker_slots{{{_HERE}, lane="bulk"}})', "there are"),
                        Query(f'sum(millrace_worker_busy{{{_HERE}, lane="bulk"}})', "busy"),
                    ),
                ),
                Panel(
                    "Tasks ended",
                    "Tasks a second, by how they ended.",
                    (Query("sum by (outcome) (rate(millrace_worker_tasks_total"
                           f'{{{_HERE}, lane="bulk"}}{_RATE}))', "{{outcome}}"),),
                    "ops",
                    stacked=True,
                ),
                Panel(
                    "Duration",
                    "How long tasks of jobs run.",
                    (
                        Query("histogram_quantile(0.5, sum by (le) (rate("
                              f'millrace_worker_task_seconds_bucket{{{_HERE}, lane="bulk"}}'
                              "[5m])))", "half"),
                        Query("histogram_quantile(0.95, sum by (le) (rate("
                              f'millrace_worker_task_seconds_bucket{{{_HERE}, lane="bulk"}}'
                              "[5m])))", "95 of 100", exemplars=True),
                    ),
                    "s",
                ),
                Panel(
                    "Attempts that failed",
                    "Failed attempts, lapsed leases and dead letters, in 5 minutes.",
                    (Query("sum by (event) (increase(millrace_events_total"
                           f'{{{_HERE}, event=~"failed_attempt|lease_lapsed|dead_letter"}}[5m]))',
                           "{{event}}"),),
                    width=12,
                ),
                Panel(
                    "Connections of jobs",
                    "Connections to PostgreSQL that workers have for jobs, open and in use.",
                    (Query("sum by (pool, kind) (millrace_worker_pool_connections"
                           f'{{{_HERE}, pool=~"worker-(own|bulk)"}})', "{{pool}} {{kind}}"),),
                    width=12,
                ),
            ),
        ),
    ),
    (Variable("kind", "Kind", "label_values(millrace_app_jobs, kind)"),),
)  # fmt: skip
