"""One chain's file: created once, appended to, never opened for writing again."""

import fcntl
import os
from contextlib import suppress
from pathlib import Path

from bailee.errors import JournalUnavailable
from bailee.journal.chain import (
    MAX_BLOCK_LINES,
    MAX_LINE_BYTES,
    Head,
    close_block,
    file_name,
    genesis,
)

FILE_MODE = 0o640


class ChainFile:
    """A chain that is being written.

    Its state changes in one assignment after the bytes are in the file, so that `head()` may be
    read from any thread. After any fault the chain is broken: the file is cut back to its last
    whole block and nothing follows.
    """

    __slots__ = ("_descriptor", "_sync", "_where", "chain", "ended", "limit", "state")

    def __init__(self, directory: Path, chain: str, *, limit: int, sync: bool) -> None:
        """Create the file; the caller has registered the chain.

        Args:
            directory: The journal's directory.
            chain: The chain's id; its file must not exist.
            limit: How many bytes make the file full.
            sync: Whether each append waits until the disk has it.

        Raises:
            OSError: The file exists or can't be made.
        """
        self.chain = chain
        self.limit = limit
        self.ended = False
        self.state: tuple[int, bytes, int] = (0, genesis(chain), 0)
        self._sync = sync
        self._where = directory / file_name(chain)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        self._descriptor = os.open(self._where, flags, FILE_MODE)
        os.fchmod(self._descriptor, FILE_MODE)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def __repr__(self) -> str:
        seq, _, size = self.state
        return f"ChainFile({self.chain!r}, seq={seq}, bytes={size}, open={self.writable})"

    @property
    def writable(self) -> bool:
        """Whether lines can still be appended: False once broken or closed."""
        return self._descriptor >= 0

    @property
    def full(self) -> bool:
        """Whether the chain should give way to a new one; a broken one always should."""
        return self.state[2] >= self.limit

    def head(self) -> Head:
        """Tell where the chain stands. Any thread may ask."""
        seq, digest, _ = self.state
        return Head(self.chain, seq, digest.hex())

    def append(self, count: int, lines: bytes) -> None:
        """Append lines, at least one, as a block in one write.

        Args:
            count: How many lines they are.
            lines: As `entry.encode_lines` makes them, each with its line feed.

        Raises:
            JournalUnavailable: Not all of it could be written. None of it stands in the file, or
                (after a failed sync) nobody knows; the chain is broken either way.
        """
        seq, digest, size = self.state
        seq += count
        block, digest = close_block(digest, seq, lines)
        if len(block) > MAX_LINE_BYTES:
            _check_bounds(block)
        try:
            written = os.write(self._descriptor, block)
            while written < len(block):
                written += os.write(self._descriptor, block[written:])
            if self._sync:
                os.fdatasync(self._descriptor)
            self.state = (seq, digest, size + written)
        except BaseException as error:
            self._break()
            if not isinstance(error, OSError):
                raise
            raise JournalUnavailable(
                f"the journal can't be written: {error.strerror}",
                "see to the journal's disk; a new chain is begun as soon as it can be written",
            ) from error

    def is_in_place(self) -> bool:
        """Say whether the file still stands under its name. Any thread may ask."""
        try:
            return os.path.samestat(os.fstat(self._descriptor), os.lstat(self._where))
        except OSError:
            return False

    def close(self) -> None:
        """Sync and close the file; the chain takes no more lines."""
        descriptor, self._descriptor, self.limit = self._descriptor, -1, 0
        if descriptor >= 0:
            with suppress(OSError):
                os.fsync(descriptor)
            with suppress(OSError):
                os.close(descriptor)

    def discard(self) -> None:
        """Close and remove the file of a chain that could not even be begun."""
        self.close()
        with suppress(OSError):
            self._where.unlink()

    def _break(self) -> None:
        """Cut half a block away, as far as the disk still obeys, and let nothing follow."""
        with suppress(OSError):
            os.ftruncate(self._descriptor, self.state[2])
        self.close()


def _check_bounds(block: bytes) -> None:
    lines = block.splitlines(keepends=True)
    if len(lines) > MAX_BLOCK_LINES:
        raise JournalUnavailable("these are more entries than a block of the journal may hold")
    if max(map(len, lines)) > MAX_LINE_BYTES:
        raise JournalUnavailable("an entry is longer than a line of the journal may be")


def is_written(descriptor: int) -> bool:
    """Say whether a process that lives has the chain of an opened file in use: it holds a lock."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    return False


def sync_directory(directory: Path) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
