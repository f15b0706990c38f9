#!/usr/bin/env python3
# POSIX rules for names and permissions, as root and as ordinary users: who may do what, and with which error it is refused.
# timeout: 300
import errno
import os
import stat

from e2e import expect, expect_eq, raises, write_file
from posix_cases import as_user, in_own_folder, mode_of, rename2, run_cases

ALICE, BOB, SHARED = 12001, 12002, 12100
NOREPLACE, EXCHANGE = 1, 2


@in_own_folder
def permission_bits_of_owner_group_and_others():
    write_file("f", b"x")
    os.chown("f", ALICE, SHARED)
    for mode, reads, writes in (
        (0o400, "a", ""), (0o200, "", "a"), (0o040, "s", ""), (0o020, "", "s"), (0o004, "o", ""), (0o002, "", "o"),
        # The owner is judged by the owner's bits only, the group by the group's.
        (0o077, "so", "so"), (0o707, "ao", "ao"),
    ):
        os.chmod("f", mode)
        users = {"a": (ALICE, [ALICE]), "s": (BOB, [SHARED]), "o": (BOB, [BOB])}
        for key, (uid, groups) in users.items():
            with as_user(uid, groups) as user:
                for flags, allowed in ((os.O_RDONLY, reads), (os.O_WRONLY, writes)):
                    if key in allowed:
                        user(lambda flags=flags: os.close(os.open("f", flags)))
                    else:
                        user(lambda flags=flags: raises(errno.EACCES, os.open, "f", flags))


@in_own_folder
def supplementary_groups_count():
    os.mkdir("d")
    os.chown("d", 0, SHARED)
    os.chmod("d", 0o770)
    with as_user(BOB, [BOB, 5000, 5001, SHARED]) as user:
        user(lambda: write_file("d/f", b"mine"))
    with as_user(BOB, [BOB, 5000, 5001]) as user:
        user(lambda: raises(errno.EACCES, write_file, "d/g", b""))


@in_own_folder
def access_follows_the_bits():
    write_file("f", b"")
    os.chmod("f", 0o640)
    os.chown("f", ALICE, SHARED)
    with as_user(BOB, [SHARED]) as user:
        user(lambda: expect(os.access("f", os.R_OK), "R_OK"))
        user(lambda: expect(not os.access("f", os.W_OK), "W_OK"))
        user(lambda: expect(not os.access("f", os.X_OK), "X_OK"))
    expect(not os.access("f", os.X_OK), "root may not execute what nobody may")


@in_own_folder
def directories_need_write_and_search():
    os.mkdir("d", 0o755)
    os.chown("d", ALICE, ALICE)
    write_file("d/f", b"")
    with as_user(BOB) as user:
        user(lambda: raises(errno.EACCES, write_file, "d/g", b""))
        user(lambda: raises(errno.EACCES, os.unlink, "d/f"))
        user(lambda: raises(errno.EACCES, os.mkdir, "d/e"))
        user(lambda: raises(errno.EACCES, os.symlink, "x", "d/l"))
        user(lambda: raises(errno.EACCES, os.rename, "d/f", "d/g"))
    for mode, may_list, may_pass in ((0o744, True, False), (0o711, False, True)):
        os.chmod("d", mode)
        with as_user(BOB) as user:
            user((lambda: os.listdir("d")) if may_list else (lambda: raises(errno.EACCES, os.listdir, "d")))
            user((lambda: os.stat("d/f")) if may_pass else (lambda: raises(errno.EACCES, os.stat, "d/f")))


@in_own_folder
def sticky_directories_protect_others_files():
    os.mkdir("tmp")
    os.chmod("tmp", 0o1777)
    with as_user(ALICE) as user:
        user(lambda: write_file("tmp/hers", b""))
        user(lambda: os.mkdir("tmp/dir"))
    with as_user(BOB) as user:
        user(lambda: write_file("tmp/his", b""))
        for name in ("tmp/hers", "tmp/dir"):
            user(lambda name=name: raises(errno.EPERM, os.rename, name, "tmp/moved"))
        user(lambda: raises(errno.EPERM, os.unlink, "tmp/hers"))
        user(lambda: raises(errno.EPERM, os.rmdir, "tmp/dir"))
        user(lambda: raises(errno.EPERM, os.rename, "tmp/his", "tmp/hers"))
        user(lambda: os.rename("tmp/his", "tmp/mine"))
        user(lambda: os.unlink("tmp/mine"))
    with as_user(ALICE) as user:
        user(lambda: os.rename("tmp/hers", "tmp/still-hers"))
        user(lambda: os.unlink("tmp/still-hers"))
    # The directory's owner may remove what is in it.
    os.chown("tmp", BOB, BOB)
    with as_user(BOB) as user:
        user(lambda: os.rmdir("tmp/dir"))


