#!/usr/bin/env python3
# The checker of posix_stress.py: it explains histories that are legal, and finds those that are not.
# cluster: none
# timeout: 60
import sys

from linearize import explain
from posix_model import APPENDS, ATOMIC, FLUSHES, ROOT, SIZES, WALKS, Call, State

P, Q, F, G = 10, 11, 12, 13
TREE = {(ROOT, "p"): P, (ROOT, "q"): Q, (P, "f"): F}
NODES = {P: ("d", 0o755, b""), Q: ("d", 0o755, b""), F: ("f", 0o644, b"old")}
START = State(TREE, NODES)
CASES = []


def state(names=(), nodes=(), drop=()):
    """START with changes."""
    kept = {place: ino for place, ino in TREE.items() if place not in drop}
    return State({**kept, **dict(names)}, {**NODES, **dict(nodes)})


def case(level, legal, final=START, start=START, opened=frozenset()):
    """A case: the function gives the history of each process, as (name, arguments, begin, end, answer[, inode])."""

    def add(function):
        CASES.append((function, level, legal, start, final, opened))
        return function

    return add


def ok(value=None):
    return (None, value)


def file(content):
    return ("f", 0o644, content)


NEW = state(nodes={F: file(b"new")})
WITH_G = state(names={(P, "g"): G}, nodes={G: file(b"")})
GONE = state(drop=[(P, "f")])


@case(ATOMIC, True, NEW)
def a_write_and_a_read_at_the_same_time():
    return [[("store", ("p/f", 0, b"new"), 0, 10, ok(3))], [("load", ("p/f", 0, 100), 1, 9, ok(b"old"))]]


@case(ATOMIC, True, NEW)
def a_read_after_a_write():
    return [[("store", ("p/f", 0, b"new"), 0, 1, ok(3))], [("load", ("p/f", 0, 100), 2, 3, ok(b"new"))]]


@case(FLUSHES, False, NEW)
def a_stale_read():
    return [[("store", ("p/f", 0, b"new"), 0, 1, ok(3))], [("load", ("p/f", 0, 100), 2, 3, ok(b"old"))]]


@case(FLUSHES, False, NEW)
def content_that_nobody_wrote():
    return [[("store", ("p/f", 0, b"new"), 0, 5, ok(3))], [("load", ("p/f", 0, 100), 2, 3, ok(b"nld"))]]


@case(WALKS, False, NEW)
def new_and_then_old():
    return [[("store", ("p/f", 0, b"new"), 0, 10, ok(3))], [("load", ("p/f", 0, 100), 1, 2, ok(b"new"))],
            [("load", ("p/f", 0, 100), 3, 4, ok(b"old"))]]


@case(FLUSHES, True, NEW)
def new_and_then_old_while_it_is_written():
    return new_and_then_old()


@case(FLUSHES, False)
def a_lost_write():
    return [[("store", ("p/f", 0, b"new"), 0, 1, ok(3))]]


def zeros_before_data():
    return [[("pwrite", (0, 0, b"longer"), 0, 9, ok(6), F)], [("open", ("p/f", "t"), 0, 5, ok(F), F)],
            [("pread", (0, 0, 10), 6, 7, ok(bytes(6)), F)]]


@case(FLUSHES, False, state(nodes={F: file(b"longer")}))
def zeros_that_nobody_wrote():
    return zeros_before_data()


@case(SIZES, True, state(nodes={F: file(b"longer")}))
def zeros_that_nobody_wrote_where_they_are_allowed():
    return zeros_before_data()


def two_writes(seen):
    return [[("pwrite", (0, 0, b"ABCDEF"), 0, 9, ok(6), F)], [("pwrite", (0, 2, b"xy"), 0, 9, ok(2), F)],
            [("pread", (0, 0, 10), 1, 3, ok(seen), F)]]


@case(FLUSHES, True, state(nodes={F: file(b"ABxyEF")}))
def a_short_write_over_a_long_one_that_is_not_done():
    return two_writes(b"ABxy")


@case(FLUSHES, False, state(nodes={F: file(b"ABCDEF")}))
def writes_that_change_their_order():
    return two_writes(b"ABxy")


@case(WALKS, False, WITH_G)
def exclusive_creation_with_two_winners():
    return [[("open", ("p/g", "cx"), 0, 9, ok(G), G)], [("open", ("p/g", "cx"), 0, 9, ok(G), G)]]


@case(WALKS, False, WITH_G)
def exclusive_creation_without_a_winner():
    return [[("open", ("p/g", "cx"), 0, 9, ("EEXIST", None))], [("open", ("p/g", "cx"), 0, 9, ("EEXIST", None))]]


@case(ATOMIC, True, WITH_G)
def exclusive_creation_with_one_winner():
    return [[("open", ("p/g", "cx"), 0, 9, ok(G), G)], [("open", ("p/g", "cx"), 0, 9, ("EEXIST", None))]]


def two_appends():
    return [[("append", (0, b"one"), 0, 9, ok(3), F)], [("append", (0, b"two"), 0, 9, ok(3), F)]]


