#!/usr/bin/env python3
# Load that checks itself, for minutes, while one kind of trouble strikes one server after the other. Run by hand, on a quiet
# machine with fio and nftables:
#
#   sudo SOAK=kill SOAK_MINUTES=10 tests/e2e/run tests/e2e/soak.py
#
# SOAK: kill (SIGKILL of a chunkserver, and its restart), stop (SIGSTOP for 15 s), cut (all its packets are dropped for 15 s),
# half-cut (only those of its port: the metaserver hears it, others do not), metaserver (SIGKILL every 20 s). No program may
# get an error, every check must pass; what it prints at the end are the longest pauses of single calls.
# cluster: --chunkservers 4 --replicas 3
# timeout: 7200
import json
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import traceback

from e2e import MOUNT, STORE, WORK, cluster, expect, expect_eq, pid_of, step

TROUBLE = os.environ.get("SOAK", "kill")
MINUTES = float(os.environ.get("SOAK_MINUTES", "10"))
CHUNKSERVERS = [f"chunkserver.{number}" for number in range(1, 5)]
SLOT_S = 20 if TROUBLE == "metaserver" else 30
TROUBLE_S = 15
HEALTHY_WITHIN_S = 120
CGROUPS = "/sys/fs/cgroup/unified"
TABLE = f"gabion-soak-{os.getpid()}"


class Watch:
    """Times single calls; keeps the longest ones and when they began."""

    KEPT = 3

    def __init__(self, begin):
        self.begin = begin
        self.calls = 0
        self.longest = []

    def __call__(self, function, *arguments, **keywords):
        start = time.monotonic()
        result = function(*arguments, **keywords)
        self.calls += 1
        self.longest.append((time.monotonic() - start, start - self.begin, getattr(function, "__name__", str(function))))
        self.longest = sorted(self.longest, reverse=True)[: self.KEPT]
        return result


class Worker(multiprocessing.Process):
    """One kind of load, in a process of its own, until `stop` is set. What it found is in its result."""

    def __init__(self, name, stop, begin):
        super().__init__(name=name, daemon=True)
        self.stop = stop
        self.watch = Watch(begin)
        self.results = multiprocessing.Queue()

    def run(self):
        problem = None
        try:
            self.prepare()
            while not self.stop.is_set():
                self.work()
            self.finish()
        except (Exception, SystemExit):
            problem = traceback.format_exc()
        self.results.put({"problem": problem, "calls": self.watch.calls, "longest": self.watch.longest})

    def prepare(self):
        os.mkdir(os.path.join(MOUNT, self.name))

    def finish(self):
        pass

    def path(self, *names):
        return os.path.join(MOUNT, self.name, *names)


class Blocks(Worker):
    """Overwrites and reads blocks of one file at random, each write synced, each read compared."""

    BLOCK = 4096
    BLOCKS = 8192

    def prepare(self):
        super().prepare()
        self.random = random.Random(1)
        self.file = os.open(self.path("data"), os.O_CREAT | os.O_RDWR)
        self.content = {}

    def work(self):
        block = self.random.randrange(self.BLOCKS)
        data = self.random.randbytes(self.BLOCK)
        expect_eq(self.watch(os.pwrite, self.file, data, block * self.BLOCK), self.BLOCK, "pwrite")
        self.watch(os.fdatasync, self.file)
        self.content[block] = data
        self.check(self.random.choice(list(self.content)))
        time.sleep(0.02)

    def check(self, block):
        read = self.watch(os.pread, self.file, self.BLOCK, block * self.BLOCK)
        expect(read == self.content[block], f"block {block} is not what was written")

    def finish(self):
        for block in self.content:
            self.check(block)


