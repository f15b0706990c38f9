"""Whether there is an order of calls, consistent with when they began and ended, in which a model gives all the answers that
were got, and ends in the state that was seen (Wing and Gong's search, which remembers what led nowhere)."""

import re

from posix_model import ATOMIC, DONE, ROOT, steps

LIMIT = 400_000  # states to look at


class Undecided(Exception):
    """There are too many orders to try them all."""


class _Search:
    def __init__(self, histories, final, open_inodes, level):
        self.histories, self.final, self.open_inodes, self.level = histories, final, open_inodes, level
        self.seen = set()
        self.furthest = (-1, None, None)

    def order(self, positions, held, state):
        """The calls in the order of their last steps; None if there is no such order."""
        key = (positions, held, state.key)
        if key in self.seen:
            return None
        self.seen.add(key)
        if len(self.seen) > LIMIT:
            raise Undecided
        if sum(positions) > self.furthest[0]:
            self.furthest = (sum(positions), positions, state)
        waiting = [(history[at], process) for process, (history, at) in enumerate(zip(self.histories, positions))
                   if at < len(history)]
        if not waiting:
            return [] if same_tree(state, self.final, self.open_inodes) else None
        first_end = min(call.end for call, _ in waiting)
        for call, process in sorted(waiting, key=lambda one: one[0].end):
            if call.begin > first_end:
                continue  # another one has ended before this one began
            for after, kept in steps(state, call, held[process], self.level):
                done = kept is DONE
                next_positions = _replace(positions, process, positions[process] + 1) if done else positions
                rest = self.order(next_positions, _replace(held, process, None if done else kept), after)
                if rest is not None:
                    return [call, *rest] if done else rest
        return None


def _replace(values, index, value):
    return values[:index] + (value,) + values[index + 1:]


def explain(start, histories, final, open_inodes, level):
    """The lowest level up to `level` at which there is an order, and the order: (level, calls). If there is none: (None, the
    largest number of calls that can be put in order, how many of each process these are, the state after them)."""
    nowhere = (0,) * len(histories), (None,) * len(histories)
    for allowed in range(ATOMIC, level + 1):
        search = _Search(histories, final, open_inodes, allowed)
        try:
            order = search.order(*nowhere, start)
        except Undecided:
            if allowed == level:
                raise
            continue
        if order is not None:
            return allowed, order
    return None, search.furthest


def same_tree(state, seen, open_inodes):
    """Whether the model's state is what was seen, when inodes whose numbers nobody knew get the ones that were seen."""
    # Directories that were made have numbers now; what is in them is found by these.
    numbers = {}
    for (parent, name), ino in state.names.items():
        if parent == ROOT:
            numbers[ino] = seen.names.get((ROOT, name))
    names = {}
    for (parent, name), ino in state.names.items():
        place = (numbers.get(parent, parent), name)
        number = seen.names.get(place) if isinstance(ino, tuple) else ino
        if numbers.setdefault(ino, number) != number:
            return False
        names[place] = number
    if names != seen.names:
        return False
    if len(set(numbers.values())) != len(numbers):
        return False
    everything = set(state.names.values()) | open_inodes
    return all(state.nodes.get(ino) == seen.nodes.get(numbers.get(ino, ino)) for ino in everything)


def describe(call, begin):
    """One line about a call, for people."""
    errno, value = call.answer
    answer = errno or ("ok" if value is None else _short(value))
    about = f" [inode {call.ino}]" if call.ino is not None and call.name != "open" else ""
    return (f"{(call.begin - begin) * 1e3:9.3f} .. {(call.end - begin) * 1e3:9.3f} ms  "
            f"{call.name}({', '.join(_short(one) for one in call.arguments)}){about} -> {answer}")


def _short(value):
    if isinstance(value, frozenset):
        return "{" + ", ".join(sorted(value)) + "}"
    if isinstance(value, tuple):
        return "(" + ", ".join(_short(one) for one in value) + ")"
    if isinstance(value, bytes):
        runs = re.sub(rb"(.)\1{8,}", lambda run: b"%s{%d}" % (run[1], len(run[0])), value, flags=re.DOTALL)
        return f"{str(runs)[1:]} ({len(value)})"
    return oct(value) if isinstance(value, int) and value >= 0o400 and value <= 0o777 else repr(value)


def describe_state(state):
    lines = []
    paths = {ROOT: ""}
    for (parent, name), ino in sorted(state.names.items(), key=lambda item: (item[0][0] != ROOT, str(item))):
        paths.setdefault(ino, f"{paths.get(parent, parent)}{name}/")
        kind, mode, content = state.nodes[ino]
        what = "" if kind == "d" else f" {_short(content)}"
        lines.append(f"{paths.get(parent, parent)}{name}: inode {ino} {kind} {mode:o} links {state.links(ino)}{what}")
    for ino, (kind, mode, content) in state.nodes.items():
        if state.links(ino) == 0:
            lines.append(f"(no name): inode {ino} {kind} {mode:o} {_short(content)}")
    return "\n".join(f"      {line}" for line in lines)
