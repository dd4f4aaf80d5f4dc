"""Writing the journal.

Two threads share a `Journal`, and each touches its own half:

- the loop's thread calls `intend`, `outcome`, `record`, `flush` and `close`. These write files and
  never wait for the store;
- any one other thread calls `store_head`, at most a second apart. It talks to the store and never
  writes to a chain that is in use: it stores heads, closes chains that have ended, and makes the
  next chain ready when the present one is half full or broken.

The owner's round is therefore: `journal.flush()` in the loop, then `journal.store_head()` in a
thread. What lies after the stored head is safe from a crash, but not from being cut off by whoever
owns the disk.

What is written at once is one block of the chain: the outcomes that wait, then what is to be
written now. Whoever has several intents gives them to one `intend`: hash and write are paid once.
"""

import os
import re
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal, Protocol

from bailee import __version__
from bailee.errors import JournalUnavailable
from bailee.journal.chain import Head, file_name
from bailee.journal.entry import End, Event, Intent, Outcome, Start, encode_lines
from bailee.journal.file import ChainFile, sync_directory

ROTATE_BYTES = 256 * 1024 * 1024
OUTCOMES_TO_WRITE = 256
"""So many outcomes are written without waiting for the next intent."""
OUTCOMES_TO_KEEP = 16_384
"""So many are kept while nothing can be written; of more, the oldest are dropped and counted."""

Sync = Literal["batched", "always"]
_ROLE = re.compile(r"[a-z]{1,32}", re.ASCII)


class ChainRegister(Protocol):
    """Where chains are known outside of their directory: the store. Hashes are 64 hex digits."""

    def register(self, chain: str, role: str, file: str, started_at: float) -> None:
        """Note a chain before its file exists."""

    def store_head(self, chain: str, seq: int, hash: str, at: float) -> None:
        """Note how far a chain has come."""

    def close(self, chain: str, seq: int, hash: str, at: float) -> None:
        """Note the last line of a chain, which is its end record."""


