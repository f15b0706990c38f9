#!/usr/bin/env python3
# Processes on several mounts count in files under flock and under fcntl locks, while one client after the other is killed and
# mounted again. No two are ever inside at once (each also holds a lock of this machine then, which must be free), nobody finds
# another's mark in a file unless that one's client was killed, the count never goes back, and at the end it is what was
# acknowledged, but for what was under way when a client was killed.
# The options of lib/stress.py; STRESS_PAUSE: seconds from one kill to the next (0: nobody is killed).
# cluster: --chunkservers 3 --replicas 3
# mounts: 4
# timeout: 300
import collections
import errno
import fcntl
import os
import random
import struct
import time

from e2e import WORK, cluster, expect, expect_eq, step, write_file
from stress import Worker, mounts, options

KINDS = ("flock", "fcntl", "ofd")
WORKERS_PER_MOUNT = 3
CUT_OFF = (errno.ENOTCONN, errno.ECONNABORTED, errno.ECANCELED)  # the last from io_uring, for what was under way in it
FREE = "-"
WAIT_S = 90  # a dead client's locks are kept for its session's time to live, 10 s, for each of those who died holding one
RECORD_BYTES = 64


def record(value, holder):
    return f"{value} {holder}".encode().ljust(RECORD_BYTES)


def read_record(descriptor):
    value, holder = os.pread(descriptor, RECORD_BYTES, 0).split()
    return int(value), holder.decode()


class Locks:
    """The lock of one kind on one open file: of all of it, or of a range around its first byte."""

    def __init__(self, kind, descriptor, source):
        self.kind, self.descriptor, self.source = kind, descriptor, source

    def take(self):
        if self.kind == "flock":
            fcntl.flock(self.descriptor, fcntl.LOCK_EX)
        elif self.kind == "fcntl":
            fcntl.lockf(self.descriptor, fcntl.LOCK_EX, self.source.choice((0, 1, RECORD_BYTES)))
        else:
            self.set_ofd(fcntl.F_WRLCK)

    def give(self):
        if self.kind == "flock":
            fcntl.flock(self.descriptor, fcntl.LOCK_UN)
        elif self.kind == "fcntl":
            fcntl.lockf(self.descriptor, fcntl.LOCK_UN)
        else:
            self.set_ofd(fcntl.F_UNLCK)

    def set_ofd(self, kind):
        fcntl.fcntl(self.descriptor, fcntl.F_OFD_SETLKW, struct.pack("hhqqi4x", kind, os.SEEK_SET, 0, 0, 0))


