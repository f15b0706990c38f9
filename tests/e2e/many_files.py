#!/usr/bin/env python3
# 100,000 files in one directory are listed right: each once, none missing; also while others are made and removed, from
# another mount, and after a remount.
# mounts: 2
# timeout: 900
import os
import threading

from e2e import MOUNT, MOUNT2, cluster, expect, expect_eq, step

COUNT = 100_000
LISTINGS = 20  # while names come and go; each slows that down


def name_of(i):
    return f"file-{i * 7919 % COUNT:06d}"


def make(folder):
    directory = os.open(folder, os.O_RDONLY)
    for i in range(COUNT):
        os.close(os.open(name_of(i), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644, dir_fd=directory))
    os.close(directory)


def listed(folder):
    names = [entry.name for entry in os.scandir(folder)]
    expect_eq(len(names), len(set(names)), "names listed twice")
    return set(names)


def main():
    folder = os.path.join(MOUNT, "many")
    os.mkdir(folder)
    step(f"make {COUNT} files")
    make(folder)
    everything = {name_of(i) for i in range(COUNT)}
    step("list them, on both mounts")
    expect_eq(listed(folder), everything, "listing")
    expect_eq(listed(os.path.join(MOUNT2, "many")), everything, "listing on the other mount")
    step("list them with their attributes")
    sizes = {entry.stat().st_size for entry in os.scandir(folder)}
    expect_eq(sizes, {0}, "sizes")
    expect_eq(os.stat(folder).st_nlink, 2, "links of a directory without subdirectories")

    step("list while half of them are removed and others are made")
    stay = {name for name in everything if int(name[5:]) % 2 == 0}
    done = threading.Event()

    def change():
        for name in sorted(everything - stay):
            os.unlink(os.path.join(folder, name))
            if int(name[5:]) % 20 == 1:
                os.close(os.open(os.path.join(folder, "new-" + name), os.O_CREAT | os.O_WRONLY, 0o600))
        done.set()

    thread = threading.Thread(target=change)
    thread.start()
    rounds = 0
    while rounds < LISTINGS and not done.is_set():
        for place in (MOUNT, MOUNT2):
            names = listed(os.path.join(place, "many"))
            expect(stay <= names, f"{len(stay - names)} names are missing that were there all the time")
        rounds += 1
    thread.join()
    step(f"{rounds} listings were right meanwhile; now after a remount")
    expected = listed(folder)
    expect_eq(len(expected), COUNT // 2 + COUNT // 20, "entries at the end")
    cluster("remount")
    expect_eq(listed(folder), expected, "listing after the remount")
    step("remove them all")
    for name in expected:
        os.unlink(os.path.join(folder, name))
    expect_eq(os.listdir(folder), [], "listing at the end")
    os.rmdir(folder)


main()
