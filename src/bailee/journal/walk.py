"""Walking along one chain, line by line: a judgement without files.

Lines are judged by the block, when its last line has come. A block that does not follow from the
one before it can have been edited, or what stood before it was deleted or moved. The number that
it states and its count of lines tell which:

| the number of its first line     | the hash fits | judgement                                     |
|----------------------------------|---------------|-----------------------------------------------|
| the next one                     | yes           | good                                          |
| the next one                     | no            | edited, or lines swapped inside of the block  |
| higher                           | either        | a gap: swapped if what is missing comes       |
|                                  |               | later, else deleted (before or in the block)  |
| lower, the last one is new       | either        | edited: lines were put in                     |
| the last missing until now       | either        | fills a gap                                   |
| the last seen already            | either        | edited (put in twice)                         |

A line that can't be read is a finding of its own and stands for one line of its block; the block's
hash then says no more. A deleted block end makes one block of two. Calls count when their block has
ended: those of a remnant never left.

Whoever edits and then computes all hashes anew passes this table, and fails at the marks: the
hashes that the store and the checkpoints keep for certain lines. Each of these must be met at the
end of a block, or whoever cuts the lines into other blocks would never meet them.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from bailee.journal.chain import MAX_BLOCK_LINES, BlockEnd, BlockHash, genesis, split_end
from bailee.journal.finding import Finding, Kind

MAX_FINDINGS = 100
"""Of one chain so many findings are listed; the rest would say no more."""


class _Line(msgspec.Struct, frozen=True):
    type: str
    call: str = ""
    chain: str = ""
    seq: object = None
    hash: object = None


_DECODER = msgspec.json.Decoder(_Line)


@dataclass(frozen=True, slots=True)
class Mark:
    """A hash that a line must have, and who says so."""

    hash: str
    source: Kind
    """HEAD or CHECKPOINT."""

    @property
    def witness(self) -> str:
        """Who says so, for people."""
        return "the store" if self.source is Kind.HEAD else "a signed checkpoint"


@dataclass(slots=True)
class _Gap:
    line: int
    first: int
    last: int
    end: int
    """The number of the last line of the block that stands here."""
    filled: int = 0


class _Block:
    """The lines since the last block end."""

    __slots__ = ("count", "damaged", "hashes", "intents", "outcomes")

    def __init__(self, previous: tuple[bytes, ...]) -> None:
        self.count = 0
        self.damaged = False
        self.hashes = [BlockHash(each) for each in previous]
        self.intents: list[str] = []
        self.outcomes: list[str] = []


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
        self._met: set[int] = set()
        self._last = 0
        """The highest number that was passed."""
        self._previous: tuple[bytes, ...] = (genesis(chain),)
        """What may stand before the next block; two after an edit, none when nobody can tell."""
        self._block = _Block(self._previous)
        self._gaps: list[_Gap] = []

    def __repr__(self) -> str:
        return f"ChainWalk({self._chain!r}, line={self.line}, findings={len(self.findings)})"

    @property
    def given_up(self) -> bool:
        """Whether there were so many findings that going on says nothing."""
        return len(self.findings) >= MAX_FINDINGS

    def feed(self, line: bytes) -> None:
        """Judge the next line, given without its line feed."""
        self.line += 1
        block = self._block
        block.count += 1
        end = split_end(line)
        seen = _read(line)
        if seen is None:
            self._find(Kind.EDITED, "this is not a line of the journal")
            block.damaged = True
        else:
            self._note(seen)
        if end is not None:
            self._place(end)
            self._compare_marks(end)
            if seen is not None and seen.type == "end":
                self.ended_at = self.line
            self._begin_block()
        elif seen is not None and (seen.seq is not None or seen.hash is not None):
            self._damage("the line does not end as a block of the journal does", self.line)
            self._give_block_up()
        elif block.count >= MAX_BLOCK_LINES:
            self._damage(f"{block.count} lines up to this one have no hash", self.line)
            self._give_block_up()
        elif not block.damaged:
            for running in block.hashes:
                running.add(line)

    def finish(self, half: bool) -> None:
        """Judge the end of the file.

        Args:
            half: Whether bytes without a line feed stand after the last line.
        """
        for gap in self._gaps:
            self._judge(gap)
        required = max(self._marks, default=0)
        unfinished = self._block.count + half
        if self._last < required:
            sources = " and ".join(sorted({mark.source for mark in self._marks[required]}))
            end = "in half a block" if unfinished else "there"
            self._find(Kind.CUT, f"the file ends {end}, but {required} lines are known ({sources})")
        elif unfinished:
            where = _span(self._first, self.line + half)
            self._find(Kind.REMNANT, f"half a block stands at the end: {where}", self._first)
        for seq in sorted(self._marks.keys() - self._met):
            if seq <= self._last and not self.given_up:
                for mark in self._marks[seq]:
                    self._find(mark.source, f"{mark.witness} knows a block up to line {seq}", seq)

    @property
    def _first(self) -> int:
        """The first line of the present block, where it stands in the file."""
        return self.line - self._block.count + 1

    def _place(self, end: BlockEnd) -> None:
        """Judge a block whose end has come by the table above."""
        block, expected, where = self._block, self._last + 1, _span(self._first, self.line)
        first = end.seq - block.count + 1
        if end.seq < expected:
            gap = next((g for g in self._gaps if g.first <= end.seq <= g.last), None)
            if gap is None:
                self._damage(f"{where}: line {end.seq} of the chain stands here once more")
            else:
                gap.filled += block.count
            return
        self._last = end.seq
        self._previous = (end.hash,)
        if first > expected:
            self._gaps.append(_Gap(self._first, expected, first - 1, end.seq))
        elif first < expected:
            self._damage(f"{where}: the block holds more lines than it counts")
        elif not block.damaged:
            computed = [running.end(end.hashed) for running in block.hashes]
            if computed and end.hash not in computed:
                self._damage(f"{where}: the block does not follow from the one before it")
                self._previous = (end.hash, computed[0])

    def _compare_marks(self, end: BlockEnd) -> None:
        self._met.add(end.seq)
        for mark in self._marks.get(end.seq, ()):
            if mark.hash != end.hash.hex():
                what = f"line {end.seq} of the chain is not the one that {mark.witness} knows"
                self._find(mark.source, what)

    def _note(self, seen: _Line) -> None:
        if self.line == 1 and (seen.type != "start" or seen.chain != self._chain):
            self._find(Kind.EDITED, "the first line is not this chain's start record")
        if self.ended_at is not None:
            self._find(Kind.SURPLUS, "a line stands after the end record")
        if seen.type == "intent":
            self._block.intents.append(seen.call)
        elif seen.type == "outcome":
            self._block.outcomes.append(seen.call)

    def _begin_block(self) -> None:
        self.intents += self._block.intents
        self.outcomes += self._block.outcomes
        self._block = _Block(self._previous)

    def _give_block_up(self) -> None:
        """Go on after a block whose end can't be read: nobody can tell its hash."""
        self._last += self._block.count
        self._previous = ()
        self._begin_block()

    def _judge(self, gap: _Gap) -> None:
        count = gap.last - gap.first + 1
        if gap.filled >= count:
            what = f"{_span(gap.first, gap.last)} of the chain stand further down"
            self._find(Kind.SWAPPED, what, gap.line)
        else:
            what = f"of {_span(gap.first, gap.end)} of the chain {count} should stand here as well"
            self._find(Kind.DELETED, what, gap.line)

    def _damage(self, detail: str, line: int | None = None) -> None:
        """Find an edit in the present block, once."""
        if not self._block.damaged:
            self._find(Kind.EDITED, detail, line or self._first)
        self._block.damaged = True

    def _find(self, kind: Kind, detail: str, line: int | None = None) -> None:
        self.findings.append(Finding(kind, self._chain, line or self.line or None, detail))


def _span(first: int, last: int) -> str:
    return f"line {first}" if first == last else f"lines {first} to {last}"


def _read(line: bytes) -> _Line | None:
    try:
        return _DECODER.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
