#!/usr/bin/env python3
# What a mount's kernel knows of a directory, it is made to forget when the other mount changes that: the change is seen
# at once, what is mounted there stays, and two mounts that change what both have looked at are both answered.
# mounts: 2
# timeout: 180
import os
import threading
import time

from e2e import MOUNT, MOUNT2, cluster, expect, expect_eq, step, write_file

FILES = 200


def names(begin=0, end=FILES):
    return [f"f{i}" for i in range(begin, end)]


def look(directory):
    for name in os.listdir(directory):
        os.stat(f"{directory}/{name}")


def seen(path):
    try:
        with open(path) as file:
            return file.read()
    except FileNotFoundError:
        return None


def make(*directories):
    for directory in directories:
        os.mkdir(f"{MOUNT}/{directory}")
        for name in names():
            write_file(f"{MOUNT}/{directory}/{name}", name.encode())
        os.mkdir(f"{MOUNT}/{directory}/below")
    # Where a client has changed something lately, its kernel is told little.
    cluster("remount")


def changes_are_seen():
    step("a kernel that has looked at everything sees what another mount changes")
    theirs, ours = f"{MOUNT}/d", f"{MOUNT2}/d"
    os.system(f"mount -t tmpfs none {ours}/below")
    try:
        for i in range(0, 100, 5):
            look(ours)
            os.unlink(f"{theirs}/f{i}")
            expect_eq(seen(f"{ours}/f{i}"), None, "a file that was removed")
            write_file(f"{theirs}/new", b"replaced")
            os.rename(f"{theirs}/new", f"{theirs}/f{i + 1}")
            expect_eq(seen(f"{ours}/f{i + 1}"), "replaced", "a file that was replaced")
            os.rename(f"{theirs}/f{i + 2}", f"{theirs}/moved{i}")
            expect_eq(seen(f"{ours}/f{i + 2}"), None, "a file that was moved away")
            expect_eq(seen(f"{ours}/moved{i}"), f"f{i + 2}", "a file under its new name")
            write_file(f"{theirs}/f{i}", b"again")
            expect_eq(seen(f"{ours}/f{i}"), "again", "a file that was made once more")
        expect(os.path.ismount(f"{ours}/below"), "what is mounted below a directory that another mount changes is gone")
    finally:
        os.system(f"umount {ours}/below")


def moved_entries_are_taken_back():
    step("an entry that a kernel has moved itself is taken back under its new name")
    theirs, ours = MOUNT, MOUNT2
    for i in range(20):
        look(f"{ours}/from")
        look(f"{ours}/to")
        os.rename(f"{ours}/from/f{i}", f"{ours}/to/moved{i}")
        expect_eq(seen(f"{theirs}/to/moved{i}"), f"f{i}", "a file that the other mount has moved")
        os.unlink(f"{theirs}/to/moved{i}")
        expect_eq(seen(f"{ours}/to/moved{i}"), None, "a file that was moved here and removed there")


def both_are_answered(directories):
    step("two mounts begin at once to remove what both have looked at")
    longest = 0
    for directory in directories:
        together = threading.Barrier(2)
        failures, times = [], []

        def remove(mount, share):
            look(f"{mount}/{directory}")
            together.wait()
            for name in share:
                began = time.monotonic()
                try:
                    os.unlink(f"{mount}/{directory}/{name}")
                except OSError as error:
                    failures.append(f"{name}: {error}")
                times.append(time.monotonic() - began)

        threads = [
            threading.Thread(target=remove, args=(MOUNT, names(0, 20))),
            threading.Thread(target=remove, args=(MOUNT2, names(20, 40))),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        expect_eq(failures, [], f"removals in {directory}")
        for mount in (MOUNT, MOUNT2):
            expect_eq(sorted(os.listdir(f"{mount}/{directory}")), sorted(names(40) + ["below"]), f"{mount}/{directory}")
        longest = max(longest, *times)
    step(f"the longest removal took {longest * 1000:.0f} ms")


shared = [f"shared{i}" for i in range(10)]
make("d", "from", "to", *shared)
changes_are_seen()
moved_entries_are_taken_back()
both_are_answered(shared)
