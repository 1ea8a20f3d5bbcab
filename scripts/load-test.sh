#!/bin/sh
# shellcheck shell=dash
# Runs the load test against the running stack: `scripts/load-test.sh --help`.
set -eu
cd "$(dirname "$0")/.."
. scripts/lib/all.sh
SETUP=$(setup_script)

KEEP_LIMIT=no

help() {
    cat <<END
Usage: $0 [--users N] [--time 5m] [--keep-limit] [--help]

Lets Locust, in a container of its own, send a realistic mix of requests to the balancer, and prints
its report.  Ends with Locust's exit code: not 0 when requests failed.

  --users N      users at once (default: LOAD_USERS of .env, else 16)
  --time TIME    how long, such as 90s, 5m or 1h (default: LOAD_TIME of .env, else 5m)
  --keep-limit   leave the balancer's limit of requests on: most of them are refused then
END
}

arguments() {
    while [ $# -gt 0 ]; do
        case $1 in
        --help | -h)
            help
            exit 0
            ;;
        --keep-limit) KEEP_LIMIT=yes ;;
        --users | --time)
            [ $# -ge 2 ] || usage_error "$1 needs a value."
            take "$1" "$2"
            shift
            ;;
        *) usage_error "unknown argument '$1'." ;;
        esac
        shift
    done
}

# Compose reads both from the environment.
take() {
    case $1 in
    --users)
        case $2 in
        '' | 0* | *[!0-9]*) usage_error "--users takes a whole number from 1, not '$2'." ;;
        esac
        LOAD_USERS=$2
        export LOAD_USERS
        ;;
    --time)
        case $2 in
        [1-9]*[smh]) ;;
        *) usage_error "--time takes a time such as 90s, 5m or 1h, not '$2'." ;;
        esac
        LOAD_TIME=$2
        export LOAD_TIME
        ;;
    esac
}

at_end() { set_limit_again; }

main() {
    local status=0
    arguments ${1+"$@"}
    require_running_stack
    make_scratch
    begin_log
    INTERRUPTED_NOTE='The load ends, and the limit is set again.'
    heading 'Getting ready'
    long_step 'building the load test' compose --profile load-test build locust ||
        explain_log "$EXIT_IMAGES" 'The load test cannot be built.'
    if [ "$KEEP_LIMIT" = no ]; then
        lift_limit
    fi
    heading "Load: $(setting LOAD_USERS 16) users for $(setting LOAD_TIME 5m)"
    compose --profile load-test run --rm -T --no-deps locust || status=$?
    return "$status"
}

main ${1+"$@"}
