#!/bin/sh
# shellcheck shell=dash
# Smoke test of the running stack: `scripts/test.sh --help`.
set -eu
cd "$(dirname "$0")/.."
. scripts/lib/all.sh
SETUP=$(setup_script)

PASSED=0
FAILED=0
JOB_LIMIT_S=60

help() {
    cat <<END
Usage: $0 [--help]

Asks the running stack for one answer of each kind, and checks each: about 20 requests, a job of
100,000 rows among them.  Changes nothing but that job, which it deletes.  Needs the demo table.
Ends with 0 when all are right, with $EXIT_WRONG_ANSWER when one is not.
END
}

# check TITLE COMMAND…: count it as passed or failed.
check() {
    local title="$1"
    shift
    if "$@"; then
        PASSED=$((PASSED + 1))
    else
        FAILED=$((FAILED + 1))
        problem "$EXIT_WRONG_ANSWER" "$title"
    fi
}

# ask METHOD PATH STATUS TEXT [JSON]: one request, and what its answer must be.
ask() {
    local method="$1" path="$2" status="$3" text="$4"
    shift 4
    request "$method" "$path" ${1+"$@"}
    expect "$method $path" "$status" "$text"
}

all_containers_healthy() {
    local states
    states=$(stack_states)
    if all_ready "$states"; then
        good "$(printf '%s\n' "$states" | grep -c .) containers healthy"
        return
    fi
    indented "not yet$(printf '%s\n' "$states" | states_text)" "See: $(compose_line) ps" >&2
    return 1
}

rows_of() { printf '%s' "$ANSWER" | tr -d '\n' | sed 's/^.*"rows": *//; s/, *"row_count".*$//'; }

SUMS='SELECT grp, count(*), sum(n), max(amount) FROM numbers GROUP BY grp ORDER BY grp'

# The first promise: a split answer is the whole one's.
split_equals_whole() {
    local whole
    ask POST /v1/query 200 '"mode":"direct"' \
        "{\"sql\": \"$SUMS\", \"engine\": \"direct\", \"max_staleness_s\": 0}" || return
    whole=$(rows_of)
    ask POST /v1/query 200 '"mode":"partitioned"' \
        "{\"sql\": \"$SUMS\", \"engine\": \"partitioned\", \"max_staleness_s\": 0}" || return
    if [ -n "$whole" ] && [ "$(rows_of)" = "$whole" ]; then
        good "split over $(member fragments) fragments, the rows are those of the whole query"
        return
    fi
    indented "whole: $whole" "split: $(rows_of)" >&2
    return 1
}

password_round() {
    local hash
    ask POST /v1/passwords/hash 200 '"scheme":"argon2id"' '{"password": "smoke"}' || return
    hash=$(member hash)
    ask POST /v1/passwords/verify 200 '"valid":true' "{\"password\": \"smoke\", \"hash\": \"$hash\"}" || return
    ask POST /v1/passwords/verify 200 '"valid":false' "{\"password\": \"fog\", \"hash\": \"$hash\"}"
}

# The second promise: what was accepted is done.
job_round() {
    local job began
    ask POST /v1/jobs 202 '"id":' \
        '{"kind": "hash_query", "parameters": {"sql": "SELECT id, n, grp FROM numbers"}}' || return
    job=$(member id)
    began=$(now)
    while request GET "/v1/jobs/$job" && ! says '"state":"done"'; do
        if [ $(($(now) - began)) -ge "$JOB_LIMIT_S" ] || says '"state":"failed"'; then
            indented "The job $job is not done after $(($(now) - began)) s: $ANSWER" >&2
            return 1
        fi
        passing "the job runs, $(($(now) - began)) s"
        sleep 1
    done
    passed
    expect 'a job over 100,000 rows' 200 '"rows":100000' || return
    ask DELETE "/v1/jobs/$job?forget=true" 204 ''
}

refusals_are_clear() {
    ask POST /v1/query 400 '/problems/sql-syntax' '{"sql": "SELEC 1"}' || return
    ask POST /v1/query 400 '/problems/statement-not-allowed' '{"sql": "DELETE FROM numbers"}' || return
    ask POST /v1/hash 422 '/problems/validation-failed' '{"algoritm": "sha256", "data": "x"}'
}

limit_is_told() {
    request POST /v1/hash '{"algorithm": "sha256", "data": "x"}'
    if [ "$(setting MILLRACE_RATE_LIMIT 100/minute)" = off ]; then
        good 'the limit of requests is off'
        return
    fi
    if [ -n "$(header RateLimit)" ]; then
        good "limit of requests: $(header RateLimit-Policy)"
        return
    fi
    indented 'The answer has no field RateLimit.' >&2
    return 1
}

# Whatever publishes its port: Prometheus must see all it watches.
monitoring_answers() {
    local down
    if [ "$(count_of prometheus)" -gt 0 ]; then
        down=$(curl -sS --noproxy '*' --max-time 10 -G --data-urlencode 'query=up == 0' \
            "http://127.0.0.1:$(prometheus_port)/api/v1/query" 2>&1) || true
        case $down in
        *'"status":"success"'*'"result":[]'*) good 'Prometheus reaches all that it watches' ;;
        *)
            indented "Prometheus: $(printf '%.400s' "$down")" >&2
            return 1
            ;;
        esac
    fi
    if [ "$(count_of grafana)" -gt 0 ]; then
        curl -fsS --noproxy '*' --max-time 10 -o /dev/null "http://127.0.0.1:$(grafana_port)/api/health" || return
        good 'Grafana answers'
    fi
}

main() {
    case ${1:-} in
    '') ;;
    --help | -h)
        help
        exit 0
        ;;
    *) usage_error "unknown argument '$1'." ;;
    esac
    require_running_stack
    make_scratch
    heading "Smoke test of $(base_url)"
    check 'not all containers are healthy' all_containers_healthy
    check 'readiness' ask GET /health/ready 200 ''
    check 'status' ask GET /v1/status 200 '"breaker":"closed"'
    check 'no worker takes tasks' test "$(times_of '"slots"')" -gt 0
    check 'a query' ask POST /v1/query 200 '[[100000,5017221223]]' \
        '{"sql": "SELECT count(*), sum(n) FROM numbers", "max_staleness_s": 0}'
    check 'a split query does not equal the whole one' split_equals_whole
    check 'a digest' ask POST /v1/hash 200 "$HELLO_SHA256" '{"algorithm": "sha256", "data": "hello"}'
    check 'passwords' password_round
    check 'a job' job_round
    check 'refusals' refusals_are_clear
    check 'the limit of requests' limit_is_told
    check 'documentation' ask GET /openapi.json 200 '"openapi":"3.1'
    check 'monitoring' monitoring_answers
    say ''
    say "$PASSED passed, $FAILED failed"
    end_if_problems
}

main ${1+"$@"}
