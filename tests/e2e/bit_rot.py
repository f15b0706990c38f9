#!/usr/bin/env python3
# Bytes flipped in one chunkserver's slabs: readers get right data, the log says what was found, and scrub puts it right. With
# all copies of a block spoilt the reader gets an error for that block, never wrong data, and the rest of the file stays readable.
# timeout: 300
import errno
import os
import random
import subprocess

from e2e import MOUNT, cluster, expect, expect_eq, logs, raises, read_file, step, write_file
from spoil import BLOCK, count_whole, flip_blocks

BLOCKS = 2048


def make_file(name, seed):
    """Blocks that each begin with a mark of their own, so that they are found in the slabs."""
    source = random.Random(seed)
    blocks = [source.randbytes(BLOCK) for _ in range(BLOCKS)]
    path = os.path.join(MOUNT, name)
    write_file(path, b"".join(blocks))
    with open(path, "r+b") as file:
        os.fsync(file.fileno())
    return path, blocks


def main():
    # One file: one of the servers is its primary, which readers ask first.
    path, blocks = make_file("file", 1)
    for number in (1, 2, 3):
        server = f"chunkserver.{number}"
        step(f"every block of a file is spoilt on {server}")
        expect_eq(flip_blocks(server, blocks), BLOCKS, f"blocks found on {server}")
        cluster("remount")
        expect(read_file(path) == b"".join(blocks), f"wrong data although only {server} was spoilt")
        # At random places too, which are other requests than a sequential reader's.
        source = random.Random(number)
        with open(path, "rb", buffering=0) as file:
            for _ in range(200):
                block = source.randrange(BLOCKS)
                file.seek(block * BLOCK)
                expect(file.read(BLOCK) == blocks[block], f"wrong data in block {block}")
        # What was read has been repaired already; the rest is now.
        subprocess.run([os.path.join(os.environ["BUILD"], "gabion"), "scrub", "start", "--wait"], check=True)
        expect_eq(count_whole(server, blocks), BLOCKS, "blocks put right again")

    step("the log says what was found")
    lines = [line for text in logs().values() for line in text.splitlines() if "checksum" in line.lower()]
    expect(lines, "no log has a line about a checksum")
    print("  ", lines[0])

    step("one block is spoilt on all servers: an error for it, no wrong data, and the rest is there")
    path, blocks = make_file("file4", 4)
    victim = 777
    for number in (1, 2, 3):
        expect_eq(flip_blocks(f"chunkserver.{number}", [blocks[victim]]), 1, "blocks found")
    cluster("remount")
    with open(path, "rb", buffering=0) as file:
        descriptor = file.fileno()
        raises(errno.EIO, os.pread, descriptor, BLOCK, victim * BLOCK)
        for block in (0, 500, 1500, BLOCKS - 1):
            expect(os.pread(descriptor, BLOCK, block * BLOCK) == blocks[block], f"wrong data in block {block}")

    step("overwritten, the block is good again")
    with open(path, "r+b", buffering=0) as file:
        os.pwrite(file.fileno(), blocks[victim], victim * BLOCK)
        os.fsync(file.fileno())
    cluster("remount")
    expect(read_file(path) == b"".join(blocks), "wrong data after overwriting")


main()
