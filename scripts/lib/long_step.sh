# shellcheck shell=dash
# Sourced, after talk.sh.  A command that takes long: its output goes to a log, its progress is shown.

LOG=setup.log
QUIET_S=15  # without a terminal: a line of progress so often

now() { date +%s; }

begin_log() {
    { : >"$LOG"; } 2>/dev/null ||
        fail "$EXIT_DISK_FULL" "The log $PWD/$LOG cannot be written." \
            "Give yourself the right to write in this folder, or free some room."
}

log_tail() {
    sed 's/[[:space:]]*$//' "$LOG" | grep -v '^$' | tail -n "${1:-15}"
}

# start_child COMMAND…: run it in the background, so that Ctrl-C and progress are ours.  IN_PLACE lets a
# function of ours become the program that it calls: else a signal would end the function alone.
start_child() {
    (
        IN_PLACE='exec'
        "$@"
    ) >>"$LOG" 2>&1 </dev/null &
    CHILD=$!
}

child_runs() { [ -n "$CHILD" ] && kill -0 "$CHILD" 2>/dev/null; }

# child_status: wait for its end, and return its exit code.
child_status() {
    local status=0
    wait "$CHILD" || status=$?
    CHILD=''
    return "$status"
}

# long_step TITLE COMMAND…: run it with progress, and return its exit code.
long_step() {
    local title="$1" began told elapsed status=0
    shift
    began=$(now)
    told=0
    if [ "$TERMINAL" = no ]; then
        say "  ...   $title"
    fi
    start_child "$@"
    while child_runs; do
        elapsed=$(($(now) - began))
        passing "$title, $elapsed s: $(log_tail 1)"
        if [ "$TERMINAL" = no ] && [ $((elapsed - told)) -ge "$QUIET_S" ]; then
            told=$elapsed
            say "  ...   $title, $elapsed s"
        fi
        sleep 1
    done
    child_status || status=$?
    passed
    if [ "$status" -eq 0 ]; then
        good "$title, $(($(now) - began)) s"
    fi
    return "$status"
}
