# shellcheck shell=bash
# What shell tests check with; source "$E2E_LIB".

set -euo pipefail

step() { echo "-- $* (${SECONDS} s)"; }

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

# expect_eq ACTUAL EXPECTED WHAT
expect_eq() { [[ $1 == "$2" ]] || fail "$3: got '$1', want '$2'"; }

# expect_has TEXT PART WHAT
expect_has() { [[ $1 == *"$2"* ]] || fail "$3: '$2' is not in '$1'"; }

# expect_refused WHAT PART COMMAND...: the command must fail, with one line on standard error that contains PART.
expect_refused() {
    local what=$1 part=$2 code=0 error
    shift 2
    error=$("$@" 2>&1 >/dev/null) || code=$?
    ((code != 0)) || fail "$what: succeeded"
    ((code < 124)) || fail "$what: ended with $code (killed, or too slow): $error"
    expect_has "$error" "$part" "$what"
    expect_eq "$(wc -l <<<"$error")" 1 "$what: lines of '$error'"
}

# wait_for SECONDS COMMAND...: until it succeeds.
wait_for() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        ((SECONDS < deadline)) || fail "waited in vain for: $*"
        sleep 0.1
    done
}

# expect_same_tree A B: every file's bytes, mode, owner, times to the nanosecond, links and attributes are the same.
expect_same_tree() {
    local difference
    difference=$(rsync -aHAXn --checksum --delete --modify-window=-1 --itemize-changes "$1/" "$2/") || fail "rsync: $difference"
    [[ -z $difference ]] || fail "$1 and $2 differ: $(head -n 20 <<<"$difference")"
}
