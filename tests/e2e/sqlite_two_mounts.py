#!/usr/bin/env python3
# SQLite databases with rollback journals that processes on several mounts write at the same time: rows in several tables of
# one transaction, updates, rollbacks, and now and then readers that look at all of it. At the end, on every mount,
# integrity_check is content, every row that was committed is there once, and the sums that the transactions keep are right.
# The options of lib/stress.py; STRESS_MODE: delete, truncate, persist (journal_mode; without it each database has its own).
# cluster: --chunkservers 3 --replicas 3
# mounts: 4
# timeout: 300
import os
import random
import sqlite3
import time

from e2e import expect, expect_eq, step
from stress import Worker, mounts, options, results

MODES = ("delete", "truncate", "persist")
WRITERS_PER_MOUNT = 2
ACCOUNTS = 20
BALANCE = 1000
BUSY_S = 60
END_S = 150


def connect(path, mode):
    database = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)
    expect_eq(database.execute(f"PRAGMA journal_mode={mode}").fetchone()[0], mode, "journal mode")
    return database


def make(path, mode):
    database = connect(path, mode)
    database.execute("BEGIN")
    database.execute("CREATE TABLE log (writer INTEGER, number INTEGER, text TEXT)")
    database.execute("CREATE TABLE copy (writer INTEGER, number INTEGER PRIMARY KEY, text TEXT)")
    database.execute("CREATE INDEX log_by_text ON log (text)")
    database.execute("CREATE TABLE accounts (id INTEGER PRIMARY KEY, balance INTEGER)")
    database.executemany("INSERT INTO accounts VALUES (?, ?)", [(number, BALANCE) for number in range(ACCOUNTS)])
    database.execute("COMMIT")
    database.close()


def when_possible(database, act, what):
    """Does it again while the database is locked: SQLite's own waiting is not fair, and gives up after BUSY_S; and a commit that
    has to wait for readers is refused meanwhile."""
    deadline = time.monotonic() + END_S
    while True:
        try:
            return act(database)
        except sqlite3.OperationalError as error:
            expect("locked" in str(error) and time.monotonic() < deadline, f"{what}: {error}")


def add(database, writer, number, source):
    text = f"{writer}.{number} " * source.choice((1, 5, 100))
    database.execute("INSERT INTO log VALUES (?, ?, ?)", (writer, number, text))
    database.execute("INSERT INTO copy VALUES (?, ?, ?)", (writer, writer * 1_000_000 + number, text))
    giver, taker = source.sample(range(ACCOUNTS), 2)
    amount = source.randrange(100)
    database.execute("UPDATE accounts SET balance = balance - ? WHERE id = ?", (amount, giver))
    database.execute("UPDATE accounts SET balance = balance + ? WHERE id = ?", (amount, taker))


def look(database):
    """What must hold at any moment."""
    if database.in_transaction:
        database.execute("ROLLBACK")  # what a locked database has stopped
    database.execute("BEGIN")
    sums = database.execute("SELECT SUM(balance), COUNT(*) FROM accounts").fetchone()
    expect_eq(sums, (ACCOUNTS * BALANCE, ACCOUNTS), "the sum of the accounts")
    counts = [database.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0] for table in ("log", "copy")]
    expect_eq(counts[0], counts[1], "rows of two tables that are written together")
    database.execute("COMMIT")


def write_rows(_, mount, files, writer, seed, seconds):
    """Adds rows until the time is over; the numbers of those that were committed, by database."""
    source = random.Random(f"{seed} {writer}")
    databases = {name: connect(os.path.join(mount, name), mode) for name, mode in files.items()}
    committed = {name: [] for name in files}
    number = 0
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        name = source.choice(list(files))
        database = databases[name]
        if source.random() < 0.1:
            when_possible(database, look, "a reader")
            continue
        when_possible(database, lambda one: one.execute("BEGIN IMMEDIATE"), "BEGIN")
        numbers = [number + place for place in range(source.choice((1, 1, 5)))]
        number = numbers[-1] + 1
        for one in numbers:
            add(database, writer, one, source)
        if source.random() < 0.15:
            database.execute("ROLLBACK")
            continue
        when_possible(database, lambda one: one.execute("COMMIT"), "COMMIT")
        committed[name] += numbers
    for database in databases.values():
        database.close()
    return committed


def check(mount, name, committed):
    """On one mount: the database is whole and has exactly the rows that were committed."""
    database = sqlite3.connect(os.path.join(mount, name), timeout=BUSY_S, isolation_level=None)
    expect_eq(database.execute("PRAGMA integrity_check").fetchall(), [("ok",)], f"integrity_check of {name} on {mount}")
    look(database)
    for writer, lists in enumerate(committed):
        for table, base in (("log", 0), ("copy", writer * 1_000_000)):
            rows = database.execute(f"SELECT number FROM {table} WHERE writer = ? ORDER BY number", (writer,)).fetchall()
            found = [row[0] - base for row in rows]
            lost = sorted(set(lists[name]) - set(found))
            more = sorted(set(found) - set(lists[name]))
            expect(not lost, f"{name} on {mount}: writer {writer} lost {len(lost)} committed rows of {table}, as {lost[:5]}")
            expect(not more, f"{name} on {mount}: {table} has {len(more)} rows of writer {writer} that were not committed, as {more[:5]}")
            expect_eq(len(found), len(lists[name]), f"{name} on {mount}: rows of writer {writer} in {table}; some are there twice")
    database.close()


def main():
    chosen = options(15, mode="")
    where = mounts(chosen.mounts)
    files = {f"{mode}.db": mode for mode in ([chosen.mode] if chosen.mode else MODES)}
    for name, mode in files.items():
        make(os.path.join(where[0], name), mode)
    writers = [Worker(f"writer {number} on mount {number % len(where) + 1}", write_rows, where[number % len(where)], files, number,
                      chosen.seed, chosen.seconds) for number in range(WRITERS_PER_MOUNT * len(where))]
    committed = results(writers, chosen.seconds + 2 * END_S)
    count = sum(len(numbers) for lists in committed for numbers in lists.values())
    step(f"{count} rows committed by {len(writers)} writers on {len(where)} mounts")
    expect(count > 0, "no row was committed")
    for mount in where:
        for name in files:
            check(mount, name, committed)
    step("all of them are there, once, on every mount")


main()
