#!/usr/bin/env python3
# Bits turn over on one chunkserver's disk, in blocks that nobody reads: a scrub that is asked for finds them all, replaces
# them from other copies and says so; readers never see a wrong byte.
# cluster: --chunkserver-opts --scrub-interval-s=0
# timeout: 300
import os
import random
import subprocess

from e2e import MOUNT, cluster, expect, expect_eq, read_file, step, write_file
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


def gabion(*arguments):
    return subprocess.run([os.path.join(os.environ["BUILD"], "gabion"), *arguments], check=True, capture_output=True,
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

    step(f"scrub repairs {spoilt} blocks")
    told = gabion("scrub", "start", "--wait").splitlines()[-1]
    print("  ", told)
    expect("repaired, all copies are good" in told, "the summary does not say so")
    expect_eq(count_whole(VICTIM, blocks), BLOCKS, f"whole blocks; events:\n{gabion('events')}")
    expect("has scrubbed all groups" in gabion("events"), "gabion events says nothing of it")
    print(gabion("scrub", "status"))
    expect("running" not in gabion("scrub", "status"), "a pass runs still")
    cluster("remount")
    expect(read_file(path) == b"".join(blocks), "wrong data after scrub")


main()
