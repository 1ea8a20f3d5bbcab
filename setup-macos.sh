#!/bin/sh
# shellcheck shell=dash
# Sets Millrace up on a Mac with Docker Desktop: `./setup-macos.sh --help`.  docs/setup.md says more.
# What it shares with Linux is in scripts/lib; here is what only a Mac has.  It keeps to what macOS'
# own shell (bash 3.2) and tools know.
set -eu
cd "$(dirname "$0")"
SETUP=./setup-macos.sh

. scripts/lib/all.sh

DESKTOP_PAGE=https://docs.docker.com/desktop/setup/install/mac-install/
START_LIMIT_S=180  # the first start of Docker Desktop asks questions

check_system() {
    local system memory
    system=$(uname -s)
    [ "$system" = Darwin ] ||
        fail "$EXIT_SYSTEM" "This is $system, not macOS." 'On Linux run scripts/setup-linux.sh.'
    memory=$(sysctl -n hw.memsize 2>/dev/null) || memory=0
    good "macOS on $(uname -m), $(gib "$memory") of memory, $(sysctl -n hw.ncpu 2>/dev/null) processors"
}

# Docker Desktop's folder, if it is installed.
desktop_folder() {
    local folder
    for folder in /Applications/Docker.app "$HOME/Applications/Docker.app"; do
        if [ -d "$folder" ]; then
            printf '%s\n' "$folder"
            return
        fi
    done
}

# Docker Desktop may be there without its commands being on the path.
use_desktop_commands() {
    local folder
    folder=$(desktop_folder)
    if [ -n "$folder" ] && [ -x "$folder/Contents/Resources/bin/docker" ]; then
        PATH=$PATH:$folder/Contents/Resources/bin
        export PATH
    fi
}

offer_docker() {
    use_desktop_commands
    if command -v docker >/dev/null 2>&1; then
        return
    fi
    if ! command -v brew >/dev/null 2>&1; then
        problem "$EXIT_NO_DOCKER" 'Docker Desktop is not installed.' "Install it from $DESKTOP_PAGE" \
            'or install Homebrew (https://brew.sh), and run this again.'
        return
    fi
    if [ "$MODE" = check ] || ! confirmed 'Docker Desktop is not installed. Install it with Homebrew?'; then
        problem "$EXIT_NO_DOCKER" 'Docker Desktop is not installed.' \
            'Install it:  brew install --cask docker-desktop' "or from $DESKTOP_PAGE"
        return
    fi
    if ! brew install --cask docker-desktop; then
        problem "$EXIT_NO_DOCKER" 'Homebrew could not install Docker Desktop; its words are above.' \
            "Install it from $DESKTOP_PAGE, and run this again."
        return
    fi
    use_desktop_commands
    command -v docker >/dev/null 2>&1 ||
        problem "$EXIT_NO_DOCKER" 'Docker Desktop is installed, but its command docker is not on the path.' \
            'Open Docker Desktop once, open a new terminal, and run this again.'
}

start_docker() {
    if [ "$MODE" = check ] || ! confirmed 'Docker does not run. Start Docker Desktop?'; then
        return 0
    fi
    open -a Docker || return 0
    note 'Docker Desktop starts. The first time it asks for your consent: look at its window.'
    wait_for_engine "$START_LIMIT_S" || true
}

explain_docker_down() {
    problem "$EXIT_DOCKER_DOWN" 'Docker does not run.' ${1:+"$1"} \
        'Start it:  open -a Docker   and wait until its whale stands still in the menu bar.' \
        'If it never does: Docker Desktop > Troubleshoot > Restart.'
}

explain_small_engine() {
    local memory
    memory=$(sysctl -n hw.memsize 2>/dev/null) || memory=0
    if [ "$memory" -lt $((12 * GIB)) ]; then
        echo "This Mac has $(gib "$memory") itself: give Docker what you can spare, end other programs,"
        echo 'and leave out what you need not: --without grafana,prometheus,redis-exporter,postgres-exporter'
    fi
    echo 'Docker Desktop > Settings > Resources: Memory limit, CPU limit > Apply & restart.'
}

compose_remedy() {
    echo 'Update Docker Desktop (whale in the menu bar > Check for updates), which brings Compose along.'
}

curl_remedy() { echo 'It is part of macOS: put /usr/bin on your PATH.'; }

# Docker Desktop keeps its disk below the home folder.
disk_folder() { printf '%s\n' "$HOME"; }

# port_holder PORT: who listens there; nothing: nobody, as far as we may see.
port_holder() {
    lsof -nP -iTCP:"$1" -sTCP:LISTEN 2>/dev/null |
        awk 'NR == 2 { print $1 " (process " $2 ", user " $3 ")" }'
}

# Docker Desktop's networks lie in its own virtual machine: the Mac's routes don't meet them.
host_routes() { :; }

setup ${1+"$@"}
