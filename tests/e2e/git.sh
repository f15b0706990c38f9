#!/bin/bash
# Git works on the mount: clone, status, commit, branch, gc, fsck; and clones from it are whole.
# timeout: 600
source "$E2E_LIB"
export HOME=$WORK GIT_CONFIG_NOSYSTEM=1
git config --global user.name Tester
git config --global user.email tester@example.com
git config --global init.defaultBranch main
git config --global safe.directory '*'
git config --global gc.auto 0

step "a repository of a real source tree"
mkdir origin
tar -xf /usr/src/newlib/newlib-*.tar.xz -C origin --strip-components=1
git -C origin init -q
git -C origin add -A
git -C origin commit -qm "Import"
head=$(git -C origin rev-parse HEAD)

step "clone onto the mount"
git clone -q "file://$WORK/origin" "$MOUNT/clone"
cd "$MOUNT/clone" || fail "no clone"
expect_eq "$(git rev-parse HEAD)" "$head" "HEAD of the clone"
expect_eq "$(git status --porcelain)" "" "status after clone"

step "change, commit, branch, merge"
git checkout -qb work
for file in newlib/libc/string/*.c; do echo "/* seen */" >>"$file"; done
git rm -qr libgloss/doc
git mv COPYING.NEWLIB LICENCE
git add -A
git commit -qm "Change many files"
git checkout -q main
echo more >>README
git commit -qam "Change one more"
git merge -q -m "Merge" work
expect_eq "$(git status --porcelain)" "" "status after merge"

step "fsck, gc, fsck"
git fsck --full --strict
git gc -q --prune=now
git fsck --full --strict
git reset -q --hard "$head"
expect_eq "$(git status --porcelain)" "" "status after reset"
git checkout -q work
cd "$WORK" || fail "no folder to work in"

step "clone from the mount"
git clone -q "file://$MOUNT/clone" back
git -C back fsck --full --strict
expect_eq "$(git -C back rev-parse HEAD)" "$(git -C "$MOUNT/clone" rev-parse HEAD)" "HEAD of the clone's clone"
diff -r --exclude=.git back "$MOUNT/clone"

if git -C "$ROOT" rev-parse --git-dir >/dev/null 2>&1; then
    step "this project itself"
    git clone -q "$ROOT" "$MOUNT/self"
    git -C "$MOUNT/self" fsck --full --strict
    expect_eq "$(git -C "$MOUNT/self" rev-parse HEAD)" "$(git -C "$ROOT" rev-parse HEAD)" "HEAD of the project's clone"
fi

step "a worktree and a stash after a remount"
"$CLUSTER" remount --dir "$STORE"
cd "$MOUNT/clone" || fail "no clone"
echo stashed >>README
git stash -q
expect_eq "$(git status --porcelain)" "" "status after stash"
git stash pop -q
expect_eq "$(git status --porcelain)" " M README" "status after stash pop"
git worktree add -q "$MOUNT/worktree" main
git fsck --full --strict
cd "$WORK" || fail "no folder to work in"
