"""What Python tests of a mounted cluster share: where things are, checks, and the cluster's processes."""

import json
import os
import subprocess
import sys
import time

ROOT = os.environ["ROOT"]
STORE = os.environ.get("STORE", "")
MOUNT = os.environ.get("MOUNT", "")
MOUNT2 = os.environ.get("MOUNT2", "")
WORK = os.environ["WORK"]
_START = time.monotonic()


def step(text):
    print(f"-- {text} ({time.monotonic() - _START:.0f} s)", flush=True)


def fail(text):
    print(f"FAILED: {text}", file=sys.stderr, flush=True)
    sys.exit(1)


def expect(condition, text):
    if not condition:
        fail(text)


def expect_eq(actual, expected, what):
    expect(actual == expected, f"{what}: got {shorten(actual)}, want {shorten(expected)}")


def shorten(value):
    text = repr(value)
    return text if len(text) <= 300 else text[:300] + f"... ({len(text)} characters)"


def _start_runner():
    """A process that runs commands for us. Made before the test opens a file on the mount: a child of the test itself
    would close the test's files before it runs its command, close(2) waits for the servers, and they for the command."""
    program = (
        "import json, subprocess, sys\n"
        "for line in sys.stdin:\n"
        "    done = subprocess.run(json.loads(line), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,\n"
        "                          stderr=subprocess.STDOUT, text=True)\n"
        "    print(json.dumps([done.returncode, done.stdout]), flush=True)\n"
    )
    return subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


_RUNNER = _start_runner()


def cluster(command, name=None):
    """scripts/cluster COMMAND on this test's cluster, for one process if `name` is given."""
    arguments = [os.environ["CLUSTER"], command, "--dir", STORE] + ([name] if name else [])
    print(json.dumps(arguments), file=_RUNNER.stdin, flush=True)
    status, output = json.loads(_RUNNER.stdout.readline())
    expect(status == 0, f"cluster {command} {name or ''}: {output}")
    return output


def pid_of(name):
    """The process id of one of the cluster's processes."""
    with open(os.path.join(STORE, "run", f"{name}.pid")) as file:
        return int(file.read().split()[0])


def logs():
    """The text of all the cluster's logs, by file name."""
    texts = {}
    folder = os.path.join(STORE, "log")
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), errors="replace") as file:
            texts[name] = file.read()
    return texts


def write_file(path, data):
    with open(path, "wb") as file:
        file.write(data)


def read_file(path):
    with open(path, "rb") as file:
        return file.read()


def give_name(descriptor, path):
    """linkat(2) of an open file that has no name."""
    folder = os.open(os.path.dirname(os.path.abspath(path)), os.O_RDONLY)
    # Only with a folder's descriptor does Python ask for the link to be followed.
    os.link(f"/proc/self/fd/{descriptor}", path, src_dir_fd=folder, follow_symlinks=True)
    os.close(folder)


def raises(errno_wanted, function, *arguments, **keywords):
    """Checks that the call fails with that errno."""
    try:
        function(*arguments, **keywords)
    except OSError as error:
        if error.errno == errno_wanted:
            return
        fail(f"{function.__name__}{arguments}: {error}, want {os.strerror(errno_wanted)}")
    fail(f"{function.__name__}{arguments} succeeded, want {os.strerror(errno_wanted)}")
