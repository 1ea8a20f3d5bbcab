"""The columnar tier: how much of each table segments answer for, and how their building goes."""

from monitoring.dashboards.dashboard import Dashboard, Row, Variable
from monitoring.dashboards.panel import Panel, Query, Thresholds, stat

_HERE = 'job=~"$service", instance=~"$instance"'
_TABLE = f'{_HERE}, table=~"$table"'
_RATE = "[$__rate_interval]"


def _by_table(name: str, what: str = "max") -> Query:
    """All replicas tell the same: one of them counts."""
    return Query(f"{what} by (table) (millrace_app_table_{name}{{{_TABLE}}})", "{{table}}")


COLUMNAR = Dashboard(
    "millrace-columnar",
    "Millrace: columnar tier",
    "Accelerated tables: what their segments answer for, how they are built, what they take.",
    ("app", "worker"),
    (
        Row(
            "Now",
            (
                stat(
                    "Least clean share",
                    "Of the table with the least: the share of its key ranges whose copy is as "
                    "good as the table.",
                    Query(f"min(millrace_app_table_clean_share{{{_TABLE}}} "
                          f"and millrace_app_table_buckets{{{_TABLE}}} > 0)"),
                    "percentunit",
                    thresholds=Thresholds(0.8, 0.3, low=True),
                    width=5,
                ),
                stat(
                    "Longest build lag",
                    "Age of the oldest copy that is out of date, or the longest wait for a first.",
                    Query(f"max(millrace_app_table_build_lag_seconds{{{_TABLE}}})"),
                    "s",
                    thresholds=Thresholds(900, 3600),
                    width=5,
                ),
                stat(
                    "Tracking broken",
                    "Tables whose changes may have gone unnoticed; PostgreSQL answers for them.",
                    Query("sum(max by (table) "
                          f"(millrace_app_table_tracking_broken{{{_TABLE}}}))"),
                    thresholds=Thresholds(1, 1),
                    width=5,
                ),
                stat(
                    "Segments",
                    "Bytes of all segments in use.",
                    Query("sum(max by (table) "
                          f"(millrace_app_table_segment_bytes{{{_TABLE}}}))"),
                    "bytes",
                    width=5,
                ),
                stat(
                    "Keepers",
                    "Processes that keep segments, of the workers that are to have one.",
                    Query(f"sum(millrace_worker_keeper_up{{{_HERE}}})"),
                    width=4,
                ),
            ),
        ),
        Row(
            "Tables",
            (
                Panel(
                    "Clean share",
                    "Share of a table's key ranges whose copy is as good as the table.",
                    (_by_table("clean_share", "min"),),
                    "percentunit",
                    most=1,
                ),
                Panel(
                    "Build lag",
                    "Age of a table's oldest copy that is out of date.",
                    (_by_table("build_lag_seconds"),),
                    "s",
                ),
                Panel(
                    "Queries that segments answered",
                    "Share of the queries of a table that segments answered, at least in part.",
                    (Query("max by (table) (deriv(millrace_app_table_columnar_queries"
                           f"{{{_TABLE}}}[5m])) / (max by (table) "
                           f"(deriv(millrace_app_table_queries{{{_TABLE}}}[5m])) > 0)",
                           "{{table}}"),),
                    "percentunit",
                    most=1,
                ),
                Panel(
                    "Key ranges and segments",
                    "Key ranges of a table, and its segments in use.",
                    (
                        Query("max by (table) (millrace_app_table_buckets"
                              f"{{{_TABLE}}})", "{{table}} key ranges"),
                        Query("max by (table) (millrace_app_table_segments"
                              f"{{{_TABLE}}})", "{{table}} segments"),
                    ),
                ),
                Panel(
                    "Rows in segments",
                    "Rows of a table's segments.",
                    (_by_table("segment_rows"),),
                    stacked=True,
                ),
                Panel(
                    "Log of changes",
                    "Rows of the log of a table's changes that somebody still needs.",
                    (_by_table("change_log_rows"),),
                ),
            ),
        ),
        Row(
            "Fragments over segments",
            (
                Panel(
                    "Duration",
                    "How long DuckDB takes for a fragment.",
                    (
                        Query("histogram_quantile(0.5, sum by (le) (rate("
                              f"millrace_worker_columnar_seconds_bucket{{{_HERE}}}[5m])))",
                              "half"),
                        Query("histogram_quantile(0.95, sum by (le) (rate("
                              f"millrace_worker_columnar_seconds_bucket{{{_HERE}}}[5m])))",
                              "95 of 100"),
                    ),
                    "s",
                ),
                Panel(
                    "Bytes of files",
                    "Bytes a second of the files that fragments name; not all of each is read.",
                    (Query("sum(rate(millrace_worker_columnar_bytes_total"
                           f"{{{_HERE}}}{_RATE}))", "bytes"),),
                    "bytes",
                ),
                Panel(
                    "Rows scanned",
                    "Rows a second of the segments that fragments read.",
                    (Query(f"sum(rate(millrace_app_columnar_rows_total{{{_HERE}}}{_RATE}))",
                           "rows"),),
                    "ops",
                ),
                Panel(
                    "Left to PostgreSQL",
                    "Queries a second of accelerated tables that segments did not answer, by why.",
                    (Query("sum by (cause) (rate(millrace_app_columnar_refusals_total"
                           f"{{{_HERE}}}{_RATE}))", "{{cause}}"),),
                    "ops",
                    stacked=True,
                ),
                Panel(
                    "Partials",
                    "Partials a second that queries wanted: kept in Redis, or computed.",
                    (Query(f"sum by (came) (rate(millrace_app_partials_total{{{_HERE}}}{_RATE}))",
                           "{{came}}"),),
                    "ops",
                    stacked=True,
                ),
            ),
        ),
        Row(
            "Building",
            (
                Panel(
                    "Rows built",
                    "Rows a second that are copied into segments.",
                    (Query(f"sum(rate(millrace_worker_segment_rows_total{{{_HERE}}}{_RATE}))",
                           "rows"),),
                    "ops",
                ),
                Panel(
                    "Bytes written",
                    "Bytes a second of segments that are written.",
                    (Query(f"sum(rate(millrace_worker_segment_bytes_total{{{_HERE}}}{_RATE}))",
                           "bytes"),),
                    "bytes",
                ),
                Panel(
                    "Duration of builds",
                    "How long the building of a segment takes.",
                    (
                        Query("histogram_quantile(0.5, sum by (le) (rate("
                              f"millrace_worker_segment_build_seconds_bucket{{{_HERE}}}[5m])))",
                              "half"),
                        Query("histogram_quantile(0.95, sum by (le) (rate("
                              f"millrace_worker_segment_build_seconds_bucket{{{_HERE}}}[5m])))",
                              "95 of 100"),
                    ),
                    "s",
                ),
                Panel(
                    "Failed builds",
                    "Builds that failed, in 5 minutes, by cause.",
                    (Query("sum by (cause) (increase(millrace_worker_segment_build_failures_total"
                           f"{{{_HERE}}}[5m]))", "{{cause}}"),),
                    width=12,
                ),
                Panel(
                    "Files removed",
                    "Files that nobody needed any more, and that were removed, in 5 minutes.",
                    (Query("sum(increase(millrace_worker_segment_files_removed_total"
                           f"{{{_HERE}}}[5m]))", "files"),),
                    width=12,
                ),
            ),
        ),
    ),
    (Variable("table", "Table", "label_values(millrace_app_table_buckets, table)"),),
)  # fmt: skip
