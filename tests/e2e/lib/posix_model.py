"""A small POSIX filesystem in memory: what calls on it may answer, one at a time and, where they are not atomic on Linux,
in the steps they consist of.

The tree is "/", directories in it, and names in these. An inode is known by its number, or by the call that made it where
nobody has seen the number. A call's answer is (None, value) or (name of the errno, None).

How much a call may be taken apart is its level:

    ATOMIC    every call is one step.
    WALKS     a path is looked up, and then something is done to the inode that was found, whatever its name is by then; the
              kernel refuses by what it looked up; a reader learns the size before it reads; a listing may find what was made
              meanwhile.
    FLUSHES   and what is being written to a file may be read before the write is done, or not yet.
    SIZES     and the file may have its new size before it has what is written there: zeros, which no POSIX has.
    APPENDS   and O_APPEND is the end of the file as it was somewhat earlier, which is no POSIX.
"""

from itertools import combinations

ATOMIC, WALKS, FLUSHES, SIZES, APPENDS = range(5)
LEVELS = ("atomic calls", "walks and calls", "writes seen while under way", "zeros seen before what is written",
          "appends that overwrite")
ROOT = 0
DONE = object()


class State:
    """names: (directory, name) -> inode; nodes: inode -> (kind, mode, content); landed: writes under way, in the order in which
    the servers got them, as (inode, call, end, pieces of (offset, data)). Never changed."""

    __slots__ = ("names", "nodes", "landed", "_key")

    def __init__(self, names, nodes, landed=()):
        self.names, self.nodes, self.landed, self._key = names, nodes, landed, None

    @property
    def key(self):
        if self._key is None:
            self._key = (frozenset(self.names.items()), frozenset(self.nodes.items()), self.landed)
        return self._key

    def with_names(self, put=(), drop=()):
        names = dict(self.names)
        for place in drop:
            del names[place]
        names.update(put)
        return State(names, self.nodes, self.landed)

    def with_node(self, ino, node):
        return State(self.names, {**self.nodes, ino: node}, self.landed)

    def with_landed(self, landed):
        return State(self.names, self.nodes, landed)

    def links(self, ino):
        count = sum(1 for found in self.names.values() if found == ino)
        if self.nodes[ino][0] != "d" or count == 0:
            return count
        return 2 + sum(1 for (parent, _), child in self.names.items() if parent == ino and self.nodes[child][0] == "d")

    def listing(self, directory):
        return frozenset(name for parent, name in self.names if parent == directory)


class Call:
    """One call of one process: what was asked, when, and what came back."""

    def __init__(self, name, arguments, begin, end, answer, number=None, ino=None):
        self.name, self.arguments, self.begin, self.end, self.answer = name, arguments, begin, end, answer
        self.number = number  # differs from all others'
        self.ino = ino  # of the file behind the handle, or of the one that was made or opened

    def made(self):
        return ("made by", self.number) if self.ino is None else self.ino


def find(state, path):
    """The directory (None if it is not there), the name in it, and its inode (or None)."""
    top, _, leaf = path.partition("/")
    first = state.names.get((ROOT, top))
    if not leaf:
        return ROOT, top, first
    return first, leaf, None if first is None else state.names.get((first, leaf))


def put(content, offset, data):
    content = content.ljust(offset, b"\0")
    return content[:offset] + data + content[offset + len(data):]


def contents(state, ino):
    """What a reader may find: some of what has landed may be seen within the file's size, and some not."""
    content = state.nodes[ino][2]
    under_way = [entry for entry in state.landed if entry[0] == ino]
    for count in range(len(under_way) + 1):
        for some in combinations(under_way, count):
            seen = content
            for entry in some:
                seen = put_pieces(seen, entry)[: len(content)]
            yield seen


def put_pieces(content, entry):
    for offset, data in entry[3]:
        content = put(content, offset, data)
    return content


def without(entry, begin, end):
    """What is left of a write when a later one has taken a range of it."""
    left = []
    for offset, data in entry[3]:
        left += [(offset, data[: max(0, begin - offset)]), (max(end, offset), data[max(0, end - offset):])]
    return (*entry[:3], tuple((offset, data) for offset, data in left if data))


def finish(state, entry):
    """A write that the servers have is whole: of what came before it and is not, the same bytes count no more."""
    ino, at = entry[0], state.landed.index(entry)
    begin, end = min(offset for offset, _ in entry[3]) if entry[3] else entry[2], entry[2]
    before = [without(one, begin, end) if one[0] == ino else one for one in state.landed[:at]]
    kind, mode, content = state.nodes[ino]
    content = put_pieces(content.ljust(entry[2], b"\0"), entry)
    return state.with_landed((*before, *state.landed[at + 1:])).with_node(ino, (kind, mode, content))


# What is done to an inode, however it was found: (answer, state) for each way it may go.


def _refused(state, errnos):
    for name in errnos:
        yield (name, None), state


def _open(state, call, ino):
    kind, mode, _ = state.nodes[ino]
    flags = call.arguments[1]
    errno = "EEXIST" if "x" in flags else {"d": "EISDIR", "l": "ELOOP"}.get(kind)
    if errno:
        yield (errno, None), state
    else:
        yield (None, ino), state.with_node(ino, ("f", mode, b"")) if "t" in flags else state


