# shellcheck shell=dash
# Sourced, after all others.  What the setup of each platform does, and in which order.

MODE=install  # or check, uninstall
WAIT_S=300  # --wait

setup_help() {
    cat <<END
Usage: $0 [--check | --uninstall] [--yes] [--delete-data] [--wait SECONDS] [--without SERVICES]

Checks this machine, makes the secrets, builds the image, starts Millrace in Docker, waits until
all is healthy, loads the demo table, and asks for three answers.  It may be run again at any time:
what is done already stays as it is.

  --check         check this machine, tell all problems, and change nothing
  --yes           answer each question with yes, but never the one whether data may be deleted
  --uninstall     remove containers, networks and the image; data and secrets only when confirmed
  --delete-data   with --uninstall: delete data and secrets, too; with --yes, without a question
  --wait SECONDS  how long the services have to become healthy (default $WAIT_S)
  --without LIST  leave services out: any of grafana, prometheus, redis-exporter and
                  postgres-exporter, with commas between
  --help          this text

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 wrong system, 4 no Docker, 5 Docker does not run,
6 no usable Compose, 7 Docker too small, 8 disk full, 9 port in use, 10 subnet in use, 11 secrets,
12 images, 13 not healthy, 14 no demo table, 15 wrong answer, 129, 130, 143 interrupted.
docs/setup.md says more of each.
END
}

setup_arguments() {
    local waits_for=''
    while [ $# -gt 0 ]; do
        case $1 in
        --check) choose_mode check ;;
        --uninstall) choose_mode uninstall ;;
        --yes | -y) ASSUME_YES=yes ;;
        --delete-data) DELETE_DATA=yes ;;
        --wait | --without)
            waits_for=$1
            [ $# -ge 2 ] || usage_error "$waits_for needs a value."
            shift
            if [ "$waits_for" = --wait ]; then
                WAIT_S=$1
            else
                WITHOUT=$1
            fi
            ;;
        --help | -h)
            setup_help
            exit 0
            ;;
        *) usage_error "unknown argument '$1'." ;;
        esac
        shift
    done
    check_arguments
}

choose_mode() {
    if [ "$MODE" != install ] && [ "$MODE" != "$1" ]; then
        usage_error "--check and --uninstall exclude each other."
    fi
    MODE=$1
}

check_arguments() {
    local service
    case $WAIT_S in
    '' | *[!0-9]*) usage_error "--wait takes a number of seconds, not '$WAIT_S'." ;;
    esac
    if [ "$DELETE_DATA" = yes ] && [ "$MODE" != uninstall ]; then
        usage_error '--delete-data goes with --uninstall alone.'
    fi
    for service in $(printf '%s' "$WITHOUT" | tr ',' ' '); do
        case $service in
        grafana | prometheus | redis-exporter | postgres-exporter) ;;
        *) usage_error "--without: '$service' cannot be left out." ;;
        esac
    done
}

# A change of the first four would let the rest of the checks fail for their reason: so these end.
check_machine() {
    heading 'Checking this machine'
    check_system
    check_tools
    check_engine || return 0
    check_compose || return 0
    check_stack_file || return 0
    check_size
    check_disk
    check_ports
    check_subnets
    check_secrets
}

check_tools() {
    command -v curl >/dev/null 2>&1 ||
        problem "$EXIT_SYSTEM" 'There is no command curl.' "$(curl_remedy)"
}

# Data of an earlier setup open with that setup's secrets alone.
check_secrets() {
    if [ ! -s secrets/db_password ] && [ -n "$(project_volumes)" ]; then
        problem "$EXIT_SECRETS" "There are data of an earlier setup, but not their secrets ($PWD/secrets)." \
            'Put that folder back: without it nobody can open the data.' \
            "Or give the data up: $SETUP --uninstall --delete-data"
    fi
}

