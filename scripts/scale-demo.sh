#!/bin/sh
# shellcheck shell=dash
# The same load at 1, 2 and 4 workers, and a table of what came of it: `scripts/scale-demo.sh --help`.
set -eu
cd "$(dirname "$0")/.."
. scripts/lib/all.sh
SETUP=$(setup_script)

SIZES='1 2 4'
REQUESTS=24
CLIENTS=8
WORKERS_BEFORE=''
CLOCK=''
WRONG=0

# Each worker hashes one password at a time, with all of a processor.
PASSWORD='{"password": "correct horse battery staple", "passes": 6}'
# Split over the workers' slots; PostgreSQL does the work, so its processors bound it.
QUERY='{"sql": "SELECT grp, count(*), max(md5(repeat(id::text, 200))) FROM numbers GROUP BY grp",
        "engine": "partitioned", "max_staleness_s": 0}'

help() {
    cat <<END
Usage: $0 [--sizes "1 2 4"] [--requests 24] [--clients 8] [--help]

Scales the running stack's workers to each size, sends the same requests to the API (password hashes,
which workers compute; then split queries, which PostgreSQL computes for them), and prints a table.
The limit of requests is lifted meanwhile.  At the end there are as many workers as before.
END
}

arguments() {
    while [ $# -gt 0 ]; do
        case $1 in
        --help | -h)
            help
            exit 0
            ;;
        --sizes | --requests | --clients)
            [ $# -ge 2 ] || usage_error "$1 needs a value."
            take "$1" "$2"
            shift
            ;;
        *) usage_error "unknown argument '$1'." ;;
        esac
        shift
    done
}

take() {
    local number
    for number in $2; do
        case $number in
        0* | *[!0-9]* | ?????*) usage_error "$1 takes whole numbers from 1 to 9999, not '$number'." ;;
        esac
    done
    [ -n "$2" ] || usage_error "$1 needs a value."
    case $1 in
    --sizes) SIZES=$2 ;;
    --requests) REQUESTS=$2 ;;
    --clients) CLIENTS=$2 ;;
    esac
}

# The command that tells seconds with their fractions, where this system has one.
find_clock() {
    case $(date +%s.%N) in
    *N) CLOCK="perl -MTime::HiRes=time -e 'printf \"%.3f\", time' 2>/dev/null || date +%s" ;;
    *) CLOCK='date +%s.%N' ;;
    esac
}
clock() { eval "$CLOCK"; }

# load FILE PATH JSON: send the requests, CLIENTS at once; a line "status seconds" each into FILE.  Who is
# told to come back later does, as clients should, and that counts in its time.
load() {
    # shellcheck disable=SC2016  # the inner shell expands them
    set -- "$1" "$(base_url)$2" "$3" 'began=$(eval "$CLOCK")
        status=$(curl -s --noproxy "*" --retry 100 --retry-max-time 120 --max-time 120 -o /dev/null \
            -w "%{http_code}" -H "Content-Type: application/json" -d "$BODY" "$URL") || true
        echo "$status $began $(eval "$CLOCK")"'
    awk -v count="$REQUESTS" 'BEGIN { for (i = 1; i <= count; i++) print i }' |
        URL=$2 BODY=$3 CLOCK=$CLOCK xargs -P "$CLIENTS" -n 1 sh -c "$4" |
        awk '{ print $1, $3 - $2 }' >"$1"
}

# measure WORKERS NAME PATH JSON: load it, and print one row of the table.
measure() {
    local began ended
    load "$SCRATCH/warm-up" "$3" "$4"
    began=$(clock)
    load "$SCRATCH/times" "$3" "$4"
    ended=$(clock)
    sort -n -k 2 "$SCRATCH/times" | awk -v workers="$1" -v name="$2" -v began="$began" -v ended="$ended" '
        { time[NR] = $2; if ($1 == 200) good++ }
        END {
            took = ended - began
            printf "%7d  %-15s %8.1f %10.2f %9.2f %9.2f %7d\n", workers, name, took, good / took,
                time[int((NR + 1) / 2)], time[int(NR * 0.95 + 0.5)], NR - good }' >"$SCRATCH/row"
    cat "$SCRATCH/row" >>"$SCRATCH/table"
    if [ "$(awk '{ print $NF }' "$SCRATCH/row")" -ne 0 ]; then
        WRONG=1
    fi
    good "$2 with $1 worker(s): $(awk '{ print $(NF - 4) " s, " $(NF - 3) " a second" }' "$SCRATCH/row")"
}

put_back() {
    if [ -n "$WORKERS_BEFORE" ]; then
        set -- "$WORKERS_BEFORE"
        WORKERS_BEFORE=''
        heading 'Putting back'
        set_limit_again
        long_step "scaling to $1 worker(s), as before" \
            compose up -d --no-deps --no-build --no-recreate --scale "worker=$1" worker || true
    fi
}
at_end() { put_back; }

main() {
    local size
    arguments ${1+"$@"}
    require_running_stack
    make_scratch
    begin_log
    INTERRUPTED_NOTE='The number of workers and the limit are put back now.'
    heading 'Getting ready'
    find_clock
    WORKERS_BEFORE=$(count_of worker)
    lift_limit
    for size in $SIZES; do
        heading "$size worker(s)"
        scale_workers "$size"
        measure "$size" 'password hashes' /v1/passwords/hash "$PASSWORD"
        measure "$size" 'split queries' /v1/query "$QUERY"
    done
    put_back
    heading "$REQUESTS requests, $CLIENTS at once; Docker has $(docker info --format '{{.NCPU}}') processors"
    printf '%7s  %-15s %8s %10s %9s %9s %7s\n' workers load 'time s' 'per s' 'median s' '95 % s' failed
    sort -s -k 2,2 "$SCRATCH/table"
    say ''
    say 'Workers beyond the processors make nothing faster: Docker would need more of them.'
    if [ "$WRONG" -ne 0 ]; then
        fail "$EXIT_WRONG_ANSWER" 'Some requests failed.' "$(compose_line) logs --tail=50 app worker"
    fi
}

main ${1+"$@"}
