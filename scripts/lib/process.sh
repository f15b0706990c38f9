# shellcheck shell=bash
# Processes that outlive the script that started them. Source common.sh first.
#
# A pid file holds "PID START_TICKS BOOT_ID": a pid alone may be somebody else's by now.

boot_id() { cat /proc/sys/kernel/random/boot_id; }

# start_ticks PID: when the process started, in ticks since boot; fails if it is gone or a zombie (a dead process whose
# parent has not noticed).
start_ticks() {
    local stat fields
    { stat=$(<"/proc/$1/stat"); } 2>/dev/null || return 1
    read -ra fields <<<"${stat##*) }"   # the name before may hold blanks and brackets
    [[ ${fields[0]} != Z && ${fields[0]} != X ]] || return 1
    echo "${fields[19]}"
}

# process_pid PID_FILE: the pid, if that very process runs.
process_pid() {
    local pid ticks boot
    { read -r pid ticks boot <"$1"; } 2>/dev/null || return 1
    [[ $boot == "$(boot_id)" && $(start_ticks "$pid") == "$ticks" ]] || return 1
    echo "$pid"
}

process_runs() { process_pid "$1" >/dev/null; }
process_ended() { ! process_runs "$1"; }

# start_process PID_FILE OUTPUT_FILE COMMAND...: in a session of its own, so that it outlives the terminal; what it prints
# is appended to OUTPUT_FILE. Descriptor 9 (the caller's lock) is not passed on.
start_process() {
    local pid_file=$1 output=$2 pid ticks
    shift 2
    (
        cd /
        ulimit -n "$(ulimit -Hn)" 2>/dev/null || true
        exec setsid "$@" </dev/null >>"$output" 2>&1 9>&-
    ) &
    pid=$!
    ticks=$(start_ticks "$pid") || ticks=0   # it has ended already: no process ever matches
    echo "$pid $ticks $(boot_id)" >"$pid_file"
}

# stop_process PID_FILE SECONDS: asks it to end and waits; kills it after SECONDS. Fails if it had to be killed.
stop_process() {
    local pid
    pid=$(process_pid "$1") || { rm -f "$1"; return 0; }
    kill -TERM "$pid" 2>/dev/null || true
    if ! wait_until "$2" process_ended "$1"; then
        kill_process "$1"
        return 1
    fi
    rm -f "$1"
}

# kill_process PID_FILE: SIGKILL, and waits until it is gone.
kill_process() {
    local pid
    pid=$(process_pid "$1") || { rm -f "$1"; return 0; }
    kill -KILL "$pid" 2>/dev/null || true
    wait_until 30 process_ended "$1" || die "process $pid does not die; it waits inside the kernel"
    rm -f "$1"
}
