"""What the stress tests of several mounts share: how long and on how many mounts they run, and processes on them.

`run` passes no arguments to a test, so each of these is an option or a variable of the environment:

    --seconds N  STRESS_SECONDS    how long (default: each test's own, short enough for the suite)
    --mounts N   STRESS_MOUNTS     how many of the mounts (default: all that there are)
    --seed N     STRESS_SEED       of what is chosen at random (default: another one each time; it is printed)
"""

import argparse
import atexit
import ctypes
import multiprocessing
import os
import random
import signal
import sys
import time
import traceback

from e2e import expect, fail

_FORK = multiprocessing.get_context("fork")
_PR_SET_PDEATHSIG = 1
KILL_S = 20
_running = set()


def options(seconds, **flags):
    """The options; `flags` are more of them, by name, with their defaults: STRESS_NAME in the environment."""
    parser = argparse.ArgumentParser()
    known = {"seconds": float(seconds), "mounts": len(_all_mounts()), "seed": random.SystemRandom().randrange(1 << 32), **flags}
    for name, default in known.items():
        kind = type(default)
        text = os.environ.get(f"STRESS_{name.upper()}")
        if kind is bool:
            chosen = default if text is None else text not in ("", "0")
            parser.add_argument(f"--{name}", action=argparse.BooleanOptionalAction, default=chosen)
        else:
            parser.add_argument(f"--{name}", type=kind, default=default if text is None else kind(text))
    chosen = parser.parse_args()
    expect(2 <= chosen.mounts <= len(_all_mounts()), f"{chosen.mounts} mounts of {len(_all_mounts())}; at least 2")
    print(" ".join(f"{name}={value}" for name, value in vars(chosen).items()), flush=True)
    return chosen


def _all_mounts():
    mounts = []
    while True:
        mount = os.environ.get("MOUNT" if not mounts else f"MOUNT{len(mounts) + 1}")
        if not mount:
            return mounts
        mounts.append(mount)


def mounts(count):
    return _all_mounts()[:count]


class Worker:
    """Runs `function(parent, *arguments)` in a process of its own. `parent` is a pipe; what the function returns is its
    result, and an exception of it is a failure of the test."""

    def __init__(self, name, function, *arguments):
        self.name = name
        self.pipe, there = _FORK.Pipe()
        self.process = _FORK.Process(target=_run, args=(there, function, arguments), name=name)
        self.process.start()
        _running.add(self)
        there.close()
        self.done, self.returned = False, None

    def send(self, message):
        try:
            self.pipe.send(message)
        except BrokenPipeError:
            self.hear(10)  # says why
            fail(f"{self.name} has ended")

    def hear(self, seconds):
        """What it said with `parent.send`, or its result."""
        if not self.pipe.poll(seconds):
            fail(f"{self.name} said nothing for {seconds} s; it is in: {stack_of(self.process.pid)}")
        try:
            kind, value = self.pipe.recv()
        except EOFError:
            fail(f"{self.name} has ended without a word: {self.process.exitcode}")
        if kind == "failed":
            fail(f"{self.name}: {value}")
        if kind == "result":
            self.done, self.returned = True, value
        return value

    def result(self, seconds):
        while not self.done:
            self.hear(seconds)
        self.process.join(seconds)
        return self.returned

    def kill(self):
        """False if it does not end: it hangs in the kernel then."""
        if self.process.is_alive():
            os.kill(self.process.pid, signal.SIGKILL)
        self.process.join(KILL_S)
        _running.discard(self)
        return not self.process.is_alive()


@atexit.register  # before multiprocessing waits for them
def _kill_all():
    hanging = []
    for worker in list(_running):
        pid, name = worker.process.pid, worker.name
        if not worker.kill():
            hanging.append(pid)
            print(f"{name} does not end when it is killed; it is in: {stack_of(pid)}", file=sys.stderr)
    if hanging:
        sys.stderr.flush()
        os._exit(1)


class _Said:
    def __init__(self, pipe):
        self.pipe = pipe

    def send(self, value):
        self.pipe.send(("said", value))

    def recv(self):
        return self.pipe.recv()


def _run(pipe, function, arguments):
    _running.clear()  # they are the parent's
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        pipe.send(("result", function(_Said(pipe), *arguments)))
    except SystemExit:
        pipe.send(("failed", "see above"))
    except BaseException:
        pipe.send(("failed", traceback.format_exc()))
    sys.stdout.flush()


def stack_of(pid):
    """Where in the kernel a process waits."""
    try:
        with open(f"/proc/{pid}/stack") as file:
            return " < ".join(line.split()[1].split("+")[0] for line in file.read().splitlines()[:10])
    except (OSError, IndexError):
        return "nothing to be seen"


def results(workers, seconds):
    """Waits for all of them."""
    deadline = time.monotonic() + seconds
    return [worker.result(max(1.0, deadline - time.monotonic())) for worker in workers]
