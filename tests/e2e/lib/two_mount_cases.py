"""Short cases of what one mount shows after another one has changed something."""

import os
import sys

from e2e import MOUNT, MOUNT2, step

_CASES = []


def case(function):
    """Marks one: it is given a directory of its own by its paths on both mounts, and says whether all was right, and what it
    saw."""
    _CASES.append(function)
    return function


def run_cases():
    """Runs all of them in both directions."""
    wrong = 0
    for function in _CASES:
        for direction, (first, second) in enumerate(((MOUNT, MOUNT2), (MOUNT2, MOUNT))):
            folder = f"{function.__name__}.{direction}"
            os.mkdir(os.path.join(first, folder))
            right, what = function(os.path.join(first, folder), os.path.join(second, folder))
            print(f"{folder}: {'right' if right else 'WRONG'}; {what}", flush=True)
            wrong += not right
    step(f"{wrong} of {2 * len(_CASES)} are wrong")
    sys.exit(1 if wrong else 0)
