#!/usr/bin/env python3
# Two mounts of one volume are one filesystem: what a call on one has done, the other sees at its next call. Each case below
# is a pair "A does, B sees"; every case runs in both directions. Nothing waits: what is not seen at once is a failure.
# mounts: 2
# timeout: 300
import errno
import os
import stat
import sys
import threading

from e2e import MOUNT, MOUNT2, expect, expect_eq, fail, give_name, raises, read_file, step, write_file

CASES = []


def case(function):
    CASES.append(function)
    return function


class Side:
    """One mount's view of the folder that a case has to itself."""

    def __init__(self, mount, folder):
        self.top = os.path.join(mount, folder)

    def path(self, name=""):
        return os.path.join(self.top, name) if name else self.top

    def write(self, name, data):
        write_file(self.path(name), data)

    def read(self, name):
        return read_file(self.path(name))

    def list(self, name=""):
        return sorted(os.listdir(self.path(name)))

    def stat(self, name=""):
        return os.lstat(self.path(name))

    def exists(self, name):
        return os.path.lexists(self.path(name))


def see(b, name, data):
    """B reads the content and the size that belongs to it."""
    expect_eq(b.read(name), data, f"content of {name}")
    expect_eq(b.stat(name).st_size, len(data), f"size of {name}")


# Content.


@case
def new_file(a, b):
    a.write("f", b"one")
    see(b, "f", b"one")


@case
def empty_file(a, b):
    a.write("f", b"")
    see(b, "f", b"")


@case
def new_file_after_the_other_found_nothing(a, b):
    expect(not b.exists("f"), "f is there already")
    a.write("f", b"one")
    see(b, "f", b"one")


@case
def overwritten_longer(a, b):
    a.write("f", b"one")
    see(b, "f", b"one")
    a.write("f", b"eleven")
    see(b, "f", b"eleven")


@case
def overwritten_shorter(a, b):
    a.write("f", b"eleven")
    see(b, "f", b"eleven")
    a.write("f", b"one")
    see(b, "f", b"one")


@case
def same_size_and_mtime_put_back(a, b):
    a.write("f", b"old " * 2000)
    before = b.stat("f")
    see(b, "f", b"old " * 2000)
    with open(a.path("f"), "r+b") as file:
        file.write(b"new " * 2000)
    os.utime(a.path("f"), ns=(before.st_atime_ns, before.st_mtime_ns))
    see(b, "f", b"new " * 2000)
    expect_eq(b.stat("f").st_mtime_ns, before.st_mtime_ns, "mtime")


@case
def middle_of_a_large_file(a, b):
    data = bytearray(os.urandom(3_000_000))
    a.write("f", data)
    see(b, "f", bytes(data))
    with open(a.path("f"), "r+b") as file:
        file.seek(1_234_567)
        file.write(b"X" * 10_000)
    data[1_234_567:1_244_567] = b"X" * 10_000
    see(b, "f", bytes(data))


@case
def appended(a, b):
    a.write("f", b"one ")
    see(b, "f", b"one ")
    with open(a.path("f"), "ab") as file:
        file.write(b"two")
    see(b, "f", b"one two")


@case
def appended_in_turn(a, b):
    expected = b""
    for turn in range(10):
        with open((a, b)[turn % 2].path("f"), "ab") as file:
            file.write(b"%d " % turn)
        expected += b"%d " % turn
        see((b, a)[turn % 2], "f", expected)


@case
def written_and_fsynced_while_open(a, b):
    with open(a.path("f"), "wb", buffering=0) as file:
        file.write(b"synced")
        os.fsync(file.fileno())
        see(b, "f", b"synced")
        file.write(b" more")
        os.fdatasync(file.fileno())
        see(b, "f", b"synced more")


@case
def reader_that_stays_open_sees_new_content(a, b):
    a.write("f", b"old" * 1000)
    descriptor = os.open(b.path("f"), os.O_RDONLY)
    expect_eq(os.pread(descriptor, 3, 0), b"old", "before")
    write = os.open(a.path("f"), os.O_WRONLY)
    os.pwrite(write, b"new" * 1000, 0)
    os.close(write)
    expect_eq(os.pread(descriptor, 3000, 0), b"new" * 1000, "after")
    os.close(descriptor)


