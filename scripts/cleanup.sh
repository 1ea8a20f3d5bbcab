#!/bin/sh
# shellcheck shell=dash
# Takes the stack away, and more only when that was said: `scripts/cleanup.sh --help`.
set -eu
cd "$(dirname "$0")/.."
. scripts/lib/all.sh
SETUP=$(setup_script)

IMAGES=no

help() {
    cat <<END
Usage: $0 [--images] [--delete-data] [--yes] [--help]

Removes the containers and networks of Millrace.  Data, secrets and settings stay, so that the next
start goes on with them.

  --images       remove the images that were built here, too
  --delete-data  delete the data and their secrets, too, for ever; asks, unless --yes is said as well
  --yes          ask nothing; by itself it never deletes data
END
}

arguments() {
    while [ $# -gt 0 ]; do
        case $1 in
        --help | -h)
            help
            exit 0
            ;;
        --images) IMAGES=yes ;;
        --delete-data) DELETE_DATA=yes ;;
        --yes | -y) ASSUME_YES=yes ;;
        *) usage_error "unknown argument '$1'." ;;
        esac
        shift
    done
}

main() {
    arguments ${1+"$@"}
    require_docker
    make_scratch
    heading 'Cleaning up'
    INTERRUPTED_NOTE='Some of it may be removed. Run it again to go on.'
    if [ "$DELETE_DATA" = yes ]; then
        confirm_data_loss
    fi
    begin_log
    remove_stack
    if [ "$IMAGES" = yes ]; then
        remove_own_images
    fi
}

main ${1+"$@"}
