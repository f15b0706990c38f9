#!/usr/bin/env python3
"""Checks of the source tree that no compiler makes.

    tests/lint/lint.py [CHECK...]       all checks, or those named
    tests/lint/lint.py --list           their names
    tests/lint/lint.py headers          each header compiles alone (slow, only by name)

Prints PLACE: WHAT for every finding; exit code 1 if there is any. A line that is right all the same ends in a comment
"lint: allow(CHECK) because REASON".
"""

import concurrent.futures
import os
import re
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CODE = (".h", ".cc")
PARTS = ("metaserver", "chunkserver", "fs-client", "cli")
CHECKS = {}


def check(function):
    CHECKS[function.__name__] = function
    return function


def tracked_files():
    """Paths in the repository, new ones included; everything but build output where there is no git."""
    try:
        out = subprocess.run(
            ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
        paths = out.decode().split("\0")
    except (OSError, subprocess.CalledProcessError):
        paths = [
            os.path.relpath(os.path.join(folder, name), ROOT)
            for folder, _, names in os.walk(ROOT) for name in names
            if not os.path.relpath(folder, ROOT).startswith(("build", ".git"))
        ]
    return sorted(path for path in paths if path and os.path.isfile(os.path.join(ROOT, path)))


def code_files(*folders):
    return [path for path in tracked_files() if path.endswith(CODE) and path.startswith(tuple(f"{f}/" for f in folders))]


def lines_of(path):
    with open(os.path.join(ROOT, path), encoding="utf-8", errors="replace") as file:
        return file.read().split("\n")


def without_comments(lines):
    """The lines with comments and the insides of strings blanked, so that prose about a call is no call."""
    in_block = False
    for line in lines:
        if in_block:
            end = line.find("*/")
            if end < 0:
                yield ""
                continue
            line, in_block = line[end + 2:], False
        line = re.sub(r'"(?:[^"\\]|\\.)*"', '""', line)
        line = re.sub(r"/\*.*?\*/", "", line)
        line = line.split("//")[0]
        if "/*" in line:
            line, in_block = line.split("/*")[0], True
        yield line


def allowed(raw_line, name):
    return f"lint: allow({name}) because " in raw_line


# Time, chance, threads and the network come through Env (common/env), so that simulation can stand in for them.
BANNED = {
    r"\b(system|steady|high_resolution)_clock::now\b": "take the time from Env's Clock",
    r"\b(clock_gettime|gettimeofday|time)\s*\((nullptr|NULL|CLOCK_|&)": "take the time from Env's Clock",
    r"\bstd::random_device\b|\bs?rand\s*\(|\bstd::mt19937": "take chance from Env's Random",
    r"\bstd::shuffle\b|\bstd::(uniform|bernoulli|normal)_\w*distribution": "differs between libraries; use Env's Random",
    r"\bstd::j?thread\b(?!::)|\bpthread_create\b|\bstd::async\b": "threads are made in common/env/real",
    r"\bstd::this_thread::sleep|\b(u|nano)?sleep\s*\(": "sleep through Env's Clock",
    r"\basio::detached\b": "loses exceptions; spawn into a TaskGroup",
    r"\basio::ip::|\bsocket\s*\(AF_": "the network is Env's Transport",
    r"\bstd::condition_variable\b": "blocks an event loop; use AsyncEvent",
}
# Where the operating system is met: the seams' real implementations; the programs' start-up; FUSE, which is the kernel.
BANNED_ELSEWHERE_ONLY = (
    "fs-client/fuse/notifier.",  # notifications to the kernel may block, so they have threads of their own (DESIGN 6.1)
    "common/env/real/", "common/env/kv/", "common/env/sim/", "common/daemon/", "tests/", "cmake/")


@check
def banned_calls():
    for path in code_files("common", *PARTS):
        if path.startswith(BANNED_ELSEWHERE_ONLY):
            continue
        raw = lines_of(path)
        for number, line in enumerate(without_comments(raw), 1):
            for pattern, instead in BANNED.items():
                if re.search(pattern, line) and not allowed(raw[number - 1], "banned_calls"):
                    yield f"{path}:{number}: {line.strip()}: {instead}"


@check
def include_direction():
    """proto <- common <- {metaserver, chunkserver, fs-client, cli}, which never include each other; tests see all."""
    may_see = {"proto": {"proto"}, "common": {"common", "proto"}}
    may_see.update({part: {part, "common", "proto"} for part in PARTS})
    inner = {"base": {"base"}, "coro": {"base", "coro"}, "env": {"base", "coro", "env", "rpc"}}
    for path in code_files("common", "proto", *PARTS):
        part = path.split("/")[0]
        for number, line in enumerate(lines_of(path), 1):
            match = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
            if not match or allowed(line, "include_direction"):
                continue
            target = match[1].split("/")
            if target[0] in (*PARTS, "common", "proto", "tests") and target[0] not in may_see[part]:
                yield f"{path}:{number}: {part} must not include {match[1]}"
            if part == target[0] == "common" and len(target) > 2:
                layer, wanted = path.split("/")[1], target[1]
                if layer in inner and wanted not in inner[layer]:
                    yield f"{path}:{number}: common/{layer} must not include {match[1]}"
            if target[0] not in (*PARTS, "common", "proto", "tests"):
                yield f"{path}:{number}: write the path from the project's root: {match[1]}"


@check
def header_guards():
    for path in code_files("common", "tests", *PARTS):
        if path.endswith(".h") and not any(line.strip() == "#pragma once" for line in lines_of(path)[:5]):
            yield f"{path}:1: #pragma once is missing"


@check
def heavy_headers():
    """spdlog's headers cost seconds in every file that sees them."""
    for path in code_files("common", *PARTS):
        if path == "common/base/log.cc":
            continue
        for number, line in enumerate(lines_of(path), 1):
            if re.match(r"\s*#\s*include\s+<spdlog/", line):
                yield f"{path}:{number}: log through common/base/log.h"


@check
def machine_paths():
    """Nothing of the machine it was written on: absolute paths that exist only there."""
    pattern = re.compile(r"(?<![\w./-])/(work|home|root|Users|tmp/b)\b(?!/\.\.\.)")
    for path in tracked_files():
        if path.startswith("tests/lint/") or path == "LICENSE":
            continue
        for number, line in enumerate(lines_of(path), 1):
            if pattern.search(line) and not allowed(line, "machine_paths"):
                yield f"{path}:{number}: {line.strip()}"


@check
def plain_text():
    """Tabs, blanks at line ends, missing newlines at the end of files."""
    for path in tracked_files():
        if not path.endswith((*CODE, ".py", ".sh", ".proto", ".cmake", ".txt", ".md", ".json")):
            continue
        lines = lines_of(path)
        if lines[-1] != "":
            yield f"{path}:{len(lines)}: no newline at the end"
        for number, line in enumerate(lines, 1):
            if line != line.rstrip():
                yield f"{path}:{number}: blanks at the line's end"
            if "\t" in line:
                yield f"{path}:{number}: a tab"


@check
def test_names():
    """GoogleTest forbids underscores in names."""
    for path in code_files("tests"):
        for number, line in enumerate(lines_of(path), 1):
            match = re.match(r"(?:TYPED_)?TEST(?:_[FP])?\((\w+),\s*(\w+)\)", line)
            if match and ("_" in match[1] or "_" in match[2]):
                yield f"{path}:{number}: {match[1]}.{match[2]}"


@check
def sources_listed():
    """Every .cc is built: it stands in the CMakeLists.txt of its folder or of one above."""
    texts = {}
    for path in tracked_files():
        if path.endswith(("CMakeLists.txt", ".cmake")):
            folder = os.path.dirname(path)
            texts[folder] = texts.get(folder, "") + "\n".join(lines_of(path))
    for path in code_files("common", "tests", *PARTS):
        if not path.endswith(".cc"):
            continue
        folder = os.path.dirname(path)
        while True:
            name = os.path.relpath(path, folder or ".")
            if re.search(rf"(?<![\w/.-]){re.escape(name)}\b", texts.get(folder, "")):
                break
            if not folder:
                yield f"{path}:1: no CMakeLists.txt lists it"
                break
            folder = os.path.dirname(folder)


def clang_format():
    for name in ("clang-format-14", "clang-format"):
        if shutil.which(name):
            version = subprocess.run([name, "--version"], stdout=subprocess.PIPE, text=True).stdout
            if re.search(r"version 14\.", version):  # others format some things otherwise
                return name
    return None


@check
def formatting():
    program = clang_format()
    if program is None:
        print("formatting: skipped, for clang-format 14 is not installed")
        return
    files = code_files("common", "tests", "cmake", *PARTS)

    def differs(path):
        result = subprocess.run([program, "--dry-run", "-Werror", path], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        return result.returncode != 0

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for path, bad in zip(files, pool.map(differs, files)):
            if bad:
                yield f"{path}:1: not formatted; run {program} -i {path}"


def headers():
    """Each header compiles alone. Slow; needs the generated messages of a build (build/dev)."""
    files = [path for path in code_files("common", *PARTS) if path.endswith(".h")]
    flags = ["-std=c++20", "-DASIO_SEPARATE_COMPILATION", "-DASIO_STANDALONE", "-DASIO_NO_DEPRECATED", "-I.", "-isystem", "build/dev",
             "-I/usr/include/fuse3", "-fsyntax-only", "-x", "c++"]

    def compile_alone(path):
        return subprocess.run(["g++", *flags, "-"], cwd=ROOT, input=f'#include "{path}"\n', text=True, stderr=subprocess.PIPE)

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for path, result in zip(files, pool.map(compile_alone, files)):
            if result.returncode != 0:
                first = next((line for line in result.stderr.split("\n") if "error" in line), "does not compile")
                yield f"{path}:1: {first}"


def main():
    if sys.argv[1:] == ["--list"]:
        print("\n".join(CHECKS))
        return 0
    everything = {**CHECKS, "headers": headers}
    names = sys.argv[1:] or list(CHECKS)
    unknown = [name for name in names if name not in everything]
    if unknown:
        print(f"no check {', '.join(unknown)}; there are: {', '.join(everything)}", file=sys.stderr)
        return 2
    findings = 0
    for name in names:
        for finding in everything[name]():
            print(f"{name}: {finding}")
            findings += 1
    print(f"{len(names)} checks, {findings} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