@case
def reader_that_stays_open_sees_growth(a, b):
    a.write("f", b"1")
    with open(b.path("f"), "rb", buffering=0) as file:
        expect_eq(file.read(), b"1", "before")
        with open(a.path("f"), "ab") as writer:
            writer.write(b"2")
        expect_eq(os.fstat(file.fileno()).st_size, 2, "size")
        expect_eq(file.read(), b"2", "what was appended")


@case
def truncated_to_nothing(a, b):
    a.write("f", b"x" * 100_000)
    see(b, "f", b"x" * 100_000)
    os.truncate(a.path("f"), 0)
    see(b, "f", b"")


@case
def truncated_in_the_middle(a, b):
    a.write("f", b"x" * 100_000)
    see(b, "f", b"x" * 100_000)
    os.truncate(a.path("f"), 50_001)
    see(b, "f", b"x" * 50_001)


@case
def truncated_and_grown_has_zeros(a, b):
    a.write("f", b"x" * 100_000)
    see(b, "f", b"x" * 100_000)
    os.truncate(a.path("f"), 10)
    os.truncate(a.path("f"), 100_000)
    see(b, "f", b"x" * 10 + bytes(99_990))


@case
def ftruncated_while_open(a, b):
    with open(a.path("f"), "w+b") as file:
        file.write(b"x" * 5000)
        file.flush()
        file.truncate(123)
        expect_eq(b.stat("f").st_size, 123, "size")


@case
def hole_in_the_middle(a, b):
    with open(a.path("f"), "wb") as file:
        file.write(b"begin")
        file.seek(70_000_000)
        file.write(b"end")
    expect_eq(b.stat("f").st_size, 70_000_003, "size")
    with open(b.path("f"), "rb") as file:
        expect_eq(file.read(5), b"begin", "begin")
        file.seek(69_999_990)
        expect_eq(file.read(), bytes(10) + b"end", "end")


@case
def replaced_by_open_with_trunc(a, b):
    a.write("f", b"x" * 9000)
    see(b, "f", b"x" * 9000)
    descriptor = os.open(a.path("f"), os.O_WRONLY | os.O_TRUNC)
    expect_eq(b.stat("f").st_size, 0, "size after O_TRUNC")
    os.close(descriptor)


@case
def both_write_their_half(a, b):
    a.write("f", bytes(20_000))
    for side, offset, letter in ((a, 0, b"a"), (b, 10_000, b"b")):
        with open(side.path("f"), "r+b") as file:
            file.seek(offset)
            file.write(letter * 10_000)
    for side in (a, b):
        see(side, "f", b"a" * 10_000 + b"b" * 10_000)


@case
def both_write_halves_of_one_block_while_open(a, b):
    a.write("f", bytes(4096))
    first, second = os.open(a.path("f"), os.O_RDWR), os.open(b.path("f"), os.O_RDWR)
    os.pwrite(first, b"a" * 2048, 0)
    os.fsync(first)
    os.pwrite(second, b"b" * 2048, 2048)
    os.fsync(second)
    os.close(first)
    os.close(second)
    for side in (a, b):
        see(side, "f", b"a" * 2048 + b"b" * 2048)


@case
def copied_by_the_servers(a, b):
    a.write("f", os.urandom(200_000))
    with open(a.path("f"), "rb") as source, open(a.path("g"), "wb") as target:
        left = 200_000
        while left:
            left -= os.copy_file_range(source.fileno(), target.fileno(), left)
    see(b, "g", b.read("f"))


@case
def many_small_files(a, b):
    for i in range(100):
        a.write(f"f{i}", b"%d" % i)
    for i in range(100):
        see(b, f"f{i}", b"%d" % i)
    expect_eq(b.list(), sorted(f"f{i}" for i in range(100)), "listing")


# Names.


@case
def deleted_file(a, b):
    a.write("f", b"one")
    see(b, "f", b"one")
    os.unlink(a.path("f"))
    expect(not b.exists("f"), "f is still there")
    expect_eq(b.list(), [], "listing")


@case
def deleted_by_the_other(a, b):
    a.write("f", b"one")
    os.unlink(b.path("f"))
    raises(errno.ENOENT, os.unlink, a.path("f"))


