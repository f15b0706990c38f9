#!/usr/bin/env python3
# SQLite databases of 100,000 rows on the mount, with a rollback journal and with a write-ahead log: every row is there,
# integrity_check is content, also from a second connection, a second process, and after a remount.
# timeout: 600
import hashlib
import os
import sqlite3
import subprocess
import sys

from e2e import MOUNT, cluster, expect_eq, step

ROWS = 100_000
CHECK = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
print(db.execute("SELECT COUNT(*), SUM(id), SUM(LENGTH(text)) FROM rows").fetchone(),
      db.execute("PRAGMA integrity_check").fetchone()[0])
"""


def text_of(row):
    return hashlib.sha256(str(row).encode()).hexdigest() * (1 + row % 3)


def summary():
    return (ROWS, ROWS * (ROWS - 1) // 2, sum(64 * (1 + row % 3) for row in range(ROWS)))


def check(path):
    # In another process, as a user's second program would.
    out = subprocess.run([sys.executable, "-c", CHECK, path], check=True, stdout=subprocess.PIPE, text=True).stdout
    expect_eq(out.strip(), f"{summary()} ok", f"{os.path.basename(path)} read by another process")


def run(mode):
    path = os.path.join(MOUNT, f"{mode}.db")
    db = sqlite3.connect(path, isolation_level=None)
    expect_eq(db.execute(f"PRAGMA journal_mode={mode}").fetchone()[0], mode, "journal mode")
    db.execute("PRAGMA synchronous=FULL")
    db.execute("PRAGMA cache_size=-40000")  # else most of the time goes into reading pages back, of which check() does enough
    db.execute("CREATE TABLE rows (id INTEGER PRIMARY KEY, text TEXT NOT NULL)")
    db.execute("CREATE INDEX by_text ON rows (text)")
    step(f"{mode}: {ROWS} rows in transactions of 5,000")
    for first in range(0, ROWS, 5000):
        db.execute("BEGIN")
        db.executemany("INSERT INTO rows VALUES (?, ?)", ((row, text_of(row)) for row in range(first, first + 5000)))
        db.execute("COMMIT")
    step(f"{mode}: 200 transactions of one row, 5 rolled back")
    for row in range(ROWS, ROWS + 200):
        db.execute("INSERT INTO rows VALUES (?, ?)", (row, "x"))
    db.execute("DELETE FROM rows WHERE id >= ?", (ROWS,))
    for row in range(5):
        db.execute("BEGIN")
        db.execute("UPDATE rows SET text = 'lost' WHERE id % 100 = ?", (row,))
        db.execute("ROLLBACK")
    check(path)
    for row in range(0, ROWS, 997):
        expect_eq(db.execute("SELECT text FROM rows WHERE id = ?", (row,)).fetchone()[0], text_of(row), f"row {row}")
    expect_eq(db.execute("SELECT COUNT(*) FROM rows WHERE text = 'lost'").fetchone()[0], 0, "rows of rolled back updates")
    db.execute("VACUUM")
    expect_eq(db.execute("PRAGMA integrity_check").fetchone()[0], "ok", "integrity after VACUUM")
    db.close()
    return path


def main():
    paths = [run("wal"), run("delete")]
    step("after a remount")
    cluster("remount")
    for path in paths:
        check(path)


main()
