#!/usr/bin/env python3
# One Git repository that is worked on from several mounts in turn: after each operation on one mount the next one sees at
# once the same HEAD, the same branches and a clean status (or the same changes), and carries on. git fsck is content all
# along. The options of lib/stress.py.
# mounts: 4
# timeout: 300
import os
import random
import shutil
import subprocess
import sys
import time

from e2e import MOUNT, WORK, expect, expect_eq, fail, step
from stress import mounts, options

SKIPPED = 77
FILES = 60
GIT_S = 120


class Repository:
    """A repository as one mount after the other sees it."""

    def __init__(self, where, source):
        self.where, self.source = where, source
        self.turn = 0
        self.operations = 0
        self.commits = 0
        self.branches = ["main"]
        self.last = "at first"

    @property
    def path(self):
        return os.path.join(self.where[self.turn], "repository")

    def git(self, *arguments, may_fail=False):
        self.operations += 1
        done = subprocess.run(["git", "-C", self.path, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=GIT_S)
        if done.returncode == 1 and may_fail:
            return None
        if done.returncode != 0:
            fail(f"on mount {self.turn + 1}: git {' '.join(arguments)} ended with {done.returncode}\n{done.stdout}{done.stderr}\n"
                 f"{self.last}")
        return done.stdout

    def view(self):
        return {what: self.git(*arguments) for what, arguments in {
            "HEAD": ("rev-parse", "HEAD"), "branch": ("rev-parse", "--abbrev-ref", "HEAD"), "status": ("status", "--porcelain"),
            "branches": ("for-each-ref", "--format=%(refname) %(objectname)"), "stashes": ("stash", "list"),
            "log": ("log", "--oneline", "-n", "20"), "files": ("ls-files", "-s"),
            "tree": ("ls-tree", "-r", "HEAD")}.items()}

    def take_turns(self, what, clean=True):
        """The next mount must see what this one has done: it looks first, and then this one again."""
        last, self.last = self.turn, f"after {what} on mount {self.turn + 1}"
        self.turn = (last + self.source.randrange(1, len(self.where))) % len(self.where)
        found = self.view()
        if clean:
            expect_eq(found["status"], "", f"status on mount {self.turn + 1} {self.last}")
        to_go_on, self.turn = self.turn, last
        for name, seen in self.view().items():
            expect_eq(found[name], seen, f"{name} on mount {to_go_on + 1} {self.last}")
        self.turn = to_go_on

    def change_files(self):
        for number in self.source.sample(range(FILES), self.source.randrange(1, 12)):
            name = os.path.join(self.path, f"folder{number % 7}", f"file{number}")
            os.makedirs(os.path.dirname(name), exist_ok=True)
            if os.path.exists(name) and self.source.random() < 0.2:
                os.unlink(name)
            elif self.source.random() < 0.5:
                with open(name, "a") as file:
                    file.write(f"line {self.operations} {self.source.random()}\n")
            else:
                with open(name, "w") as file:
                    file.write("".join(f"{self.source.random()}\n" for _ in range(self.source.randrange(1, 400))))

    def commit(self):
        self.change_files()
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", f"Commit {self.commits}")
        self.commits += 1
        self.take_turns("commit")

    def add_then_commit_elsewhere(self):
        self.change_files()
        self.git("add", "-A")
        self.take_turns("add", clean=False)
        self.git("commit", "-q", "--allow-empty", "-m", f"Commit {self.commits}")
        self.commits += 1
        self.take_turns("commit of what another mount added")

    def branch(self):
        name = f"branch{self.operations}"
        self.git("checkout", "-q", "-b", name)
        self.branches.append(name)
        self.take_turns("branch")

    def checkout(self):
        self.git("checkout", "-q", self.source.choice(self.branches))
        self.take_turns("checkout")

    def merge(self):
        branch = self.source.choice(self.branches)
        if self.git("merge", "-q", "-X", "theirs", "-m", "Merge", branch, may_fail=True) is None:
            # Removed on the one branch and changed on the other: a conflict, which another mount gives up.
            self.take_turns("merge that stopped", clean=False)
            self.git("merge", "--abort")
        self.take_turns("merge")

    def stash(self):
        self.change_files()
        self.git("add", "-A")
        if not self.git("status", "--porcelain"):
            return
        self.git("stash", "-q")
        self.take_turns("stash")
        self.git("stash", "pop", "-q", "--index")
        self.take_turns("stash pop", clean=False)
        self.git("reset", "-q", "--hard")
        self.git("clean", "-qfd")
        self.take_turns("reset")

    def older_commit(self):
        commits = self.git("rev-list", "--max-count=50", "HEAD").split()
        branch = self.git("rev-parse", "--abbrev-ref", "HEAD").strip()
        self.git("checkout", "-q", self.source.choice(commits))
        self.take_turns("checkout of an older commit")
        self.git("checkout", "-q", branch)
        self.take_turns("checkout back")

    def gc(self):
        self.git("gc", "-q", "--prune=now")
        self.take_turns("gc")

    def fsck(self):
        self.git("fsck", "--full", "--strict")


def main():
    if not shutil.which("git"):
        print("skipped: Git is not installed")
        sys.exit(SKIPPED)
    chosen = options(15)
    with open(os.path.join(WORK, "config"), "w") as config:
        config.write("[user]\nname = Tester\nemail = tester@example.com\n[init]\ndefaultBranch = main\n[safe]\ndirectory = *\n"
                     "[gc]\nauto = 0\n[advice]\ndetachedHead = false\n")
    os.environ.update(GIT_CONFIG_GLOBAL=os.path.join(WORK, "config"), GIT_CONFIG_NOSYSTEM="1")
    os.mkdir(os.path.join(MOUNT, "repository"))
    repository = Repository(mounts(chosen.mounts), random.Random(chosen.seed))
    repository.git("init", "-q")
    repository.commit()
    deadline = time.monotonic() + chosen.seconds
    rounds = 0
    weights = {"commit": 6, "add_then_commit_elsewhere": 4, "branch": 2, "checkout": 3, "merge": 3, "stash": 2, "older_commit": 3,
               "gc": 1, "fsck": 1}
    while time.monotonic() < deadline:
        getattr(repository, repository.source.choices(list(weights), list(weights.values()))[0])()
        rounds += 1
    for turn in range(chosen.mounts):
        repository.turn = turn
        repository.fsck()
    step(f"{rounds} turns, {repository.operations} calls of git, {repository.commits} commits on {chosen.mounts} mounts")


main()
