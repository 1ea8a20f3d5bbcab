# shellcheck shell=dash
# Sourced, after compose.sh.  Are the ports and the subnets that the stack takes free?

# check_port SERVICE NAME DEFAULT
check_port() {
    local name="$2" port container
    case ,$WITHOUT, in
    *,"$1",*) return ;;
    esac
    port=$(setting "$2" "$3")
    case $port in
    '' | *[!0-9]* | ??????*) port=0 ;;
    esac
    if [ "$port" -lt 1 ] || [ "$port" -gt 65535 ]; then
        problem "$EXIT_USAGE" "$name is '$(setting "$2" "$3")', which is no port." \
            "Set it to a number from 1 to 65535, in .env or in the environment."
        return
    fi
    container=$(docker ps --filter "publish=$port" \
        --format '{{.Label "com.docker.compose.project"}}|{{.Names}}' | head -n 1)
    case $container in
    "$(project)|"*)
        good "port $port ($name) is ours already"
        return
        ;;
    ?*) port_in_use "$name" "$port" "the container ${container#*|}" "docker stop ${container#*|}" ;;
    *)
        container=$(port_holder "$port")
        if [ -n "$container" ]; then
            port_in_use "$name" "$port" "$container" 'End that program'
        else
            good "port $port ($name) is free"
        fi
        ;;
    esac
}

port_in_use() {
    problem "$EXIT_PORT_IN_USE" "Port $2 is in use by $3." \
        "$4, or take another port: put $1=$(($2 < 65000 ? $2 + 100 : $2 - 100)) into .env."
}

check_ports() {
    check_port lb MILLRACE_PORT 8080
    check_port prometheus PROMETHEUS_PORT 9090
    check_port grafana GRAFANA_PORT 3000
}

# Lines "name|project|subnet …" of all networks that Docker knows.
docker_networks() {
    # shellcheck disable=SC2046  # one word for each network is what is meant
    docker network inspect --format \
        '{{.Name}}|{{index .Labels "com.docker.compose.project"}}|{{range .IPAM.Config}}{{.Subnet}} {{end}}' \
        $(docker network ls -q)
}

wanted_subnets() { compose config 2>/dev/null | sed -n 's/^.*subnet: *//p' | tr -d "\"'"; }

# overlapping OWN SUBNETS: read lines "name|project|subnets", print those of others that share addresses.
overlapping() {
    awk -F '|' -v own="$1" -v wanted="$2" '
        function number(address, part) {
            split(address, part, ".")
            return ((part[1] * 256 + part[2]) * 256 + part[3]) * 256 + part[4]
        }
        function overlap(one, other, a, b, size) {
            split(one, a, "/"); split(other, b, "/")
            size = 2 ^ (32 - (a[2] < b[2] ? a[2] : b[2]))
            return int(number(a[1]) / size) == int(number(b[1]) / size)
        }
        BEGIN { many = split(wanted, want, " ") }
        $2 != own {
            count = split($3, subnet, " ")
            for (i = 1; i <= count; i++)
                for (j = 1; j <= many; j++)
                    if (subnet[i] ~ /^[0-9.]+\/[0-9]+$/ && overlap(subnet[i], want[j]))
                        print $1 "|" subnet[i] "|" want[j]
        }'
}

check_subnets() {
    local wanted taken
    wanted=$(wanted_subnets | tr '\n' ' ')
    taken=$(docker_networks | overlapping "$(project)" "$wanted")
    if [ -z "$taken" ]; then
        good "subnets ${wanted}are free"
    else
        printf '%s\n' "$taken" >"$SCRATCH/taken"
        while IFS='|' read -r name subnet want; do
            problem "$EXIT_SUBNET_IN_USE" "Docker's network $name has $subnet, which overlaps our $want." \
                "If nothing needs it:  docker network rm $name" \
                "Else stop the project it belongs to, or give that network other addresses."
        done <"$SCRATCH/taken"
    fi
    note_routes "$wanted"
}

# A VPN's route to the same addresses hurts nothing of ours, but cuts that VPN off: so only a note.
note_routes() {
    local routes
    routes=$(host_routes | sed 's/^/route||/' | overlapping ours "$1" | cut -d '|' -f 2 | sort -u | tr '\n' ' ')
    if [ -n "$routes" ]; then
        note "This machine has routes of its own to ${routes% }, perhaps a VPN's."
        indented "While Millrace runs, what lies behind them may be out of reach."
    fi
}
