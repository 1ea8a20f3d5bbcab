# shellcheck shell=dash
# Sourced, after compose.sh.  Requests to the running stack, and whether their answers are right.

REQUEST_LIMIT_S=60
STATUS=''  # of the last request; 000: no answer
ANSWER=''  # its body
TOOK_S=''  # seconds

base_url() { printf 'http://127.0.0.1:%s' "$(public_port)"; }

# request METHOD PATH [JSON]: set STATUS, ANSWER and TOOK_S.
request() {
    local method="$1" path="$2" told
    shift 2
    if [ $# -gt 0 ]; then
        set -- -H 'Content-Type: application/json' -d "$1"
    fi
    : >"$SCRATCH/answer"
    : >"$SCRATCH/head"
    # a proxy of the environment cannot reach this machine's own ports
    told=$(curl -sS --noproxy '*' --max-time "$REQUEST_LIMIT_S" -X "$method" -o "$SCRATCH/answer" \
        -D "$SCRATCH/head" -w '%{http_code} %{time_total}' ${1+"$@"} "$(base_url)$path" \
        2>"$SCRATCH/curl") || true
    STATUS=${told%% *}
    TOOK_S=${told##* }
    ANSWER=$(cat "$SCRATCH/answer")
}

# header NAME: its value in the last answer.
header() {
    tr -d '\r' <"$SCRATCH/head" | awk -v name="$1" -F ': ' 'tolower($1) == tolower(name) { print $2; exit }'
}

# member NAME: a text or number of the last answer, the first of that name.
member() {
    printf '%s' "$ANSWER" | tr -d '\n' | awk -v name="\"$1\":" '{
        at = index($0, name)
        if (!at) exit
        rest = substr($0, at + length(name))
        sub(/^ */, "", rest)
        if (substr(rest, 1, 1) == "\"") { rest = substr(rest, 2); sub(/".*/, "", rest) }
        else sub(/[],}].*/, "", rest)
        print rest }'
}

# times_of TEXT: how often the last answer holds it.
times_of() {
    printf '%s' "$ANSWER" | awk -v text="$1" '{ while (at = index($0, text)) { count++; $0 = substr($0, at + length(text)) } }
        END { print count + 0 }'
}

# says TEXT: does the last answer hold it?  Blanks count on neither side.
says() {
    case $(printf '%s' "$ANSWER" | tr -d ' \n') in
    *"$(printf '%s' "$1" | tr -d ' ')"*) return 0 ;;
    *) return 1 ;;
    esac
}

# expect TITLE STATUS TEXT: is the last answer as it must be?  Tell, and return 1 if not.
expect() {
    if [ "$STATUS" = "$2" ] && says "$3"; then
        good "$1, $TOOK_S s"
        return
    fi
    problem "$EXIT_WRONG_ANSWER" "$1: expected status $2 and $3" \
        "came: status $STATUS $(printf '%.400s' "$ANSWER") $(cat "$SCRATCH/curl")" "$(answer_remedy)"
    return 1
}

answer_remedy() {
    case $STATUS in
    '' | 000) echo "Nobody answers at $(base_url).  Do all services run?  $(compose_line) ps" ;;
    429) echo 'The limit of requests is reached: wait a minute, or raise MILLRACE_RATE_LIMIT in .env.' ;;
    *) echo "What the replicas say: $(compose_line) logs --tail=50 app" ;;
    esac
}

GROUPS_QUERY='{"sql": "SELECT grp, count(*), avg(n), max(n) FROM numbers GROUP BY grp ORDER BY grp"}'
HELLO_SHA256=2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824

# The three that show that all is there: a query, a digest, the state.
three_requests() {
    request POST /v1/query "$GROUPS_QUERY"
    expect 'a query over 100,000 rows' 200 '"row_count":10' || return
    request POST /v1/hash '{"algorithm": "sha256", "data": "hello"}'
    expect 'a digest' 200 "$HELLO_SHA256" || return
    request GET /v1/status
    expect 'the status' 200 '"breaker":"closed"'
}