@case
def deleted_and_made_again(a, b):
    a.write("f", b"first")
    first = b.stat("f").st_ino
    os.unlink(a.path("f"))
    a.write("f", b"second!")
    see(b, "f", b"second!")
    expect(b.stat("f").st_ino != first, "the new file has the old one's inode number")


@case
def renamed_file(a, b):
    a.write("f", b"one")
    see(b, "f", b"one")
    os.rename(a.path("f"), a.path("g"))
    expect(not b.exists("f"), "the old name is still there")
    see(b, "g", b"one")


@case
def renamed_over_another(a, b):
    a.write("f", b"new")
    a.write("g", b"old one")
    see(b, "g", b"old one")
    os.rename(a.path("f"), a.path("g"))
    see(b, "g", b"new")
    expect_eq(b.list(), ["g"], "listing")


@case
def saved_by_rename_again_and_again(a, b):
    for i in range(20):
        a.write("f.new", b"version %d" % i)
        os.rename(a.path("f.new"), a.path("f"))
        see(b, "f", b"version %d" % i)


@case
def moved_between_directories(a, b):
    os.mkdir(a.path("d"))
    os.mkdir(a.path("e"))
    a.write("d/f", b"one")
    see(b, "d/f", b"one")
    os.rename(a.path("d/f"), a.path("e/f"))
    expect_eq((b.list("d"), b.list("e")), ([], ["f"]), "listings")


@case
def renamed_directory(a, b):
    os.mkdir(a.path("d"))
    a.write("d/f", b"one")
    see(b, "d/f", b"one")
    os.rename(a.path("d"), a.path("e"))
    raises(errno.ENOENT, os.stat, b.path("d/f"))
    see(b, "e/f", b"one")


@case
def directory_moved_below_another(a, b):
    os.makedirs(a.path("d/sub"))
    os.mkdir(a.path("e"))
    expect_eq(b.stat("d").st_nlink, 3, "links of d")
    os.rename(a.path("d/sub"), a.path("e/sub"))
    expect_eq((b.stat("d").st_nlink, b.stat("e").st_nlink), (2, 3), "links")
    expect_eq(os.stat(b.path("e/sub/..")).st_ino, b.stat("e").st_ino, "the parent of sub")


@case
def renamed_while_open(a, b):
    a.write("f", b"one")
    with open(b.path("f"), "r+b", buffering=0) as file:
        os.rename(a.path("f"), a.path("g"))
        file.write(b"two")
    see(a, "g", b"two")


@case
def new_directory(a, b):
    expect(not b.exists("d"), "d is there already")
    os.mkdir(a.path("d"), 0o700)
    expect_eq(stat.S_IMODE(b.stat("d").st_mode), 0o700, "mode")
    b.write("d/f", b"one")
    expect_eq(a.list("d"), ["f"], "listing")


@case
def removed_directory(a, b):
    os.mkdir(a.path("d"))
    expect_eq(b.list("d"), [], "listing")
    os.rmdir(a.path("d"))
    raises(errno.ENOENT, os.listdir, b.path("d"))
    raises(errno.ENOENT, write_file, b.path("d/f"), b"")


@case
def full_directory_is_not_removed(a, b):
    os.mkdir(a.path("d"))
    b.write("d/f", b"")
    raises(errno.ENOTEMPTY, os.rmdir, a.path("d"))
    os.unlink(b.path("d/f"))
    os.rmdir(a.path("d"))


@case
def directory_replaced_by_a_file(a, b):
    os.mkdir(a.path("x"))
    expect(stat.S_ISDIR(b.stat("x").st_mode), "x is no directory")
    os.rmdir(a.path("x"))
    a.write("x", b"file")
    see(b, "x", b"file")


@case
def listing_follows(a, b):
    expect_eq(b.list(), [], "empty")
    for i in range(5):
        a.write(f"f{i}", b"")
        expect_eq(b.list(), [f"f{j}" for j in range(i + 1)], "listing")
    for i in range(5):
        os.unlink(a.path(f"f{i}"))
        expect_eq(b.list(), [f"f{j}" for j in range(i + 1, 5)], "listing")


