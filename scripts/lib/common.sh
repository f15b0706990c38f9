# shellcheck shell=bash
# Shared by the scripts of this folder; source it. PROGRAM names the script in messages.
ROOT=$(dirname "$(dirname "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")")")
PROGRAM=${PROGRAM:-$(basename "$0")}

note() { echo "$PROGRAM: $*"; }
die() {
    echo "$PROGRAM: $*" >&2
    exit 1
}

# wait_until SECONDS COMMAND...: runs COMMAND until it succeeds; fails when the time is over. Polls quickly at first.
wait_until() {
    local deadline=$((SECONDS + $1)) pause=0.02
    shift
    until "$@"; do
        ((SECONDS < deadline)) || return 1
        sleep "$pause"
        pause=0.1
    done
}

# show_usage: the comment at the top of the script, from its second line to the first line that is no comment.
show_usage() { awk 'NR > 1 { if (!/^#/) exit; sub(/^# ?/, ""); print }' "$0"; }

# The four programs that a cluster runs.
# shellcheck disable=SC2034
GABION_PROGRAMS=(gabion-metaserver gabion-chunkserver gabion-mount gabion)

# build_preset PRESET TARGET...: configures (if needed) and builds; progress goes to the terminal.
build_preset() {
    local preset=$1
    shift
    command -v cmake >/dev/null || die "cmake is missing; run: sudo $ROOT/scripts/bootstrap"
    (
        cd "$ROOT"
        [[ -e build/$preset/build.ninja ]] || cmake --preset "$preset"
        cmake --build --preset "$preset" --target "$@"
    ) || die "the build of preset $preset failed; its output is above"
}
