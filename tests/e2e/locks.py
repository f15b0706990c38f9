#!/usr/bin/env python3
# flock and fcntl locks hold between two mounts: who is excluded, who waits, what ends waiting, and what becomes of locks
# when a process, the metaserver or a whole client dies. At the end processes on both mounts count in one file, and add rows
# to one SQLite database, each under locks alone.
# mounts: 2
# cluster: --chunkservers 3 --replicas 3
# timeout: 600
import errno
import fcntl
import multiprocessing
import os
import signal
import sqlite3
import struct
import sys
import time

from e2e import MOUNT, MOUNT2, cluster, expect, expect_eq, fail, raises, step, write_file

WAIT_S = 30  # for what must come; nothing here depends on how soon
COUNTERS_PER_MOUNT = 3
COUNTS_EACH = 60
ROWS_EACH = 40


def path(mount, name):
    return os.path.join(mount, name)


def open_file(mount, name="f"):
    return os.open(path(mount, name), os.O_RDWR)


def set_lock(descriptor, kind, start=0, length=0, wait=False):
    as_it_is = wait or kind == fcntl.LOCK_UN
    fcntl.lockf(descriptor, kind if as_it_is else kind | fcntl.LOCK_NB, length, start)


def refused(function, *arguments):
    raises(errno.EAGAIN, function, *arguments)


def soon(function, *arguments):
    """What is closed is unlocked a moment later: the kernel does not wait for it."""
    deadline = time.monotonic() + WAIT_S
    while True:
        try:
            return function(*arguments)
        except BlockingIOError:
            expect(time.monotonic() < deadline, "a lock was not given up")
            time.sleep(0.01)


class Child:
    """Runs `function(told, *arguments)` in a process of its own; `told(word)` lets the parent go on."""

    def __init__(self, function, *arguments):
        self.here, there = multiprocessing.Pipe()
        self.process = multiprocessing.Process(target=function, args=(there.send, *arguments), daemon=True)
        self.process.start()

    def hears(self, word):
        expect(self.here.poll(WAIT_S), f"a process did not say '{word}'")
        expect_eq(self.here.recv(), word, "what a process said")

    def is_silent(self):
        return not self.here.poll(0.5)

    def kill(self, number=signal.SIGKILL):
        os.kill(self.process.pid, number)

    def end(self):
        self.process.join(WAIT_S)
        expect(not self.process.is_alive(), "a process has not ended")


def take_and_keep(told, mount, kind, whole):
    descriptor = open_file(mount)
    if whole:
        fcntl.flock(descriptor, kind)
    else:
        set_lock(descriptor, kind, wait=True)
    told("has it")
    signal.pause()


