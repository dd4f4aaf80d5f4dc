"""Verifying a journal: files against the store's heads and the authority's checkpoints.

What this can't see: lines after the last stored head (at most a second old) that were cut off, and
a store, its checkpoints and the files all put back to an earlier state together.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import Protocol

from bailee.errors import BaileeError
from bailee.journal.chain import MAX_LINE_BYTES, Head, file_name, is_chain_id
from bailee.journal.checkpoint import parse_checkpoint
from bailee.journal.finding import NOTICES, Finding, Kind, Report
from bailee.journal.walk import ChainWalk, Mark
from bailee.model import Signed

Marks = dict[int, tuple[Mark, ...]]


class RegisteredChain(Protocol):
    """A chain as the store knows it; the head is None until one was stored."""

    @property
    def id(self) -> str:
        """The chain's id, which names its file."""

    @property
    def started_at(self) -> float:
        """When it was registered, Unix seconds."""

    @property
    def head_seq(self) -> int | None:
        """The number of the last line that the store heard of."""

    @property
    def head_hash(self) -> str | None:
        """That line's hash, 64 hexadecimal digits."""

    @property
    def closed_at(self) -> float | None:
        """When it was closed in order, Unix seconds."""


def journal_files(directory: Path) -> tuple[str, ...]:
    """List the files in the journal's directory, by name; none when there is no directory."""
    if not directory.is_dir():
        return ()
    return tuple(sorted(entry.name for entry in directory.iterdir() if not entry.is_dir()))


def verify(
    directory: Path,
    chains: Iterable[RegisteredChain],
    checkpoints: Iterable[Signed],
    verifier: Callable[[Signed], bytes],
    *,
    files: Collection[str] | None = None,
) -> Report:
    """Verify every chain of a journal. It may be in use.

    Args:
        directory: The journal's directory.
        chains: All registered chains with their stored heads.
        checkpoints: All stored checkpoints, oldest first.
        verifier: Returns a checkpoint's payload, or raises when its signature is wrong
            (`vault.authority`).
        files: What `journal_files` listed *before* `chains` was read. Without it a chain that is
            begun in between looks like a file that nobody registered.

    Returns:
        Findings and notices, in the order of the chains' start.

    Raises:
        OSError: A file can't be read.
    """
    present = set(journal_files(directory) if files is None else files)
    registered = sorted(chains, key=lambda chain: (chain.started_at, chain.id))
    judged = _Judgement(directory)
    signed_marks = judged.read_checkpoints(checkpoints, verifier)
    for chain in registered:
        judged.look_at(chain, signed_marks.pop(chain.id, {}))
        present.discard(file_name(chain.id))
    for name in sorted(signed_marks):
        judged.find(Kind.MISSING, name, "a checkpoint names this chain and the store does not")
    for name in sorted(present):
        judged.find(Kind.UNREGISTERED, ascii(name)[1:-1], "no chain of the store has this file")
    return judged.report(len(registered))


