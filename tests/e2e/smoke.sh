#!/bin/bash
# The way through everything: mount, files, the command line, remount, restart of every process, a second client.
# timeout: 180
source "$E2E_LIB"

step "the mount's name and type"
expect_eq "$(findmnt -n -o FSTYPE "$MOUNT")" fuse.gabion "file system type"
source=$(findmnt -n -o SOURCE "$MOUNT")
expect_eq "$source" "$GABION_METASERVER:/main" "source"

step "a file and a directory"
mkdir "$MOUNT/dir"
echo hello >"$MOUNT/dir/file"
expect_eq "$(cat "$MOUNT/dir/file")" hello "content"
expect_eq "$(stat -c '%F %s %a' "$MOUNT/dir/file")" "regular file 6 644" "stat"
head -c 10000000 /dev/urandom >big
cp big "$MOUNT/big"
cmp big "$MOUNT/big"
stat -f "$MOUNT" >/dev/null
(($(df --output=avail "$MOUNT" | tail -n 1) > 0)) || fail "df says that there is no space"

step "the gabion command"
expect_has "$(gabion status)" "3 of 3 up" "status"
gabion --json status | python3 -c '
import json, sys
status = json.load(sys.stdin)
assert status["health"] == "ok", status
assert len(status["servers"]) == 3 and all(server["alive"] for server in status["servers"]), status
assert status["volumes"][0]["name"] == "main" and status["volumes"][0]["replicas"] == 3, status
assert status["sessions"] == 1, status
'
expect_has "$(gabion volume create second --replicas 2)" "created volume second" "create"
expect_has "$(gabion volume list)" second "list"
expect_has "$(gabion volume show second)" "replicas  2" "show"
expect_refused "creating it again" "second" gabion volume create second
expect_refused "showing what is not there" "nosuch" gabion volume show nosuch
expect_refused "deleting without --yes" "--yes" gabion volume delete second
expect_has "$(gabion volume delete second --yes)" "deleted volume second" "delete"
[[ $(gabion volume list) != *second* ]] || fail "the deleted volume is still listed"
expect_refused "an unreachable metaserver" "127.0.0.1:1" gabion --metaserver 127.0.0.1:1 --timeout 1 status
expect_has "$(gabion server list)" "127.0.0.1" "server list"

step "clients"
expect_has "$(gabion client list --volume main)" "$MOUNT" "client list"
expect_refused "clients of a volume that is not there" "nosuch" gabion client list --volume nosuch
session=$(gabion --json client list | python3 -c '
import json, sys
clients = json.load(sys.stdin)
assert len(clients) == 1 and clients[0]["state"] == "active" and clients[0]["volume"] == "main", clients
print(clients[0]["session_id"])
')
expect_has "$(gabion client show "$session")" "to write" "client show"
expect_refused "a session that is not there" "no client has session 999999" gabion client evict 999999

step "an evicted client goes on without remount"
echo hello >"$MOUNT/dir/open"
exec 5>>"$MOUNT/dir/open"
sync "$MOUNT/dir/open"
expect_has "$(gabion client evict "$session")" "is evicted" "client evict"
echo more >&5
exec 5>&-
expect_eq "$(cat "$MOUNT/dir/open")" $'hello\nmore' "content after the eviction"
cmp big "$MOUNT/big"
gabion --json client show "$session" | python3 -c '
import json, sys
client = json.load(sys.stdin)
assert client["state"] == "active" and client["evictions"] == 1, client
'

step "what findmnt shows is what a second mount takes"
mkdir second
gabion-mount "$source" "$WORK/second"
expect_eq "$(cat second/dir/file)" hello "content in the second mount"
umount second
gabion-mount "$source/dir" "$WORK/second"
expect_eq "$(cat second/file)" hello "content in the mount of a subdirectory"
expect_eq "$(findmnt -n -o SOURCE "$WORK/second")" "$source/dir" "source of the mount of a subdirectory"
umount second

step "up again changes nothing"
"$CLUSTER" up --dir "$STORE" >/dev/null
cmp big "$MOUNT/big"

step "remount"
"$CLUSTER" remount --dir "$STORE"
cmp big "$MOUNT/big"
expect_eq "$(cat "$MOUNT/dir/file")" hello "content after remount"

step "a killed client is replaced"
"$CLUSTER" kill --dir "$STORE" client
! "$CLUSTER" status --dir "$STORE" >table || fail "status does not see that the client is dead"
grep -q '^client .*stopped' table || fail "status says: $(cat table)"
"$CLUSTER" start --dir "$STORE" client
expect_eq "$(cat "$MOUNT/dir/file")" hello "content after the client's death"

step "down and up keep the files"
"$CLUSTER" down --dir "$STORE"
! findmnt "$MOUNT" || fail "still mounted"
"$CLUSTER" up --dir "$STORE"
cmp big "$MOUNT/big"

step "deleted files give their space back"
rm -r "$MOUNT/big" "$MOUNT/dir"
expect_eq "$(ls -A "$MOUNT")" "" "the volume's root"
no_garbage() { [[ $(gabion --json status | sed -n 's/^ *"garbage_chunks": \([0-9]*\).*/\1/p') == 0 ]]; }
wait_for 60 no_garbage