make_secrets() {
    heading 'Secrets and settings'
    if [ ! -f .env ]; then
        cp .env.example .env ||
            fail "$EXIT_SECRETS" "$PWD/.env cannot be written." 'Give yourself the right to write in this folder.'
        good 'settings written to .env, as .env.example has them'
    else
        good 'settings in .env are kept'
    fi
    if [ -s secrets/db_password ]; then
        good 'secrets are kept'
    fi
    sh scripts/secrets.sh >"$SCRATCH/secrets" 2>&1 ||
        fail "$EXIT_SECRETS" 'The secrets cannot be made.' "$(cat "$SCRATCH/secrets")" \
            "Give yourself the right to write in $PWD, and run this again."
    good "secrets lie in $PWD/secrets, for you alone to read"
}

load_demo() {
    heading 'Demo data'
    long_step 'the table numbers' compose run --rm -T tools millrace demo ||
        fail "$EXIT_NO_DEMO" 'The demo table cannot be made.' "$(log_tail 10)" \
            "Everything else runs.  Try again: $(compose_line) run --rm tools millrace demo"
}

tell_result() {
    heading 'Millrace runs'
    cat <<END
  API         $(base_url)  (documentation: $(base_url)/docs)
$(tell_monitoring)
  Secrets     $PWD/secrets, readable by you alone; settings: $PWD/.env

  Scale       $(compose_line) up -d --scale app=5 --scale worker=8
  Look        $(compose_line) ps
  Tour        scripts/demo.sh        Smoke test  scripts/test.sh
  Stop        $(compose_line) stop     (again: $SETUP)
  Remove      $SETUP --uninstall   (asks before it deletes data)
END
}

tell_monitoring() {
    case ,$WITHOUT, in
    *,grafana,*) ;;
    *) echo "  Grafana     http://127.0.0.1:$(grafana_port)  (user admin, password: cat secrets/grafana_password)" ;;
    esac
    case ,$WITHOUT, in
    *,prometheus,*) ;;
    *) echo "  Prometheus  http://127.0.0.1:$(prometheus_port)" ;;
    esac
}

install() {
    INTERRUPTED_NOTE="Nothing was started yet. Run $SETUP again to go on."
    check_machine
    end_if_problems
    make_secrets
    heading 'Images'
    begin_log
    INTERRUPTED_NOTE="What was built or fetched is kept. Run $SETUP again to go on."
    build_images
    heading 'Services'
    INTERRUPTED_NOTE="Some services may run. Run $SETUP again to go on, or: $(compose_line) stop"
    bring_up "$WAIT_S"
    load_demo
    heading 'Three requests'
    three_requests || end_if_problems
    tell_result
}

check_only() {
    INTERRUPTED_NOTE='Nothing was changed.'
    check_machine
    end_if_problems
    say ''
    say 'All is well. Nothing was changed.'
}

uninstall() {
    INTERRUPTED_NOTE="Some of it may be removed. Run it again to go on."
    heading 'Removing Millrace'
    command -v docker >/dev/null 2>&1 || fail "$EXIT_NO_DOCKER" 'There is no Docker, so nothing to remove.'
    engine_answers || fail "$EXIT_DOCKER_DOWN" 'Docker does not run: what is in it cannot be removed.' \
        'Start it, and run this again.'
    find_compose || fail "$EXIT_NO_COMPOSE" 'Docker Compose is missing, or too old.' "$(compose_remedy)"
    if ! confirmed 'Remove the containers, networks and the image of Millrace?'; then
        can_ask || fail "$EXIT_USAGE" 'Nobody is there to confirm. Nothing was done.' \
            'Say --yes, or run it in a terminal.'
        say 'Nothing was done.'
        return
    fi
    confirm_data_loss
    begin_log
    remove_stack
    remove_own_images
    say ''
    say "Removed. The settings in $PWD/.env are kept; Docker itself is, too."
}

setup() {
    setup_arguments ${1+"$@"}
    make_scratch
    case $MODE in
    install) install ;;
    check) check_only ;;
    uninstall) uninstall ;;
    esac
}
