# shellcheck shell=dash
# Sourced, after talk.sh.  Docker Compose, version 1 or 2, whichever is there, and its settings.

STACK_FILE=docker-compose.production.yml
COMPOSE=''  # "docker compose" or "docker-compose"
COMPOSE_VERSION=''
IN_PLACE=''  # exec, where the shell may become the program

# setting NAME DEFAULT: the environment goes before .env, as in Compose itself.
setting() {
    local value
    eval "value=\${$1:-}"
    if [ -z "$value" ] && [ -f .env ]; then
        value=$(sed -n "s/^[[:space:]]*$1=//p" .env | tail -n 1 |
            sed 's/[[:space:]]#.*$//; s/[[:space:]]*$//; s/^"\(.*\)"$/\1/')
    fi
    printf '%s\n' "${value:-$2}"
}

# Is this version, such as 1.29.2 or v2.40.0, one that knows all that our file says?
is_new_enough() {
    printf '%s\n' "$1" | awk -F '[.-]' '{ sub(/^v/, "", $1); exit !($1 + 0 >= 2 || $1 + 0 == 1 && $2 + 0 >= 29) }'
}

# find_compose: set COMPOSE and COMPOSE_VERSION; 1: neither is there, or only one that is too old.
find_compose() {
    local version
    COMPOSE=''
    version=$(docker compose version --short 2>/dev/null) || version=''
    if [ -n "$version" ]; then
        COMPOSE='docker compose' COMPOSE_VERSION=${version#v}
    else
        version=$(docker-compose version --short 2>/dev/null) || version=''
        if [ -n "$version" ]; then
            COMPOSE='docker-compose' COMPOSE_VERSION=${version#v}
        fi
    fi
    [ -n "$COMPOSE" ] && is_new_enough "$COMPOSE_VERSION"
}

# The project's name is given each time: the folder's name would be it else.
compose() {
    if [ "$COMPOSE" = 'docker compose' ]; then
        $IN_PLACE docker compose -p "$(project)" -f "$STACK_FILE" "$@"
    else
        $IN_PLACE docker-compose -p "$(project)" -f "$STACK_FILE" "$@"
    fi
}

project() { setting COMPOSE_PROJECT_NAME millrace; }

of_project() { printf 'label=com.docker.compose.project=%s' "$(project)"; }

# How to type it, for people; .env may give the project's name.
compose_line() {
    if grep -q '^COMPOSE_PROJECT_NAME=' .env 2>/dev/null; then
        printf '%s -f %s' "$COMPOSE" "$STACK_FILE"
    else
        printf '%s -p %s -f %s' "$COMPOSE" "$(project)" "$STACK_FILE"
    fi
}

public_port() { setting MILLRACE_PORT 8080; }
prometheus_port() { setting PROMETHEUS_PORT 9090; }
grafana_port() { setting GRAFANA_PORT 3000; }

# count_of SERVICE: how many containers of it run.
count_of() {
    docker ps -q --filter "$(of_project)" --filter "label=com.docker.compose.service=$1" \
        --filter label=com.docker.compose.oneoff=False | grep -c . || true
}

# The script that sets the stack up on this system.
setup_script() {
    case $(uname -s) in
    Darwin) echo ./setup-macos.sh ;;
    *) echo scripts/setup-linux.sh ;;
    esac
}

# The other scripts need Docker, and most of them a stack that runs already.
require_docker() {
    command -v docker >/dev/null 2>&1 ||
        fail "$EXIT_NO_DOCKER" 'There is no command docker.' "Run $SETUP first."
    docker info >/dev/null 2>&1 ||
        fail "$EXIT_DOCKER_DOWN" 'Docker does not run, or does not let you in.' "See: $SETUP --check"
    find_compose ||
        fail "$EXIT_NO_COMPOSE" 'Docker Compose is missing, or too old.' "See: $SETUP --check"
}

require_running_stack() {
    require_docker
    [ "$(count_of lb)" -gt 0 ] ||
        fail "$EXIT_NOT_HEALTHY" 'Millrace does not run.' "Start it: $SETUP"
}