class Names(Worker):
    """Creates, renames, looks at and removes files; a listing is what it must be."""

    def prepare(self):
        super().prepare()
        self.random = random.Random(2)
        self.names = {}
        self.made = 0

    def work(self):
        self.made += 1
        name, data = f"n{self.made}", b"%d" % self.made
        file = self.watch(os.open, self.path(name), os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        self.watch(os.write, file, data)
        self.watch(os.close, file)
        self.names[name] = data
        old = self.random.choice(list(self.names))
        self.watch(os.rename, self.path(old), self.path(old + "r"))
        self.names[old + "r"] = self.names.pop(old)
        self.check(old + "r")
        if len(self.names) > 100:
            gone = self.random.choice(list(self.names))
            self.watch(os.unlink, self.path(gone))
            del self.names[gone]
        if self.made % 50 == 0:
            expect_eq(sorted(self.watch(os.listdir, self.path())), sorted(self.names), "names")
        time.sleep(0.02)

    def check(self, name):
        file = self.watch(os.open, self.path(name), os.O_RDONLY)
        data = self.watch(os.read, file, 100)
        self.watch(os.close, file)
        expect_eq(data, self.names[name], f"content of {name}")

    def finish(self):
        for name in self.names:
            self.check(name)


class Archive(Worker):
    """Unpacks an archive, compares what was unpacked with it, and removes it."""

    def prepare(self):
        super().prepare()
        self.archive = os.path.join(WORK, "archive.tar")
        subprocess.run(["tar", "-C", "/usr", "-cf", self.archive, "include"], check=True)
        self.rounds = 0

    def tool(self, *command):
        done = self.watch_run(command)
        expect(done.returncode == 0, f"{' '.join(command)}: {done.stdout[-2000:]}")

    def watch_run(self, command):
        return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def work(self):
        self.tool("tar", "-C", self.path(), "-xf", self.archive)
        self.tool("tar", "-C", self.path(), "-df", self.archive)
        self.tool("rm", "-r", self.path("include"))
        self.rounds += 1
        self.watch.calls += 1


class Fio(Worker):
    """fio writes, reads and verifies what it wrote."""

    def work(self):
        seconds = int(MINUTES * 60)
        done = subprocess.run(
            ["fio", "--name=verify", f"--directory={self.path()}", "--size=256M", "--rw=randrw", "--bsrange=4k-128k",
             "--ioengine=psync", "--numjobs=1", "--verify=xxhash", "--verify_backlog=512", "--verify_fatal=1",
             "--rate=8m,8m", "--fsync=64", "--time_based", f"--runtime={seconds}", "--output-format=json"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        expect(done.returncode == 0, f"fio: {done.stderr[-2000:]}{done.stdout[-2000:]}")
        job = json.loads(done.stdout[done.stdout.index("{"):])["jobs"][0]
        expect_eq(job["error"], 0, "fio's errors")
        for kind in ("read", "write", "sync"):
            longest_ns = job[kind].get("lat_ns", {}).get("max", 0)
            self.watch.longest.append((longest_ns / 1e9, 0.0, f"fio {kind}"))
        self.watch.calls = job["read"]["total_ios"] + job["write"]["total_ios"]
        self.stop.wait()


def status():
    done = subprocess.run(["gabion", "status", "--json"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return json.loads(done.stdout) if done.returncode == 0 else None


def wait_until_healthy():
    begin = time.monotonic()
    while time.monotonic() - begin < HEALTHY_WITHIN_S:
        seen = status()
        if seen and seen["health"] == "ok":
            return time.monotonic() - begin
        time.sleep(0.2)
    raise SystemExit(f"not healthy within {HEALTHY_WITHIN_S} s: {json.dumps(status())}")


def nft(*words):
    subprocess.run(["nft", *words], check=True)


def enclose(server):
    """Starts it again in a control group, by which its packets are known."""
    group = os.path.join(CGROUPS, f"{TABLE}-{server}")
    os.mkdir(group)
    cluster("stop", server)
    enter = f"echo $$ >{group}/cgroup.procs && exec {os.environ['CLUSTER']} start --dir {STORE} {server}"
    subprocess.run(["sh", "-c", enter], check=True, stdout=subprocess.DEVNULL)


def cut(server, half):
    nft("add", "table", "inet", TABLE)
    nft("add", "chain", "inet", TABLE, "out", "{ type filter hook output priority 0; }")
    if half:
        seen = next(one for one in status()["servers"] if one["id"] == CHUNKSERVERS.index(server) + 1)
        port = seen["endpoint"].rsplit(":", 1)[1]
        nft("add", "rule", "inet", TABLE, "out", "tcp", "sport", port, "drop")
        nft("add", "rule", "inet", TABLE, "out", "tcp", "dport", port, "drop")
    else:
        nft("add", "rule", "inet", TABLE, "out", "socket", "cgroupv2", "level", "1", f'"unified/{TABLE}-{server}"', "drop")
    time.sleep(TROUBLE_S)
    nft("delete", "table", "inet", TABLE)


def strike(server):
    if TROUBLE in ("kill", "metaserver"):
        cluster("kill", server)
        time.sleep(random.uniform(0.5, 2) if TROUBLE == "metaserver" else random.uniform(1, 12))
        cluster("start", server)
    elif TROUBLE == "stop":
        pid = pid_of(server)
        os.kill(pid, signal.SIGSTOP)
        time.sleep(TROUBLE_S)
        os.kill(pid, signal.SIGCONT)
    else:
        cut(server, TROUBLE == "half-cut")


def check_alive(workers):
    for worker in workers:
        if not worker.is_alive():
            raise SystemExit(f"{worker.name} has ended: {worker.results.get()['problem']}")


def clean_up():
    subprocess.run(["nft", "delete", "table", "inet", TABLE], stderr=subprocess.DEVNULL)
    for server in CHUNKSERVERS:
        group = os.path.join(CGROUPS, f"{TABLE}-{server}")
        if not os.path.isdir(group):
            continue
        with open(os.path.join(group, "cgroup.procs")) as file:
            members = file.read().split()
        for pid in members:
            with open(os.path.join(CGROUPS, "cgroup.procs"), "w") as root:
                root.write(pid)
        os.rmdir(group)


def torment(workers, begin):
    strikes = 0
    while time.monotonic() - begin < MINUTES * 60:
        slot = time.monotonic()
        server = "metaserver" if TROUBLE == "metaserver" else CHUNKSERVERS[strikes % len(CHUNKSERVERS)]
        strike(server)
        strikes += 1
        took_s = wait_until_healthy()
        step(f"{TROUBLE} {server}, at {slot - begin:.1f} s; healthy {took_s:.1f} s after its end")
        check_alive(workers)
        time.sleep(max(0.0, slot + SLOT_S - time.monotonic()))
    return strikes


def main():
    for tool in ["fio"] + (["nft"] if "cut" in TROUBLE else []):
        expect(shutil.which(tool), f"it needs {tool}")
    if TROUBLE == "cut":
        for server in CHUNKSERVERS:
            enclose(server)
    wait_until_healthy()
    stop = multiprocessing.Event()
    begin = time.monotonic()
    workers = [kind(kind.__name__.lower(), stop, begin) for kind in (Blocks, Names, Archive, Fio)]
    for worker in workers:
        worker.start()
    try:
        strikes = torment(workers, begin)
    finally:
        stop.set()
    results = {worker.name: worker.results.get(timeout=600) for worker in workers}
    for name, result in results.items():
        expect(result["problem"] is None, f"{name}: {result['problem']}")
    step(f"{strikes} times {TROUBLE} in {MINUTES:g} minutes; no error, every check passed")
    for name, result in results.items():
        calls = ", ".join(f"{took:.2f} s ({what} at {at:.0f} s)" for took, at, what in sorted(result["longest"])[::-1][:3])
        print(f"   {name}: {result['calls']} rounds or calls; the longest: {calls}")


try:
    main()
finally:
    clean_up()
sys.stdout.flush()
