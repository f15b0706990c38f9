# shellcheck shell=bash
# The kernel's table of mounts, read without touching a mount that may hang. Source common.sh first.

# mounted PATH: prints "TYPE SOURCE" of what is mounted there on top; fails if nothing is.
mounted() {
    local escaped
    escaped=$(sed 's/\\/\\134/g; s/ /\\040/g; s/\t/\\011/g' <<<"$1")
    WANTED=$escaped awk '
        $5 == ENVIRON["WANTED"] { for (i = 7; $i != "-"; i++); found = $(i + 1) " " $(i + 2) }
        END { if (found == "") exit 1; print found }' /proc/self/mountinfo
}

is_mounted() { mounted "$1" >/dev/null; }

unmount_once() {
    if [[ $(id -u) -eq 0 ]]; then umount "$1"; else fusermount3 -u "$1"; fi
}

# unmount PATH SECONDS: waits while it is busy.
unmount() {
    local deadline=$((SECONDS + $2)) message
    is_mounted "$1" || return 0
    until message=$(unmount_once "$1" 2>&1); do
        is_mounted "$1" || return 0
        ((SECONDS < deadline)) || die "cannot unmount $1: $message; who uses it: fuser -vm $1"
        sleep 0.2
    done
}

# detach_dead PATH: takes a mount away whose client is dead. Files open on it stay broken.
detach_dead() {
    while is_mounted "$1"; do
        if [[ $(id -u) -eq 0 ]]; then umount -l "$1"; else fusermount3 -uz "$1"; fi || die "cannot detach the dead mount at $1"
    done
}
