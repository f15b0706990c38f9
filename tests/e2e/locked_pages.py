#!/usr/bin/env python3
# Two mounts write all pages of a file, cut it and make it longer under a lock, and several processes of one mount read it
# under theirs: pages and size are those of the last writer, whatever the kernel had cached, and however late a process takes
# in what it was told. Others keep the CPUs busy meanwhile.
# The options of lib/stress.py.
# cluster: --chunkservers 3 --replicas 3
# mounts: 2
import fcntl
import os
import random
import struct
import time

from e2e import expect, expect_eq, step
from stress import Worker, mounts, options, results

PAGE = 4096
PAGES_MAX = 64
READERS = 3
BUSY = 2


def page_of(generation, pages):
    return struct.pack("<QQ", generation, pages) * (PAGE // 16)


def write(_, path, seed, seconds):
    source = random.Random(seed)
    file = os.open(path, os.O_RDWR)
    deadline = time.monotonic() + seconds
    rounds = 0
    while time.monotonic() < deadline:
        fcntl.lockf(file, fcntl.LOCK_EX)
        generation, pages = struct.unpack("<QQ", os.pread(file, 16, 0))
        if source.random() < 0.3:
            pages = source.randrange(1, PAGES_MAX)
        for page in range(pages):
            os.pwrite(file, page_of(generation + 1, pages), page * PAGE)
        os.ftruncate(file, pages * PAGE)
        fcntl.lockf(file, fcntl.LOCK_UN)
        rounds += 1
        time.sleep(source.random() * 0.004)
    return rounds


def read(_, path, seed, seconds):
    source = random.Random(seed)
    file = os.open(path, os.O_RDWR)
    deadline = time.monotonic() + seconds
    rounds = 0
    while time.monotonic() < deadline:
        fcntl.lockf(file, fcntl.LOCK_SH)
        # The first call of all is the one that may find what is outdated.
        size = os.lseek(file, 0, os.SEEK_END) if source.random() < 0.3 else None
        first = os.pread(file, PAGE, 0)
        generation, pages = struct.unpack("<QQ", first[:16])
        expect_eq(size or os.lseek(file, 0, os.SEEK_END), pages * PAGE, f"the size in generation {generation}")
        for page in [pages - 1] + source.sample(range(pages), min(pages, 16)):
            expect_eq(os.pread(file, PAGE, page * PAGE)[:16], first[:16], f"page {page} of {pages} in generation {generation}")
        expect_eq(os.pread(file, PAGE, pages * PAGE), b"", f"what is behind the end in generation {generation}")
        fcntl.lockf(file, fcntl.LOCK_UN)
        rounds += 1
        time.sleep(source.random() * 0.002)
    return rounds


def be_busy(_, seconds):
    """In bursts: who is pushed aside has to be pushed aside at any moment."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        burst = time.monotonic() + random.random()
        while time.monotonic() < burst:
            sum(range(10_000))
        time.sleep(random.random() / 2)


def main():
    chosen = options(10)
    where = [os.path.join(mount, "pages") for mount in mounts(chosen.mounts)]
    with open(where[0], "wb") as file:
        file.write(page_of(0, PAGES_MAX) * PAGES_MAX)
    workers = [Worker(f"writer {number}", write, path, f"{chosen.seed} {number}", chosen.seconds)
               for number, path in enumerate(where)]
    workers += [Worker(f"reader {number}", read, where[1], f"{chosen.seed} reads {number}", chosen.seconds)
                for number in range(READERS)]
    busy = [Worker(f"busy {number}", be_busy, chosen.seconds) for number in range(BUSY)]
    rounds = results(workers + busy, chosen.seconds + 60)[:len(workers)]
    step(f"{rounds} rounds of {len(where)} writers and {READERS} readers")
    expect(min(rounds) > 0, "somebody has never had the lock")


main()
