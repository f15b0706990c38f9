#!/bin/bash
# scripts/quickstart as a new user runs it: up, again, use it, --down keeps the files, up again, --destroy removes them.
# cluster: none
# timeout: 600
source "$E2E_LIB"
export GABION_QUICKSTART_DIR=$WORK/quickstart GABION_QUICKSTART_MOUNT=$WORK/mnt
uring=/sys/module/fuse/parameters/enable_uring
uring_before=$(cat $uring 2>/dev/null || true)
quickstart() { "$ROOT/scripts/quickstart" "$@" >quickstart.log 2>&1 || fail "quickstart $*: $(tail -n 30 quickstart.log)"; }
trap '(($? == 0)) || cat quickstart.log; "$ROOT/scripts/quickstart" --destroy >/dev/null 2>&1 || true' EXIT

step "first run"
quickstart
cat quickstart.log
expect_has "$(cat quickstart.log)" "Gabion is mounted at $WORK/mnt" "what it prints"
expect_eq "$(findmnt -n -o FSTYPE "$WORK/mnt")" fuse.gabion "file system type"
cp -r "$ROOT/docs" mnt/docs
diff -r "$ROOT/docs" mnt/docs

step "the commands it prints work"
grep -E '^  .*(gabion --metaserver|cluster (kill|start)|findmnt)' quickstart.log | sed 's/#.*//' >commands
expect_eq "$(wc -l <commands)" 4 "commands printed"
bash -e commands >commands.log 2>&1 || fail "$(cat commands.log)"
diff -r "$ROOT/docs" mnt/docs

step "again"
quickstart
diff -r "$ROOT/docs" mnt/docs

step "--down keeps the files"
quickstart --down
! findmnt "$WORK/mnt" || fail "still mounted"
expect_eq "$(cat $uring 2>/dev/null || true)" "$uring_before" "enable_uring after --down"
quickstart --down
quickstart
diff -r "$ROOT/docs" mnt/docs

step "--destroy removes them"
quickstart --destroy
[[ ! -e $WORK/quickstart ]] || fail "left behind: $(find "$WORK/quickstart" | head)"
[[ ! -e $WORK/mnt ]] || fail "the mount point is left behind"
quickstart --destroy