@case
def listing_shows_sizes_of_now(a, b):
    a.write("f", b"1")
    expect_eq([entry.stat().st_size for entry in os.scandir(b.path())], [1], "sizes")
    a.write("f", b"22")
    expect_eq([entry.stat().st_size for entry in os.scandir(b.path())], [2], "sizes")


@case
def hard_link(a, b):
    a.write("f", b"one")
    expect_eq(b.stat("f").st_nlink, 1, "links")
    os.link(a.path("f"), a.path("g"))
    expect_eq((b.stat("f").st_nlink, b.stat("g").st_nlink), (2, 2), "links")
    expect_eq(b.stat("f").st_ino, b.stat("g").st_ino, "inode")
    with open(b.path("g"), "ab") as file:
        file.write(b" two")
    see(a, "f", b"one two")


@case
def one_of_two_names_removed(a, b):
    a.write("f", b"one")
    os.link(b.path("f"), b.path("g"))
    os.unlink(a.path("f"))
    expect_eq(b.stat("g").st_nlink, 1, "links")
    see(b, "g", b"one")


@case
def link_into_another_directory(a, b):
    os.mkdir(a.path("d"))
    a.write("f", b"one")
    os.link(a.path("f"), a.path("d/f"))
    see(b, "d/f", b"one")


@case
def symbolic_link(a, b):
    raises(errno.ENOENT, os.readlink, b.path("l"))
    os.symlink("target", a.path("l"))
    expect_eq(os.readlink(b.path("l")), "target", "target")


@case
def symbolic_link_made_anew(a, b):
    os.symlink("one", a.path("l"))
    expect_eq(os.readlink(b.path("l")), "one", "target")
    os.unlink(a.path("l"))
    os.symlink("another", a.path("l"))
    expect_eq(os.readlink(b.path("l")), "another", "target")


@case
def symbolic_link_is_followed(a, b):
    os.mkdir(a.path("v1"))
    os.mkdir(a.path("v2"))
    a.write("v1/f", b"1")
    a.write("v2/f", b"2")
    os.symlink("v1", a.path("current"))
    see(b, "current/f", b"1")
    os.symlink("v2", a.path("next"))
    os.rename(a.path("next"), a.path("current"))
    see(b, "current/f", b"2")


@case
def fifo_and_device(a, b):
    os.mkfifo(a.path("p"), 0o640)
    os.mknod(a.path("c"), stat.S_IFCHR | 0o600, os.makedev(1, 5))
    expect(stat.S_ISFIFO(b.stat("p").st_mode), "p is no fifo")
    expect_eq(b.stat("c").st_rdev, os.makedev(1, 5), "device")


# Attributes.


@case
def mode(a, b):
    a.write("f", b"")
    for bits in (0o600, 0o755, 0o4711, 0o000):
        os.chmod(a.path("f"), bits)
        expect_eq(stat.S_IMODE(b.stat("f").st_mode), bits, "mode")


@case
def owner(a, b):
    a.write("f", b"")
    b.stat("f")
    os.chown(a.path("f"), 1234, 4321)
    expect_eq((b.stat("f").st_uid, b.stat("f").st_gid), (1234, 4321), "owner")


@case
def times(a, b):
    a.write("f", b"")
    b.stat("f")
    os.utime(a.path("f"), ns=(1_000_000_001, 2_000_000_002))
    expect_eq((b.stat("f").st_atime_ns, b.stat("f").st_mtime_ns), (1_000_000_001, 2_000_000_002), "times")


@case
def change_time_moves(a, b):
    a.write("f", b"")
    before = b.stat("f").st_ctime_ns
    os.chmod(a.path("f"), 0o600)
    expect(b.stat("f").st_ctime_ns > before, "ctime has not moved")


@case
def directory_times_move(a, b):
    before = b.stat().st_mtime_ns
    a.write("f", b"")
    after = b.stat().st_mtime_ns
    expect(after > before, "the directory's mtime has not moved")
    os.unlink(a.path("f"))
    expect(b.stat().st_mtime_ns > after, "the directory's mtime has not moved again")


@case
def mtime_moves_with_each_write(a, b):
    a.write("f", b"1")
    before = b.stat("f").st_mtime_ns
    with open(a.path("f"), "r+b") as file:
        file.write(b"2")
    expect(b.stat("f").st_mtime_ns > before, "mtime has not moved")


