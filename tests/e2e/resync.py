#!/usr/bin/env python3
# What a chunkserver's absence costs, in figures. Run by hand, on a quiet machine with fio and room for four times the size:
#
#   sudo RESYNC_GIB=10 tests/e2e/run tests/e2e/resync.py
#
# A chunkserver with RESYNC_GIB is away for 30 s while 1 % of the data is overwritten: how many bytes are sent to it when it is
# back. Then it goes for good: how long until all copies are there again, and what is left of fio's throughput meanwhile.
# cluster: --chunkservers 4 --replicas 3
# timeout: 3600
import json
import os
import random
import re
import subprocess
import sys
import time

from e2e import MOUNT, cluster, expect, logs, step

GIB = 1 << 30
PER_SERVER = int(float(os.environ.get("RESYNC_GIB", "10")) * GIB)
TOTAL = PER_SERVER * 4 // 3
FILES = 16
BLOCK = 4096
AWAY_S = 30
FIO_S = 20


def status():
    done = subprocess.run(["gabion", "status", "--json"], stdout=subprocess.PIPE, check=True, text=True)
    return json.loads(done.stdout)


def wait_until_healthy(limit_s):
    begin = time.monotonic()
    while status()["health"] != "ok":
        expect(time.monotonic() - begin < limit_s, f"not healthy after {limit_s} s: {status()['reasons']}")
        time.sleep(0.1)
    return time.monotonic() - begin


def sent_bytes():
    """To joiners, by all servers, since they began to log."""
    return sum(int(count) for text in logs().values() for count in re.findall(r"has everything, (\d+) bytes were sent", text))


def file_path(number):
    return os.path.join(MOUNT, f"data-{number}")


def fill():
    begin = time.monotonic()
    piece = random.Random(0).randbytes(4 << 20)
    for number in range(FILES):
        with open(file_path(number), "wb", buffering=0) as file:
            for _ in range(TOTAL // FILES // len(piece)):
                file.write(piece)
            os.fsync(file.fileno())
    took = time.monotonic() - begin
    step(f"{TOTAL / GIB:.1f} GiB written in {took:.0f} s, {TOTAL / took / 1e6:.0f} MB/s")


def overwrite_one_percent():
    chance = random.Random(1)
    files = [open(file_path(number), "r+b", buffering=0) for number in range(FILES)]
    count = TOTAL // 100 // BLOCK
    for _ in range(count):
        file = chance.choice(files)
        os.pwrite(file.fileno(), chance.randbytes(BLOCK), chance.randrange(TOTAL // FILES // BLOCK) * BLOCK)
    for file in files:
        os.fsync(file.fileno())
        file.close()
    return count * BLOCK


def fio():
    """Bytes a second, read and written at random."""
    done = subprocess.run(
        ["fio", "--name=foreground", f"--directory={MOUNT}", "--size=512M", "--rw=randrw", "--bs=64k", "--ioengine=psync",
         "--numjobs=2", "--time_based", f"--runtime={FIO_S}", "--group_reporting", "--output-format=json"],
        stdout=subprocess.PIPE, check=True, text=True)
    job = json.loads(done.stdout[done.stdout.index("{"):])["jobs"][0]
    return job["read"]["bw_bytes"] + job["write"]["bw_bytes"]


def come_back():
    cluster("kill", "chunkserver.4")
    begin = time.monotonic()
    overwritten = overwrite_one_percent()
    step(f"{overwritten / 1e6:.0f} MB overwritten in {time.monotonic() - begin:.0f} s while a server is away")
    time.sleep(max(0.0, begin + AWAY_S - time.monotonic()))
    before = sent_bytes()
    cluster("start", "chunkserver.4")
    took = wait_until_healthy(600)
    moved = sent_bytes() - before
    step(f"back: in sync after {took:.1f} s, {moved / 1e6:.0f} MB were sent, {100 * moved / PER_SERVER:.2f} % of what it has")
    expect(moved < 0.03 * PER_SERVER, "more than 3 % was sent")


def never_return():
    alone = fio()
    before = sent_bytes()
    cluster("kill", "chunkserver.4")
    begin = time.monotonic()
    subprocess.run(["gabion", "server", "drain", "4", "--no-wait"], check=True)
    beside = fio()
    while status()["pgs_healthy"] < status()["pgs"]:
        expect(time.monotonic() - begin < 1800, "no full redundancy within half an hour")
        time.sleep(0.5)
    took = time.monotonic() - begin
    moved = sent_bytes() - before
    step(f"gone for good: full redundancy after {took:.0f} s, {moved / GIB:.2f} GiB at {moved / took / 1e6:.0f} MB/s")
    step(f"fio alone {alone / 1e6:.0f} MB/s, beside the rebuild {beside / 1e6:.0f} MB/s: {100 * beside / alone:.0f} %")
    cluster("start", "chunkserver.4")


def main():
    fill()
    wait_until_healthy(60)
    come_back()
    never_return()


main()
sys.stdout.flush()
