#!/usr/bin/env python3
# `gabion check` on a real cluster: nothing is wrong with files of all kinds, nor while files are made, written, moved and
# removed; the command tells what it could not look at.
# timeout: 120
import json
import os
import subprocess
import sys
import time

from e2e import MOUNT, WORK, cluster, expect, expect_eq, step, write_file

GABION = os.path.join(os.environ["BUILD"], "gabion")

CHURN = """
import os, random, sys
root, stop = sys.argv[1:]
source = random.Random(1)
names = [os.path.join(root, str(i)) for i in range(40)]
rounds = 0
while not os.path.exists(stop):
    rounds += 1
    name, other = source.sample(names, 2)
    try:
        match source.randrange(7):
            case 0 | 1:
                with open(name, "wb") as file:
                    file.write(source.randbytes(source.randrange(200_000)))
            case 2:
                with open(name, "r+b") as file:
                    file.seek(source.randrange(3) * (64 << 20))
                    file.write(b"somewhere")
                    file.flush()
                    os.fsync(file.fileno())
            case 3:
                os.rename(name, other)
            case 4:
                os.link(name, other)
            case 5:
                os.unlink(name)
            case 6:
                os.truncate(name, source.randrange(100_000_000))
    except (FileNotFoundError, FileExistsError):
        pass
print(rounds)
"""


def check(*options):
    """The exit code and the report."""
    done = subprocess.run([GABION, "check", "--json", *options], capture_output=True, text=True)
    expect(done.returncode in (0, 1, 4), f"gabion check: {done.stderr}")
    return done.returncode, json.loads(done.stdout) if done.stdout else None


def expect_clean(what):
    code, report = check()
    expect_eq((code, report["list"], report["unchecked"]), (0, [], []), what)
    return report


def make_files():
    for folder in range(5):
        path = os.path.join(MOUNT, f"folder{folder}", "below")
        os.makedirs(path)
        for number in range(40):
            write_file(os.path.join(path, f"file{number}"), os.urandom(number * 1000))
        os.link(os.path.join(path, "file1"), os.path.join(MOUNT, f"link{folder}"))
        os.symlink("below", os.path.join(MOUNT, f"folder{folder}", "symlink"))
    write_file(os.path.join(MOUNT, "big"), os.urandom(70 << 20))
    os.setxattr(os.path.join(MOUNT, "big"), "user.name", b"value")
    with open(os.path.join(MOUNT, "sparse"), "wb") as file:
        file.truncate(1 << 40)
    with open(os.path.join(MOUNT, "reserved"), "wb") as file:
        os.posix_fallocate(file.fileno(), 0, 100 << 20)


def sync_files():
    """Afterwards the mount has gathered nothing."""
    for folder, _, names in os.walk(MOUNT):
        for name in names:
            path = os.path.join(folder, name)
            if os.path.islink(path):
                continue
            fd = os.open(path, os.O_RDONLY)
            os.fsync(fd)
            os.close(fd)


def main():
    step("files of all kinds")
    make_files()
    sync_files()
    report = expect_clean("a check of files at rest")
    expect_eq((report["inodes"], report["names"], report["chunks"]), (219, 223, 197), "what it looked at")

    step("a removed file that is open")
    with open(os.path.join(MOUNT, "removed"), "wb") as file:
        file.write(b"still here")
        file.flush()
        os.unlink(file.name)
        expect_clean("a check beside an open file without a name")

    step("beside changes")
    busy = os.path.join(MOUNT, "busy")
    os.mkdir(busy)
    stop = os.path.join(WORK, "stop")
    churn = subprocess.Popen([sys.executable, "-c", CHURN, busy, stop], stdout=subprocess.PIPE, text=True)
    for number in range(5):
        expect_clean(f"check {number} beside changes")
    write_file(stop, b"")
    rounds = int(churn.communicate(timeout=30)[0])
    expect(rounds > 20, f"only {rounds} changes were made meanwhile")
    expect_clean("a check after changes")

    step("the command's own words")
    text = subprocess.run([GABION, "check", "--volume", "main"], check=True, capture_output=True, text=True).stdout
    expect(text.startswith("no faults in "), f"not one line of success: {text}")
    refused = subprocess.run([GABION, "check", "--volume", "nosuch"], capture_output=True, text=True)
    expect_eq(refused.returncode, 1, "exit code for an unknown volume")
    events = subprocess.run([GABION, "events"], check=True, capture_output=True, text=True).stdout
    expect("found 0 faults" in events, f"no event of a check in {events}")

    step("a chunkserver that is down is said")
    cluster("stop", "chunkserver.3")
    deadline = time.monotonic() + 20
    while True:
        code, report = check()
        expect_eq(report["list"], [], "faults while a server is down")
        if any("is down" in what for what in report["unchecked"]):
            break
        expect(time.monotonic() < deadline, f"it says nothing of the server: {report}")
        time.sleep(0.5)
    expect_eq(code, 1, "exit code")
    cluster("start", "chunkserver.3")


main()
