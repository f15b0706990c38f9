# shellcheck shell=bash
# TCP ports for servers on this machine. Source common.sh first.
#
# A port belongs to the cluster directory named in its reservation file, so that two clusters do not get the same one while
# one of them is down. They lie below the range from which the kernel takes ports for outgoing connections.
FIRST_PORT=20000
PORT_COUNT=12000

reservations() {
    if [[ $(id -u) -eq 0 ]]; then echo /run/lock/gabion-ports; else echo "/tmp/gabion-ports-$(id -u)"; fi
}

# port_used PORT: somebody listens there or is connected from there.
port_used() {
    awk -v port="$(printf ':%04X' "$1")" 'substr($2, length($2) - 4) == port { found = 1 } END { exit !found }' \
        /proc/net/tcp /proc/net/tcp6 2>/dev/null
}

# port_reserved PORT: by a cluster that still exists.
port_reserved() {
    local file owner
    file=$(reservations)/$1
    [[ -e $file ]] || return 1
    owner=$(<"$file")
    [[ -n $owner && -e $owner/cluster.conf ]]
}

# reserve_ports OWNER COUNT [PREFERRED...]: prints COUNT ports, the preferred ones first if they are free.
reserve_ports() {
    local owner=$1 count=$2 port candidates=() chosen=()
    shift 2
    mkdir -p "$(reservations)"
    (
        flock 8
        candidates=("$@")
        for ((i = 0; i < 500; i++)); do candidates+=($((FIRST_PORT + (RANDOM * 32768 + RANDOM) % PORT_COUNT))); done
        for port in "${candidates[@]}"; do
            ((${#chosen[@]} < count)) || break
            [[ " ${chosen[*]-} " != *" $port "* ]] || continue
            port_used "$port" || port_reserved "$port" || {
                chosen+=("$port")
                echo "$owner" >"$(reservations)/$port"
            }
        done
        ((${#chosen[@]} == count)) || die "found no $count free ports from $FIRST_PORT on"
        echo "${chosen[@]}"
    ) 8>"$(reservations)/lock"
}

release_ports() {
    local port
    for port in "$@"; do rm -f "$(reservations)/$port"; done
}
