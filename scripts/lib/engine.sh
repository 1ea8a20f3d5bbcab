# shellcheck shell=dash
# Sourced, after compose.sh.  Is the Docker Engine there, and large enough for the stack?

GIB=1073741824
# Docker tells a little less than it was given: the kernel's own part is missing.
ADVISED_MEMORY=$((7 * GIB))  # what a Docker with 8 GB tells
LEAST_MEMORY=$((7 * GIB / 2))  # what a Docker with 4 GB tells
LEAST_CPUS=2  # PostgreSQL's limit; Docker refuses a limit above what it has
ADVISED_CPUS=4
LEAST_DISK_KIB=$((5 * 1024 * 1024))
ADVISED_DISK_KIB=$((10 * 1024 * 1024))

gib() { awk -v bytes="$1" 'BEGIN { printf "%.1f GiB", bytes / 1073741824 }'; }

engine_answers() { docker info >/dev/null 2>&1; }

# wait_for_engine SECONDS: until Docker, which was just started, answers.
wait_for_engine() {
    local began waited
    began=$(now)
    while ! engine_answers; do
        waited=$(($(now) - began))
        if [ "$waited" -ge "$1" ]; then
            passed
            return 1
        fi
        passing "waiting for Docker, $waited s"
        sleep 1
    done
    passed
}

# The platform's part: offer_docker, start_docker, explain_docker_down, explain_small_engine,
# disk_folder.

check_engine() {
    if ! command -v docker >/dev/null 2>&1; then
        offer_docker
    fi
    if ! command -v docker >/dev/null 2>&1; then
        return 1
    fi
    if ! engine_answers; then
        start_docker
    fi
    if ! engine_answers; then
        explain_docker_down "$(docker info 2>&1 | grep -i -E -m 1 'error|denied|connect' || true)"
        return 1
    fi
    good "Docker Engine $(docker info --format '{{.ServerVersion}}' 2>/dev/null)"
}

check_compose() {
    if find_compose; then
        good "Compose $COMPOSE_VERSION ($COMPOSE)"
        return
    fi
    if [ -n "$COMPOSE" ]; then
        problem "$EXIT_NO_COMPOSE" "$COMPOSE is version $COMPOSE_VERSION; 1.29 or any 2 is needed." \
            "$(compose_remedy)"
    else
        problem "$EXIT_NO_COMPOSE" "Neither 'docker compose' nor 'docker-compose' is there." \
            "$(compose_remedy)"
    fi
    return 1
}

check_stack_file() {
    local complaint
    if complaint=$(compose config 2>&1 >/dev/null); then
        return
    fi
    problem "$EXIT_NO_COMPOSE" "Compose refuses $STACK_FILE or .env:" "$complaint" \
        "Correct .env (.env.example says what may be there), or get the file anew with git."
    return 1
}

check_size() {
    local memory cpus
    memory=$(docker info --format '{{.MemTotal}}' 2>/dev/null) || memory=0
    cpus=$(docker info --format '{{.NCPU}}' 2>/dev/null) || cpus=0
    if [ "$memory" -lt "$LEAST_MEMORY" ]; then
        problem "$EXIT_ENGINE_SMALL" "Docker has $(gib "$memory") of memory; 4 GB are needed, 8 GB advised." \
            "$(explain_small_engine)"
    elif [ "$memory" -lt "$ADVISED_MEMORY" ]; then
        note "Docker has $(gib "$memory") of memory. It will do, but not for many replicas: 8 GB are advised."
        indented "$(explain_small_engine)"
    else
        good "$(gib "$memory") of memory"
    fi
    if [ "$cpus" -lt "$LEAST_CPUS" ]; then
        problem "$EXIT_ENGINE_SMALL" "Docker has $cpus processor; $LEAST_CPUS are needed, $ADVISED_CPUS advised." \
            "$(explain_small_engine)"
    elif [ "$cpus" -lt "$ADVISED_CPUS" ]; then
        note "Docker has $cpus processors. More workers will not be faster than these: $ADVISED_CPUS are advised."
    else
        good "$cpus processors"
    fi
}

check_disk() {
    local folder room
    folder=$(disk_folder)
    room=$(df -Pk "$folder" 2>/dev/null | awk 'NR == 2 { print $4 }')
    room=${room:-0}
    if [ "$room" -lt "$LEAST_DISK_KIB" ]; then
        problem "$EXIT_DISK_FULL" "$(gib $((room * 1024))) are free where $folder lies; 5 are needed, 10 advised." \
            "Free some room.  What Docker does not use any more: docker system df, docker image prune"
    elif [ "$room" -lt "$ADVISED_DISK_KIB" ]; then
        note "$(gib $((room * 1024))) are free where $folder lies. It will do for a while: 10 are advised."
    else
        good "$(gib $((room * 1024))) of disk free"
    fi
}
