# shellcheck shell=dash
# Sourced, after long_step.sh and compose.sh.  Builds, starts and waits for the stack.

WITHOUT=''  # services that are left out, with commas between

# Lines "service state": ready, done, starting, unhealthy, failed, restarting or stopped.
stack_states() {
    docker ps -a --filter "$(of_project)" --filter label=com.docker.compose.oneoff=False \
        --format '{{.Label "com.docker.compose.service"}}|{{.Status}}' |
        awk -F '|' '
            function state(status) {
                if (status ~ /\(unhealthy\)/) return "unhealthy"
                if (status ~ /\(health: starting\)/) return "starting"
                if (status ~ /^Up/) return "ready"
                if (status ~ /^Restarting/) return "restarting"
                if (status ~ /^Exited \(0\)/) return "done"
                if (status ~ /^Exited/) return "failed"
                return "stopped"
            }
            NF > 1 { print $1, state($2) }' | sort
}

# Read states; print the services, each with how many are ready of how many.
states_text() {
    awk '
        NF == 0 { next }
        { if (!($1 in all)) order[++services] = $1
          all[$1]++
          if ($2 == "ready" || $2 == "done") fit[$1]++; else other[$1] = $2 }
        END { for (i = 1; i <= services; i++) {
                  name = order[i]
                  if (fit[name] == all[name]) continue
                  text = name " " (all[name] > 1 ? fit[name] + 0 "/" all[name] " " : "") other[name]
                  line = line (line ? ", " : "") text }
              print line ? "; " line : "" }'
}

# Read states; print how many containers are ready, of how many.
states_count() {
    awk 'NF { all++ } $2 == "ready" || $2 == "done" { fit++ } END { print fit + 0 " of " all + 0 " ready" }'
}

# explain_log CODE WHAT: end with what the log shows, and what helps against the usual causes.
explain_log() {
    local code="$1" what="$2" seen
    seen=$(log_tail 40)
    case $seen in
    *'no space left on device'*)
        fail "$EXIT_DISK_FULL" "$what Docker's disk is full." \
            'Free some room: docker system df, docker image prune, docker builder prune.' \
            'Docker Desktop: or a larger disk, Settings > Resources.'
        ;;
    *'port is already allocated'* | *'ddress already in use'* | *'orts are not available'*)
        fail "$EXIT_PORT_IN_USE" "$what A port was taken in the meantime." "$(printf '%s\n' "$seen" |
            grep -i -E -m 1 'already allocated|already in use|not available')" \
            'End what holds it, or choose other ports in .env (MILLRACE_PORT, PROMETHEUS_PORT, GRAFANA_PORT).'
        ;;
    *'overlaps with other one'*)
        fail "$EXIT_SUBNET_IN_USE" "$what A subnet was taken in the meantime." \
            "See which: $SETUP --check"
        ;;
    *'toomanyrequests'* | *'rate limit'*)
        fail "$EXIT_IMAGES" "$what The registry lets no more images be pulled for now." \
            'Log in (docker login), or try again later; what is pulled already is kept.'
        ;;
    *'no such host'* | *'i/o timeout'* | *'TLS handshake timeout'* | *'emporary failure in name resolution'*)
        fail "$EXIT_IMAGES" "$what The network was not there, or a proxy is in the way." \
            "Try again; what is pulled already is kept.  The log: $PWD/$LOG"
        ;;
    esac
    fail "$code" "$what The end of $PWD/$LOG:" "$(log_tail 15)"
}

# All programs are in one image, which the balancer's service builds as well as any other.  Other
# images that are here already are used as they are, so that a start needs no network.
build_images() {
    local image
    long_step 'building the image (the first time takes some minutes)' compose build lb ||
        explain_log "$EXIT_IMAGES" 'The image cannot be built.'
    for image in $(stack_images); do
        if ! docker image inspect "$image" >/dev/null 2>&1; then
            long_step "fetching $image" docker pull "$image" ||
                explain_log "$EXIT_IMAGES" "The image $image cannot be pulled."
        fi
    done
}

# Lines "service image" of those that always run, less those that --without names.
stack_list() {
    compose config | awk -v without=",$WITHOUT," '
        function tell() {
            if (name && !optional && !index(without, "," name ",")) print name, image
            name = image = ""
            optional = 0
        }
        /^[a-z]/ { tell(); inside = $1 == "services:" }
        inside && /^  [^ ]/ { tell(); name = $1; gsub(/[":]/, "", name) }
        inside && /^    image:/ { image = $2 }
        inside && /^    profiles:/ { optional = 1 }
        END { tell() }'
}

stack_services() { stack_list | cut -d ' ' -f 1; }
stack_images() { stack_list | cut -d ' ' -f 2 | sort -u; }

# As many of a service as run by now stay: a second start must not undo scaling.
start_stack() {
    local apps workers service
    apps=$(count_of app)
    workers=$(count_of worker)
    set -- up -d --no-build
    if [ "$apps" -gt 0 ] && [ "$workers" -gt 0 ]; then
        set -- "$@" --scale "app=$apps" --scale "worker=$workers"
    fi
    for service in $(stack_services); do
        set -- "$@" "$service"
    done
    start_child compose "$@"
}

# bring_up SECONDS: start all services, and wait until each is healthy.
bring_up() {
    local limit="$1" began elapsed states text told='' started=no
    began=$(now)
    start_stack
    while :; do
        elapsed=$(($(now) - began))
        if [ "$started" = no ] && ! child_runs; then
            child_status || not_started
            started=yes
        fi
        states=$(stack_states)
        text="$(printf '%s\n' "$states" | states_count)$(printf '%s\n' "$states" | states_text)"
        if [ "$started" = yes ] && all_ready "$states"; then
            passed
            good "$(printf '%s\n' "$states" | grep -c .) containers healthy, $elapsed s"
            return
        fi
        if [ "$elapsed" -ge "$limit" ]; then
            not_healthy "$states" "$limit"
        fi
        passing "starting, $elapsed s: $text"
        if [ "$TERMINAL" = no ] && [ "$text" != "$told" ]; then
            told=$text
            say "  ...   starting, $elapsed s: $text"
        fi
        sleep 1
    done
}

all_ready() {
    [ -n "$1" ] && ! printf '%s\n' "$1" | grep -q -v -E ' (ready|done)$'
}

not_started() {
    local states culprit
    states=$(stack_states)
    culprit=$(printf '%s\n' "$states" | grep -E -m 1 ' (failed|unhealthy|restarting)$' | cut -d ' ' -f 1)
    if [ -n "$culprit" ]; then
        explain_service "$culprit" "The service $culprit does not come up."
    fi
    explain_log "$EXIT_NOT_HEALTHY" 'The stack does not start.'
}

not_healthy() {
    local late
    late=$(printf '%s\n' "$1" | grep -v -E ' (ready|done)$' | head -n 1 | cut -d ' ' -f 1)
    explain_service "${late:-lb}" "Not all is healthy after $2 s$(printf '%s\n' "$1" | states_text)."
}

# explain_service SERVICE WHAT
explain_service() {
    end_child
    fail "$EXIT_NOT_HEALTHY" "$2" "The last lines of $1:" \
        "$(compose logs --no-color --tail=15 "$1" 2>&1 | tail -n 15)" \
        "All of it: $(compose_line) logs $1" \
        "On a slow machine more time may help: $SETUP --wait 600"
}
