#!/bin/bash
# A real source archive of 6,700 files, unpacked on the mount, is the same as unpacked locally: bytes, modes, owners, times,
# links, attributes; also after a remount. Then it is copied, moved and removed.
# timeout: 600
source "$E2E_LIB"
archive=$(echo /usr/src/newlib/newlib-*.tar.xz)

step "unpack $archive locally and on the mount"
mkdir local "$MOUNT/tree"
tar -xf "$archive" -C local
tar -xf "$archive" -C "$MOUNT/tree"
files=$(find "$MOUNT/tree" -type f | wc -l)
((files >= 5000)) || fail "only $files files"
touch -r local "$MOUNT/tree"
expect_same_tree local "$MOUNT/tree"

step "links, attributes, times and special files ($files files so far)"
decorate() {
    local top=$1/newlib-salsa
    ln "$top/configure" "$top/hard1"
    ln "$top/configure" "$top/libgloss/hard2"
    ln -s ../nowhere "$top/dangling"
    ln -s "$(printf 'x%.0s' {1..1000})" "$top/longlink"
    ln -s configure "$top/symlink"
    mkfifo -m 640 "$top/fifo"
    mknod -m 600 "$top/device" c 1 3
    : >"$top/empty"
    truncate -s 5T "$top/sparse"
    printf tail | dd of="$top/sparse" bs=1 seek=3000000000 conv=notrunc status=none
    truncate -s 4G "$top/sparse"
    chmod 4755 "$top/configure"
    chmod 2770 "$top/libgloss"
    chmod 1777 "$top/newlib"
    chown 1234:4321 "$top/COPYING"*
    chown -h 77:88 "$top/symlink"
    setfattr -n user.colour -v blue "$top/COPYING.LIBGLOSS"
    setfattr -n user.empty "$top/COPYING.LIBGLOSS"
    setfattr -n user.binary -v 0x00ff00 "$top/newlib"
    setfattr -n trusted.secret -v yes "$top/COPYING.LIBGLOSS"
    printf 'name with\nnewline' >"$top/a"$'\n'"b \\ \"c\" *"
    : >"$top/$(printf 'n%.0s' {1..255})"
    touch -h -d '2001-02-03 04:05:06.7' "$top"/* "$top" "$1"
    touch -d '1999-12-31 23:59:59.123456789' "$top/configure.ac"
    touch -h -d '2038-01-20 00:00:00.000000001' "$top/symlink"
    touch -d '1960-01-01 00:00:00.5' "$top/empty"
}
decorate local
decorate "$MOUNT/tree"
expect_eq "$(stat -c %h "$MOUNT/tree/newlib-salsa/configure")" 3 "links of a file with three names"
[[ $MOUNT/tree/newlib-salsa/hard1 -ef $MOUNT/tree/newlib-salsa/libgloss/hard2 ]] || fail "two names of one file are two files"
# rsync would read 4 GiB of zeros on both sides: sparse files are compared by their data.
expect_eq "$(stat -c %s "$MOUNT/tree/newlib-salsa/sparse")" 4294967296 "size of the sparse file"
(($(stat -c %b "$MOUNT/tree/newlib-salsa/sparse") < 1000000)) || fail "the sparse file takes up space"
expect_eq "$(dd if="$MOUNT/tree/newlib-salsa/sparse" bs=1 skip=3000000000 count=4 status=none)" tail "data in the sparse file"
expect_eq "$(head -c 1000000 "$MOUNT/tree/newlib-salsa/sparse" | tr -d '\0' | wc -c)" 0 "what is not zero in the hole"
rm local/newlib-salsa/sparse "$MOUNT/tree/newlib-salsa/sparse"
touch -d '2001-02-03 04:05:06.7' local/newlib-salsa "$MOUNT/tree/newlib-salsa"
expect_same_tree local "$MOUNT/tree"

step "the same after a remount"
"$CLUSTER" remount --dir "$STORE"
expect_same_tree local "$MOUNT/tree"

step "copied inside the mount by cp -a, and rsynced in from outside"
cp -a "$MOUNT/tree" "$MOUNT/copy"
expect_same_tree local "$MOUNT/copy"
rsync -aHAX local/ "$MOUNT/synced"
expect_eq "$(rsync -aHAXn --checksum --delete --itemize-changes local/ "$MOUNT/synced/")" "" "difference after rsync"

step "moved, and removed"
mv "$MOUNT/copy/newlib-salsa/newlib" "$MOUNT/moved"
diff -r --no-dereference local/newlib-salsa/newlib "$MOUNT/moved"
rm -rf "${MOUNT:?}"/*
expect_eq "$(ls -A "$MOUNT")" "" "the volume's root"
few_inodes() { (($(gabion --json volume show main | sed -n 's/^ *"inodes": \([0-9]*\).*/\1/p') <= 1)); }
wait_for 60 few_inodes