class _Judgement:
    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._found: list[Finding] = []
        self._open_calls: dict[str, str] = {}
        self._attested: dict[str, Head] = {}
        """The last lines of chains whose removal the authority signed."""
        self._removed = 0
        self._lines = 0
        self._checkpoints = 0

    def find(self, kind: Kind, chain: str, detail: str, line: int | None = None) -> None:
        self._found.append(Finding(kind, chain, line, detail))

    def read_checkpoints(
        self, checkpoints: Iterable[Signed], verifier: Callable[[Signed], bytes]
    ) -> dict[str, Marks]:
        """Turn the checkpoints that verify into marks; the others into findings."""
        marks: dict[str, Marks] = {}
        for number, signed in enumerate(checkpoints, 1):
            self._checkpoints = number
            try:
                checkpoint = parse_checkpoint(verifier(signed))
            except BaileeError as error:
                self.find(Kind.SIGNATURE, f"checkpoint {number}", error.detail)
                continue
            for head in checkpoint.heads:
                _add(marks.setdefault(head.chain, {}), head.seq, Mark(head.hash, Kind.CHECKPOINT))
            self._attested |= {head.chain: head for head in checkpoint.removed}
        return marks

    def look_at(self, chain: RegisteredChain, marks: Marks) -> None:
        if not is_chain_id(chain.id):
            self.find(Kind.MISSING, ascii(chain.id)[1:-1], "the store names an impossible chain")
            return
        head = chain.head_seq or 0
        if head < max(marks, default=0):
            self.find(Kind.HEAD, chain.id, "the store's head is older than a signed checkpoint")
        if head > 0:
            _add(marks, head, Mark(chain.head_hash or "", Kind.HEAD))
        path = self._directory / file_name(chain.id)
        if path.is_file() and not path.is_symlink():
            self._walk(chain, path, marks)
        elif chain.id in self._attested:
            self._look_at_removal(self._attested[chain.id], marks)
        elif marks:
            self.find(Kind.MISSING, chain.id, f"its file is gone; {max(marks)} lines are known")
        else:
            self.find(Kind.NEVER_BEGUN, chain.id, "registered, but not one line is known")

    def _look_at_removal(self, last: Head, marks: Marks) -> None:
        """The file is gone by rights if all that was known of it stood in what was removed."""
        self._removed += 1
        if last.seq < max(marks, default=0):
            self.find(
                Kind.MISSING,
                last.chain,
                f"{last.seq} lines were removed when their time was over, {max(marks)} are known",
            )
        for mark in marks.get(last.seq, ()):
            if mark.hash != last.hash:
                what = f"line {last.seq} was not the one that {mark.witness} knows when it was"
                self.find(mark.source, last.chain, f"{what} removed")

    def _walk(self, chain: RegisteredChain, path: Path, marks: Marks) -> None:
        walk = ChainWalk(chain.id, marks)
        half = False
        for line in _lines(path):
            half = not line.endswith(b"\n")
            if half:
                break
            walk.feed(line[:-1])
            self._follow_calls(chain.id, walk)
            if walk.given_up:
                break
        self._lines += walk.line
        if not walk.given_up:
            walk.finish(half)
        self._found += walk.findings
        if walk.ended_at is None:
            if chain.closed_at is not None:
                self.find(Kind.HEAD, chain.id, "closed in the store, without an end record")
            else:
                self.find(Kind.NO_END, chain.id, "it has no end record")

    def _follow_calls(self, chain: str, walk: ChainWalk) -> None:
        for call in walk.intents:
            self._open_calls[call] = chain
        for call in walk.outcomes:
            self._open_calls.pop(call, None)
        walk.intents.clear()
        walk.outcomes.clear()

    def report(self, chains: int) -> Report:
        counts: dict[str, int] = {}
        for chain in self._open_calls.values():
            counts[chain] = counts.get(chain, 0) + 1
        for chain, count in counts.items():
            self.find(Kind.NO_OUTCOME, chain, f"{count} intents have no outcome")
        return Report(
            findings=tuple(f for f in self._found if f.kind not in NOTICES),
            notices=tuple(f for f in self._found if f.kind in NOTICES),
            chains=chains,
            lines=self._lines,
            checkpoints=self._checkpoints,
            removed=self._removed,
        )


def _add(marks: Marks, seq: int, mark: Mark) -> None:
    known = marks.get(seq, ())
    if mark not in known:
        marks[seq] = (*known, mark)


def _lines(path: Path) -> Iterator[bytes]:
    """Read lines with their line feeds; for one that is too long an unreadable one is given."""
    with path.open("rb") as file:
        while line := file.readline(MAX_LINE_BYTES + 1):
            if len(line) <= MAX_LINE_BYTES or line.endswith(b"\n"):
                yield line
                continue
            while rest := file.readline(MAX_LINE_BYTES):
                if rest.endswith(b"\n"):
                    break
            yield b"too long\n" if rest else b"too long"
