#!/usr/bin/env python3
# Processes on several mounts append lines to the same few files with O_APPEND. At the end every mount shows each line exactly
# once and whole, and those of each writer in its order. STRESS_SETTLE says what a writer does after each line: nothing,
# fsync, or close (and open again); without it the time is divided among all three. STRESS_TURNS=1: writers take turns by an
# exclusive flock on the file, with which appends need not be atomic. Beside these the options of lib/stress.py.
#
# Not in the suite: appends of several mounts overwrite each other. With STRESS_TURNS=1 it passes.
# cluster: --chunkservers 3 --replicas 3
# mounts: 4
# timeout: 300
import fcntl
import os
import random
import sys
import time
import zlib

from e2e import fail, read_file, step
from stress import Worker, mounts, options, results

FILES = 3
WRITERS_PER_MOUNT = 2
LONGEST = 1024
WAYS = ("nothing", "fsync", "close")
END_S = 120


def line_of(writer, number, length):
    start = f"{writer} {number} {length} "
    body = (start * (length // len(start) + 1))[len(start):length - 10]
    text = start + body
    return f"{text} {zlib.crc32(text.encode()):08x}\n".encode()


def parse(line):
    """(writer, number) of a line that is whole, else None."""
    text, _, crc = line.rpartition(b" ")
    try:
        if int(crc, 16) != zlib.crc32(text):
            return None
        writer, number = text.split(b" ", 2)[:2]
        return int(writer), int(number)
    except ValueError:
        return None


class Appender:
    """Appends to one file; settles each line in its way."""

    def __init__(self, path, settle, turns):
        self.path, self.settle = path, settle
        self.file = None
        self.turn = os.open(path, os.O_RDONLY) if turns else None

    def append(self, line):
        if self.turn is not None:
            fcntl.flock(self.turn, fcntl.LOCK_EX)
        if self.file is None:
            self.file = os.open(self.path, os.O_WRONLY | os.O_APPEND)
        written = os.write(self.file, line)
        if written != len(line):
            fail(f"write(2) took {written} of {len(line)} bytes")
        if self.settle == "fsync":
            os.fsync(self.file)
        elif self.settle == "close":
            self.close()
        if self.turn is not None:
            fcntl.flock(self.turn, fcntl.LOCK_UN)

    def close(self):
        if self.file is not None:
            os.close(self.file)
            self.file = None


def write_lines(_, mount, names, writer, settle, chosen, seconds):
    """Appends until the time is over; how many lines each file got."""
    source = random.Random(f"{chosen.seed} {writer}")
    appenders = [Appender(os.path.join(mount, name), settle, chosen.turns) for name in names]
    counts = [0] * len(names)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        place = source.randrange(len(names))
        length = source.choice((40, 40, 100, 300, LONGEST - 10))
        appenders[place].append(line_of(writer, counts[place], length + source.randrange(10)))
        counts[place] += 1
    for appender in appenders:
        appender.close()
    return counts


def problems_of(content, counts):
    """What is wrong with a file: counts[writer] lines of each writer should be in it."""
    seen = [[] for _ in counts]
    torn = []
    at = 0
    for line in content.split(b"\n")[:-1]:
        known = parse(line)
        if known is None:
            torn.append((at, line[:60]))
        else:
            seen[known[0]].append((known[1], at))
        at += len(line) + 1
    found = []
    if not content.endswith(b"\n") and content:
        found.append("its last line has no end")
    for at, start in torn[:3]:
        found.append(f"{len(torn)} torn lines, as at {at}: {start!r}")
    for writer, lines in enumerate(seen):
        numbers = [number for number, _ in lines]
        lost = sorted(set(range(counts[writer])) - set(numbers))
        twice = sorted({number for number in numbers if numbers.count(number) > 1}) if len(numbers) > counts[writer] else []
        if lost:
            found.append(f"writer {writer} lost {len(lost)} of {counts[writer]} lines, as {lost[:5]}")
        if twice:
            found.append(f"writer {writer} has lines twice, as {twice[:5]}")
        if numbers != sorted(numbers):
            found.append(f"writer {writer}'s lines are not in order")
    return found


def storm(settle, chosen, seconds):
    """What went wrong, on how many lines."""
    where = mounts(chosen.mounts)
    names = [f"{settle}{number}" for number in range(FILES)]
    for name in names:
        os.close(os.open(os.path.join(where[0], name), os.O_CREAT | os.O_WRONLY))
    writers = [Worker(f"writer {number}", write_lines, where[number % len(where)], names, number, settle, chosen, seconds)
               for number in range(WRITERS_PER_MOUNT * len(where))]
    counts = results(writers, seconds + END_S)
    problems = []
    for place, name in enumerate(names):
        contents = [read_file(os.path.join(mount, name)) for mount in where]
        for number, content in enumerate(contents, 1):
            if content != contents[0]:
                problems.append(f"{name}: mount {number} reads other content ({len(content)} bytes) than mount 1 ({len(contents[0])})")
        problems += [f"{name}: {problem}" for problem in problems_of(contents[0], [count[place] for count in counts])]
    total = sum(map(sum, counts))
    step(f"{total} lines by {len(writers)} writers on {len(where)} mounts, each followed by {settle}: {len(problems)} problems")
    return problems


def main():
    chosen = options(15, settle="", turns=False)
    ways = [chosen.settle] if chosen.settle else WAYS
    problems = []
    for settle in ways:
        problems += storm(settle, chosen, chosen.seconds / len(ways))
    for problem in problems[:40]:
        print(f"   writer N is on mount N % {chosen.mounts} + 1; {problem}", file=sys.stderr)
    if problems:
        fail(f"{len(problems)} problems")


main()
