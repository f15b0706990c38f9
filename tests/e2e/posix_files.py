#!/usr/bin/env python3
# POSIX rules for what is inside files: reading, writing, holes, locks, mappings, attributes, times.
# timeout: 300
import errno
import fcntl
import mmap
import os
import random

from e2e import expect, expect_eq, give_name, raises, read_file, write_file
from posix_cases import as_user, fallocate, in_own_folder, run_cases

KEEP_SIZE, PUNCH_HOLE, ZERO_RANGE = 1, 2, 16


@in_own_folder
def random_io_is_like_a_local_file():
    """Reads, writes, truncates, appends, punches, maps at random, against a bytearray."""
    source = random.Random(20261122)
    model = bytearray()
    descriptor = os.open("f", os.O_CREAT | os.O_RDWR, 0o644)
    for i in range(1500):
        action = source.choice(["write", "write", "write", "read", "read", "truncate", "append", "punch", "fsync", "reopen", "map"])
        offset = source.randrange(0, 600_000)
        length = source.choice([1, 100, 4095, 4096, 4097, 65_536, 150_000])
        if action == "write":
            data = source.randbytes(length)
            expect_eq(os.pwrite(descriptor, data, offset), length, "written")
            if len(model) < offset:
                model.extend(bytes(offset - len(model)))
            model[offset : offset + length] = data
        elif action == "append":
            data = source.randbytes(source.randrange(1, 9000))
            appender = os.open("f", os.O_WRONLY | os.O_APPEND)
            os.write(appender, data)
            os.close(appender)
            model += data
        elif action == "truncate":
            os.ftruncate(descriptor, offset)
            model = model[:offset] + bytes(offset - len(model[:offset]))
        elif action == "punch":
            code = fallocate(descriptor, PUNCH_HOLE | KEEP_SIZE, offset, length)
            expect_eq(code, 0, "punching a hole")
            end = min(len(model), offset + length)
            if offset < end:
                model[offset:end] = bytes(end - offset)
        elif action == "fsync":
            os.fsync(descriptor)
        elif action == "reopen":
            os.close(descriptor)
            descriptor = os.open("f", os.O_RDWR)
        elif action == "map" and model:
            with mmap.mmap(descriptor, len(model)) as mapping:
                begin = min(offset, len(model) - 1)
                end = min(begin + length, len(model))
                data = source.randbytes(end - begin)
                mapping[begin:end] = data
                mapping.flush()
                model[begin:end] = data
        expect(os.pread(descriptor, length, offset) == bytes(model[offset : offset + length]), f"step {i}: {action}: wrong data")
        expect_eq(os.fstat(descriptor).st_size, len(model), f"step {i}: {action}: size")
    os.close(descriptor)
    expect(read_file("f") == bytes(model), "wrong data at the end")


@in_own_folder
def reading_beyond_the_end():
    write_file("f", b"abc")
    descriptor = os.open("f", os.O_RDONLY)
    expect_eq(os.pread(descriptor, 10, 0), b"abc", "a read over the end")
    expect_eq(os.pread(descriptor, 10, 3), b"", "a read at the end")
    expect_eq(os.pread(descriptor, 10, 1 << 40), b"", "a read far beyond")
    os.close(descriptor)


@in_own_folder
def holes_are_found():
    descriptor = os.open("f", os.O_CREAT | os.O_RDWR)
    os.pwrite(descriptor, b"x" * 65536, 65536 * 10)
    os.ftruncate(descriptor, 65536 * 20)
    os.fsync(descriptor)
    data = os.lseek(descriptor, 0, os.SEEK_DATA)
    expect(0 <= data <= 65536 * 10, f"first data at {data}")
    hole = os.lseek(descriptor, 65536 * 10, os.SEEK_HOLE)
    expect(65536 * 11 <= hole <= 65536 * 20, f"hole at {hole}")
    raises(errno.ENXIO, os.lseek, descriptor, 65536 * 20, os.SEEK_DATA)
    expect_eq(os.lseek(descriptor, 65536 * 10, os.SEEK_DATA), 65536 * 10, "data where data is")
    os.close(descriptor)


@in_own_folder
def very_large_offsets():
    descriptor = os.open("f", os.O_CREAT | os.O_RDWR)
    far = (1 << 50) + 12345
    os.pwrite(descriptor, b"far away", far)
    os.fsync(descriptor)
    expect_eq(os.pread(descriptor, 20, far - 4), bytes(4) + b"far away", "data at 1 PiB")
    expect_eq(os.fstat(descriptor).st_size, far + 8, "size")
    expect(os.fstat(descriptor).st_blocks < 10000, "a hole takes up space")
    raises(errno.EINVAL, os.ftruncate, descriptor, -1)
    os.close(descriptor)


