"""Spoils what chunkservers have on their disks, and looks whether it is whole."""

import errno
import os

from e2e import STORE

BLOCK = 4096
MARK_BYTES = 32


def _data_extents(descriptor, size):
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


def stored_copies(server, blocks):
    """Where the blocks, which begin with marks of their own, lie on one server: (descriptor, offset, number). The
    descriptor is open until the next one is taken."""
    marks = {block[:MARK_BYTES]: number for number, block in enumerate(blocks)}
    for folder, _, names in os.walk(os.path.join(STORE, server)):
        for name in names:
            path = os.path.join(folder, name)
            size = os.stat(path).st_size
            if size < BLOCK:
                continue
            descriptor = os.open(path, os.O_RDWR)
            for begin, end in _data_extents(descriptor, size):
                for offset in range(begin - begin % BLOCK, end, BLOCK):
                    mark = os.pread(descriptor, MARK_BYTES, offset)
                    if mark in marks:
                        yield descriptor, offset, marks[mark]
            os.close(descriptor)


def flip_bit(descriptor, offset, bit=4):
    byte = os.pread(descriptor, 1, offset)
    os.pwrite(descriptor, bytes([byte[0] ^ (1 << bit)]), offset)


def flip_blocks(server, blocks):
    """Flips one bit in each stored copy of the blocks on one server; how many blocks it found."""
    found = set()
    for descriptor, offset, number in stored_copies(server, blocks):
        found.add(number)
        flip_bit(descriptor, offset + 1234)
    return len(found)


def count_whole(server, blocks):
    """How many of the blocks the server has as they should be."""
    whole = set()
    for descriptor, offset, number in stored_copies(server, blocks):
        if os.pread(descriptor, BLOCK, offset) == blocks[number]:
            whole.add(number)
    return len(whole)