@case
def attribute_set_changed_removed(a, b):
    a.write("f", b"")
    raises(errno.ENODATA, os.getxattr, b.path("f"), "user.k")
    os.setxattr(a.path("f"), "user.k", b"v1")
    expect_eq(os.getxattr(b.path("f"), "user.k"), b"v1", "value")
    os.setxattr(a.path("f"), "user.k", b"longer")
    expect_eq(os.getxattr(b.path("f"), "user.k"), b"longer", "value")
    os.setxattr(a.path("f"), "user.l", b"")
    expect_eq(sorted(os.listxattr(b.path("f"))), ["user.k", "user.l"], "names")
    os.removexattr(a.path("f"), "user.k")
    expect_eq(os.listxattr(b.path("f")), ["user.l"], "names")


@case
def attribute_of_a_directory(a, b):
    os.setxattr(a.path(), "user.k", b"v")
    expect_eq(os.getxattr(b.path(), "user.k"), b"v", "value")


@case
def permission_taken_away(a, b):
    a.write("f", b"secret")
    os.chmod(a.path("f"), 0o644)

    def readable():
        # In a child that is nobody in particular.
        pid = os.fork()
        if pid == 0:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            try:
                os._exit(0 if read_file(b.path("f")) == b"secret" else 2)
            except PermissionError:
                os._exit(1)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    expect_eq(readable(), 0, "reading with mode 644")
    os.chmod(a.path("f"), 0o600)
    expect_eq(readable(), 1, "reading with mode 600")


@case
def search_permission_taken_away(a, b):
    os.mkdir(a.path("d"), 0o755)
    a.write("d/f", b"")
    expect(os.path.exists(b.path("d/f")), "d/f is not there")
    os.chmod(a.path("d"), 0o700)
    pid = os.fork()
    if pid == 0:
        os.setgid(65534)
        os.setuid(65534)
        try:
            os.stat(b.path("d/f"))
            os._exit(0)
        except PermissionError:
            os._exit(1)
    expect_eq(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 1, "stat below a closed directory")


@case
def space_used(a, b):
    a.write("f", b"x" * 1_000_000)
    expect(b.stat("f").st_blocks * 512 >= 1_000_000, f"{b.stat('f').st_blocks} blocks for 1,000,000 bytes")


# Open files without names, exclusive creation, races.


@case
def deleted_while_the_other_has_it_open(a, b):
    a.write("f", b"still here" * 1000)
    with open(b.path("f"), "r+b", buffering=0) as file:
        os.unlink(a.path("f"))
        expect(not b.exists("f"), "the name is still there")
        expect_eq(file.read(), b"still here" * 1000, "content of the deleted file")
        file.seek(0)
        file.write(b"AND HERE")
        file.seek(0)
        expect_eq(file.read(8), b"AND HERE", "what was written after the deletion")
        expect_eq(os.fstat(file.fileno()).st_nlink, 0, "links")


@case
def replaced_while_the_other_has_it_open(a, b):
    a.write("f", b"old")
    with open(b.path("f"), "rb", buffering=0) as file:
        a.write("g", b"new!")
        os.rename(a.path("g"), a.path("f"))
        expect_eq(file.read(), b"old", "content behind the open descriptor")
        see(b, "f", b"new!")


@case
def exclusive_creation(a, b):
    os.close(os.open(a.path("lock"), os.O_CREAT | os.O_EXCL))
    raises(errno.EEXIST, os.open, b.path("lock"), os.O_CREAT | os.O_EXCL)
    os.unlink(a.path("lock"))
    os.close(os.open(b.path("lock"), os.O_CREAT | os.O_EXCL))


def race(sides, attempt, rounds):
    """Both sides attempt each round at the same time; returns how many succeeded in each."""
    wins = [0] * rounds
    barrier, guard = threading.Barrier(len(sides)), threading.Lock()
    problems = []

    def run(side):
        try:
            for i in range(rounds):
                barrier.wait()
                if attempt(side, i):
                    with guard:
                        wins[i] += 1
        except Exception as error:  # a thread's exception would be lost otherwise
            problems.append(error)
            barrier.abort()

    threads = [threading.Thread(target=run, args=(side,)) for side in sides]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expect(not problems, f"{problems}")
    return wins


