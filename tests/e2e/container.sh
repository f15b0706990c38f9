#!/bin/bash
# A container (runc) with a directory of the mount bound in as its volume: it reads what the host wrote, writes what the host
# then reads, and works there as an unprivileged user. A second container runs with its root filesystem on the mount.
# timeout: 180
source "$E2E_LIB"
command -v runc >/dev/null || fail "runc is not installed; run scripts/bootstrap"

make_rootfs() {
    local applet
    mkdir -p "$1"/{bin,proc,sys,dev,data,tmp}
    cp /bin/busybox "$1/bin/busybox"
    for applet in $(/bin/busybox --list | grep -vx busybox); do ln -sf busybox "$1/bin/$applet"; done
}

# run_container BUNDLE SCRIPT: runs it in /bin/sh; the bundle has a rootfs and config.json is made here.
run_container() {
    local bundle=$1 id
    id=gabion-e2e-$$-$RANDOM
    (cd "$bundle" && rm -f config.json && runc spec)
    python3 - "$bundle/config.json" "$2" "$MOUNT/volume" <<'PYTHON'
import json, sys
path, script, volume = sys.argv[1:]
with open(path) as file:
    spec = json.load(file)
spec["process"]["terminal"] = False
spec["process"]["args"] = ["/bin/sh", "-ec", script]
spec["root"]["readonly"] = False
spec["mounts"].append({"type": "bind", "source": volume, "destination": "/data", "options": ["rbind", "rw"]})
with open(path, "w") as file:
    json.dump(spec, file)
PYTHON
    runc --root "$WORK/runc" run --bundle "$bundle" "$id" </dev/null
}

step "a container with the volume bound in"
mkdir -p bundle "$MOUNT/volume"
make_rootfs bundle/rootfs
echo "from the host" >"$MOUNT/volume/host"
head -c 5000000 /dev/urandom >"$MOUNT/volume/data"
# shellcheck disable=SC2016
run_container bundle '
    test "$(cat /data/host)" = "from the host"
    sha256sum </data/data >/data/sum
    mkdir /data/made && cd /data/made
    for i in 1 2 3 4 5; do echo "line $i" >>log; done
    ln -s log link && ln log hard && mv hard moved && chmod 600 moved
    dd if=/dev/zero of=zeros bs=1M count=20 conv=fsync 2>/dev/null
    rm zeros'
cmp "$MOUNT/volume/sum" <(sha256sum <"$MOUNT/volume/data")
expect_eq "$(wc -l <"$MOUNT/volume/made/log")" 5 "lines that the container wrote"
expect_eq "$(stat -c '%a %h' "$MOUNT/volume/made/moved")" "600 2" "mode and links"
expect_eq "$(readlink "$MOUNT/volume/made/link")" log "symbolic link"
expect_eq "$(ls "$MOUNT/volume/made")" "$(printf 'link\nlog\nmoved')" "names"

step "host and container at the same time"
run_container bundle 'i=0; while [ ! -e /data/stop ]; do i=$((i + 1)); echo $i >/data/counter.new; mv /data/counter.new /data/counter; done' &
runner=$!
wait_for 30 test -e "$MOUNT/volume/counter"
first=$(cat "$MOUNT/volume/counter")
wait_for 30 bash -c "((\$(cat '$MOUNT/volume/counter') > $first))"
touch "$MOUNT/volume/stop"
wait "$runner"

step "a container whose root filesystem is on the mount"
mkdir "$MOUNT/bundle"
make_rootfs "$MOUNT/bundle/rootfs"
run_container "$MOUNT/bundle" 'echo root on gabion >/written; cp /bin/busybox /tmp/busybox; /tmp/busybox true; rm /tmp/busybox'
expect_eq "$(cat "$MOUNT/bundle/rootfs/written")" "root on gabion" "what the container wrote to its root"
