#!/bin/bash
# The disk of one of four chunkservers is full: nobody notices. All are full: the writer gets ENOSPC, what was written is
# there, deleting frees space, and writing goes on.
# cluster: none
# timeout: 600
source "$E2E_LIB"
MOUNT=$WORK.mnt1
DISK_MIB=600
end() {
    "$CLUSTER" down --dir "$STORE" --destroy
    for number in 1 2 3 4; do umount "$WORK/disk$number" || true; done
}
trap '(($? == 0)) || tail -n 30 "$STORE"/log/*; end' EXIT

# Something else takes what is left; again after something was freed.
fill_disk() { dd if=/dev/zero of="$WORK/disk$1/other" bs=1M oflag=append conv=notrunc status=none 2>/dev/null || true; }
write_file() { dd if=part of="$MOUNT/$1" bs=1M conv=fsync status=none; }

step "four chunkservers with $DISK_MIB MiB each"
for number in 1 2 3 4; do
    mkdir -p "disk$number" "$STORE"
    mount -t tmpfs -o size=${DISK_MIB}m gabion-e2e "disk$number"
    mkdir "disk$number/data"
    ln -s "$WORK/disk$number/data" "$STORE/chunkserver.$number"
done
"$CLUSTER" up --dir "$STORE" --mount "$MOUNT" --preset "$PRESET" --chunkservers 4 --replicas 3
head -c 10000000 /dev/urandom >part
for i in $(seq 1 10); do write_file "before$i"; done

step "one disk is full: new files, and old ones written again"
fill_disk 1
for i in $(seq 1 15); do
    write_file "new$i" || fail "file $i: $(df -h "$WORK"/disk*)"
    write_file "before$((i % 10 + 1))" || fail "overwriting before$((i % 10 + 1))"
done
for i in $(seq 1 10); do cmp part "$MOUNT/before$i"; done
for i in $(seq 1 15); do cmp part "$MOUNT/new$i"; done

step "all disks are full"
# What was overwritten is freed a moment later: then the first may fit.
for i in $(seq 1 10); do
    for number in 1 2 3 4; do fill_disk "$number"; done
    error=$(timeout -s KILL 60 dd if=part of="$MOUNT/too_much$i" bs=1M conv=fsync status=none 2>&1) || break
    error="it fits, $i times"
done
[[ $error == *"No space left on device"* ]] || fail "$error"
for i in $(seq 1 10); do cmp part "$MOUNT/before$i"; done
for i in $(seq 1 15); do cmp part "$MOUNT/new$i"; done

step "deleting frees, and writing goes on"
rm "$MOUNT"/new* "$MOUNT"/too_much*
wait_for 200 write_file again
cmp part "$MOUNT/again"
for i in $(seq 1 10); do cmp part "$MOUNT/before$i"; done
