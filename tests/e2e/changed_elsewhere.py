#!/usr/bin/env python3
# A file that is open on one mount is changed through the other one: the next call sees all of it.
# mounts: 2
# timeout: 120
import glob
import os
import time

from e2e import STORE, write_file
from two_mount_cases import case, run_cases


def store(path, offset, data):
    descriptor = os.open(path, os.O_WRONLY)
    os.pwrite(descriptor, data, offset)
    os.close(descriptor)


@case
def open_file_that_grew_elsewhere(a, b):
    """The kernel uses no attributes that it asked for before pages were invalidated: not the new size either."""
    write_file(f"{a}/f", b"old")
    descriptor = os.open(f"{b}/f", os.O_RDONLY)
    os.pread(descriptor, 10, 0)
    store(f"{a}/f", 3, b"new")
    reads = [os.pread(descriptor, 10, 0) for _ in range(2)]
    os.close(descriptor)
    return reads == [b"oldnew"] * 2, f"reads of an open file: {reads}"


@case
def ftruncate_to_the_same_size_after_a_write_elsewhere(a, b):
    """The truncate's answer must not make the client think that the other's change was its own."""
    write_file(f"{a}/f", b"old old")
    descriptor = os.open(f"{b}/f", os.O_RDWR)
    os.pread(descriptor, 10, 0)
    store(f"{a}/f", 0, b"new")
    os.ftruncate(descriptor, 7)
    reads = [os.pread(descriptor, 10, 0)]
    os.close(descriptor)
    time.sleep(1)
    with open(f"{b}/f", "rb") as file:
        reads.append(file.read())
    return reads == [b"new old"] * 2, f"reads at once and, opened again, a second later: {reads}"


@case
def append_after_a_write_elsewhere(a, b):
    """The kernel holds the page that it writes to locked: it cannot be asked to drop it meanwhile."""
    write_file(f"{a}/f", b"one")
    descriptor = os.open(f"{b}/f", os.O_WRONLY | os.O_APPEND)
    os.write(descriptor, b"two")
    os.fsync(descriptor)
    store(f"{a}/f", 6, b"three")
    os.write(descriptor, b"four")
    os.close(descriptor)
    with open(f"{a}/f", "rb") as file:
        content = file.read()
    waited = [log for log in glob.glob(f"{STORE}/log/client*.log") if "longer than a second" in open(log).read()]
    return content == b"onetwothreefour" and not waited, f"{content}; waited for the kernel: {waited}"


run_cases()
