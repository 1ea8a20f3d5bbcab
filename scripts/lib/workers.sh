# shellcheck shell=dash
# Sourced, after stack.sh and answers.sh.  How many workers there are, and how many there shall be.

SCALE_WAIT_S=90

# Workers that take tasks, as the replicas see them.
workers_ready() {
    request GET /v1/status
    times_of '"slots"'
}

# scale_workers COUNT: start or stop some, and wait until the replicas see so many.
scale_workers() {
    local began ready
    long_step "scaling to $1 worker(s)" \
        compose up -d --no-deps --no-build --no-recreate --scale "worker=$1" worker ||
        explain_log "$EXIT_NOT_HEALTHY" 'The workers cannot be scaled.'
    began=$(now)
    ready=$(workers_ready)
    while [ "$ready" -ne "$1" ]; do
        if [ $(($(now) - began)) -ge "$SCALE_WAIT_S" ]; then
            fail "$EXIT_NOT_HEALTHY" "$ready workers take tasks after $SCALE_WAIT_S s, not $1." \
                "See: $(compose_line) ps worker; $(compose_line) logs worker"
        fi
        passing "$ready of $1 workers take tasks"
        sleep 1
        ready=$(workers_ready)
    done
    passed
}
