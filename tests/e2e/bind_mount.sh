#!/bin/bash
# What is mounted on a directory of the mount stays there, whatever another mount does around it, and so does a working
# directory: taking back leases must not make the kernel drop its entries.
# mounts: 2
# timeout: 120
source "$E2E_LIB"

mkdir -p "$MOUNT/d/sub/deep" outside
echo outside >outside/file
mount --bind outside "$MOUNT/d/sub"
trap 'umount "$MOUNT/d/sub" 2>/dev/null || true' EXIT

step "another mount changes everything around a mount point"
look() { stat "$MOUNT" "$MOUNT/d" "$MOUNT/d/sub/file" "$MOUNT/d/absent" >/dev/null 2>&1 || true; }
for i in {1..5}; do
    look
    touch "$MOUNT2/d/new$i" "$MOUNT2/other$i"
    chmod 0711 "$MOUNT2/d" "$MOUNT2/d/sub"
    mv "$MOUNT2/d/new$i" "$MOUNT2/d/absent"
    expect_eq "$(cat "$MOUNT/d/sub/file")" outside "the file in what is mounted there"
    expect_eq "$(stat -c %a "$MOUNT/d")" 711 "the directory's mode"
    rm "$MOUNT2/d/absent"
    chmod 0755 "$MOUNT2/d" "$MOUNT2/d/sub"
done
findmnt -n "$MOUNT/d/sub" >/dev/null || fail "it is not mounted any more"
umount "$MOUNT/d/sub"

step "a working directory keeps its path"
cd "$MOUNT/d/sub/deep"
look
touch "$MOUNT2/d/sub/new" "$MOUNT2/d/sub/deep/new"
expect_eq "$(/bin/pwd)" "$MOUNT/d/sub/deep" "the working directory"
expect_eq "$(ls)" new "what is in it"
