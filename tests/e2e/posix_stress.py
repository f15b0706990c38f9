#!/usr/bin/env python3
# Random calls by several mounts at once on a few names and files. After each short burst all mounts must show the same tree,
# and there must be an order of the calls, each between its beginning and its end, in which a POSIX filesystem gives all the
# answers that were got and ends in that tree (lib/posix_model.py, lib/linearize.py; posix_model_test.py tests these).
#
#   sudo STRESS_SECONDS=300 STRESS_MOUNTS=2 tests/e2e/run tests/e2e/posix_stress.py
#
# Beside the options of lib/stress.py:
#   STRESS_LANES     how many trees are worked on at the same time, each by processes of its own
#   STRESS_CALLS     how many calls at most each process makes in a burst
#   STRESS_ONLY      the calls to make, as "open,pread,unlink"
#   STRESS_STRICT=1  a write is complete when write(2) returns, and appends of several mounts do not overwrite each other.
#                    Without it each write is followed by fsync or close, and may be seen before that has returned
#   STRESS_STALE=0   no call may answer ESTALE. Else it may if it has no effect: two_mounts_faults.py tells when it does
#   STRESS_TELL=1    shows the bursts for which calls had to be taken apart (posix_model.py)
# It takes threads that get a CPU within 100 ms (docs/leases.md): on a machine with far too much to do a name may be stale.
# mounts: 4
# timeout: 300
import collections
import ctypes
import errno
import mmap
import os
import random
import stat
import sys
import time

from e2e import expect, fail, step
from linearize import Undecided, describe, describe_state, explain
from posix_model import APPENDS, ATOMIC, LEVELS, ROOT, WALKS, Call, State
from stress import Worker, mounts, options, results

FILES = ("p/a", "p/b", "p/c", "q/a", "q/b", "q/c")
SLOTS = 2
READ_BYTES = 4096
FRESH_TREE_EVERY = 25  # rounds
ANSWER_S = 120
LIBC = ctypes.CDLL(None, use_errno=True)
AT_FDCWD = -100
RENAME_FLAGS = {"": 0, "noreplace": 1, "exchange": 2}
OPEN_FLAGS = {"c": os.O_CREAT, "x": os.O_EXCL, "a": os.O_APPEND, "t": os.O_TRUNC}
# What is called, and how often of each.
WEIGHTS = {"open": 14, "close": 4, "pread": 9, "pwrite": 9, "append": 7, "ftruncate": 4, "fstat": 4, "fchmod": 1, "fsync": 1,
           "stat": 8, "unlink": 7, "mkdir": 4, "rmdir": 4, "rename": 10, "link": 5, "symlink": 3, "readlink": 2, "chmod": 3,
           "truncate": 3, "listdir": 4, "store": 8, "load": 8, "create": 6}


def attributes(found):
    kind = {stat.S_IFREG: "f", stat.S_IFDIR: "d", stat.S_IFLNK: "l"}[stat.S_IFMT(found.st_mode)]
    return kind, found.st_ino, stat.S_IMODE(found.st_mode), found.st_nlink, None if kind == "d" else found.st_size


