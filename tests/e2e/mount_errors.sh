#!/bin/bash
# What gabion-mount says when it cannot mount: one line, an exit code, no mount left behind. And the other ways to mount:
# mount -t gabion, fstab, an ordinary user, in the foreground; SIGTERM unmounts.
# timeout: 300
source "$E2E_LIB"
ADDRESS=$GABION_METASERVER
HELPER=/sbin/mount.gabion
mkdir -p there
trap '[[ ! ${HELPER_MADE-} ]] || rm -f "$HELPER"' EXIT

step "errors"
refuses() { expect_refused "$1" "$2" timeout 60 gabion-mount "${@:3}"; }
refuses "nobody listens" "127.0.0.1:1" 127.0.0.1:1:/main there -o connect_timeout=1
refuses "no such host" "no-such-host.invalid" no-such-host.invalid:/main there -o connect_timeout=1
refuses "unknown volume" "nosuch" "$ADDRESS:/nosuch" there
refuses "unknown subdirectory" "nosuchdir" "$ADDRESS:/main/nosuchdir" there
refuses "bad option" "nonsense" "$ADDRESS:/main" there -o nonsense
refuses "bad value" "transport" "$ADDRESS:/main" there -o transport=carrier-pigeon
refuses "no mount point" "missing" "$ADDRESS:/main" missing
: >file
refuses "a mount point that is no directory" "file" "$ADDRESS:/main" file
refuses "no source" "HOST:PORT" there
refuses "a source without a volume" "HOST:PORT" "$ADDRESS" there
refuses "a bad port" "99999" 127.0.0.1:99999:/main there

step "something on the port that is no metaserver"
python3 - garbage.port <<'PYTHON' &
import os, socket, sys
server = socket.create_server(("127.0.0.1", 0))
with open(sys.argv[1] + ".new", "w") as file:
    file.write(str(server.getsockname()[1]))
os.rename(sys.argv[1] + ".new", sys.argv[1])
while True:
    connection, _ = server.accept()
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 100)
    connection.close()
PYTHON
garbage=$!
wait_for 10 test -e garbage.port
refuses "garbage on the port" "$(cat garbage.port)" "127.0.0.1:$(cat garbage.port):/main" there -o connect_timeout=2
kill "$garbage"
wait "$garbage" || true
expect_eq "$(awk -v at="$WORK/there" '$5 == at' /proc/self/mountinfo)" "" "mounts left behind"

step "the second of two metaservers answers"
gabion-mount "127.0.0.1:1,$ADDRESS:/main" there
echo x >there/via-second
expect_eq "$(cat "$MOUNT/via-second")" x "content"
umount there

step "garbage to the servers' ports does not hurt them"
for port in $(gabion --json server list | sed -n 's/.*"endpoint": "127.0.0.1:\([0-9]*\)".*/\1/p') "${ADDRESS##*:}"; do
    head -c 100000 /dev/urandom >"/dev/tcp/127.0.0.1/$port" 2>/dev/null || true
    printf 'GET / HTTP/1.0\r\n\r\n' >"/dev/tcp/127.0.0.1/$port" || true
done
echo y >"$MOUNT/after-garbage"
expect_eq "$(cat "$MOUNT/after-garbage")" y "content"

step "the foreground, and SIGTERM"
gabion-mount "$ADDRESS:/main" there -f >foreground.log 2>&1 &
client=$!
wait_for 20 mountpoint -q there
echo z >there/foreground
kill -TERM "$client"
code=0
wait "$client" || code=$?
expect_eq "$code" 0 "exit code after SIGTERM ($(cat foreground.log))"
! mountpoint -q there || fail "still mounted after SIGTERM"
expect_eq "$(cat "$MOUNT/foreground")" z "content"

step "read-only"
gabion-mount "$ADDRESS:/main" there -o ro
expect_eq "$(cat there/foreground)" z "content"
! touch there/new 2>ro.log || fail "a read-only mount takes writes"
expect_has "$(cat ro.log)" "Read-only file system" "the writer's error"
umount there

step "mount -t gabion and fstab"
if [[ -e $HELPER ]]; then
    echo "   $HELPER is there already; left as it is"
else
    ln -s "$BUILD/gabion-mount" "$HELPER"
    HELPER_MADE=yes
fi
mount -t gabion "$ADDRESS:/main" there
expect_eq "$(findmnt -n -o FSTYPE,SOURCE there | tr -s ' ')" "fuse.gabion $ADDRESS:/main" "findmnt"
umount there
echo "$ADDRESS:/main $WORK/there gabion noauto,_netdev,noatime 0 0" >fstab
mount --fstab fstab there
expect_eq "$(cat there/foreground)" z "content"
umount there

step "an ordinary user"
install -d -o nobody -g nogroup -m 755 user
install -d -o nobody -g nogroup "$MOUNT/theirs"
chmod 755 "$WORK"
echo root >"$MOUNT/roots"
as_user() { setpriv --reuid nobody --regid nogroup --clear-groups env HOME="$WORK/user" PATH="$PATH" "$@"; }
user_mounts() {
    source "$E2E_LIB"
    # As udev has it: everybody may open it. Only in this mount namespace.
    mknod -m 666 "$WORK/fuse" c 10 229
    mount --bind "$WORK/fuse" /dev/fuse
    as_user gabion-mount "$ADDRESS:/main" "$WORK/user"
    as_user bash -c "echo mine >'$WORK/user/theirs/file'"
    expect_eq "$(cat "$MOUNT/theirs/file")" mine "content"
    expect_eq "$(stat -c %U "$MOUNT/theirs/file")" nobody "owner"
    ! as_user bash -c "echo no >'$WORK/user/roots'" 2>denied || fail "an ordinary user overwrote root's file"
    expect_has "$(cat denied)" "Permission denied" "the error"
    as_user fusermount3 -u "$WORK/user"
}
if as_user test -x "$BUILD/gabion-mount"; then
    export ADDRESS MOUNT
    export -f as_user user_mounts
    unshare --mount --propagation private bash -c user_mounts
else
    echo "   skipped: user nobody cannot run the programs in $BUILD"
    echo mine >"$MOUNT/theirs/file"
fi

step "a second mount at the same place is refused, one inside the first is not"
gabion-mount "$ADDRESS:/main" there
refuses "a mount point that is taken" "already mounted" "$ADDRESS:/main" there
mkdir "$MOUNT/inner"
gabion-mount "$ADDRESS:/main/theirs" there/inner
expect_eq "$(ls there/inner)" file "what the inner mount shows"
umount there/inner
expect_eq "$(ls there/inner)" "" "what is below the inner mount"
expect_eq "$(cat there/foreground)" z "what the outer mount shows"
umount there
expect_eq "$(awk -v at="$WORK/there" 'index($5, at) == 1' /proc/self/mountinfo)" "" "mounts left behind"
sessions() { [[ $(gabion --json status | sed -n 's/^  "sessions": \([0-9]*\).*/\1/p') == 1 ]]; }
wait_for 30 sessions
