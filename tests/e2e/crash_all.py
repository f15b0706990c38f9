#!/usr/bin/env python3
# kill -9 of every process at once, servers and client, while programs write and fsync as fast as they can. After the restart
# everything that an fsync had returned for is there, byte for byte.
# timeout: 400
import multiprocessing
import os
import random
import signal
import sys
import time

from e2e import MOUNT, WORK, cluster, expect, pid_of, step

ROUNDS = 3
WRITING_S = 4
PROCESSES = ["metaserver", "chunkserver.1", "chunkserver.2", "chunkserver.3", "client"]
RECORD = 700
SLOT = 4096
SLOTS = 2000


def pattern(seed, size):
    return random.Random(seed).randbytes(size)


class Writer(multiprocessing.Process):
    """Writes and syncs until a call fails; notes in a local file what was synced, after it was."""

    def __init__(self, round_number):
        self.kind = type(self).__name__.lower()
        super().__init__(name=f"{self.kind}-{round_number}", daemon=True)
        self.folder = os.path.join(MOUNT, self.name)
        self.journal = os.path.join(WORK, self.name)

    def run(self):
        try:
            with open(self.journal, "w", buffering=1) as self.synced:
                self.prepare()
                number = 0
                while True:
                    self.work(number)
                    print(number, file=self.synced)
                    number += 1
        except OSError:
            os._exit(0)  # the client is dead; nothing is closed, for it would wait

    def prepare(self):
        os.mkdir(self.folder)
        self.file = os.open(os.path.join(self.folder, "data"), os.O_CREAT | os.O_RDWR, 0o644)

    def count_synced(self):
        with open(self.journal) as file:
            return sum(1 for line in file if line.endswith("\n"))

    def has_synced(self):
        return os.path.exists(self.journal) and self.count_synced() > 0

    def read(self):
        with open(os.path.join(self.folder, "data"), "rb") as file:
            return file.read()


class Appends(Writer):
    def work(self, number):
        os.write(self.file, pattern(number, RECORD))
        os.fsync(self.file)

    def check(self):
        data = self.read()
        for number in range(self.count_synced()):
            found = data[number * RECORD : (number + 1) * RECORD]
            expect(found == pattern(number, RECORD), f"{self.name}: record {number} is not there")


class Overwrites(Writer):
    @staticmethod
    def slot_of(number):
        return random.Random(f"slot {number}").randrange(SLOTS)

    def work(self, number):
        os.pwrite(self.file, pattern(number, SLOT), self.slot_of(number) * SLOT)
        os.fdatasync(self.file)

    def check(self):
        data = self.read()
        count = self.count_synced()
        last = {self.slot_of(number): number for number in range(count)}
        under_way = (self.slot_of(count), count)  # this one may be there or not
        for slot, number in last.items():
            found = data[slot * SLOT : (slot + 1) * SLOT]
            allowed = [pattern(number, SLOT)] + ([pattern(count, SLOT)] if slot == under_way[0] else [])
            expect(found in allowed, f"{self.name}: write {number} to slot {slot} is not there")


class Files(Writer):
    """New files: their names are synced with them."""

    def prepare(self):
        os.mkdir(self.folder)

    def work(self, number):
        file = os.open(os.path.join(self.folder, str(number)), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
        os.write(file, pattern(number, 100 + number % 9000))
        os.fsync(file)
        os.close(file)

    def check(self):
        for number in range(self.count_synced()):
            with open(os.path.join(self.folder, str(number)), "rb") as file:
                expect(file.read() == pattern(number, 100 + number % 9000), f"{self.name}: file {number} is not what was synced")


def kill_everything():
    for pid in [pid_of(name) for name in PROCESSES]:
        os.kill(pid, signal.SIGKILL)


def main():
    all_writers = []
    for round_number in range(1, ROUNDS + 1):
        writers = [kind(round_number) for kind in (Appends, Overwrites, Files)]
        for writer in writers:
            writer.start()
        # After a crash, changes wait until the dead client's session has lapsed.
        deadline = time.monotonic() + 60
        while not all(writer.has_synced() for writer in writers):
            expect(time.monotonic() < deadline, "somebody syncs nothing")
            time.sleep(0.1)
        time.sleep(WRITING_S)  # how long they write; nothing depends on how far they get
        kill_everything()
        for writer in writers:
            writer.join(60)
            expect(not writer.is_alive(), f"{writer.name} hangs although the client is dead")
        for name in PROCESSES:
            cluster("start", name)
        all_writers += writers
        for writer in all_writers:
            writer.check()
        counts = ", ".join(f"{writer.count_synced()} {writer.kind}" for writer in writers)
        expect(all(writer.count_synced() > 0 for writer in writers), f"somebody synced nothing: {counts}")
        step(f"round {round_number}: all that was synced is there: {counts}")


main()
sys.stdout.flush()
