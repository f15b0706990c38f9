#!/usr/bin/env python3
# Bits turn over in the slabs and in the index of one chunkserver, while it is away and while it runs: no wrong byte is read, the
# server begins afresh by itself where it cannot say any more what it has, and in the end all copies are whole again.
# cluster: --chunkserver-opts --scrub-interval-s=0
# timeout: 400
import os
import random
import subprocess
import time

from e2e import MOUNT, STORE, cluster, expect, expect_eq, fail, pid_of, read_file, step, write_file
from spoil import BLOCK, MARK_BYTES, count_whole, flip_bit, stored_copies

FILES = 64
BLOCKS_PER_FILE = 128
SLAB_FLIPS = 1000
INDEX_FLIPS = 100
VICTIM = "chunkserver.2"


def gabion(*arguments):
    return subprocess.run([os.path.join(os.environ["BUILD"], "gabion"), *arguments], check=True, capture_output=True,
                          text=True).stdout


def flip_slabs(blocks, source):
    wanted = {}
    for number in source.choices(range(len(blocks)), k=SLAB_FLIPS):
        # Not in the mark by which the copy is found.
        wanted.setdefault(number, []).append((source.randrange(MARK_BYTES, BLOCK), source.randrange(8)))
    for descriptor, offset, number in stored_copies(VICTIM, blocks):
        for byte, bit in wanted.get(number, ()):
            flip_bit(descriptor, offset + byte, bit)


def flip_index(source):
    """Of all files that the index is made of, the larger ones more often."""
    folder = os.path.join(STORE, VICTIM, "index")
    files = [os.path.join(folder, name) for name in sorted(os.listdir(folder)) if not name.startswith("LOG")]
    files = [path for path in files if os.path.getsize(path) > 0]
    sizes = [os.path.getsize(path) for path in files]
    for path in source.choices(files, weights=sizes, k=INDEX_FLIPS):
        descriptor = os.open(path, os.O_RDWR)
        flip_bit(descriptor, source.randrange(os.path.getsize(path)), source.randrange(8))
        os.close(descriptor)


def check_all(files):
    for name, data in files.items():
        expect(read_file(os.path.join(MOUNT, name)) == data, f"wrong data in {name}")


def await_whole(blocks):
    """Scrubs until the victim has everything as it should be."""
    deadline = time.monotonic() + 120
    while True:
        told = subprocess.run([os.path.join(os.environ["BUILD"], "gabion"), "scrub", "start", "--wait"],
                              capture_output=True, text=True)
        if count_whole(VICTIM, blocks) == len(blocks):
            print("  ", told.stdout.strip().splitlines()[-1])
            return
        if time.monotonic() > deadline:
            fail(f"{len(blocks) - count_whole(VICTIM, blocks)} of {len(blocks)} blocks are not whole\n{told.stdout}\n"
                 f"{told.stderr}\n{gabion('status')}\n{gabion('events')}")
        time.sleep(1)


def main():
    source = random.Random(7)
    files = {}
    blocks = []
    for number in range(FILES):
        mine = [source.randbytes(BLOCK) for _ in range(BLOCKS_PER_FILE)]
        blocks += mine
        files[f"file{number}"] = b"".join(mine)
        path = os.path.join(MOUNT, f"file{number}")
        write_file(path, files[f"file{number}"])
        with open(path, "r+b") as file:
            os.fsync(file.fileno())
    expect_eq(count_whole(VICTIM, blocks), len(blocks), "blocks found")

    step(f"{SLAB_FLIPS} bits of slabs and {INDEX_FLIPS} of the index turn over while {VICTIM} is away")
    cluster("kill", VICTIM)
    flip_slabs(blocks, source)
    flip_index(source)
    cluster("start", VICTIM)
    pid = pid_of(VICTIM)
    cluster("remount")
    check_all(files)
    await_whole(blocks)
    expect_eq(pid_of(VICTIM), pid, "the process id")
    events = gabion("events")
    expect("has lost a store" in events and "begins afresh" in events, f"gabion events does not say so:\n{events}")

    step(f"{SLAB_FLIPS} bits of slabs and {INDEX_FLIPS} of the index turn over while {VICTIM} runs")
    flip_slabs(blocks, source)
    flip_index(source)
    cluster("remount")
    check_all(files)
    # What it has in memory hides the damage until it reads there, or begins again.
    await_whole(blocks)
    cluster("kill", VICTIM)
    cluster("start", VICTIM)
    cluster("remount")
    check_all(files)
    await_whole(blocks)
    print(gabion("status"))


main()