@in_own_folder
def fallocate_modes():
    descriptor = os.open("f", os.O_CREAT | os.O_RDWR)
    expect_eq(fallocate(descriptor, 0, 0, 100_000), 0, "fallocate")
    expect_eq(os.fstat(descriptor).st_size, 100_000, "size")
    expect_eq(os.pread(descriptor, 100_000, 0), bytes(100_000), "content")
    expect_eq(fallocate(descriptor, KEEP_SIZE, 0, 500_000), 0, "fallocate, keeping the size")
    expect_eq(os.fstat(descriptor).st_size, 100_000, "size")
    os.pwrite(descriptor, b"y" * 100_000, 0)
    expect_eq(fallocate(descriptor, PUNCH_HOLE | KEEP_SIZE, 1000, 50_000), 0, "punching a hole")
    expect_eq(os.pread(descriptor, 100_000, 0), b"y" * 1000 + bytes(50_000) + b"y" * 49_000, "content with a hole")
    expect_eq(fallocate(descriptor, ZERO_RANGE, 99_000, 2_000), 0, "zeroing a range")
    expect_eq(os.fstat(descriptor).st_size, 101_000, "size")
    expect_eq(fallocate(descriptor, 0, 0, 0), errno.EINVAL, "a length of 0")
    os.close(descriptor)


@in_own_folder
def append_goes_to_the_end():
    write_file("f", b"begin ")
    first, second = os.open("f", os.O_WRONLY | os.O_APPEND), os.open("f", os.O_WRONLY | os.O_APPEND)
    for i in range(20):
        os.write((first, second)[i % 2], b"%d " % i)
    os.close(first)
    os.close(second)
    expect_eq(read_file("f"), b"begin " + b"".join(b"%d " % i for i in range(20)), "content")


@in_own_folder
def deleted_files_live_until_closed():
    descriptor = os.open("f", os.O_CREAT | os.O_RDWR)
    os.write(descriptor, b"x" * 300_000)
    os.unlink("f")
    expect_eq(os.fstat(descriptor).st_nlink, 0, "links")
    os.pwrite(descriptor, b"y" * 1000, 150_000)
    expect_eq(os.pread(descriptor, 300_000, 0), b"x" * 150_000 + b"y" * 1000 + b"x" * 149_000, "content")
    os.ftruncate(descriptor, 10)
    expect_eq(os.fstat(descriptor).st_size, 10, "size")
    os.close(descriptor)


@in_own_folder
def shared_mappings_of_two_processes():
    write_file("f", bytes(8192))
    descriptor = os.open("f", os.O_RDWR)
    mapping = mmap.mmap(descriptor, 8192)
    child = os.fork()
    if child == 0:
        mapping[0:5] = b"child"
        mapping[4096:4101] = b"page2"
        os._exit(0)
    os.waitpid(child, 0)
    expect_eq(mapping[0:5] + mapping[4096:4101], b"childpage2", "what the child wrote")
    mapping.flush()
    mapping.close()
    os.close(descriptor)
    expect_eq(read_file("f")[4096:4101], b"page2", "content")


@in_own_folder
def direct_io():
    descriptor = os.open("f", os.O_CREAT | os.O_RDWR | os.O_DIRECT)
    buffer = mmap.mmap(-1, 8192)
    buffer[:] = b"d" * 8192
    expect_eq(os.pwritev(descriptor, [buffer], 4096), 8192, "written")
    target = mmap.mmap(-1, 8192)
    expect_eq(os.preadv(descriptor, [target], 4096), 8192, "read")
    expect_eq(target[:], buffer[:], "content")
    os.close(descriptor)
    expect_eq(read_file("f"), bytes(4096) + b"d" * 8192, "content through the page cache")


@in_own_folder
def locks_between_processes():
    write_file("f", b"")

    def in_child(function):
        child = os.fork()
        if child == 0:
            try:
                with open("f", "r+b") as file:
                    function(file)
                os._exit(0)
            except BlockingIOError:
                os._exit(1)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    with open("f", "r+b") as file:
        for lock in (fcntl.flock, fcntl.lockf):
            lock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            expect_eq(in_child(lambda other, lock=lock: lock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)), 1, f"{lock.__name__} while locked")
            lock(file, fcntl.LOCK_UN)
            expect_eq(in_child(lambda other, lock=lock: lock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)), 0, f"{lock.__name__} after unlocking")
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 10, 0)
        expect_eq(in_child(lambda other: fcntl.lockf(other, fcntl.LOCK_EX | fcntl.LOCK_NB, 10, 10)), 0, "a range beside a locked one")
        expect_eq(in_child(lambda other: fcntl.lockf(other, fcntl.LOCK_EX | fcntl.LOCK_NB, 10, 5)), 1, "a range over a locked one")