class Counter:
    """What one process does, and what it may tell at the end."""

    def __init__(self, mount, name, seed):
        self.mount, self.name = mount, name
        self.source = random.Random(f"{seed} {name}")
        self.generation = 0
        self.acknowledged = dict.fromkeys(KINDS, 0)
        self.in_doubt = dict.fromkeys(KINDS, 0)
        self.last_seen = dict.fromkeys(KINDS, 0)
        self.dead_marks = []  # of others, which stood in a file when it was this one's turn
        self.longest = 0.0
        self.open()

    def open(self):
        self.files = {kind: os.open(os.path.join(self.mount, kind), os.O_RDWR) for kind in KINDS}

    def open_again(self):
        for descriptor in self.files.values():
            try:
                os.close(descriptor)
            except OSError:
                pass
        self.generation += 1
        self.open()

    @property
    def mark(self):
        return f"{self.name}.{self.generation}"

    def count(self, kind):
        locks = Locks(kind, self.files[kind], self.source)
        begin = time.monotonic()
        locks.take()
        self.longest = max(self.longest, time.monotonic() - begin)
        with open(os.path.join(WORK, f"{kind}.inside"), "a") as inside:
            try:
                fcntl.flock(inside, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                expect(False, f"{self.mark} got the {kind} lock while another one was inside")
            self.work_inside(kind)
        locks.give()
        if self.source.random() < 0.3:
            time.sleep(self.source.random() * 0.01)

    def work_inside(self, kind):
        """Returns with the count made and synced, and the mark taken away."""
        descriptor = self.files[kind]
        value, holder = read_record(descriptor)
        if holder != FREE:
            self.dead_marks.append(holder)
        expect(value >= self.last_seen[kind], f"{self.mark}: {kind} went from {self.last_seen[kind]} back to {value}")
        os.pwrite(descriptor, record(value, self.mark), 0)
        if self.source.random() < 0.5:
            os.fsync(descriptor)
        if self.source.random() < 0.2:
            time.sleep(self.source.random() * 0.005)
        expect_eq(read_record(descriptor), (value, self.mark), f"what {self.mark} finds in {kind} that it has locked")
        self.in_doubt[kind] += 1
        os.pwrite(descriptor, record(value + 1, FREE), 0)
        os.fsync(descriptor)
        self.in_doubt[kind] -= 1
        self.acknowledged[kind] += 1
        self.last_seen[kind] = value + 1

    def report(self):
        return self.acknowledged, self.in_doubt, self.dead_marks, self.longest


def count_on(parent, mount, name, seed, seconds):
    counter = Counter(mount, name, seed)
    deadline = time.monotonic() + seconds
    cut_off = False
    while time.monotonic() < deadline:
        try:
            if cut_off:
                counter.open_again()  # that may take until the session of before has lapsed, and be cut off as well
            cut_off = False
            counter.count(counter.source.choice(KINDS))
        except OSError as error:
            if error.errno not in CUT_OFF:
                raise
            cut_off = True
            parent.send((counter.mark, errno.errorcode[error.errno]))
            parent.recv()
    return counter.report()


def strike(number, workers, dead, source):
    """Kills a client and mounts again; its processes go on then. `dead` gets their marks, and the errors they got."""
    name = "client" if number == 0 else f"client.{number + 1}"
    cluster("kill", name)
    time.sleep(source.random() * 2)
    cluster("start", name)
    for worker in workers:
        told = None if worker.done else worker.hear(WAIT_S)
        if not worker.done:
            mark, dead_of = told
            dead[mark] = dead_of
            worker.send("go on")


def main():
    chosen = options(15, pause=5.0)
    where = mounts(chosen.mounts)
    for kind in KINDS:
        write_file(os.path.join(where[0], kind), record(0, FREE))
    source = random.Random(chosen.seed)
    begin = time.monotonic()
    workers = [[Worker(f"{number}.{place}", count_on, mount, f"{number}.{place}", chosen.seed, chosen.seconds)
                for place in range(WORKERS_PER_MOUNT)] for number, mount in enumerate(where)]
    dead, kills = {}, 0
    while chosen.pause and time.monotonic() - begin + chosen.pause < chosen.seconds:
        time.sleep(chosen.pause * source.uniform(0.5, 1))
        number = source.randrange(len(where))
        strike(number, workers[number], dead, source)
        kills += 1
    reports = [worker.result(WAIT_S) for group in workers for worker in group]
    for _, _, marks, _ in reports:
        for mark in marks:
            expect(mark in dead, f"the mark of {mark} stood in a file that was locked, and its client was not killed: {sorted(dead)}")
    for kind in KINDS:
        acknowledged = sum(report[0][kind] for report in reports)
        in_doubt = sum(report[1][kind] for report in reports)
        for number, mount in enumerate(where, 1):
            with open(os.path.join(mount, kind), "rb") as file:
                value = int(file.read().split()[0])
            expect(acknowledged <= value <= acknowledged + in_doubt,
                   f"{kind} on mount {number}: the count is {value}; {acknowledged} were acknowledged, {in_doubt} were under way")
        print(f"   {kind}: {acknowledged} counts, {in_doubt} under way when a client was killed")
    marks = sum(len(report[2]) for report in reports)
    told = collections.Counter(dead.values())
    print("   when clients were killed: " + ", ".join(f"{count} times {name}" for name, count in sorted(told.items())))
    step(f"{sum(map(len, workers))} processes on {len(where)} mounts, {kills} kills, {marks} marks of the dead found; "
         f"the longest wait was {max(report[3] for report in reports):.1f} s")


main()