@in_own_folder
def setgid_directories_hand_their_group_down():
    os.mkdir("d")
    os.chown("d", 0, SHARED)
    os.chmod("d", 0o2777)
    with as_user(ALICE) as user:
        user(lambda: write_file("d/f", b""))
        user(lambda: os.mkdir("d/sub", 0o755))
        user(lambda: os.symlink("x", "d/l"))
    expect_eq((os.stat("d/f").st_uid, os.stat("d/f").st_gid), (ALICE, SHARED), "owner of a file")
    expect_eq(mode_of("d/sub"), 0o2755, "mode of a directory")
    expect_eq(os.stat("d/sub").st_gid, SHARED, "group of a directory")
    expect_eq(os.lstat("d/l").st_gid, SHARED, "group of a symbolic link")


@in_own_folder
def only_the_owner_changes_mode_and_times():
    write_file("f", b"")
    os.chown("f", ALICE, ALICE)
    os.chmod("f", 0o666)
    with as_user(BOB) as user:
        user(lambda: raises(errno.EPERM, os.chmod, "f", 0o600))
        user(lambda: raises(errno.EPERM, os.utime, "f", (1, 1)))
        user(lambda: os.utime("f"))  # to now: whoever may write
    os.chmod("f", 0o644)
    with as_user(BOB) as user:
        user(lambda: raises(errno.EACCES, os.utime, "f"))
    with as_user(ALICE) as user:
        user(lambda: os.chmod("f", 0o600))
        user(lambda: os.utime("f", (1, 1)))
    expect_eq((mode_of("f"), os.stat("f").st_mtime), (0o600, 1), "mode and mtime")


@in_own_folder
def only_root_gives_files_away():
    write_file("f", b"")
    os.chown("f", ALICE, ALICE)
    with as_user(ALICE, [ALICE, SHARED]) as user:
        user(lambda: raises(errno.EPERM, os.chown, "f", BOB, -1))
        user(lambda: raises(errno.EPERM, os.chown, "f", -1, 777))
        user(lambda: os.chown("f", -1, SHARED))
        user(lambda: os.chown("f", ALICE, -1))
    with as_user(BOB, [BOB, SHARED]) as user:
        user(lambda: raises(errno.EPERM, os.chown, "f", -1, BOB))
    expect_eq((os.stat("f").st_uid, os.stat("f").st_gid), (ALICE, SHARED), "owner")


@in_own_folder
def suid_and_sgid_are_lost_by_chown_write_and_truncate():
    def fresh():
        write_file("f", b"#!")
        os.chown("f", ALICE, SHARED)
        os.chmod("f", 0o6777)

    fresh()
    with as_user(ALICE, [SHARED]) as user:
        user(lambda: os.chown("f", -1, SHARED))
    expect_eq(mode_of("f"), 0o777, "mode after chown")
    fresh()
    with as_user(BOB) as user:
        user(lambda: append("f", b"x"))
    expect_eq(mode_of("f"), 0o777, "mode after a write by another")
    fresh()
    with as_user(BOB) as user:
        user(lambda: os.truncate("f", 1))
    expect_eq(mode_of("f"), 0o777, "mode after a truncate by another")
    fresh()
    append("f", b"x")
    expect_eq(mode_of("f"), 0o6777, "mode after a write by root")


def append(path, data):
    with open(path, "ab") as file:
        file.write(data)


@in_own_folder
def sgid_is_refused_to_strangers_of_the_group():
    write_file("f", b"")
    os.chown("f", ALICE, SHARED)
    with as_user(ALICE) as user:
        user(lambda: os.chmod("f", 0o2755))
    expect_eq(mode_of("f"), 0o755, "mode")


@in_own_folder
def umask_applies():
    old = os.umask(0o027)
    write_file("f", b"")
    os.mkdir("d")
    os.umask(old)
    expect_eq((mode_of("f"), mode_of("d")), (0o640, 0o750), "modes")


