# shellcheck shell=dash
# Sourced, after exit_codes.sh.  What a script says and asks, with a terminal and without one, and
# how it ends: by itself, by an error with its remedy, or by Ctrl-C.

TERMINAL=no
if [ -t 1 ] && [ "${TERM:-dumb}" != dumb ]; then
    TERMINAL=yes
fi
BOLD='' RED='' GREEN='' YELLOW='' PLAIN=''
if [ "$TERMINAL" = yes ] && [ -z "${NO_COLOR:-}" ]; then
    escape=$(printf '\033')
    BOLD="${escape}[1m" RED="${escape}[31m" GREEN="${escape}[32m" YELLOW="${escape}[33m"
    PLAIN="${escape}[0m"
fi

ASSUME_YES=no  # --yes
FIRST_PROBLEM=0  # exit code of the first problem that was told
INTERRUPTED_NOTE=''  # how things stand, should Ctrl-C come now
CHILD=''  # process id of the command that runs in the background
SCRATCH=''  # folder for answers of this run

say() { printf '%s\n' "$*"; }
heading() { printf '\n%s%s%s\n' "$BOLD" "$*" "$PLAIN"; }
good() { printf '  %sok%s    %s\n' "$GREEN" "$PLAIN" "$*"; }
note() { printf '  %snote%s  %s\n' "$YELLOW" "$PLAIN" "$*"; }
indented() { printf '%s\n' "$@" | sed 's/^/        /'; }

# A line that the next one replaces; only a terminal shows it.
passing() {
    if [ "$TERMINAL" = yes ]; then
        printf '\r\033[K  ...   %.100s' "$*"
    fi
}
passed() {
    if [ "$TERMINAL" = yes ]; then
        printf '\r\033[K'
    fi
}

# problem CODE WHAT [REMEDY…]: tell it and go on, so that all problems are told at once.
problem() {
    if [ "$FIRST_PROBLEM" -eq 0 ]; then
        FIRST_PROBLEM=$1
    fi
    printf '  %sFAIL%s  %s\n' "$RED" "$PLAIN" "$2" >&2
    shift 2
    if [ $# -gt 0 ]; then
        indented "$@" >&2
    fi
}

end_if_problems() {
    if [ "$FIRST_PROBLEM" -ne 0 ]; then
        exit "$FIRST_PROBLEM"
    fi
}

# fail CODE WHAT [REMEDY…]
fail() {
    passed
    problem "$@"
    exit "$1"
}

# usage_error WHAT
usage_error() {
    printf '%s: %s\nTry: %s --help\n' "${0##*/}" "$1" "$0" >&2
    exit "$EXIT_USAGE"
}

# May a question be asked?  Not when nobody is there to answer it.
can_ask() { [ -t 0 ] && [ -t 1 ]; }

# confirmed QUESTION: whether the answer is yes; no answer and no terminal mean no.
confirmed() {
    local answer=''
    if [ "$ASSUME_YES" = yes ]; then
        return 0
    fi
    if ! can_ask; then
        return 1
    fi
    printf '  %s [y/N] ' "$1"
    read -r answer || return 1
    case $answer in
    [Yy] | [Yy][Ee][Ss]) return 0 ;;
    *) return 1 ;;
    esac
}

make_scratch() {
    SCRATCH=$(mktemp -d "${TMPDIR:-/tmp}/millrace.XXXXXX") ||
        fail "$EXIT_DISK_FULL" "No temporary folder can be made in ${TMPDIR:-/tmp}." \
            "Free some room there, or set TMPDIR to a folder that can be written."
}

end_child() {
    if [ -n "$CHILD" ]; then
        kill "$CHILD" 2>/dev/null || true
        wait "$CHILD" 2>/dev/null || true
        CHILD=''
    fi
}

tidy() {
    end_child
    if [ -n "$SCRATCH" ]; then
        rm -rf "$SCRATCH"
    fi
}

# at_interrupt and at_end are for scripts that have something to put back.
at_interrupt() { :; }
at_end() { :; }

# is_subshell: whether this is a $(…) that has its parent's traps still, as it has just after its birth.
is_subshell() {
    # shellcheck disable=SC2016
    [ "$(exec sh -c 'echo "$PPID"')" != "$$" ]
}

interrupted() {
    if is_subshell; then
        exit "$1"  # what runs is not its own to end
    fi
    trap '' INT TERM HUP  # a second Ctrl-C must not leave the tidying half done
    passed
    end_child
    printf '\nInterrupted. %s\n' "$INTERRUPTED_NOTE" >&2
    at_interrupt
    exit "$1"
}

trap 'interrupted 129' HUP
trap 'interrupted 130' INT
trap 'interrupted 143' TERM
trap 'at_end; tidy' EXIT
