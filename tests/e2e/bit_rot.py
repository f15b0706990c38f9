#!/usr/bin/env python3
# Bytes flipped in one chunkserver's slabs: readers get right data, and the log says what was found. With all copies of a
# block spoilt the reader gets an error for that block, never wrong data, and the rest of the file stays readable.
# timeout: 300
import errno
import os
import random

from e2e import MOUNT, STORE, cluster, expect, expect_eq, logs, raises, read_file, step, write_file

BLOCK = 4096
BLOCKS = 2048
MARK_BYTES = 32


def make_file(name, seed):
    """Blocks that each begin with a mark of their own, so that they are found in the slabs."""
    source = random.Random(seed)
    blocks = [source.randbytes(BLOCK) for _ in range(BLOCKS)]
    path = os.path.join(MOUNT, name)
    write_file(path, b"".join(blocks))
    with open(path, "r+b") as file:
        os.fsync(file.fileno())
    return path, blocks


def data_extents(descriptor, size):
    """Where a sparse file has data."""
    offset = 0
    while offset < size:
        try:
            begin = os.lseek(descriptor, offset, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return
            raise
        offset = os.lseek(descriptor, begin, os.SEEK_HOLE)
        yield begin, offset


def flip_blocks(server, blocks):
    """Flips one bit in each stored copy of the blocks on one server; how many blocks it found."""
    marks = {block[:MARK_BYTES]: number for number, block in enumerate(blocks)}
    found = set()
    for folder, _, names in os.walk(os.path.join(STORE, server)):
        for name in names:
            path = os.path.join(folder, name)
            size = os.stat(path).st_size
            if size < BLOCK:
                continue
            descriptor = os.open(path, os.O_RDWR)
            for begin, end in data_extents(descriptor, size):
                for offset in range(begin - begin % BLOCK, end, BLOCK):
                    mark = os.pread(descriptor, MARK_BYTES, offset)
                    if mark in marks:
                        found.add(marks[mark])
                        byte = os.pread(descriptor, 1, offset + 1234)
                        os.pwrite(descriptor, bytes([byte[0] ^ 0x10]), offset + 1234)
            os.close(descriptor)
    return len(found)


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
        expect_eq(flip_blocks(server, blocks), BLOCKS, "blocks put right again")

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