class Actor:
    """One process on one mount: makes the calls that it is told, and notes their times and answers."""

    def __init__(self, mount, chosen):
        self.mount, self.chosen = mount, chosen
        self.top = None
        self.slots, self.flags = {}, {}

    def path(self, name):
        return os.path.join(self.top, name)

    def start_tree(self, name):
        for descriptor, _ in self.slots.values():
            os.close(descriptor)
        self.slots = {}
        self.top = os.path.join(self.mount, name)

    def burst(self, begin, calls):
        while time.monotonic() < begin:
            pass
        made = []
        for pause, name, arguments in calls:
            time.sleep(pause)
            ino = None
            if name in ("pread", "pwrite", "append", "ftruncate", "fstat", "fchmod", "fsync", "close"):
                if arguments[0] not in self.slots:
                    continue
                descriptor, ino = self.slots[arguments[0]]
                if name in ("pwrite", "append") and ("a" in self.flags[arguments[0]]) != (name == "append"):
                    continue
            if name == "open" and arguments[0] in self.slots:
                continue
            self.descriptor = None
            start = time.monotonic()
            try:
                answer = (None, getattr(self, name)(*arguments))
            except OSError as error:
                answer = (errno.errorcode[error.errno], None)
            end = time.monotonic()
            if self.descriptor is not None:
                found = os.fstat(self.descriptor).st_ino
                if name == "open":
                    self.slots[arguments[0]] = (self.descriptor, found)
                    self.flags[arguments[0]] = arguments[2]
                else:
                    os.close(self.descriptor)
                ino, answer = found, (None, found)
            made.append((name, arguments[1:] if name == "open" else arguments, start, end, answer, ino))
        return made

    def fd(self, slot):
        return self.slots[slot][0]

    def settle(self, descriptor):
        if not self.chosen.strict:
            os.fsync(descriptor)

    def open(self, slot, path, flags):
        bits = os.O_RDWR | os.O_NOFOLLOW
        for letter in flags:
            bits |= OPEN_FLAGS[letter]
        self.descriptor = os.open(self.path(path), bits, 0o644)

    def create(self, path, data):
        # Closed in burst(), when its inode number is known, and settled before.
        descriptor = os.open(self.path(path), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        os.write(descriptor, data)
        self.settle(descriptor)
        self.descriptor = descriptor

    def close(self, slot):
        os.close(self.slots.pop(slot)[0])

    def pread(self, slot, offset, size):
        return os.pread(self.fd(slot), size, offset)

    def pwrite(self, slot, offset, data):
        written = os.pwrite(self.fd(slot), data, offset)
        self.settle(self.fd(slot))
        return written

    def append(self, slot, data):
        written = os.write(self.fd(slot), data)
        self.settle(self.fd(slot))
        return written

    def ftruncate(self, slot, size):
        os.ftruncate(self.fd(slot), size)

    def fchmod(self, slot, mode):
        os.fchmod(self.fd(slot), mode)

    def fstat(self, slot):
        return attributes(os.fstat(self.fd(slot)))

    def fsync(self, slot):
        os.fsync(self.fd(slot))

    def stat(self, path):
        return attributes(os.lstat(self.path(path)))

    def unlink(self, path):
        os.unlink(self.path(path))

    def mkdir(self, path):
        os.mkdir(self.path(path), 0o755)

    def rmdir(self, path):
        os.rmdir(self.path(path))

    def rename(self, old, new, flag):
        paths = [os.fsencode(self.path(name)) for name in (old, new)]
        if LIBC.renameat2(AT_FDCWD, paths[0], AT_FDCWD, paths[1], RENAME_FLAGS[flag]) != 0:
            raise OSError(ctypes.get_errno(), "renameat2")

    def link(self, old, new):
        os.link(self.path(old), self.path(new))

    def symlink(self, path, target):
        os.symlink(target, self.path(path))

    def readlink(self, path):
        return os.readlink(self.path(path))

    def chmod(self, path, mode):
        os.chmod(self.path(path), mode)

    def truncate(self, path, size):
        os.truncate(self.path(path), size)

    def listdir(self, path):
        return frozenset(os.listdir(self.path(path)))

    def store(self, path, offset, data):
        descriptor = os.open(self.path(path), os.O_WRONLY | os.O_NOFOLLOW)
        try:
            return os.pwrite(descriptor, data, offset)
        finally:
            os.close(descriptor)

    def load(self, path, offset, size):
        descriptor = os.open(self.path(path), os.O_RDONLY | os.O_NOFOLLOW)
        try:
            return os.pread(descriptor, size, offset)
        finally:
            os.close(descriptor)

    def observe(self):
        """The tree as this mount shows it, and what is behind its handles; or what went wrong, at first and a moment later."""
        problems = []
        last = None
        for _ in range(20):
            try:
                seen = self.observe_once()
                return problems + [seen] if problems else seen
            except OSError as error:
                last = error
                if error.errno != errno.ESTALE or not self.chosen.stale:
                    problems.append(str(error))
                if len(problems) == 2:
                    break
                time.sleep(0.5 if problems else 0.02)
        return problems or [f"ESTALE again and again, of {last.filename or 'an open file'}"]

    def observe_once(self):
        tree = {}
        folders = [""]
        for folder in folders:
            for name in os.listdir(self.path(folder)):
                path = os.path.join(folder, name)
                seen = attributes(os.lstat(self.path(path)))
                content = b""
                if seen[0] == "d":
                    folders.append(path)
                elif seen[0] == "l":
                    content = os.readlink(self.path(path))
                else:
                    with open(self.path(path), "rb", buffering=0) as file:
                        content = file.read(2 * READ_BYTES)
                tree[path] = (*seen, content)
        behind = {}
        for descriptor, _ in self.slots.values():
            seen = attributes(os.fstat(descriptor))
            behind[seen[1]] = (*seen, os.pread(descriptor, 2 * READ_BYTES, 0))
        return tree, behind

    def contents_on_servers(self):
        """What direct reads find: what the servers have, whatever this mount's kernel keeps."""
        found = {}
        for folder in ("p", "q"):
            for name in self.listdir(folder) if os.path.isdir(self.path(folder)) else ():
                path = self.path(os.path.join(folder, name))
                if stat.S_ISREG(os.lstat(path).st_mode):
                    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECT)
                    page = mmap.mmap(-1, READ_BYTES)
                    found[f"{folder}/{name}"] = page[:os.preadv(descriptor, [page], 0)]
                    os.close(descriptor)
        return found


