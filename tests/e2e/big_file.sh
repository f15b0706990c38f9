#!/bin/bash
# A file of 2 GiB, written and read after a remount: SHA-256 equal. Parts of it too, overwritten and truncated.
# timeout: 600
source "$E2E_LIB"
file=$MOUNT/big

step "write 2 GiB"
head -c 2G /dev/urandom | tee "$file" | sha256sum >sum.written
expect_eq "$(stat -c %s "$file")" 2147483648 "size"
sync -d "$file"

step "remount and read"
"$CLUSTER" remount --dir "$STORE"
sha256sum <"$file" >sum.read
cmp sum.written sum.read

step "overwrite across chunk boundaries, read the parts back"
head -c 9000000 /dev/urandom >part
for offset in 67108864 134217000 1999999999; do
    dd if=part of="$file" bs=1M seek="$offset" oflag=seek_bytes conv=notrunc status=none
    dd if="$file" bs=1M skip="$offset" count=9000000 iflag=skip_bytes,count_bytes status=none | cmp - part
done
"$CLUSTER" remount --dir "$STORE"
for offset in 67108864 134217000 1999999999; do
    dd if="$file" bs=1M skip="$offset" count=9000000 iflag=skip_bytes,count_bytes status=none | cmp - part
done
expect_eq "$(stat -c %s "$file")" 2147483648 "size after overwriting"

step "truncate, grow again: zeros, nothing of what was there"
truncate -s 100000001 "$file"
truncate -s 300000000 "$file"
"$CLUSTER" remount --dir "$STORE"
expect_eq "$(tail -c +100000002 "$file" | tr -d '\0' | wc -c)" 0 "bytes that are not zero beyond the cut"
expect_eq "$(stat -c %s "$file")" 300000000 "size after growing"
rm "$file"
