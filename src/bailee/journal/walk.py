"""Walking along one chain, line by line: a judgement without files.

A line that does not follow from the one before it can have been edited, or what stood before it
was deleted or moved. The numbers tell which:

| the line's number        | the hash before fits | judgement                                      |
|--------------------------|----------------------|------------------------------------------------|
| the next one             | yes                  | good                                           |
| the next one             | no                   | edited                                         |
| higher                   | either               | a gap: swapped if what is missing comes later, |
|                          |                      | else deleted                                   |
| lower, missing until now | either               | fills a gap                                    |
| lower, seen already      | either               | edited (put in twice)                          |
| none can be read         | -                    | edited                                         |

Whoever edits and then computes all hashes anew passes this table, and fails at the marks: the
hashes that the store and the checkpoints keep for certain lines.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from bailee.journal.chain import genesis, link_hash, split_line
from bailee.journal.finding import Finding, Kind

MAX_FINDINGS = 100
"""Of one chain so many findings are listed; the rest would say no more."""


class _Line(msgspec.Struct, frozen=True):
    seq: int
    type: str
    call: str = ""
    chain: str = ""


_DECODER = msgspec.json.Decoder(_Line)


@dataclass(frozen=True, slots=True)
class Mark:
    """A hash that a line must have, and who says so."""

    hash: str
    source: Kind
    """HEAD or CHECKPOINT."""


@dataclass(slots=True)
class _Gap:
    line: int
    first: int
    last: int
    filled: int = 0


class ChainWalk:
    """One walk along one chain."""

    def __init__(self, chain: str, marks: Mapping[int, tuple[Mark, ...]]) -> None:
        """Begin before the first line.

        Args:
            chain: The chain's id.
            marks: The hashes known from elsewhere, by line number.
        """
        self.findings: list[Finding] = []
        self.line = 0
        self.ended_at: int | None = None
        self.intents: list[str] = []
        """Calls whose intent came by since somebody emptied this list; `outcomes` likewise."""
        self.outcomes: list[str] = []
        self._chain = chain
        self._marks = marks
        self._expected = 1
        self._previous: tuple[bytes, ...] = (genesis(chain),)
        """What may stand before the next line; two after an edit, none when nobody can tell."""
        self._gaps: list[_Gap] = []

    def __repr__(self) -> str:
        return f"ChainWalk({self._chain!r}, line={self.line}, findings={len(self.findings)})"

    @property
    def last(self) -> int:
        """The highest number that was passed."""
        return self._expected - 1

    @property
    def given_up(self) -> bool:
        """Whether there were so many findings that going on says nothing."""
        return len(self.findings) >= MAX_FINDINGS

    def feed(self, line: bytes) -> None:
        """Judge the next line, given without its line feed."""
        self.line += 1
        parts = split_line(line)
        seen = None if parts is None else _read(parts[0])
        if parts is None or seen is None:
            self._find(Kind.EDITED, "this is not a line of the journal")
            self._previous = ()
            self._expected += 1
            return
        self._place(seen, *parts)
        self._compare_marks(seen.seq, parts[1].hex())
        self._note(seen)

    def finish(self, half: bool) -> None:
        """Judge the end of the file.

        Args:
            half: Whether bytes without a line feed stand after the last line.
        """
        for gap in self._gaps:
            count = gap.last - gap.first + 1
            what = f"line {gap.first}" if count == 1 else f"lines {gap.first} to {gap.last}"
            if gap.filled >= count:
                self._find(Kind.SWAPPED, f"{what} of the chain stand further down", gap.line)
            else:
                self._find(Kind.DELETED, f"{what} of the chain should stand here", gap.line)
        required = max(self._marks, default=0)
        if self.last < required:
            sources = " and ".join(sorted({mark.source for mark in self._marks[required]}))
            end = "in half a line" if half else "there"
            self._find(Kind.CUT, f"the file ends {end}, but {required} lines are known ({sources})")
        elif half:
            self._find(Kind.REMNANT, "half a line stands at the end", self.line + 1)

    def _place(self, seen: _Line, hashed: bytes, stated: bytes) -> None:
        if seen.seq < self._expected:
            gap = next((g for g in self._gaps if g.first <= seen.seq <= g.last), None)
            if gap is None:
                self._find(Kind.EDITED, f"line {seen.seq} of the chain stands here once more")
            else:
                gap.filled += 1
            return
        if seen.seq > self._expected:
            self._gaps.append(_Gap(self.line, self._expected, seen.seq - 1))
            self._previous = (stated,)
        else:
            computed = [link_hash(previous, hashed) for previous in self._previous]
            if computed and stated not in computed:
                self._find(Kind.EDITED, "the line does not follow from the one before it")
                self._previous = (stated, computed[0])
            else:
                self._previous = (stated,)
        self._expected = seen.seq + 1

    def _compare_marks(self, seq: int, stated: str) -> None:
        for mark in self._marks.get(seq, ()):
            if mark.hash != stated:
                who = "the store" if mark.source is Kind.HEAD else "a signed checkpoint"
                self._find(mark.source, f"line {seq} of the chain is not the one that {who} knows")

    def _note(self, seen: _Line) -> None:
        if self.line == 1 and (seen.type != "start" or seen.chain != self._chain):
            self._find(Kind.EDITED, "the first line is not this chain's start record")
        if self.ended_at is not None:
            self._find(Kind.SURPLUS, "a line stands after the end record")
        if seen.type == "intent":
            self.intents.append(seen.call)
        elif seen.type == "outcome":
            self.outcomes.append(seen.call)
        elif seen.type == "end":
            self.ended_at = self.line

    def _find(self, kind: Kind, detail: str, line: int | None = None) -> None:
        self.findings.append(Finding(kind, self._chain, line or self.line or None, detail))


def _read(hashed: bytes) -> _Line | None:
    """Read the members that are needed; what is hashed lacks only the closing brace."""
    try:
        return _DECODER.decode(hashed + b"}")
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
