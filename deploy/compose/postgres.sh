#!/bin/sh
# Starts PostgreSQL in its official image, with settings that follow from the memory that this
# container may use and from the pools of all replicas and workers that there may be.
# `postgres.sh settings` prints them and starts nothing.
set -eu

wanted=start
if [ "${1:-}" = settings ]; then
    wanted=settings
    shift
fi
mib=1048576
reserved=20  # administrators, backups, the exporter, migrations, `millrace load`

fail() {
    echo "postgres.sh: $1" >&2
    exit 1
}

# Bytes that this container may use: its control group's limit, of version 2 or 1, unless the
# machine has less.
memory_bytes() {
    bytes=$(($(sed -n 's/^MemTotal: *\([0-9]*\) kB$/\1/p' /proc/meminfo) * 1024))
    for file in /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes; do
        [ -r "$file" ] || continue
        limit=$(cat "$file")
        # `max`, or a number of more digits than memory has, is no limit
        case $limit in
        max | ????????????????*) ;;
        *) [ "$limit" -ge "$bytes" ] || bytes=$limit ;;
        esac
    done
    echo "$bytes"
}

# Connections that the pools of all programs may hold at once: docs/production.md explains the sum.
pool_connections() {
    for name in MAX_APPS MAX_WORKERS APP_PROCESSES DB_POOL_SIZE DB_OWN_POOL_SIZE \
        WORKER_SLOTS WORKER_BULK_SLOTS JOBS_CONNECTIONS; do
        value=
        eval "value=\${MILLRACE_$name:-}"
        case $value in
        '' | *[!0-9]*) fail "MILLRACE_$name must be a whole number, and is '$value'" ;;
        esac
    done
    bulk=$MILLRACE_WORKER_BULK_SLOTS
    [ "$bulk" -ge 1 ] || bulk=1
    replica=$(((MILLRACE_DB_POOL_SIZE + MILLRACE_DB_OWN_POOL_SIZE + 1) * MILLRACE_APP_PROCESSES))
    worker=$((MILLRACE_WORKER_SLOTS + MILLRACE_WORKER_BULK_SLOTS + 3))
    worker=$((worker + bulk * MILLRACE_JOBS_CONNECTIONS))
    [ "${MILLRACE_WORKER_KEEPER:-on}" = off ] || worker=$((worker + 2))
    echo $((MILLRACE_MAX_APPS * replica + MILLRACE_MAX_WORKERS * worker))
}

memory=$(($(memory_bytes) / mib))
[ "$memory" -ge 256 ] || fail "PostgreSQL needs 256 MiB, and may use $memory MiB: raise MILLRACE_DB_MEMORY"
connections=$(($(pool_connections) + reserved))

# A connection that does nothing takes about 3 MiB; 55 of 100 of the memory at most may go that way.
needed=$((connections * 60 / 11))
[ "$needed" -le "$memory" ] ||
    fail "$connections connections need $needed MiB, and there are $memory MiB: \
raise MILLRACE_DB_MEMORY, or lower MILLRACE_MAX_APPS, MILLRACE_MAX_WORKERS or the pools"

at_most() {
    if [ "$1" -lt "$2" ]; then echo "$1"; else echo "$2"; fi
}
at_least() {
    if [ "$1" -gt "$2" ]; then echo "$1"; else echo "$2"; fi
}

set -- \
    -c "max_connections=$connections" \
    -c "reserved_connections=5" \
    -c "shared_buffers=$((memory / 4))MB" \
    -c "effective_cache_size=$((memory * 3 / 4))MB" \
    -c "work_mem=$(at_most 64 "$(at_least 4 $((memory / 256)))")MB" \
    -c "maintenance_work_mem=$(at_most 1024 $((memory / 16)))MB" \
    -c "autovacuum_max_workers=2" \
    -c "min_wal_size=256MB" \
    -c "max_wal_size=2GB" \
    -c "wal_compression=on" \
    -c "checkpoint_timeout=15min" \
    -c "random_page_cost=1.1" \
    -c "client_connection_check_interval=1s" \
    -c "listen_addresses=*" \
    -c "log_min_duration_statement=5s" \
    -c "log_lock_waits=on" \
    -c "log_checkpoints=off" \
    "$@"

if [ "$wanted" = settings ]; then
    for word in "$@"; do
        case $word in
        *=*) echo "$word" ;;
        esac
    done
    exit 0
fi
exec docker-entrypoint.sh postgres "$@"
