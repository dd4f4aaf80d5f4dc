"""A process that writes a journal until it is killed, or until its files may not grow.

    writing_child.py kill DIRECTORY ROWS     writes without end
    writing_child.py limit DIRECTORY ROWS    meets a limit of file size, then has it lifted

It prints each call's id after `intend` returned; `kill` writes one to four intents a
block. ROWS is its register: one JSON array a line, in a file or a pipe.
"""

import json
import os
import resource
import signal
import sys
import threading
from pathlib import Path

from bailee.errors import JournalUnavailable
from bailee.journal.writer import Journal
from journal_support import intent, outcome

LIMIT = 40_000


class FileRegister:
    """Rows appended to a file, each in one write: what was written survives a kill."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def register(self, chain: str, role: str, file: str, started_at: float) -> None:
        self._add("register", chain, role, file, started_at)

    def store_head(self, chain: str, seq: int, hash: str, at: float) -> None:
        self._add("head", chain, seq, hash, at)

    def close(self, chain: str, seq: int, hash: str, at: float) -> None:
        self._add("close", chain, seq, hash, at)

    def _add(self, *row: object) -> None:
        os.write(self._descriptor, json.dumps(row).encode() + b"\n")


def main(what: str, directory: Path, rows: Path) -> None:
    journal = Journal.open(directory, "gateway", FileRegister(rows), rotate_bytes=1_000_000)
    if what == "kill":
        write_until_killed(journal)
    else:
        meet_the_limit(journal)


def write_until_killed(journal: Journal) -> None:
    def store() -> None:
        while True:
            journal.store_head()

    threading.Thread(target=store, daemon=True).start()
    number = 0
    while True:
        number += 1
        numbers = range(number, number + number % 4 + 1)
        journal.intend(*(intent(n, path="/" + "p" * (n * 37 % 9000)) for n in numbers))
        for n in numbers:
            os.write(1, b"call%d\n" % n)
            journal.outcome(outcome(n))
        number = numbers[-1]


def meet_the_limit(journal: Journal) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, resource.RLIM_INFINITY))
    refused = 0
    for number in range(1000):
        try:
            journal.intend(intent(number))
        except JournalUnavailable:
            refused += 1
            continue
        assert not refused, "an intent was taken after one was refused"
        os.write(1, b"call%d\n" % number)
        journal.outcome(outcome(number))
    os.write(1, b"refused %d\n" % refused)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50, resource.RLIM_INFINITY))
    for _ in range(3):
        try:
            journal.store_head()
            os.write(1, b"begun\n")
        except JournalUnavailable:
            os.write(1, b"not begun\n")
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    journal.store_head()
    journal.intend(intent(5000))
    os.write(1, b"call5000\n")
    journal.outcome(outcome(5000))
    journal.close()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
