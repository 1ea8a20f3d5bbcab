#!/bin/sh
# shellcheck shell=dash
# Sets Millrace up on Linux with Docker: `scripts/setup-linux.sh --help`.  docs/setup.md says more.
# What it shares with macOS is in scripts/lib; here is what only Linux has.
set -eu
cd "$(dirname "$0")/.."
SETUP=scripts/setup-linux.sh

. scripts/lib/all.sh

START_LIMIT_S=60

check_system() {
    local system
    system=$(uname -s)
    [ "$system" = Linux ] ||
        fail "$EXIT_SYSTEM" "This is $system, not Linux." 'On a Mac run ./setup-macos.sh.'
    good "Linux on $(uname -m)"
}

# What an administrator has to put before a command.
as_root() {
    if [ "$(id -u)" -ne 0 ]; then
        printf 'sudo '
    fi
}

# The command that installs Docker and Compose from the distribution's own packages.
install_line() {
    if command -v apt-get >/dev/null 2>&1; then
        if apt-cache show docker-compose-v2 >/dev/null 2>&1; then
            echo "$(as_root)apt-get install -y docker.io docker-compose-v2"
        else
            echo "$(as_root)apt-get install -y docker.io docker-compose"
        fi
    elif command -v dnf >/dev/null 2>&1; then
        echo "$(as_root)dnf install -y moby-engine docker-compose"
    elif command -v pacman >/dev/null 2>&1; then
        echo "$(as_root)pacman -S --noconfirm docker docker-compose"
    elif command -v zypper >/dev/null 2>&1; then
        echo "$(as_root)zypper install -y docker docker-compose"
    fi
}

offer_docker() {
    local line
    line=$(install_line)
    if [ -z "$line" ]; then
        problem "$EXIT_NO_DOCKER" 'Docker is not installed.' \
            'Install it as https://docs.docker.com/engine/install/ says, and run this again.'
        return
    fi
    if [ "$MODE" = check ] || ! confirmed "Docker is not installed. Run:  $line"; then
        problem "$EXIT_NO_DOCKER" 'Docker is not installed.' "Install it:  $line"
        return
    fi
    # shellcheck disable=SC2086  # its words are those of install_line
    if ! $line || ! command -v docker >/dev/null 2>&1; then
        problem "$EXIT_NO_DOCKER" 'Docker could not be installed; the reason is above.' \
            'Install it as https://docs.docker.com/engine/install/ says, and run this again.'
    fi
}

may_use_engine() {
    case $(docker info 2>&1) in
    *'permission denied'*) return 1 ;;
    *) return 0 ;;
    esac
}

start_docker() {
    if ! may_use_engine || ! command -v systemctl >/dev/null 2>&1 || [ "$MODE" = check ] ||
        ! confirmed "Docker does not run. Run:  $(as_root)systemctl start docker"; then
        return 0
    fi
    $(as_root) systemctl start docker || return 0
    wait_for_engine "$START_LIMIT_S" || true
}

explain_docker_down() {
    if may_use_engine; then
        problem "$EXIT_DOCKER_DOWN" 'Docker does not run.' ${1:+"$1"} \
            "Start it:  $(as_root)systemctl start docker" 'Why it does not:  journalctl -u docker -n 50'
    else
        problem "$EXIT_DOCKER_DOWN" 'Docker runs, but does not let you in.' ${1:+"$1"} \
            "Become a member of its group:  sudo usermod -aG docker $(id -un)" \
            'then log out and in again.  (Members of that group can do what root can.)'
    fi
}

explain_small_engine() {
    echo 'Docker has what this machine has: take a larger one, or leave out what you need not:'
    echo '--without grafana,prometheus,redis-exporter,postgres-exporter'
}

compose_remedy() {
    local line
    line=$(install_line)
    echo "Install it:  ${line:-as https://docs.docker.com/compose/install/linux/ says}"
}

curl_remedy() { echo "Install it with your distribution's packages; it is called curl everywhere."; }

disk_folder() {
    local folder
    folder=$(docker info --format '{{.DockerRootDir}}' 2>/dev/null) || folder=''
    if [ -d "$folder" ]; then
        printf '%s\n' "$folder"
    else
        printf '/\n'  # of an engine elsewhere, such as a virtual machine's
    fi
}

# port_holder PORT: who listens there; nothing: nobody.  The kernel's own table needs no tool, and no rights.
port_holder() {
    local name=''
    cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | awk -v port="$(printf '%04X' "$1")" '
        $4 == "0A" && $2 ~ ":" port "$" { found = 1 } END { exit !found }' || return 0
    if command -v ss >/dev/null 2>&1; then
        name=$(ss -ltnpH "sport = :$1" 2>/dev/null | sed -n 's/^.*users:((//p' | sed 's/)).*$//' | head -n 1)
    fi
    printf '%s\n' "${name:-another program}"
}

# The destinations of this machine's own routes, but those of Docker's bridges.
host_routes() {
    command -v ip >/dev/null 2>&1 || return 0
    ip -4 route show 2>/dev/null | awk '$1 ~ /\// && $0 !~ / dev (br-|docker)/ { print $1 }'
}

setup ${1+"$@"}