@case
def exclusive_creation_has_one_winner(a, b):
    def attempt(side, i):
        try:
            os.close(os.open(side.path(f"f{i}"), os.O_CREAT | os.O_EXCL))
            return True
        except FileExistsError:
            return False

    expect_eq(race((a, b), attempt, 200), [1] * 200, "winners")
    expect_eq(len(b.list()), 200, "files")


@case
def making_a_directory_has_one_winner(a, b):
    def attempt(side, i):
        try:
            os.mkdir(side.path(f"d{i}"))
            return True
        except FileExistsError:
            return False

    expect_eq(race((a, b), attempt, 200), [1] * 200, "winners")


@case
def renaming_away_has_one_winner(a, b):
    for i in range(200):
        a.write(f"f{i}", b"")

    def attempt(side, i):
        try:
            os.rename(side.path(f"f{i}"), side.path(f"g{i}-{'a' if side is a else 'b'}"))
            return True
        except FileNotFoundError:
            return False

    expect_eq(race((a, b), attempt, 200), [1] * 200, "winners")
    expect_eq(len(b.list()), 200, "files")


@case
def linking_has_one_winner(a, b):
    a.write("mine", b"")

    def attempt(side, i):
        try:
            os.link(side.path("mine"), side.path(f"lock{i}"))
            return True
        except FileExistsError:
            return False

    expect_eq(race((a, b), attempt, 200), [1] * 200, "winners")
    expect_eq(b.stat("mine").st_nlink, 201, "links")


@case
def creation_on_both_sides_at_once(a, b):
    def attempt(side, i):
        side.write(f"{'a' if side is a else 'b'}{i}", b"%d" % i)
        return True

    race((a, b), attempt, 200)
    expect_eq(a.list(), b.list(), "listings")
    expect_eq(len(b.list()), 400, "files")
    for i in range(200):
        see(b, f"a{i}", b"%d" % i)
        see(a, f"b{i}", b"%d" % i)


@case
def counter_under_a_lock_file(a, b):
    a.write("counter", b"0")

    def attempt(side, _):
        while True:
            try:
                os.close(os.open(side.path("lock"), os.O_CREAT | os.O_EXCL))
                break
            except FileExistsError:
                pass
        side.write("counter", b"%d" % (int(side.read("counter")) + 1))
        os.unlink(side.path("lock"))
        return True

    race((a, b), attempt, 50)
    for side in (a, b):
        see(side, "counter", b"100")


@case
def unnamed_file_gets_a_name(a, b):
    try:
        descriptor = os.open(a.path(), os.O_TMPFILE | os.O_RDWR, 0o644)
    except OSError as error:
        fail(f"O_TMPFILE: {error}")
    os.write(descriptor, b"unnamed")
    expect_eq(b.list(), [], "listing")
    give_name(descriptor, a.path("f"))
    os.close(descriptor)
    see(b, "f", b"unnamed")


@case
def exchanged_names(a, b):
    a.write("f", b"one")
    a.write("g", b"three")
    see(b, "f", b"one")
    exchange(a.path("f"), a.path("g"))
    see(b, "f", b"three")
    see(b, "g", b"one")


def exchange(first, second):
    import ctypes

    at_fdcwd, rename_exchange = -100, 2
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(at_fdcwd, first.encode(), at_fdcwd, second.encode(), rename_exchange) != 0:
        fail(f"renameat2: {os.strerror(ctypes.get_errno())}")


def main():
    only = sys.argv[1:]
    pairs = 0
    for function in CASES:
        if only and function.__name__ not in only:
            continue
        for direction, (first, second) in {"a-b": (MOUNT, MOUNT2), "b-a": (MOUNT2, MOUNT)}.items():
            folder = f"{function.__name__}.{direction}"
            print(f"{folder}", flush=True)
            os.mkdir(os.path.join(first, folder))
            function(Side(first, folder), Side(second, folder))
            pairs += 1
    step(f"{len(CASES)} cases in both directions: {pairs} pairs passed")
    expect(only or len(CASES) >= 50, "fewer than 50 cases")


main()
