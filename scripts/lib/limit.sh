# shellcheck shell=dash
# Sourced, after stack.sh.  Lifts the balancer's limit of requests for a load that would only meet it,
# and sets it again.

LIMIT_LIFTED=no
BALANCER_WAIT_S=60

lift_limit() {
    local limit
    limit=$(setting MILLRACE_RATE_LIMIT 100/minute)
    if [ "$limit" = off ]; then
        return
    fi
    note "The limit of $limit is lifted for this load, and set again at its end."
    LIMIT_LIFTED=yes
    long_step 'starting the balancer without its limit' balancer_without_limit ||
        explain_log "$EXIT_NOT_HEALTHY" 'The balancer does not start.'
    wait_for_balancer
}

set_limit_again() {
    if [ "$LIMIT_LIFTED" = yes ]; then
        LIMIT_LIFTED=no
        long_step 'starting the balancer with its limit' compose up -d --no-deps --no-build lb ||
            problem "$EXIT_FAILED" 'The limit of requests could not be set again.' \
                "Do it by hand: $(compose_line) up -d --no-deps lb"
    fi
}

# For the background, where what it exports stays.  The environment goes before .env.
balancer_without_limit() {
    export MILLRACE_RATE_LIMIT=off
    compose up -d --no-deps --no-build lb
}

wait_for_balancer() {
    local began
    began=$(now)
    while request GET /health/ready && [ "$STATUS" != 200 ]; do
        if [ $(($(now) - began)) -ge "$BALANCER_WAIT_S" ]; then
            fail "$EXIT_NOT_HEALTHY" "The balancer does not answer after $BALANCER_WAIT_S s." "$(answer_remedy)"
        fi
        sleep 1
    done
}