def act(parent, mount, chosen):
    os.umask(0o022)
    actor = Actor(mount, chosen)
    while True:
        message = parent.recv()
        if message is None:
            return
        name, *arguments = message
        parent.send(getattr(actor, name)(*arguments))


def show_differences(trees):
    paths = sorted(path for path in set().union(*trees) if any(tree.get(path) != trees[0].get(path) for tree in trees))
    return [f"      {path}: mount {number}: {tree.get(path)}" for path in paths for number, tree in enumerate(trees, 1)] or [
        f"      the same: {trees[0]}"]


class Lane:
    """One tree, and a process on each mount that works on it."""

    def __init__(self, name, chosen):
        self.name, self.chosen = name, chosen
        self.random = random.Random(f"{chosen.seed} {name}")
        self.actors = [Worker(f"{name}, mount {number}", act, mount, chosen)
                       for number, mount in enumerate(mounts(chosen.mounts), 1)]
        only = chosen.only.split(",") if chosen.only else WEIGHTS
        self.weights = {name: WEIGHTS[name] for name in only}
        self.explained = collections.Counter()
        self.calls = collections.Counter()
        self.rounds = 0
        self.tree = None

    def all(self, *message):
        for actor in self.actors:
            actor.send(message)
        return [actor.hear(ANSWER_S) for actor in self.actors]

    def start_tree(self):
        self.tree = f"{self.name}.{self.rounds}"
        top = os.path.join(mounts(1)[0], self.tree)
        for folder in (top, os.path.join(top, "p"), os.path.join(top, "q")):
            os.mkdir(folder)
        self.all("start_tree", self.tree)
        self.state = self.observe()[0]

    def observe(self):
        """The state that all mounts agree on, and the inodes that are open."""
        views = self.all("observe")
        for number, view in enumerate(views, 1):
            expect(isinstance(view, tuple), f"{self.where()}: mount {number} cannot show the tree: {view}\n{self.history}")
        tree, inodes = views[0][0], {}
        if any(other != tree for other, _ in views):
            self.fail_by_difference([other for other, _ in views])
        for number, (other, behind) in enumerate(views, 1):
            for ino, seen in behind.items():
                for place in [seen for path, seen in tree.items() if seen[1] == ino] + [inodes.get(ino, seen)]:
                    expect(seen == place, f"{self.where()}: mount {number} has {seen} behind a handle, others {place}\n"
                                          f"{self.history}")
                inodes[ino] = seen
        opened = frozenset(inodes)
        inodes.update((seen[1], seen) for seen in tree.values())
        names = {}
        for path, seen in tree.items():
            parent, _, name = path.rpartition("/")
            names[(tree[parent][1] if parent else ROOT, name)] = seen[1]
        state = State(names, {ino: (seen[0], seen[2], seen[5]) for ino, seen in inodes.items()})
        for ino, seen in inodes.items():
            expect(seen[3] == state.links(ino) and seen[4] in (None, len(seen[5])),
                   f"{self.where()}: inode {ino} says {seen}, and has {state.links(ino)} links\n{self.history}")
        return state, opened

    def fail_by_difference(self, trees):
        lines = [f"{self.where()}: mounts do not show the same tree; each shows", *show_differences(trees)]
        time.sleep(1.5)
        direct = self.all("contents_on_servers")
        lines += ["   by direct reads", *show_differences(direct)]
        lines += ["   and after that", *show_differences([view[0] for view in self.all("observe")])]
        fail("\n".join([*lines, self.history]))

    def where(self):
        return f"seed {self.chosen.seed}, {self.name}, round {self.rounds}, tree {self.tree}"

    def plan(self, process):
        """A burst of one process: (pause, name, arguments)."""
        pick = self.random.choice
        burst = []
        for number in range(self.random.randint(min(3, self.chosen.calls), self.chosen.calls)):
            name = self.random.choices(list(self.weights), list(self.weights.values()))[0]
            slot, path = self.random.randrange(SLOTS), pick(FILES)
            data = f"<{self.rounds}.{process}.{number}>".encode().ljust(pick((1, 1, 1, 200)), b"+")
            arguments = {
                "open": (slot, path, pick(("", "", "a", "a", "t", "c", "c", "ca", "cx", "cx", "ct"))), "close": (slot,),
                "pread": (slot, pick((0, 0, 5)), READ_BYTES), "pwrite": (slot, pick((0, 0, 7, 100)), data),
                "append": (slot, data), "ftruncate": (slot, pick((0, 3, 60))), "fstat": (slot,),
                "fchmod": (slot, pick((0o600, 0o644, 0o444))), "fsync": (slot,), "stat": (pick((*FILES, "p", "q")),),
                "unlink": (path,), "mkdir": (pick((path, path, "q")),), "rmdir": (pick((path, "q", "q")),),
                "rename": (path, pick(FILES), pick(("", "", "noreplace", "exchange"))), "link": (path, pick(FILES)),
                "symlink": (path, f"nowhere{number}"), "readlink": (path,), "chmod": (path, pick((0o600, 0o640, 0o755))),
                "truncate": (path, pick((0, 3, 60))), "listdir": (pick(("p", "q")),),
                "store": (path, pick((0, 0, 7, 100)), data), "load": (path, pick((0, 0, 5)), READ_BYTES),
                "create": (path, data)}[name]
            burst.append((pick((0, 0, 0, self.random.random() * 0.002)), name, arguments))
        return burst

    def round(self):
        if self.rounds % FRESH_TREE_EVERY == 0:
            self.history = "   (nothing was done yet)"
            self.start_tree()
        before = self.state
        begin = time.monotonic() + 0.003
        for process, actor in enumerate(self.actors):
            actor.send(("burst", begin, self.plan(process)))
        made = [actor.hear(ANSWER_S) for actor in self.actors]
        if self.chosen.stale:
            self.calls["ESTALE"] += sum(call[4][0] == "ESTALE" for calls in made for call in calls)
            made = [[call for call in calls if call[4][0] != "ESTALE"] for calls in made]
        histories = [[Call(*call[:5], number=f"{process}.{place}", ino=call[5]) for place, call in enumerate(calls)]
                     for process, calls in enumerate(made)]
        in_order = sorted((call for calls in histories for call in calls), key=lambda call: call.begin)
        self.calls.update(call.name for call in in_order)
        lines = [f"   mount {int(call.number.split('.')[0]) + 1}: {describe(call, begin)}" for call in in_order]
        self.history = "\n".join([f"   before it:\n{describe_state(before)}", *lines])
        self.state, opened = self.observe()
        try:
            level, found = explain(before, histories, self.state, opened, WALKS if self.chosen.strict else APPENDS)
        except Undecided:
            self.explained["not decided"] += 1
            self.rounds += 1
            return
        if level is None:
            count, positions, state = found
            fail(f"{self.where()}: no order explains these {len(in_order)} calls and the tree after them\n{self.history}\n"
                 f"   after it:\n{describe_state(self.state)}\n   at most {count} of the calls can be put in order, of each mount "
                 f"{positions}, with this state after them:\n{describe_state(state)}")
        self.explained[LEVELS[level]] += 1
        if level > ATOMIC and self.chosen.tell:
            print(f"{LEVELS[level]}: {self.where()}\n{self.history}", flush=True)
        self.rounds += 1

    def run(self):
        deadline = time.monotonic() + self.chosen.seconds
        try:
            while time.monotonic() < deadline:
                self.round()
        finally:
            for actor in self.actors:
                actor.kill()
        return self.explained, self.calls


def run_lane(_, name, chosen):
    sys.setrecursionlimit(10_000)
    return Lane(name, chosen).run()


def main():
    chosen = options(15, lanes=2, calls=5, strict=False, stale=True, only="", tell=False)
    lanes = [Worker(f"lane{number}", run_lane, f"lane{number}", chosen) for number in range(chosen.lanes)]
    explained, calls = collections.Counter(), collections.Counter()
    for lane_explained, lane_calls in results(lanes, chosen.seconds + 2 * ANSWER_S):
        explained.update(lane_explained)
        calls.update(lane_calls)
    for name, count in explained.most_common():
        print(f"   {count} bursts explained by: {name}" if name != "not decided" else f"   {count} bursts not decided")
    print("   " + ", ".join(f"{count} {name}" for name, count in calls.most_common()))
    step(f"{sum(calls.values())} calls in {sum(explained.values())} bursts on {chosen.mounts} mounts")
    expect(explained["not decided"] * 20 <= sum(explained.values()), "too many bursts were not decided")
    missing = set(WEIGHTS) - set(calls)
    expect(not missing or chosen.only or sum(calls.values()) < 3000, f"never called: {missing}")


main()
