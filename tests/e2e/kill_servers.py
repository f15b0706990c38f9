#!/usr/bin/env python3
# kill -9 of each server in turn, several times, while files are written with fsync and names are made, linked, renamed and
# removed. No call may fail: a writer sees a pause. After each restart everything acknowledged is there once and only once,
# as seen from another mount; at the end also after kill -9 of all servers and of the client.
# mounts: 2
# timeout: 600
import contextlib
import os
import random
import sys
import threading
import time
import traceback

from e2e import MOUNT, MOUNT2, cluster, expect, expect_eq, read_file, step

SERVERS = ["metaserver", "chunkserver.1", "chunkserver.2", "chunkserver.3"]
ROUNDS = 2
PROGRESS_CALLS = 20  # how far every writer must come between two kills
MAX_PAUSE_S = 60  # a call that takes longer has failed


class Writer(threading.Thread):
    """Does one kind of work until told to stop; keeps what has been acknowledged, and the longest pause."""

    def __init__(self, name):
        super().__init__(name=name, daemon=True)
        self.folder = name
        self.top = os.path.join(MOUNT, name)
        os.mkdir(self.top)
        self.stopping = False
        self.done = 0
        self.longest_s = 0.0
        self.problem = None
        self.guard = threading.Lock()  # held over one step: who holds it sees the work between two steps
        self.random = random.Random(name)

    def run(self):
        try:
            while not self.stopping:
                with self.guard:
                    begin = time.monotonic()
                    self.work(self.done)
                    self.longest_s = max(self.longest_s, time.monotonic() - begin)
                    self.done += 1
        except (Exception, SystemExit):
            self.problem = traceback.format_exc()

    def path(self, name):
        return os.path.join(self.top, name)


class Appender(Writer):
    """Appends records of odd sizes to one file and fsyncs each."""

    def __init__(self, name):
        super().__init__(name)
        self.file = os.open(self.path("log"), os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o644)
        self.content = bytearray()

    def work(self, i):
        record = self.random.randbytes(self.random.randrange(1, 9000)) + b"\n"
        written = 0
        while written < len(record):
            written += os.write(self.file, record[written:])
        os.fsync(self.file)
        self.content += record

    def check(self, mount):
        expect_eq(read_file(os.path.join(mount, self.folder, "log")), bytes(self.content), f"{self.name}: the log")