@in_own_folder
def rename_replaces_and_refuses():
    for name in ("dir", "empty", "full", "full/sub"):
        os.mkdir(name)
    for name in ("file", "other"):
        write_file(name, name.encode())
    raises(errno.EISDIR, os.rename, "file", "empty")
    raises(errno.ENOTDIR, os.rename, "dir", "file")
    raises(errno.ENOTEMPTY, os.rename, "dir", "full")
    raises(errno.EINVAL, os.rename, "full", "full/sub/below-itself")
    raises(errno.EINVAL, os.rename, "full", "full/inside")
    raises(errno.ENOENT, os.rename, "missing", "file")
    raises(errno.ENOENT, os.rename, "file", "missing/file")
    raises(errno.ENOTDIR, os.rename, "file", "other/file")
    os.rename("file", "other")
    expect_eq(open("other", "rb").read(), b"file", "content")
    os.rename("dir", "empty")
    expect_eq(sorted(os.listdir(".")), ["empty", "full", "other"], "names")
    os.rename("other", "other")
    os.link("other", "twin")
    os.rename("other", "twin")  # two names of one file: nothing happens
    expect_eq(sorted(os.listdir(".")), ["empty", "full", "other", "twin"], "names")


@in_own_folder
def rename_of_a_directory_needs_write_to_it_when_its_parent_changes():
    os.mkdir("from")
    os.mkdir("to")
    os.mkdir("from/d")
    for name in ("from", "to"):
        os.chmod(name, 0o777)
    os.chown("from/d", BOB, BOB)
    os.chmod("from/d", 0o755)
    with as_user(ALICE) as user:
        user(lambda: raises(errno.EACCES, os.rename, "from/d", "to/d"))
        user(lambda: os.rename("from/d", "from/e"))


@in_own_folder
def rename_with_flags():
    write_file("f", b"f")
    write_file("g", b"g")
    os.mkdir("d")
    expect_eq(rename2("f", "g", NOREPLACE), errno.EEXIST, "NOREPLACE onto a file")
    expect_eq(rename2("f", "h", NOREPLACE), 0, "NOREPLACE onto nothing")
    expect_eq(rename2("h", "g", EXCHANGE), 0, "EXCHANGE of files")
    expect_eq((open("h", "rb").read(), open("g", "rb").read()), (b"g", b"f"), "contents")
    expect_eq(rename2("h", "d", EXCHANGE), 0, "EXCHANGE of a file and a directory")
    expect(os.path.isdir("h") and os.path.isfile("d"), "types")
    expect_eq(rename2("g", "missing", EXCHANGE), errno.ENOENT, "EXCHANGE with nothing")
    expect_eq(rename2("g", "h", NOREPLACE | EXCHANGE), errno.EINVAL, "both flags")


@in_own_folder
def links_of_directories_follow_renames():
    os.makedirs("a/sub")
    os.mkdir("b")
    os.rename("a/sub", "b/sub")
    expect_eq((os.stat("a").st_nlink, os.stat("b").st_nlink), (2, 3), "links")
    os.mkdir("a/sub")
    os.rename("a/sub", "b/sub")
    expect_eq((os.stat("a").st_nlink, os.stat("b").st_nlink), (2, 3), "links after replacing")
    os.rmdir("b/sub")
    expect_eq(os.stat("b").st_nlink, 2, "links after rmdir")


@in_own_folder
def wrong_kinds_are_refused():
    os.mkdir("d")
    write_file("f", b"")
    os.symlink("f", "l")
    raises(errno.EISDIR, os.unlink, "d")
    raises(errno.ENOTDIR, os.rmdir, "f")
    raises(errno.ENOTDIR, os.rmdir, "l")
    raises(errno.EPERM, os.link, "d", "d2")
    raises(errno.EISDIR, os.open, "d", os.O_WRONLY)
    raises(errno.ENOTDIR, os.open, "f", os.O_RDONLY | os.O_DIRECTORY)
    raises(errno.ENOTDIR, os.stat, "f/x")
    raises(errno.ENOTDIR, os.listdir, "f")
    raises(errno.ELOOP, os.open, "l", os.O_RDONLY | os.O_NOFOLLOW)
    raises(errno.EINVAL, os.readlink, "f")
    raises(errno.EISDIR, os.truncate, "d", 0)
    write_file("d/f", b"")
    raises(errno.ENOTEMPTY, os.rmdir, "d")
    raises(errno.EINVAL, os.rmdir, "d/.")
    raises(errno.ENOTEMPTY, os.rmdir, "d/..")


@in_own_folder
def what_exists_is_not_made_again():
    os.mkdir("d")
    write_file("f", b"")
    os.symlink("nowhere", "dangling")
    for name in ("d", "f", "dangling"):
        raises(errno.EEXIST, os.mkdir, name)
        raises(errno.EEXIST, os.symlink, "x", name)
        raises(errno.EEXIST, os.mkfifo, name)
        raises(errno.EEXIST, os.open, name, os.O_CREAT | os.O_EXCL)
    for name in ("d", "dangling"):
        raises(errno.EEXIST, os.link, "f", name)
    os.close(os.open("dangling", os.O_CREAT | os.O_WRONLY))
    expect(os.path.isfile("nowhere"), "O_CREAT through a dangling link makes its target")


