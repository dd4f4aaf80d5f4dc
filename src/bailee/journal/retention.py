"""Which chains have been kept for long enough.

The age of a chain is what its own last line says, and its file's time: who can write the database
can't make a chain look old. A chain with a fault is evidence, and stays.
"""

import os
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from bailee.errors import JournalUnavailable
from bailee.journal.chain import MAX_LINE_BYTES, Head, file_name, is_chain_id, split_end
from bailee.journal.entry import decode
from bailee.journal.file import is_written, sync_directory
from bailee.journal.verify import RegisteredChain, verify
from bailee.model import Signed


def outdated(
    directory: Path,
    chains: Iterable[RegisteredChain],
    before: float,
) -> dict[str, Head]:
    """Find the chains whose last line is older, by id, with that last line.

    A chain that a living process has in use is never among them, however long it said nothing; nor
    is one that can't be read. Nothing of this is verified yet.

    Args:
        directory: The journal's directory.
        chains: All registered chains.
        before: Unix seconds.
    """
    found = {}
    for chain in chains:
        if is_chain_id(chain.id) and chain.started_at < before:
            last = _last_line(directory / file_name(chain.id), chain.id, before)
            if last is not None:
                found[chain.id] = last
    return found


def without_faults(
    directory: Path,
    chains: Iterable[RegisteredChain],
    checkpoints: Iterable[Signed],
    verifier: Callable[[Signed], bytes],
) -> set[str]:
    """Verify chains against the stored heads and the signed checkpoints.

    Args:
        directory: The journal's directory.
        chains: Those that are to be removed.
        checkpoints: All of them.
        verifier: Returns a checkpoint's payload, or raises when its signature is wrong.

    Returns:
        The ids of those with no fault; none at all when a checkpoint is not the authority's.

    Raises:
        OSError: A file can't be read.
    """
    asked = list(chains)
    report = verify(directory, asked, checkpoints, verifier, files=())
    faulty = {finding.chain for finding in report.findings}
    if any(not is_chain_id(name) for name in faulty):
        return set()
    return {chain.id for chain in asked} - faulty


def remove_files(directory: Path, chains: Iterable[str]) -> None:
    """Remove the files of chains, whose removal is signed and stored.

    Raises:
        JournalUnavailable: One can't be removed; the next round tries again.
    """
    try:
        for chain in chains:
            (directory / file_name(chain)).unlink(missing_ok=True)
        sync_directory(directory)
    except OSError as error:
        raise JournalUnavailable(
            f"an old file of the journal can't be removed: {error.strerror}",
            "the keeper needs to write to the journal's directory",
        ) from error


def _last_line(path: Path, chain: str, before: float) -> Head | None:
    """Read where a chain ends, if that was long ago and nobody writes it."""
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        with open(os.open(path, flags), "rb") as file:
            status = os.fstat(file.fileno())
            if status.st_mtime >= before or is_written(file.fileno()):
                return None
            file.seek(max(0, status.st_size - 2 * MAX_LINE_BYTES))
            lines = file.read(2 * MAX_LINE_BYTES).split(b"\n")[:-1]
    except OSError:
        return None
    for line in reversed(lines):
        end = split_end(line)
        if end is not None:
            return Head(chain, end.seq, end.hash.hex()) if _time_of(line) < before else None
    return None


def _time_of(line: bytes) -> float:
    try:
        return decode(line).at
    except (msgspec.DecodeError, UnicodeDecodeError):
        return float("inf")