def _stat(state, call, ino):
    kind, mode, content = state.nodes[ino]
    number = call.answer[1][1] if isinstance(ino, tuple) and call.answer[1] else ino
    size = None if kind == "d" else len(content)
    yield (None, (kind, number, mode, state.links(ino), size)), state


def _readlink(state, _, ino):
    kind, _, target = state.nodes[ino]
    yield ((None, target) if kind == "l" else ("EINVAL", None)), state


def _file_or(state, ino, link_errno):
    kind = state.nodes[ino][0]
    return {"d": "EISDIR", "l": link_errno}.get(kind)


def _truncate(state, call, ino):
    errno = _file_or(state, ino, "ENOENT")  # links lead nowhere here
    if errno:
        yield (errno, None), state
        return
    kind, mode, content = state.nodes[ino]
    size = call.arguments[-1]
    yield (None, None), state.with_node(ino, (kind, mode, content[:size].ljust(size, b"\0")))


def _chmod(state, call, ino):
    kind, _, content = state.nodes[ino]
    if kind == "l":
        yield ("ENOENT", None), state
    else:
        yield (None, None), state.with_node(ino, (kind, call.arguments[-1], content))


def _write(state, call, ino):
    errno = _file_or(state, ino, "ELOOP")
    if errno:
        yield (errno, None), state
        return
    kind, mode, content = state.nodes[ino]
    _, offset, data = call.arguments
    yield (None, len(data)), state.with_node(ino, (kind, mode, put(content, offset, data)))


def _read(state, call, ino):
    errno = _file_or(state, ino, "ELOOP")
    if errno:
        yield (errno, None), state
        return
    for content in contents(state, ino):
        yield (None, content), state


def _append(state, call, ino, offset=None):
    kind, mode, content = state.nodes[ino]
    data = call.arguments[1]
    at = len(content) if offset is None else offset
    yield (None, len(data)), state.with_node(ino, (kind, mode, put(content, at, data)))


def _nothing(state, call, ino):
    yield (None, None), state


def _link(state, call, ino):
    directory, name, there = find(state, call.arguments[1])
    errnos = set()
    if ino is None or directory is None or state.links(ino) == 0:
        errnos.add("ENOENT")
    if ino is not None and state.nodes[ino][0] == "d":
        errnos.add("EPERM")
    if there is not None:
        errnos.add("EEXIST")
    if errnos:
        yield from _refused(state, errnos)
    else:
        yield (None, None), state.with_names({(directory, name): ino})


BY_PATH = {"open": _open, "stat": _stat, "readlink": _readlink, "truncate": _truncate, "chmod": _chmod, "store": _write,
           "load": _read, "link": _link}
BY_HANDLE = {"close": _nothing, "pread": _read, "pwrite": _write, "append": _append, "ftruncate": _truncate, "fstat": _stat,
             "fchmod": _chmod, "fsync": _nothing}
WRITES = ("store", "pwrite")
READS = ("load", "pread")


# What is done to names.


def _make(state, call, node):
    directory, name, there = find(state, call.arguments[0])
    if directory is None:
        yield ("ENOENT", None), state
    elif there is not None:
        yield ("EEXIST", None), state
    else:
        ino = call.made()
        value = call.ino if call.name in ("open", "create") else None
        yield (None, value), state.with_node(ino, node).with_names({(directory, name): ino})


def _mkdir(state, call):
    return _make(state, call, ("d", 0o755, b""))


def _symlink(state, call):
    return _make(state, call, ("l", 0o777, call.arguments[1]))


def _create(state, call):
    return _make(state, call, ("f", 0o644, call.arguments[1]))


def _remove(state, call):
    directory, name, ino = find(state, call.arguments[0])
    if ino is None:
        errnos = ("ENOENT",)
    elif call.name == "unlink":
        errnos = ("EISDIR", "EPERM") if state.nodes[ino][0] == "d" else ()
    elif state.nodes[ino][0] != "d":
        errnos = ("ENOTDIR",)
    else:
        errnos = ("ENOTEMPTY", "EEXIST") if state.listing(ino) else ()
    if errnos:
        yield from _refused(state, errnos)
    else:
        yield (None, None), state.with_names(drop=[(directory, name)])


def _rename_errnos(state, flag, old, new):
    """For renaming what was found at the one place to the other; empty if nothing forbids it."""
    errnos = set()
    if old is None or (flag == "exchange" and new is None):
        errnos.add("ENOENT")
    if flag == "noreplace" and new is not None:
        errnos.add("EEXIST")
    if flag == "" and old is not None and new is not None and old != new:
        if state.nodes[old][0] == "d" and state.nodes[new][0] != "d":
            errnos.add("ENOTDIR")
        if state.nodes[old][0] != "d" and state.nodes[new][0] == "d":
            errnos.add("EISDIR")
        if state.nodes[old][0] == state.nodes[new][0] == "d" and state.listing(new):
            errnos |= {"ENOTEMPTY", "EEXIST"}
    return errnos