@in_own_folder
def names_have_a_length():
    longest, too_long = "n" * 255, "n" * 256
    write_file(longest, b"x")
    os.rename(longest, "m" * 255)
    os.mkdir("d")
    for call in (
        lambda name: os.open(name, os.O_CREAT | os.O_WRONLY), os.mkdir, os.stat, os.unlink, os.rmdir, os.readlink, os.mkfifo,
        lambda name: os.symlink("x", name), lambda name: os.rename("d", name), lambda name: os.link("m" * 255, name),
    ):
        raises(errno.ENAMETOOLONG, call, too_long)
    for name in ("with space", "with\nnewline", "\u00e4\u00f6\u00fc", "back\\slash", b"\xff\xfe not utf-8", "...", "-rf"):
        write_file(name, b"")
        os.stat(name)
        os.unlink(name)
    os.symlink("t" * 4095, "l")
    expect_eq(len(os.readlink("l")), 4095, "longest target")


@in_own_folder
def loops_and_missing_parts_are_named():
    os.symlink("b", "a")
    os.symlink("a", "b")
    raises(errno.ELOOP, os.stat, "a")
    raises(errno.ELOOP, os.stat, "a/x")
    raises(errno.ENOENT, os.stat, "missing/x")
    raises(errno.ENOENT, os.open, "missing", os.O_RDONLY)
    raises(errno.ENOENT, os.symlink, "", "empty-target")
    os.symlink("missing", "dangling")
    raises(errno.ENOENT, os.stat, "dangling")


@in_own_folder
def dots_and_deep_trees():
    path = "."
    for level in range(100):
        path = f"{path}/d{level}"
        os.mkdir(path)
    write_file(path + "/bottom", b"deep")
    up = path + "/.." * 100
    expect_eq(os.stat(up).st_ino, os.stat(".").st_ino, "100 levels up again")
    expect_eq(os.stat(path + "/.").st_ino, os.stat(path).st_ino, "'.'")
    for name in (path + "/.", path + "/.."):
        raises(errno.EBUSY, os.rename, name, "x")


@in_own_folder
def removed_working_directory():
    os.mkdir("d")
    inside = os.open("d", os.O_RDONLY | os.O_DIRECTORY)
    os.rmdir("d")
    raises(errno.ENOENT, os.open, "f", os.O_CREAT | os.O_WRONLY, dir_fd=inside)
    raises(errno.ENOENT, os.mkdir, "e", dir_fd=inside)
    expect_eq(os.listdir(inside), [], "entries of a removed directory")
    expect_eq(os.fstat(inside).st_nlink, 0, "links of a removed directory")
    os.close(inside)


@in_own_folder
def special_files_keep_their_kind():
    os.mkfifo("fifo")
    os.mknod("null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    os.mknod("loop", stat.S_IFBLK | 0o600, os.makedev(7, 250))
    os.mknod("sock", stat.S_IFSOCK | 0o600)
    expect(stat.S_ISFIFO(os.stat("fifo").st_mode), "fifo")
    expect(stat.S_ISCHR(os.stat("null").st_mode) and os.stat("null").st_rdev == os.makedev(1, 3), "character device")
    expect(stat.S_ISBLK(os.stat("loop").st_mode) and os.stat("loop").st_rdev == os.makedev(7, 250), "block device")
    expect(stat.S_ISSOCK(os.stat("sock").st_mode), "socket")
    reader = os.open("fifo", os.O_RDONLY | os.O_NONBLOCK)
    writer = os.open("fifo", os.O_WRONLY)
    os.write(writer, b"through the fifo")
    expect_eq(os.read(reader, 100), b"through the fifo", "what went through the fifo")
    os.close(reader)
    os.close(writer)
    os.chmod(".", 0o777)
    with as_user(ALICE) as user:
        user(lambda: raises(errno.EPERM, os.mknod, "mine", stat.S_IFCHR | 0o600, os.makedev(1, 3)))


@in_own_folder
def unix_sockets_work():
    import socket

    server = socket.socket(socket.AF_UNIX)
    server.bind("s")
    server.listen()
    client = socket.socket(socket.AF_UNIX)
    client.connect("s")
    connection, _ = server.accept()
    client.sendall(b"hello")
    expect_eq(connection.recv(10), b"hello", "what went through the socket")
    os.unlink("s")


run_cases()
