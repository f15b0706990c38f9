"""What the POSIX conformance tests share: cases that have a folder to themselves, and other users to act as."""

import contextlib
import ctypes
import os
import stat
import sys
import traceback

from e2e import MOUNT, expect, fail, step

_CASES = []
_LIBC = ctypes.CDLL(None, use_errno=True)
_AT_FDCWD = -100


def in_own_folder(function):
    """A case: runs in an empty folder of the mount as its working directory."""
    _CASES.append(function)
    return function


def run_cases():
    only = sys.argv[1:]
    failed = []
    os.umask(0o022)
    for function in _CASES:
        if only and function.__name__ not in only:
            continue
        folder = os.path.join(MOUNT, function.__name__)
        os.mkdir(folder)
        os.chdir(folder)
        try:
            function()
        except SystemExit:
            failed.append(function.__name__)  # fail() has said why
        except Exception:
            traceback.print_exc()
            failed.append(function.__name__)
        print(f"{function.__name__}{': FAILED' if function.__name__ in failed else ''}", flush=True)
    os.chdir("/")
    step(f"{len(_CASES)} cases")
    expect(not failed, f"{len(failed)} of {len(_CASES)} cases: {', '.join(failed)}")


@contextlib.contextmanager
def as_user(uid, groups=None):
    """Gives a function that runs another one in a child process of that user; groups[0] is the primary group."""

    def run(function):
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            code = 1
            try:
                own = groups or [uid]
                os.setgroups(own[1:])
                os.setresgid(own[0], own[0], own[0])
                os.setresuid(uid, uid, uid)
                function()
                code = 0
            except SystemExit:
                pass
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(code)
        if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0:
            fail(f"as user {uid} with groups {groups or [uid]}; see above")

    yield run


def mode_of(path):
    return stat.S_IMODE(os.lstat(path).st_mode)


def rename2(old, new, flags):
    """renameat2(2): 0 or the errno."""
    if _LIBC.renameat2(_AT_FDCWD, os.fsencode(old), _AT_FDCWD, os.fsencode(new), flags) == 0:
        return 0
    return ctypes.get_errno()


def fallocate(descriptor, mode, offset, length):
    """fallocate(2): 0 or the errno."""
    if _LIBC.fallocate(descriptor, mode, ctypes.c_long(offset), ctypes.c_long(length)) == 0:
        return 0
    return ctypes.get_errno()