@case(ATOMIC, True, state(nodes={F: file(b"oldtwoone")}))
def appends_in_some_order():
    return two_appends()


@case(FLUSHES, False, state(nodes={F: file(b"oldtwo")}))
def a_lost_append():
    return two_appends()


@case(APPENDS, True, state(nodes={F: file(b"oldtwo")}))
def a_lost_append_where_it_is_allowed():
    return two_appends()


@case(WALKS, False, GONE)
def a_resurrected_name():
    return [[("unlink", ("p/f",), 0, 1, ok())], [("stat", ("p/f",), 2, 3, ok(("f", F, 0o644, 1, 3)))]]


@case(WALKS, False)
def a_name_that_came_back():
    return [[("unlink", ("p/f",), 0, 1, ok())]]


@case(ATOMIC, True, GONE)
def a_name_and_its_end():
    return [[("unlink", ("p/f",), 0, 5, ok())], [("stat", ("p/f",), 2, 3, ok(("f", F, 0o644, 1, 3)))],
            [("stat", ("p/f",), 4, 6, ("ENOENT", None))]]


@case(WALKS, False, GONE)
def a_name_that_is_gone_and_there_again():
    return [[("unlink", ("p/f",), 0, 9, ok())], [("stat", ("p/f",), 1, 2, ("ENOENT", None)),
                                                 ("stat", ("p/f",), 3, 4, ok(("f", F, 0o644, 1, 3)))]]


@case(ATOMIC, True, state(names={(Q, "g"): F}, drop=[(P, "f")]))
def a_rename():
    return [[("rename", ("p/f", "q/g", ""), 0, 5, ok())], [("load", ("q/g", 0, 100), 1, 3, ok(b"old"))]]


@case(WALKS, False, state(names={(Q, "g"): F}, drop=[(P, "f")]))
def a_rename_seen_halfway():
    return [[("rename", ("p/f", "q/g", ""), 0, 9, ok())], [("stat", ("p/f",), 1, 2, ("ENOENT", None)),
                                                          ("stat", ("q/g",), 3, 4, ("ENOENT", None))]]


@case(WALKS, False, state(names={(Q, "g"): F, (P, "h"): F}, drop=[(P, "f")]))
def a_file_renamed_to_two_names():
    return [[("rename", ("p/f", "q/g", ""), 0, 9, ok())], [("rename", ("p/f", "p/h", ""), 0, 9, ok())]]


@case(WALKS, True, GONE)
def attributes_of_what_was_found():
    return [[("unlink", ("p/f",), 0, 5, ok())], [("stat", ("p/f",), 1, 9, ok(("f", F, 0o644, 0, 3)))]]


@case(WALKS, True, state(names={(P, "g"): ("made by", "0.0")}, nodes={("made by", "0.0"): ("d", 0o755, b"")}))
def a_directory_of_unknown_number():
    return [[("mkdir", ("p/g",), 0, 1, ok()), ("stat", ("p",), 2, 3, ok(("d", P, 0o755, 3, None)))]]


@case(WALKS, False, state(drop=[(ROOT, "q")]))
def a_file_in_a_directory_that_was_removed():
    return [[("rmdir", ("q",), 0, 1, ok())], [("create", ("q/g", b"x"), 2, 3, ok(G), G)]]


@case(WALKS, False, GONE, opened=frozenset([F]))
def a_write_that_an_open_file_without_a_name_lost():
    return [[("unlink", ("p/f",), 0, 1, ok()), ("pwrite", (0, 0, b"new"), 2, 3, ok(3), F)]]


@case(ATOMIC, True, GONE, opened=frozenset([F]))
def an_open_file_without_a_name():
    return [[("unlink", ("p/f",), 0, 1, ok()), ("pread", (0, 0, 10), 2, 3, ok(b"old"), F),
             ("fstat", (0,), 4, 5, ok(("f", F, 0o644, 0, 3)), F)]]


@case(ATOMIC, True)
def listings():
    return [[("listdir", ("p",), 0, 1, ok(frozenset(["f"]))), ("listdir", ("q",), 2, 3, ok(frozenset()))]]


@case(WALKS, False)
def a_listing_that_misses_a_name():
    return [[("listdir", ("p",), 0, 1, ok(frozenset()))]]


@case(WALKS, False)
def an_errno_that_makes_no_sense():
    return [[("mkdir", ("q/d",), 0, 1, ("EEXIST", None))]]


@case(WALKS, False)
def an_errno_of_trouble():
    return [[("fsync", (0,), 0, 1, ("EIO", None), F)]]


def main():
    wrong = 0
    for function, level, legal, start, final, opened in CASES:
        histories = [[Call(*call[:5], number=f"{process}.{place}", ino=call[5] if len(call) > 5 else None)
                      for place, call in enumerate(calls)] for process, calls in enumerate(function())]
        found = explain(start, histories, final, opened, level)[0]
        if (found is not None) != legal:
            print(f"{function.__name__}: {'not explained' if legal else 'explained'}", file=sys.stderr)
            wrong += 1
    print(f"{len(CASES)} histories, {wrong} judged wrongly")
    sys.exit(1 if wrong else 0)


main()
