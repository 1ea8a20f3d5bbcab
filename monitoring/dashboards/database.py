"""Database, cache and breaker: what answers come from, and whether it is well."""

from monitoring.dashboards.dashboard import Dashboard, Row
from monitoring.dashboards.panel import GREEN, RED, YELLOW, Panel, Query, Thresholds, stat

_HERE = 'job=~"$service", instance=~"$instance"'
_RATE = "[$__rate_interval]"
_DATABASES = f'{_HERE}, datname!~"template.*|"'
_BREAKER = {0: ("closed", GREEN), 1: ("half open", YELLOW), 2: ("open", RED)}

DATABASE = Dashboard(
    "millrace-database",
    "Millrace: database, cache and breaker",
    "PostgreSQL and the pools to it, their breakers, the cache of answers, and Redis.",
    ("app", "worker", "postgres", "redis"),
    (
        Row(
            "Breakers and pools",
            (
                Panel(
                    "Breakers",
                    "The worst breaker of each pool: while it is open, PostgreSQL is left alone.",
                    (Query("max by (pool) ({__name__=~"
                           f'"millrace_(app|worker)_breaker_state", {_HERE}}})', "{{pool}}"),),
                    kind="state-timeline",
                    width=12,
                    words=_BREAKER,
                ),
                Panel(
                    "Reached",
                    "What replicas reach: each of their checks, at its worst.",
                    (Query(f"min by (check) (millrace_app_check_up{{{_HERE}}})", "{{check}}"),),
                    kind="state-timeline",
                    width=12,
                    words={0: ("away", RED), 1: ("reached", GREEN)},
                ),
                Panel(
                    "Connections in use",
                    "Part of the connections of each kind of pool that are in use.",
                    (Query('sum by (pool) ({__name__=~"millrace_(app|worker)_pool_connections", '
                           f'kind="in_use", {_HERE}}}) / sum by (pool) '
                           '({__name__=~"millrace_(app|worker)_pool_connections", kind="max", '
                           f"{_HERE}}})", "{{pool}}"),),
                    "percentunit",
                    most=1,
                    thresholds=Thresholds(0.8, 0.95),
                ),
                Panel(
                    "Waiting for a connection",
                    "Callers that wait, by kind of pool.",
                    (Query("sum by (pool) ({__name__=~"
                           f'"millrace_(app|worker)_pool_waiting", {_HERE}}})', "{{pool}}"),),
                ),
                Panel(
                    "Changes of breakers",
                    "How often breakers came into a state, in 5 minutes.",
                    (Query("sum by (pool, to) (increase(millrace_app_breaker_changes_total"
                           f"{{{_HERE}}}[5m]))", "{{pool}} {{to}}"),),
                ),
            ),
        ),
        Row(
            "PostgreSQL",
            (
                stat(
                    "PostgreSQL",
                    "Whether the exporter reaches PostgreSQL.",
                    Query(f"min(pg_up{{{_HERE}}})"),
                    thresholds=Thresholds(1, 1, low=True),
                    words={0: ("away", RED), 1: ("up", GREEN)},
                ),
                stat(
                    "Connections",
                    "Part of max_connections that is in use.",
                    Query("millrace:database_connections:ratio"),
                    "percentunit",
                    thresholds=Thresholds(0.75, 0.9),
                ),
                stat(
                    "Found in memory",
                    "Part of the blocks read that were in PostgreSQL's shared buffers.",
                    Query(f"sum(rate(pg_stat_database_blks_hit{{{_HERE}}}[5m])) / "
                          f"(sum(rate(pg_stat_database_blks_hit{{{_HERE}}}[5m])) + "
                          f"sum(rate(pg_stat_database_blks_read{{{_HERE}}}[5m])))"),
                    "percentunit",
                    thresholds=Thresholds(0.95, 0.8, low=True),
                ),
                stat(
                    "Oldest transaction",
                    "How long the longest transaction has been open.",
                    Query(f"max(pg_stat_activity_max_tx_duration{{{_HERE}}})"),
                    "s",
                    thresholds=Thresholds(300, 3600),
                ),
                stat(
                    "Replication lag",
                    "How far the server that the exporter asks is behind; 0: it is the primary.",
                    Query(f"max(pg_replication_lag_seconds{{{_HERE}}})"),
                    "s",
                    thresholds=Thresholds(5, 30),
                ),
                stat(
                    "Write-ahead log",
                    "Size of the write-ahead log that is kept.",
                    Query(f"max(pg_wal_size_bytes{{{_HERE}}})"),
                    "bytes",
                ),
                Panel(
                    "Transactions",
                    "Transactions a second that were committed, or rolled back.",
                    (
                        Query(f"sum(rate(pg_stat_database_xact_commit{{{_DATABASES}}}[1m]))",
                              "committed"),
                        Query(f"sum(rate(pg_stat_database_xact_rollback{{{_DATABASES}}}[1m]))",
                              "rolled back"),
                    ),
                    "ops",
                ),
                Panel(
                    "Sessions by state",
                    "Sessions of clients by what they do.",
                    (Query(f"sum by (state) (pg_stat_activity_count{{{_HERE}, "
                           'backend_type="client backend"})', "{{state}}"),),
                    stacked=True,
                ),
                Panel(
                    "Rows",
                    "Rows a second that were read, and changed.",
                    (
                        Query(f"sum(rate(pg_stat_database_tup_returned{{{_DATABASES}}}[1m]))",
                              "read"),
                        Query(f"sum(rate(pg_stat_database_tup_inserted{{{_DATABASES}}}[1m]))",
                              "inserted"),
                        Query(f"sum(rate(pg_stat_database_tup_updated{{{_DATABASES}}}[1m]))",
                              "updated"),
                        Query(f"sum(rate(pg_stat_database_tup_deleted{{{_DATABASES}}}[1m]))",
                              "deleted"),
                    ),
                    "ops",
                ),
                Panel(
                    "Trouble",
                    "Deadlocks, and conflicts of a standby, in 5 minutes.",
                    (
                        Query(f"sum(increase(pg_stat_database_deadlocks{{{_HERE}}}[5m]))",
                              "deadlocks"),
                        Query(f"sum(increase(pg_stat_database_conflicts{{{_HERE}}}[5m]))",
                              "conflicts"),
                    ),
                ),
                Panel(
                    "Temporary files",
                    "Bytes a second that queries wrote to disk, since they had too little memory.",
                    (Query(f"sum by (datname) (rate(pg_stat_database_temp_bytes{{{_DATABASES}}}"
                           "[1m]))", "{{datname}}"),),
                    "bytes",
                ),
                Panel(
                    "Size, and what is free",
                    "Size of each database, and what is free on the workers' disks.",
                    (
                        Query(f"pg_database_size_bytes{{{_DATABASES}}}", "{{datname}}"),
                        Query(f'millrace_worker_disk_bytes{{{_HERE}, kind="free"}}',
                              "free on {{instance}}"),
                    ),
                    "bytes",
                ),
                Panel(
                    "Read replicas asked",
                    "Queries a second that a read replica was asked, by what came of it.",
                    (Query("sum by (outcome) (rate(millrace_app_read_replica_queries_total"
                           f"{{{_HERE}}}{_RATE}))", "{{outcome}}"),),
                    "ops",
                    width=24,
                    height=5,
                ),
            ),
        ),
        Row(
            "Cache of answers",
            (
                Panel(
                    "Answers by origin",
                    "Queries a second, by where their answer came from.",
                    (Query("sum by (origin) (rate(millrace_app_cache_answers_total"
                           f"{{{_HERE}}}{_RATE}))", "{{origin}}"),),
                    "ops",
                    stacked=True,
                ),
                Panel(
                    "Hits",
                    "Part of the cacheable queries that were answered without being computed.",
                    (Query("millrace:cache_hits:ratio_rate15m", "15 minutes"),),
                    "percentunit",
                    most=1,
                ),
                Panel(
                    "Held",
                    "Bytes of the answers that are held, for all replicas.",
                    (Query(f"max(millrace_app_cache_bytes{{{_HERE}}})", "bytes"),),
                    "bytes",
                ),
                Panel(
                    "Answers held",
                    "How many answers are held, for all replicas.",
                    (Query(f"max(millrace_app_cache_entries{{{_HERE}}})", "answers"),),
                ),
                Panel(
                    "Dropped and refreshed",
                    "Answers a second that were dropped for room, or computed before they were "
                    "asked for.",
                    (
                        Query(f"sum(rate(millrace_app_cache_evictions_total{{{_HERE}}}{_RATE}))",
                              "dropped"),
                        Query(f"sum(rate(millrace_app_cache_refreshes_total{{{_HERE}}}{_RATE}))",
                              "refreshed"),
                    ),
                    "ops",
                ),
                Panel(
                    "Store",
                    "Where answers are kept, at the worst of the replicas.",
                    (Query(f"min(millrace_app_cache_mode{{{_HERE}}})", "store"),),
                    kind="state-timeline",
                    words={0: ("none", RED), 1: ("PostgreSQL", YELLOW), 2: ("Redis", GREEN)},
                ),
            ),
        ),
        Row(
            "Redis",
            (
                stat(
                    "Redis",
                    "Whether the exporter reaches Redis.",
                    Query(f"min(redis_up{{{_HERE}}})"),
                    thresholds=Thresholds(1, 1, low=True),
                    words={0: ("away", RED), 1: ("up", GREEN)},
                ),
                stat(
                    "Memory",
                    "Part of maxmemory that is in use.",
                    Query("max(instance:redis_memory:ratio)"),
                    "percentunit",
                    thresholds=Thresholds(0.75, 0.9),
                ),
                stat(
                    "Clients",
                    "Connections to Redis.",
                    Query(f"sum(redis_connected_clients{{{_HERE}}})"),
                ),
                stat(
                    "Saved",
                    "Whether the last write to the append-only file went well.",
                    Query(f"min(redis_aof_last_write_status{{{_HERE}}})"),
                    thresholds=Thresholds(1, 1, low=True),
                    words={0: ("failed", RED), 1: ("well", GREEN)},
                ),
                stat(
                    "Evicted",
                    "Keys dropped for room, in an hour.",
                    Query(f"sum(increase(redis_evicted_keys_total{{{_HERE}}}[1h]))"),
                ),
                stat(
                    "Refused connections",
                    "Connections beyond maxclients, in an hour.",
                    Query(f"sum(increase(redis_rejected_connections_total{{{_HERE}}}[1h]))"),
                    thresholds=Thresholds(1, 1),
                ),
                Panel(
                    "Commands",
                    "Commands a second.",
                    (Query(f"sum(rate(redis_commands_processed_total{{{_HERE}}}{_RATE}))",
                           "commands"),),
                    "ops",
                    width=12,
                ),
                Panel(
                    "Memory in use",
                    "Bytes in use, and most that there may be.",
                    (
                        Query(f"sum(redis_memory_used_bytes{{{_HERE}}})", "in use"),
                        Query(f"sum(redis_memory_max_bytes{{{_HERE}}})", "most"),
                    ),
                    "bytes",
                    width=12,
                ),
            ),
        ),
    ),
)  # fmt: skip
