#!/bin/sh
# shellcheck shell=dash
# A guided tour of the running stack: `scripts/demo.sh --help`.
set -eu
cd "$(dirname "$0")/.."
. scripts/lib/all.sh
SETUP=$(setup_script)

PAUSES=yes
SHOWN=320  # characters of an answer
JOB_LIMIT_S=120
KILLED=''  # worker that the tour has killed
APPS_BEFORE=''

help() {
    cat <<END
Usage: $0 [--no-pause] [--help]

Shows, step by step, what the running stack can do: split and cached queries, digests, passwords, a
durable job whose worker is killed, scaling, limits.  Each request is shown as you could type it.
Waits for Enter between the steps, unless --no-pause is said or there is no terminal.  It sends about
40 requests, kills one worker and starts it again, and scales the replicas by one and back.
END
}

pause() {
    if [ "$PAUSES" = yes ] && can_ask; then
        printf '\n  Enter goes on, Ctrl-C ends. '
        read -r _ || true
    fi
}

# step TITLE TEXT…
step() {
    pause
    heading "$1"
    shift
    printf '  %s\n' "$@"
}

# show METHOD PATH [JSON]: the request as one could type it, and its answer.
show() {
    local data=''
    if [ $# -gt 2 ]; then
        data=" -H 'Content-Type: application/json' -d '$3'"
    fi
    printf '\n  %s$ curl -X %s %s%s%s\n' "$BOLD" "$1" "$(base_url)$2" "$data" "$PLAIN"
    request "$@"
    case $STATUS in
    2??) shorten ;;
    *) fail "$EXIT_WRONG_ANSWER" "Status $STATUS: $(printf '%.400s' "$ANSWER")$(cat "$SCRATCH/curl")" "$(answer_remedy)" ;;
    esac
    printf '  (%s s)\n' "$TOOK_S"
}

# The beginning of an answer; of a query's, also how it ran.
shorten() {
    printf '%s\n' "$ANSWER" | awk -v most="$SHOWN" '{
        print "  " (length($0) > most ? substr($0, 1, most) " …" : $0)
        at = index($0, "\"plan\": {")
        if (length($0) > most && at)
            print "  … " substr($0, at, index(substr($0, at), "}")) " …" }'
}

HEAVY='SELECT grp, count(*), max(md5(repeat(id::text, 100))) FROM numbers GROUP BY grp ORDER BY grp'

queries() {
    step '1. A query' 'SQL in, JSON out.  The replica decides how it runs: "plan" says how, and why.'
    show POST /v1/query "$GROUPS_QUERY"
    step '2. The same again' 'Answers are kept for a while, and shared by all replicas: see "cache" and "age_s".'
    show POST /v1/query "$GROUPS_QUERY"
    step '3. Whole and split' 'A costly query, first whole on PostgreSQL, then split over the workers.' \
        'Both see one state of the database, and the rows are the same.'
    show POST /v1/query "{\"sql\": \"$HEAVY\", \"engine\": \"direct\", \"max_staleness_s\": 0}"
    show POST /v1/query "{\"sql\": \"$HEAVY\", \"engine\": \"partitioned\", \"max_staleness_s\": 0}"
    step '4. How would it run?' 'Nothing is run for that.'
    show POST /v1/query/explain "{\"sql\": \"$HEAVY\", \"engine\": \"partitioned\"}"
}

hashes() {
    step '5. Digests' 'Of one value, by any of 20 algorithms.'
    show POST /v1/hash '{"algorithm": "sha256", "data": "hello"}'
    show POST /v1/hash '{"algorithm": "blake3", "data": "hello"}'
    step '6. Passwords' 'Argon2id, on the workers, so that queries do not suffer.'
    show POST /v1/passwords/hash '{"password": "correct horse battery staple"}'
}