@in_own_folder
def extended_attributes():
    write_file("f", b"")
    os.mkdir("d")
    os.symlink("f", "l")
    for path in ("f", "d"):
        os.setxattr(path, "user.a", b"1")
        os.setxattr(path, "user.empty", b"")
        os.setxattr(path, "trusted.t", b"2")
        expect_eq(sorted(os.listxattr(path)), ["trusted.t", "user.a", "user.empty"], "names")
        raises(errno.EEXIST, os.setxattr, path, "user.a", b"x", os.XATTR_CREATE)
        raises(errno.ENODATA, os.setxattr, path, "user.b", b"x", os.XATTR_REPLACE)
        os.setxattr(path, "user.a", b"replaced", os.XATTR_REPLACE)
        expect_eq(os.getxattr(path, "user.a"), b"replaced", "value")
        os.removexattr(path, "user.a")
        raises(errno.ENODATA, os.getxattr, path, "user.a")
        raises(errno.ENODATA, os.removexattr, path, "user.a")
    raises(errno.EPERM, os.setxattr, "l", "user.a", b"1", follow_symlinks=False)
    raises(errno.EOPNOTSUPP, os.setxattr, "f", "nonsense.a", b"1")
    os.setxattr("f", "user.big", b"v" * 65536)
    expect_eq(len(os.getxattr("f", "user.big")), 65536, "the largest value")
    os.setxattr("f", "user." + "n" * 250, b"v")
    raises(errno.ERANGE, os.setxattr, "f", "user." + "n" * 251, b"v")
    os.chmod("f", 0o644)
    with as_user(12001) as user:
        user(lambda: expect_eq(os.getxattr("f", "user.empty"), b"", "value read by another"))
        user(lambda: raises(errno.EACCES, os.setxattr, "f", "user.x", b""))
        user(lambda: raises(errno.ENODATA, os.getxattr, "f", "trusted.t"))
        user(lambda: expect("trusted.t" not in os.listxattr("f"), "others see trusted attributes"))


@in_own_folder
def times_are_kept_to_the_nanosecond():
    write_file("f", b"")
    for ns in (0, 1, 999_999_999, 1_700_000_000_123_456_789, -1_000_000_001, 4_000_000_000_000_000_007):
        os.utime("f", ns=(ns, ns))
        expect_eq((os.stat("f").st_atime_ns, os.stat("f").st_mtime_ns), (ns, ns), "times")
    os.symlink("f", "l")
    os.utime("l", ns=(5, 6), follow_symlinks=False)
    expect_eq((os.lstat("l").st_mtime_ns, os.stat("f").st_mtime_ns), (6, 4_000_000_000_000_000_007), "times of link and target")


@in_own_folder
def times_move_as_they_should():
    def snapshot(path):
        status = os.lstat(path)
        return status.st_mtime_ns, status.st_ctime_ns

    def moved(path, before):
        after = snapshot(path)
        return after[0] > before[0], after[1] > before[1]

    write_file("f", b"x")
    before, folder = snapshot("f"), snapshot(".")
    write_file("f", b"yy")
    expect_eq(moved("f", before), (True, True), "mtime and ctime after writing")
    expect_eq(moved(".", folder), (False, False), "the folder's after writing to a file")
    before = snapshot("f")
    os.chmod("f", 0o600)
    expect_eq(moved("f", before), (False, True), "after chmod")
    before = snapshot("f")
    os.link("f", "g")
    expect_eq(moved("f", before), (False, True), "after link")
    expect_eq(moved(".", folder), (True, True), "the folder's after link")
    before = snapshot("f")
    os.truncate("f", 2)
    expect_eq(moved("f", before), (True, True), "after a truncate to the same size")
    before = snapshot("f")
    os.setxattr("f", "user.a", b"")
    expect_eq(moved("f", before), (False, True), "after setxattr")
    before = snapshot("f")
    read_file("f")
    expect_eq(moved("f", before), (False, False), "after reading")


@in_own_folder
def listing_positions_stay():
    for i in range(500):
        write_file(f"f{i}", b"")
    with os.scandir(".") as entries:
        first = [next(entries).name for _ in range(100)]
        for name in first:
            os.unlink(name)
        rest = [entry.name for entry in entries]
    expect_eq(sorted(set(first) | set(rest)), sorted(f"f{i}" for i in range(500)), "names listed before and after deletions")
    expect_eq(len(first) + len(rest), 500, "entries listed")
    expect_eq(sorted(os.listdir(".")), sorted(rest), "listing at the end")


@in_own_folder
def unnamed_temporary_files():
    descriptor = os.open(".", os.O_TMPFILE | os.O_RDWR, 0o600)
    os.write(descriptor, b"temporary")
    expect_eq(os.fstat(descriptor).st_nlink, 0, "links")
    expect_eq(os.listdir("."), [], "names")
    give_name(descriptor, "named")
    os.close(descriptor)
    expect_eq(read_file("named"), b"temporary", "content")
    expect_eq(os.stat("named").st_nlink, 1, "links")


@in_own_folder
def programs_run_from_here():
    import subprocess

    write_file("script", b"#!/bin/sh\necho ran \"$1\"\n")
    raises(errno.EACCES, subprocess.run, ["./script"])
    os.chmod("script", 0o755)
    expect_eq(subprocess.run(["./script", "x"], stdout=subprocess.PIPE, check=True).stdout, b"ran x\n", "output")
    with open("/bin/true", "rb") as file:
        write_file("true", file.read())
    os.chmod("true", 0o755)
    subprocess.run(["./true"], check=True)


@in_own_folder
def file_system_figures():
    figures = os.statvfs(".")
    expect(figures.f_blocks > 0 and 0 < figures.f_bavail <= figures.f_blocks, f"blocks: {figures}")
    expect(figures.f_files > 0 and figures.f_namemax == 255, f"inodes or name length: {figures}")


run_cases()