def exclusion():
    for first, second in ((MOUNT, MOUNT2), (MOUNT2, MOUNT)):
        a, b = open_file(first), open_file(second)
        fcntl.flock(a, fcntl.LOCK_EX)
        refused(fcntl.flock, b, fcntl.LOCK_SH | fcntl.LOCK_NB)
        fcntl.flock(a, fcntl.LOCK_SH)
        fcntl.flock(b, fcntl.LOCK_SH | fcntl.LOCK_NB)
        refused(fcntl.flock, a, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.flock(b, fcntl.LOCK_UN)
        os.close(a)  # and with it the lock
        soon(fcntl.flock, b, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(b)
    step("flock excludes between mounts")


def ranges():
    a, b = open_file(MOUNT), open_file(MOUNT2)
    set_lock(a, fcntl.LOCK_EX, 0, 100)
    set_lock(b, fcntl.LOCK_EX, 100, 100)
    refused(set_lock, b, fcntl.LOCK_SH, 99, 1)
    refused(set_lock, a, fcntl.LOCK_EX, 150, 0)
    query = struct.pack("hhqqi", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
    kind, _, start, length, _ = struct.unpack("hhqqi", fcntl.fcntl(b, fcntl.F_GETLK, query))
    expect_eq((kind, start, length), (fcntl.F_WRLCK, 0, 100), "what F_GETLK says is in the way")
    set_lock(a, fcntl.LOCK_UN, 40, 20)
    set_lock(b, fcntl.LOCK_EX, 40, 20)
    os.close(open_file(MOUNT))  # any descriptor of the file takes all locks of the process on it along
    set_lock(b, fcntl.LOCK_EX, 0, 0)
    os.close(b)
    os.close(a)
    step("fcntl locks exclude by ranges between mounts, and go with the first close")


def waiting():
    a = open_file(MOUNT)
    set_lock(a, fcntl.LOCK_EX)
    children = []
    for _ in range(3):
        children.append(Child(take_and_keep, MOUNT2, fcntl.LOCK_EX, False))
        expect(children[-1].is_silent(), "a process got a lock that another has")
    set_lock(a, fcntl.LOCK_UN)
    for child in children:  # in the order of coming, each when the one before is dead
        child.hears("has it")
        child.kill()
        child.end()
    set_lock(a, fcntl.LOCK_EX, wait=True)
    os.close(a)
    step("who waits gets the lock in turn; who is killed gives it up")


class Alarm(Exception):
    pass


def interrupt():
    def raise_alarm(number, frame):
        raise Alarm()

    a, b = open_file(MOUNT), open_file(MOUNT2)
    fcntl.flock(a, fcntl.LOCK_EX)
    signal.signal(signal.SIGALRM, raise_alarm)
    signal.setitimer(signal.ITIMER_REAL, 1)
    try:
        fcntl.flock(b, fcntl.LOCK_EX)
        fail("a lock was given twice")
    except Alarm:
        pass
    child = Child(take_and_keep, MOUNT2, fcntl.LOCK_EX, True)
    expect(child.is_silent(), "a process got a lock that another has")
    child.kill()
    child.end()
    os.close(a)
    soon(fcntl.flock, b, fcntl.LOCK_EX | fcntl.LOCK_NB)  # neither of the two who gave up is in the way
    os.close(b)
    step("a signal ends the waiting, and leaves nothing behind")


def metaserver_restart():
    a, b = open_file(MOUNT), open_file(MOUNT2)
    fcntl.flock(a, fcntl.LOCK_EX)
    child = Child(take_and_keep, MOUNT2, fcntl.LOCK_EX, True)
    expect(child.is_silent(), "a process got a lock that another has")
    cluster("kill", "metaserver")
    cluster("start", "metaserver")
    refused(fcntl.flock, b, fcntl.LOCK_SH | fcntl.LOCK_NB)
    expect(child.is_silent(), "a process got a lock over a restart that another has")
    fcntl.flock(a, fcntl.LOCK_UN)
    child.hears("has it")
    child.kill()
    child.end()
    os.close(a)
    os.close(b)
    step("locks and those who wait outlive a metaserver")


def count(told, mount, process):
    descriptor = open_file(mount, "counter")
    for i in range(COUNTS_EACH):
        if (process + i) % 2 == 0:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            fcntl.flock(descriptor, fcntl.LOCK_UN)
        set_lock(descriptor, fcntl.LOCK_EX, 0, 8, wait=True)
        value = int(os.pread(descriptor, 8, 0))
        os.pwrite(descriptor, b"%08d" % (value + 1), 0)
        os.fsync(descriptor)
        set_lock(descriptor, fcntl.LOCK_UN, 0, 8)
    told("counted")


def counting():
    write_file(path(MOUNT, "counter"), b"%08d" % 0)
    mounts = [MOUNT, MOUNT2] * COUNTERS_PER_MOUNT
    children = [Child(count, mount, process) for process, mount in enumerate(mounts)]
    for child in children:
        child.hears("counted")
        child.end()
    with open(path(MOUNT2, "counter"), "rb") as counter:
        expect_eq(int(counter.read()), COUNTS_EACH * len(mounts), "the count")
    step(f"{len(mounts)} processes on two mounts counted to {COUNTS_EACH * len(mounts)}")


def add_rows(told, mount, process):
    database = sqlite3.connect(path(mount, "rows.db"), timeout=WAIT_S * 4, isolation_level=None)
    for i in range(ROWS_EACH):
        database.execute("BEGIN IMMEDIATE")
        database.execute("INSERT INTO rows VALUES (?, ?)", (process, i))
        database.execute("COMMIT")
    database.close()
    told("added")


def databases():
    database = sqlite3.connect(path(MOUNT, "rows.db"))
    database.execute("PRAGMA journal_mode=DELETE")
    database.execute("CREATE TABLE rows (process INTEGER, i INTEGER)")
    database.commit()
    database.close()
    mounts = [MOUNT, MOUNT2, MOUNT, MOUNT2]
    children = [Child(add_rows, mount, process) for process, mount in enumerate(mounts)]
    for child in children:
        expect(child.here.poll(WAIT_S * 8), "a process did not end with its rows")
        child.hears("added")
        child.end()
    for mount in (MOUNT, MOUNT2):
        database = sqlite3.connect(path(mount, "rows.db"))
        expect_eq(database.execute("PRAGMA integrity_check").fetchall(), [("ok",)], "integrity_check")
        rows = database.execute("SELECT COUNT(*), COUNT(DISTINCT process * 1000 + i) FROM rows").fetchone()
        expect_eq(rows, (ROWS_EACH * 4, ROWS_EACH * 4), "rows")
        database.close()
    step(f"4 processes on two mounts added {ROWS_EACH * 4} rows to one database")


def client_dies():
    a = open_file(MOUNT2)
    child = Child(take_and_keep, MOUNT, fcntl.LOCK_EX, True)
    child.hears("has it")
    refused(fcntl.flock, a, fcntl.LOCK_EX | fcntl.LOCK_NB)
    cluster("kill", "client")
    begin = time.monotonic()
    fcntl.flock(a, fcntl.LOCK_EX)
    child.kill()
    child.end()
    os.close(a)
    cluster("start", "client")
    step(f"the lock of a client that died went to another, {time.monotonic() - begin:.1f} s after")


def main():
    write_file(path(MOUNT, "f"), b"x" * 1000)
    exclusion()
    ranges()
    waiting()
    interrupt()
    counting()
    databases()
    metaserver_restart()
    client_dies()
    sys.stdout.flush()


main()