durable_job() {
    local job began
    step '7. A durable job, and a worker that dies' 'A digest for each of 100,000 rows.  Once 202 is said, it is not lost.' \
        'While it runs, one worker is killed, as a crash would: no time to say goodbye.'
    show POST /v1/jobs '{"kind": "hash_query", "parameters": {"sql": "SELECT id, n, grp FROM numbers"}}'
    job=$(member id)
    kill_worker
    began=$(now)
    while request GET "/v1/jobs/$job" && ! says '"state":"done"'; do
        if [ $(($(now) - began)) -ge "$JOB_LIMIT_S" ] || says '"state":"failed"'; then
            fail "$EXIT_WRONG_ANSWER" "The job $job is not done after $(($(now) - began)) s." "$ANSWER" \
                "See: $(compose_line) logs --tail=50 worker"
        fi
        passing "the job: $(member rows) rows, $(($(now) - began)) s"
        sleep 1
    done
    passed
    good "done after $(($(now) - began)) s all the same: $(member rows) rows, each once"
    show GET "/v1/jobs/$job/result?limit=3"
    start_killed
}

# Only where another one is left to take over.
kill_worker() {
    if [ "$(count_of worker)" -lt 2 ]; then
        note 'There is but one worker, so it is left alive.'
        return
    fi
    KILLED=$(docker ps --filter "$(of_project)" --filter label=com.docker.compose.service=worker \
        --format '{{.Names}}' | head -n 1)
    docker kill "$KILLED" >/dev/null
    good "$KILLED is killed"
}

start_killed() {
    if [ -n "$KILLED" ]; then
        if docker start "$KILLED" >/dev/null 2>&1; then
            good "$KILLED is started again"
        fi
        KILLED=''
    fi
}

# A new replica takes part by itself, and nobody notices but by speed.
scaling() {
    local count failed=0
    step '8. Scaling' 'One replica more, while requests go on.  The balancer finds it by name, within a second or so.'
    APPS_BEFORE=$(count_of app)
    start_child compose up -d --no-deps --no-build --no-recreate --scale "app=$((APPS_BEFORE + 1))" app
    count=0
    while child_runs || [ "$count" -lt 10 ]; do
        if [ "$count" -lt 25 ]; then
            request POST /v1/hash '{"algorithm": "sha256", "data": "hello"}'
            [ "$STATUS" = 200 ] || failed=$((failed + 1))
            count=$((count + 1))
            passing "$count requests, $failed failed"
        fi
        sleep 1
    done
    child_status || explain_log "$EXIT_NOT_HEALTHY" 'The replicas cannot be scaled.'
    passed
    good "$(count_of app) replicas; $count requests meanwhile, $failed failed"
    unscale
}

unscale() {
    if [ -n "$APPS_BEFORE" ]; then
        set -- "$APPS_BEFORE"
        APPS_BEFORE=''
        long_step "back to $1 replica(s); the one that goes finishes what it holds" \
            compose up -d --no-deps --no-build --no-recreate --scale "app=$1" app || true
    fi
}

limits() {
    step '9. Limits' 'Each client has a limit of its own, and each answer says what is left of it.'
    show POST /v1/hash '{"algorithm": "sha256", "data": "hello"}'
    if [ -n "$(header RateLimit)" ]; then
        printf '  RateLimit-Policy: %s\n  RateLimit: %s\n' "$(header RateLimit-Policy)" "$(header RateLimit)"
    else
        note 'The limit is off here (MILLRACE_RATE_LIMIT in .env).'
    fi
}

at_end() {
    start_killed
    unscale
}

main() {
    case ${1:-} in
    '') ;;
    --no-pause) PAUSES=no ;;
    --help | -h)
        help
        exit 0
        ;;
    *) usage_error "unknown argument '$1'." ;;
    esac
    require_running_stack
    make_scratch
    begin_log
    INTERRUPTED_NOTE='What the tour has changed is put back now.'
    say "A tour of Millrace at $(base_url)"
    queries
    hashes
    durable_job
    scaling
    limits
    heading 'That was it'
    tell_monitoring
    say "  The API     $(base_url)/docs"
    say '  Next        scripts/scale-demo.sh, scripts/load-test.sh'
}

main ${1+"$@"}