class Overwriter(Writer):
    """Overwrites blocks of a large file at random places and fsyncs each."""

    SIZE = 100_000_000  # over a chunk boundary

    def __init__(self, name):
        super().__init__(name)
        self.file = os.open(self.path("data"), os.O_CREAT | os.O_RDWR, 0o644)
        os.ftruncate(self.file, self.SIZE)
        self.pieces = {}

    def work(self, i):
        slot = self.random.randrange(0, self.SIZE // 10_000)
        piece = self.random.randbytes(self.random.choice([512, 4096, 10_000]))
        os.pwrite(self.file, piece, slot * 10_000)
        os.fdatasync(self.file)
        self.pieces[slot] = piece + self.pieces.get(slot, b"")[len(piece):]

    def check(self, mount):
        with open(os.path.join(mount, self.folder, "data"), "rb") as file:
            for slot, piece in self.pieces.items():
                file.seek(slot * 10_000)
                expect_eq(file.read(len(piece)), piece, f"{self.name}: slot {slot}")


class Saver(Writer):
    """Saves documents as editors do: write a new file, fsync it, rename it over the old one."""

    def __init__(self, name):
        super().__init__(name)
        self.saved = {}

    def work(self, i):
        name = f"document-{i % 7}"
        data = b"version %d\n" % i * self.random.randrange(1, 3000)
        file = os.open(self.path(name + ".new"), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
        os.write(file, data)
        os.fsync(file)
        os.close(file)
        os.rename(self.path(name + ".new"), self.path(name))
        self.saved[name] = data

    def check(self, mount):
        folder = os.path.join(mount, self.folder)
        expect_eq(sorted(os.listdir(folder)), sorted(self.saved), f"{self.name}: names")
        for name, data in self.saved.items():
            expect_eq(read_file(os.path.join(folder, name)), data, f"{self.name}: {name}")


class Nameless(Writer):
    """Works in a file that has lost its last name: it lives as long as it is open, over restarts of the servers as well."""

    SLOT = 10_000
    SLOTS = 300

    def __init__(self, name):
        super().__init__(name)
        self.file = os.open(self.path("gone"), os.O_CREAT | os.O_RDWR, 0o600)
        os.unlink(self.path("gone"))
        self.slots = [b""] * self.SLOTS

    def work(self, i):
        slot = self.random.randrange(self.SLOTS)
        self.slots[slot] = self.random.randbytes(self.SLOT)
        os.pwrite(self.file, self.slots[slot], slot * self.SLOT)
        os.fsync(self.file)
        self.check_slot(self.random.randrange(self.SLOTS))

    def check_slot(self, slot):
        wanted = self.slots[slot]
        expect_eq(os.pread(self.file, len(wanted), slot * self.SLOT), wanted, f"{self.name}: slot {slot}")

    def check(self, mount):
        expect_eq(os.listdir(os.path.join(mount, self.folder)), [], f"{self.name}: names")
        if self.file is not None:
            expect_eq(os.fstat(self.file).st_nlink, 0, f"{self.name}: links")
            for slot in range(self.SLOTS):
                self.check_slot(slot)


class Namer(Writer):
    """A storm of changes to names, never synced: each is acknowledged, so a server's death must not undo or double it."""

    def __init__(self, name):
        super().__init__(name)
        self.inodes = {}  # name -> inode number
        self.folders = set()

    def work(self, i):
        choice = self.random.randrange(10)
        name = f"n{i}"
        if choice < 5 or len(self.inodes) < 10:
            file = os.open(self.path(name), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            self.inodes[name] = os.fstat(file).st_ino
            os.close(file)
            return
        victim = self.random.choice(sorted(self.inodes))
        if choice == 5:
            os.mkdir(self.path("d" + name))
            self.folders.add("d" + name)
        elif choice == 6:
            os.link(self.path(victim), self.path(name))
            self.inodes[name] = self.inodes[victim]
        elif choice == 7:
            os.rename(self.path(victim), self.path(name))
            self.inodes[name] = self.inodes.pop(victim)
        else:
            os.unlink(self.path(victim))
            del self.inodes[victim]

    def check(self, mount):
        folder = os.path.join(mount, self.folder)
        names = os.listdir(folder)
        expect_eq(len(names), len(set(names)), f"{self.name}: names listed twice")
        missing, surplus = set(self.inodes) | self.folders, set(names)
        missing, surplus = missing - surplus, surplus - missing
        expect(not missing and not surplus, f"{self.name}: lost {sorted(missing)[:5]}, too many {sorted(surplus)[:5]}")
        links = {}
        for inode in self.inodes.values():
            links[inode] = links.get(inode, 0) + 1
        for name, inode in self.inodes.items():
            status = os.lstat(os.path.join(folder, name))
            expect_eq((status.st_ino, status.st_nlink), (inode, links[inode]), f"{self.name}: inode and links of {name}")


def check_problems(writers):
    for writer in writers:
        expect(writer.problem is None, f"{writer.name} got an error:\n{writer.problem}")


def wait_for_progress(writers):
    """Until every writer has done PROGRESS_CALLS more steps."""
    goals = [(writer, writer.done + PROGRESS_CALLS) for writer in writers]
    deadline = time.monotonic() + MAX_PAUSE_S
    while any(writer.done < goal for writer, goal in goals):
        check_problems(writers)
        stuck = [writer.name for writer, goal in goals if writer.done < goal]
        expect(time.monotonic() < deadline, f"no progress within {MAX_PAUSE_S} s: {stuck}")
        time.sleep(0.02)


def check_all(writers, mount):
    with contextlib.ExitStack() as stack:
        # All of them pause: what one wrote while others are checked would have to be checked the next time.
        for writer in writers:
            stack.enter_context(writer.guard)
        for writer in writers:
            writer.check(mount)


def main():
    writers = [Appender("append"), Overwriter("overwrite"), Saver("save"), Nameless("nameless"), Namer("names"), Namer("more-names")]
    for writer in writers:
        writer.start()
    wait_for_progress(writers)
    for round_number in range(ROUNDS):
        for server in SERVERS:
            cluster("kill", server)
            time.sleep(random.uniform(0, 1.5))  # restarts at once and late ones both happen; nothing depends on it
            cluster("start", server)
            wait_for_progress(writers)
            step(f"round {round_number + 1}: {server} killed and restarted")
            check_all(writers, MOUNT2)

    step("all servers at once")
    for server in SERVERS:
        cluster("kill", server)
    for server in SERVERS:
        cluster("start", server)
    wait_for_progress(writers)
    for writer in writers:
        writer.stopping = True
    for writer in writers:
        writer.join(MAX_PAUSE_S)
        expect(not writer.is_alive(), f"{writer.name} hangs")
    check_problems(writers)
    check_all(writers, MOUNT2)
    check_all(writers, MOUNT)

    step("the client too")
    for writer in writers:
        if hasattr(writer, "file"):
            os.close(writer.file)
            writer.file = None
    cluster("kill", "client")
    cluster("start", "client")
    cluster("kill", "metaserver")
    cluster("start", "metaserver")
    check_all(writers, MOUNT)
    for writer in writers:
        print(f"   {writer.name}: {writer.done} steps, longest pause {writer.longest_s:.1f} s")


main()
sys.stdout.flush()