class Journal:
    """The journal of one process. Every start begins a new chain."""

    def __init__(
        self,
        directory: Path,
        role: str,
        register: ChainRegister,
        *,
        sync: Sync,
        rotate_bytes: int,
        clock: Callable[[], float],
    ) -> None:
        """Use `open`: it makes sure that the journal can be written."""
        self._directory = directory
        self._role = role
        self._register = register
        self._sync = sync == "always"
        self._rotate_bytes = rotate_bytes
        self._clock = clock
        self._storing = threading.Lock()
        self._reserved: tuple[str, float] | None = None
        self._stored: Head | None = None
        self._ended: deque[ChainFile] = deque()
        self._next: ChainFile | None = None
        self._pending: list[Outcome] = []
        self._closed = False
        self.dropped_outcomes = 0
        """Outcomes that were lost because nothing could be written for too long."""
        self._current = self._begin_chain()
        self._store(self._current)

    @classmethod
    def open(
        cls,
        directory: Path,
        role: str,
        register: ChainRegister,
        *,
        sync: Sync = "batched",
        rotate_bytes: int = ROTATE_BYTES,
        clock: Callable[[], float] = time.time,
    ) -> "Journal":
        """Begin a chain: register it, create its file, write its first line, store its head.

        Args:
            directory: Where the files stand; made (0750) when its parent exists.
            role: Which role writes, lower-case letters; the chain's id begins with it.
            register: The store; it is called here in this thread.
            sync: `batched` survives the death of the process, `always` that of the machine.
            rotate_bytes: When a chain gives way to the next one.
            clock: Unix seconds, for the journal's own records.

        Raises:
            JournalUnavailable: The directory or the file can't be written.
            StoreUnavailable: The register can't be reached.
        """
        if _ROLE.fullmatch(role) is None:
            raise ValueError(f"not the name of a role: {role!r}")
        try:
            directory.mkdir(mode=0o750, exist_ok=True)
        except OSError as error:
            raise _unavailable(error) from error
        return cls(directory, role, register, sync=sync, rotate_bytes=rotate_bytes, clock=clock)

    def __repr__(self) -> str:
        return f"Journal({self._role!r}, {self._current!r}, pending={len(self._pending)})"

    def intend(self, *intents: Intent) -> None:
        """Write intents in one block; when this returns they are in the file, and calls may leave.

        Raises:
            JournalUnavailable: They could not be written, and none of the calls may be made.
        """
        self._write(len(intents), encode_lines(intents))

    def intend_lines(self, lines: Sequence[bytes]) -> None:
        """Write intents that are lines already (`IntentForm.line`); the same as `intend` otherwise.

        Raises:
            JournalUnavailable: They could not be written, and none of the calls may be made.
        """
        self._write(len(lines), b"".join(lines))

    def record(self, event: Event) -> None:
        """Write an event at once.

        Raises:
            JournalUnavailable: It could not be written.
        """
        self._write(1, encode_lines((event,)))

    def outcome(self, outcome: Outcome) -> None:
        """Keep an outcome for the next write, which is the next intent's or `flush`'s.

        It raises nothing: the call is over. Lost outcomes show in `verify` as intents without one.
        """
        pending = self._pending
        pending.append(outcome)
        if len(pending) % OUTCOMES_TO_WRITE == 0:
            with suppress(JournalUnavailable):
                self.flush()
            surplus = len(pending) - OUTCOMES_TO_KEEP
            if surplus > 0:
                del pending[:surplus]
                self.dropped_outcomes += surplus

    def flush(self) -> None:
        """Write the outcomes that wait.

        Raises:
            JournalUnavailable: They could not be written; they are kept for the next chain.
        """
        if self._pending:
            self._write()

    def head(self) -> Head:
        """Tell where the present chain stands. Any thread may ask."""
        return self._current.head()

    def store_head(self) -> None:
        """Do all that needs the store. Call it from one thread, not the loop's, each second.

        Raises:
            StoreUnavailable: The register can't be reached; the next call does what was left.
            JournalUnavailable: The next chain could not be begun; the next call tries again.
        """
        with self._storing:
            if self._closed:
                return
            self._store_ended()
            current = self._current
            if not current.is_in_place():
                current.limit = 0
            self._store(current)
            if self._next is None and current.state[2] >= current.limit // 2:
                self._next = self._begin_chain()
                self._store(self._next)

    def close(self) -> None:
        """Write what waits, end all chains and close them in the register, in this thread.

        Raises:
            StoreUnavailable: The register can't be reached; the files are closed.
            JournalUnavailable: The outcomes that waited could not be written.
        """
        with self._storing:
            if self._closed:
                return
            self._closed = True
            try:
                self.flush()
            finally:
                for chain in (self._current, self._next):
                    if chain is not None:
                        self._end(chain, "closed")
                self._next = None
                self._store_ended()

    def _write(self, count: int = 0, lines: bytes = b"") -> None:
        """Write the outcomes that wait, and then so many lines, as one block."""
        chain = self._current
        if chain.state[2] >= chain.limit:
            chain = self._change_chain(chain)
        if self._pending:
            chain.append(len(self._pending) + count, encode_lines(self._pending) + lines)
            self._pending.clear()
        elif count:
            chain.append(count, lines)

    def _change_chain(self, chain: ChainFile) -> ChainFile:
        """Go over to the next chain if it is ready; a full chain goes on until it is."""
        successor = self._next
        if successor is not None:
            self._end(chain, "rotated")
            self._current = successor
            self._next = None
            return successor
        if chain.writable and chain.limit > 0:
            return chain
        raise JournalUnavailable(
            "the journal is closed" if self._closed else "the journal's chain is broken",
            "see to the journal's disk; a new chain is begun as soon as it can be written",
        )

    def _end(self, chain: ChainFile, reason: str) -> None:
        if chain.writable:
            with suppress(JournalUnavailable):
                chain.append(1, encode_lines((End(self._clock(), reason),)))
                chain.ended = True
        chain.close()
        self._ended.append(chain)

    def _store_ended(self) -> None:
        while self._ended:
            chain = self._ended[0]
            if chain.ended:
                head = chain.head()
                self._register.close(head.chain, head.seq, head.hash, self._clock())
            else:
                self._store(chain)
            self._ended.popleft()

    def _store(self, chain: ChainFile) -> None:
        head = chain.head()
        if head != self._stored:
            self._register.store_head(head.chain, head.seq, head.hash, self._clock())
            self._stored = head

    def _begin_chain(self) -> ChainFile:
        """Register, create and start a chain. An id whose file could not be made is used again."""
        if self._reserved is None:
            now = self._clock()
            chain = _new_id(self._role, now)
            self._register.register(chain, self._role, file_name(chain), now)
            self._reserved = chain, now
        chain, started_at = self._reserved
        try:
            file = ChainFile(self._directory, chain, limit=self._rotate_bytes, sync=self._sync)
        except OSError as error:
            raise _unavailable(error) from error
        try:
            host = os.uname().nodename
            start = Start(chain, started_at, self._role, host, __version__)
            file.append(1, encode_lines((start,)))
            sync_directory(self._directory)
        except BaseException as error:
            file.discard()
            if isinstance(error, OSError):
                raise _unavailable(error) from error
            raise
        self._reserved = None
        return file


def _new_id(role: str, now: float) -> str:
    return f"{role}-{time.strftime('%Y%m%d-%H%M%S', time.gmtime(now))}-{secrets.token_hex(8)}"


def _unavailable(error: OSError) -> JournalUnavailable:
    return JournalUnavailable(
        f"the journal can't be written: {error.strerror}",
        "check that the journal's directory exists, has room and belongs to this user",
    )
