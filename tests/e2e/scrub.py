#!/usr/bin/env python3
# Bits turn over on one chunkserver's disk, in blocks that nobody reads: scrub finds them all, replaces them from other
# copies and says so; readers never see a wrong byte.
# cluster: --chunkserver-opts --scrub-interval-s=5
# timeout: 300
import os
import random
import subprocess
import time

from e2e import MOUNT, cluster, expect, expect_eq, fail, read_file, step, write_file
from spoil import BLOCK, MARK_BYTES, count_whole, flip_bit, stored_copies

BLOCKS = 4096
FLIPS = 1000
VICTIM = "chunkserver.2"


def flip_random_bits(blocks, source):
    """So many bits, anywhere in the blocks' copies but in the marks by which they are found."""
    flips = {}
    for number in source.choices(range(len(blocks)), k=FLIPS):
        flips.setdefault(number, set()).add((source.randrange(MARK_BYTES, BLOCK), source.randrange(8)))
    for descriptor, offset, number in stored_copies(VICTIM, blocks):
        for byte, bit in flips.get(number, ()):
            flip_bit(descriptor, offset + byte, bit)
    return len(flips)


def events():
    return subprocess.run([os.path.join(os.environ["BUILD"], "gabion"), "events"], check=True, capture_output=True,
                          text=True).stdout


def main():
    source = random.Random(5)
    blocks = [source.randbytes(BLOCK) for _ in range(BLOCKS)]
    path = os.path.join(MOUNT, "file")
    write_file(path, b"".join(blocks))
    with open(path, "r+b") as file:
        os.fsync(file.fileno())
    expect_eq(count_whole(VICTIM, blocks), BLOCKS, "blocks found")

    step(f"{FLIPS} bits turn over on {VICTIM}")
    spoilt = flip_random_bits(blocks, source)
    cluster("remount")
    expect(read_file(path) == b"".join(blocks), "wrong data")

    step(f"scrub repairs {spoilt} blocks")
    deadline = time.monotonic() + 90
    while count_whole(VICTIM, blocks) < BLOCKS:
        if time.monotonic() > deadline:
            fail(f"{BLOCKS - count_whole(VICTIM, blocks)} blocks are still bad; events:\n{events()}")
        time.sleep(1)
    while "scrub" not in events():
        expect(time.monotonic() < deadline, "gabion events says nothing of it")
        time.sleep(0.5)
    print("  ", [line for line in events().splitlines() if "scrub" in line][-1])
    cluster("remount")
    expect(read_file(path) == b"".join(blocks), "wrong data after scrub")


main()
