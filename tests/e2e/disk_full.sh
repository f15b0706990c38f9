#!/bin/bash
# Chunkservers with small disks fill up: the writer gets ENOSPC, what was written before is there, reads and deletions work,
# and once something is deleted writing goes on. No server falls over.
# cluster: none
# timeout: 300
source "$E2E_LIB"
MOUNT=$WORK.mnt1
STORE_MIB=400
end() {
    "$CLUSTER" down --dir "$STORE" --destroy
    for number in 1 2 3; do umount "$WORK/disk$number" || true; done
}
trap '(($? == 0)) || tail -n 30 "$STORE"/log/*; end' EXIT

step "three chunkservers with ${STORE_MIB} MiB each"
for number in 1 2 3; do
    mkdir -p "disk$number" "$STORE"
    mount -t tmpfs -o size=${STORE_MIB}m gabion-e2e "disk$number"
    mkdir "disk$number/data"
    ln -s "$WORK/disk$number/data" "$STORE/chunkserver.$number"
done
"$CLUSTER" up --dir "$STORE" --mount "$MOUNT" --preset "$PRESET"
head -c 20000000 /dev/urandom >kept
cp kept "$MOUNT/kept"
sync "$MOUNT/kept"

step "write until there is no space"
written=0
for i in $(seq 1 100); do
    head -c 10000000 /dev/urandom >next
    if ! error=$(dd if=next of="$MOUNT/fill$i" bs=1M conv=fsync 2>&1 >/dev/null); then break; fi
    mv next "last"
    written=$i
done
((written < 100)) || fail "1 GB went into ${STORE_MIB} MiB"
((written >= STORE_MIB * 1048576 / 10000000 / 2)) || fail "no space after $written files of 10 MB already: $error"
expect_has "$error" "No space left on device" "the writer's error"
step "full after $written files of 10 MB"

step "small writes fail in the same way or fit, and nothing hangs"
for i in $(seq 1 50); do
    timeout 60 dd if=/dev/urandom of="$MOUNT/small$i" bs=64K count=16 conv=fsync status=none 2>>errors || true
done
[[ ! -s errors ]] || ! grep -v "No space left on device" errors || fail "another error than ENOSPC"

step "what was written before is there"
cmp kept "$MOUNT/kept"
cmp last "$MOUNT/fill$written"
"$CLUSTER" status --dir "$STORE" >table || fail "$(cat table)"

step "the same after a restart of every server"
for name in chunkserver.1 chunkserver.2 chunkserver.3 metaserver; do
    "$CLUSTER" kill --dir "$STORE" "$name"
    "$CLUSTER" start --dir "$STORE" "$name"
done
cmp kept "$MOUNT/kept"
cmp last "$MOUNT/fill$written"

step "delete half of it, and go on"
rm -f "$MOUNT"/small* "$MOUNT"/fill?
head -c 50000000 /dev/urandom >again
fits() { cp again "$MOUNT/again" 2>>errors && sync "$MOUNT/again" 2>>errors; }
wait_for 90 fits
cmp again "$MOUNT/again"
cmp kept "$MOUNT/kept"
cmp last "$MOUNT/fill$written"
"$CLUSTER" status --dir "$STORE" >table || fail "$(cat table)"
