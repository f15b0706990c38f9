#!/usr/bin/env python3
# What two mounts are known to do wrong, each as short as it can be shown. Not in the suite: a case that passes has been mended,
# and belongs in changed_elsewhere.py or two_mounts.py (and posix_stress.py can do without its STRESS_STALE then).
# mounts: 2
# timeout: 120
import errno
import os
import threading

from e2e import write_file
from two_mount_cases import case, run_cases


@case
def rename_of_a_directory_that_was_moved_elsewhere(a, b):
    """Linux moves the directory it knows to where it is found, but not while it renames something itself: ESTALE."""
    for folder in ("p", "q", "p/d"):
        os.mkdir(f"{a}/{folder}")
    os.rename(f"{b}/p/d", f"{b}/q/d")
    try:
        os.rename(f"{a}/q/d", f"{a}/p/e")
        return True, "renamed"
    except OSError as error:
        return False, f"rename: {error}"


@case
def stat_of_a_directory_that_was_moved_elsewhere(a, b):
    """The same, if another process of this mount renames files from one directory to another just then."""
    for folder in ("p", "q", "r", "s", "p/d"):
        os.mkdir(f"{a}/{folder}")
    write_file(f"{a}/r/f", b"")
    stop = threading.Event()

    def rename_files():
        while not stop.is_set():
            os.rename(f"{a}/r/f", f"{a}/s/f")
            os.rename(f"{a}/s/f", f"{a}/r/f")

    thread = threading.Thread(target=rename_files)
    thread.start()
    failed = 0
    tries = 300
    for number in range(tries):
        old, new = ("p", "q") if number % 2 == 0 else ("q", "p")
        os.rename(f"{b}/{old}/d", f"{b}/{new}/d")
        while True:
            try:
                os.stat(f"{a}/{new}/d")
                break
            except OSError as error:
                if error.errno != errno.ESTALE:
                    raise
                failed += 1
    stop.set()
    thread.join()
    return failed == 0, f"{failed} times ESTALE while a directory was moved {tries} times"


run_cases()