def _rename(state, call):
    old_path, new_path, flag = call.arguments
    old_parent, old_name, old = find(state, old_path)
    new_parent, new_name, new = find(state, new_path)
    errnos = _rename_errnos(state, flag, old, new)
    if old_parent is None or new_parent is None:
        errnos.add("ENOENT")
    if errnos:
        yield from _refused(state, errnos)
    elif old == new:
        yield (None, None), state
    elif flag == "exchange":
        yield (None, None), state.with_names({(old_parent, old_name): new, (new_parent, new_name): old})
    else:
        yield (None, None), state.with_names({(new_parent, new_name): old}, drop=[(old_parent, old_name)])


def _listdir(state, call):
    ino = state.names.get((ROOT, call.arguments[0]))
    yield (("ENOENT", None) if ino is None else (None, state.listing(ino))), state


BY_NAMES = {"mkdir": _mkdir, "symlink": _symlink, "create": _create, "unlink": _remove, "rmdir": _remove, "rename": _rename,
            "listdir": _listdir}


def atomic(state, call):
    """(answer, state) for each way the call may go if it is one step."""
    if call.name in BY_NAMES:
        return BY_NAMES[call.name](state, call)
    if call.name in BY_HANDLE:
        return BY_HANDLE[call.name](state, call, call.ino)
    directory, _, ino = find(state, call.arguments[0])
    if call.name == "link":
        return _link(state, call, ino)
    if ino is not None:
        return BY_PATH[call.name](state, call, ino)
    if call.name == "open" and "c" in call.arguments[1]:
        return _make(state, call, ("f", 0o644, b""))
    return _refused(state, ("ENOENT",))


def _same(call, answer):
    """Whether it is what the call answered; readers see a part of what there is."""
    if call.name in READS and answer[0] is None:
        first, size = call.arguments[1:]
        answer = (None, answer[1][first: first + size])
    return answer == call.answer


def steps(state, call, held, level):
    """(state, what the call keeps in mind | DONE) for each step it may take now. `held` is None before its first one."""
    if held is None:
        for answer, after in atomic(state, call):
            if _same(call, answer):
                yield after, DONE
        if level >= WALKS:
            yield from _first_steps(state, call, level)
        return
    kind, what = held
    if kind == "size":
        ino, size = what
        for content in contents(state, ino):
            for seen in {content[:size], content[:size].ljust(size, b"\0")}:
                if _same(call, (None, seen)):
                    yield state, DONE
    elif kind == "listed":
        later = state.names.get((ROOT, call.arguments[0]))
        more = state.listing(later) if later is not None else frozenset()
        if call.answer[0] is None and what <= call.answer[1] <= what | more:
            yield state, DONE
    elif kind == "made":
        for answer, after in _append(state, call, what, 0):
            yield after, DONE
    elif kind == "end":
        for answer, after in _append(state, call, call.ino, what):
            yield after, DONE
    elif kind == "landed":
        entry = next(entry for entry in state.landed if entry[1] == what)
        yield finish(state, entry), DONE
        node_kind, mode, content = state.nodes[entry[0]]
        if level >= SIZES and len(content) < entry[2]:
            yield state.with_node(entry[0], (node_kind, mode, content.ljust(entry[2], b"\0"))), held
    else:  # found
        yield from _second_steps(state, call, what, level)


def _first_steps(state, call, level):
    if call.name in BY_PATH or call.name == "rename":
        ino = find(state, call.arguments[0])[2]
        if ino is not None:
            yield state, ("found", ino)
    elif call.name == "listdir":
        ino = state.names.get((ROOT, call.arguments[0]))
        if ino is not None:
            yield state, ("listed", state.listing(ino))
    elif call.name == "create" and call.answer[0] is None:
        for _, after in _make(state, call, ("f", 0o644, b"")):
            if after is not state:
                yield after, ("made", call.made())
    elif call.name == "append" and level >= APPENDS:
        yield state, ("end", len(state.nodes[call.ino][2]))
    elif call.name in BY_HANDLE:
        yield from _second_steps(state, call, call.ino, level)


def _second_steps(state, call, ino, level):
    if call.name == "rename":
        flag = call.arguments[2]
        new = find(state, call.arguments[1])[2]
        errnos = _rename_errnos(state, flag, ino, new)
        if call.answer[0] in errnos or (not errnos and ino == new and call.answer == (None, None)):
            yield state, DONE
    elif call.name in BY_PATH:
        for answer, after in BY_PATH[call.name](state, call, ino):
            if _same(call, answer):
                yield after, DONE
    if state.nodes[ino][0] == "f" and call.answer[0] is None:
        if call.name in READS:
            yield state, ("size", (ino, len(state.nodes[ino][2])))
        if call.name in WRITES and level >= FLUSHES:
            _, offset, data = call.arguments
            entry = (ino, call.number, offset + len(data), ((offset, data),))
            yield state.with_landed((*state.landed, entry)), ("landed", call.number)
    # What was found is no more, and it is looked for again.
    for answer, after in atomic(state, call):
        if _same(call, answer):
            yield after, DONE
