"""Walking along a chain tells what was done to it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bailee.journal.chain import genesis, link
from bailee.journal.entry import End, Entry, Start, encode
from bailee.journal.finding import Kind
from bailee.journal.walk import MAX_FINDINGS, ChainWalk, Mark
from journal_support import intent, outcome

CHAIN = "gateway-a"


def make_chain(calls: int = 3) -> list[bytes]:
    entries: list[Entry] = [Start(CHAIN, 1.0, "gateway", "host", "0")]
    for number in range(calls):
        entries += [intent(number), outcome(number)]
    entries.append(End(9.0, "closed"))
    digest, lines = genesis(CHAIN), []
    for seq, entry in enumerate(entries, 1):
        line, digest = link(digest, seq, encode(entry))
        lines.append(line)
    return lines


LINES = make_chain()
HEAD = len(LINES)


def walk(
    lines: list[bytes], *, head: int = HEAD, half: bool = False
) -> list[tuple[Kind, int | None]]:
    marks = {head: (Mark(LINES[head - 1][-67:-3].decode(), Kind.HEAD),)}
    seen = ChainWalk(CHAIN, marks)
    for line in lines:
        seen.feed(line[:-1])
    seen.finish(half)
    return [(finding.kind, finding.line) for finding in seen.findings]


def edit(line: bytes) -> bytes:
    return line.replace(b"/v1/balance", b"/v1/balanxe")


def test_an_untouched_chain_has_no_finding() -> None:
    """Nothing is found where nothing was done, at any head."""
    for head in range(1, HEAD + 1):
        assert walk(LINES, head=head) == []


CASES = {
    "one line edited": ([*LINES[:3], edit(LINES[3]), *LINES[4:]], [(Kind.EDITED, 4)]),
    "a hash edited": (
        [*LINES[:3], LINES[3][:-67] + b"0" * 64 + LINES[3][-3:], *LINES[4:]],
        [(Kind.EDITED, 4)],
    ),
    "a hash made unreadable": (
        [*LINES[:3], LINES[3][:-10] + b"x" + LINES[3][-9:], *LINES[4:]],
        [(Kind.EDITED, 4)],
    ),
    "a line made unreadable": ([*LINES[:3], b"{}\n", *LINES[4:]], [(Kind.EDITED, 4)]),
    "a line deleted": ([*LINES[:3], *LINES[4:]], [(Kind.DELETED, 4)]),
    "three lines deleted": ([*LINES[:2], *LINES[5:]], [(Kind.DELETED, 3)]),
    "the first line deleted": (LINES[1:], [(Kind.EDITED, 1), (Kind.DELETED, 1)]),
    "neighbours swapped": (
        [*LINES[:3], LINES[4], LINES[3], *LINES[5:]],
        [(Kind.SWAPPED, 4)],
    ),
    "a line repeated": ([*LINES[:4], LINES[3], *LINES[4:]], [(Kind.EDITED, 5)]),
    "the tail cut": (LINES[:-2], [(Kind.CUT, HEAD - 2)]),
    "all cut": ([], [(Kind.CUT, None)]),
    "a line after the end": (
        [*LINES, link(bytes.fromhex(LINES[-1][-67:-3].decode()), 9, encode(intent(7)))[0]],
        [(Kind.SURPLUS, 9)],
    ),
}


@pytest.mark.parametrize(("lines", "expected"), CASES.values(), ids=CASES.keys())
def test_what_was_done_is_told_apart(
    lines: list[bytes], expected: list[tuple[Kind, int | None]]
) -> None:
    """Each kind of tampering gets its own name and its line."""
    assert walk(lines) == expected


def test_half_a_line_after_the_head_is_a_remnant() -> None:
    """A crash leaves half a line, and only after the stored head; before it the tail was cut."""
    assert walk(LINES[:-1], head=HEAD - 1, half=True) == [(Kind.REMNANT, HEAD)]
    assert walk(LINES[:-1], head=HEAD, half=True) == [(Kind.CUT, HEAD - 1)]


def test_another_chains_lines_do_not_pass() -> None:
    """A file under another chain's name is found at its first line."""
    seen = ChainWalk("gateway-b", {})
    for line in LINES:
        seen.feed(line[:-1])
    assert {finding.kind for finding in seen.findings} == {Kind.EDITED}


def test_findings_are_bounded() -> None:
    """A file of rubbish gives so many findings and no more."""
    seen = ChainWalk(CHAIN, {})
    while not seen.given_up:
        seen.feed(b"rubbish")
    assert len(seen.findings) <= MAX_FINDINGS + 1


@given(st.integers(1, HEAD), st.data())
def test_any_changed_byte_up_to_the_head_is_found(head: int, data: st.DataObject) -> None:
    """R43: whichever byte is set to whichever other value, line ends included, it is found."""
    content = bytearray(b"".join(LINES))
    position = data.draw(st.integers(0, len(b"".join(LINES[:head])) - 1))
    content[position] ^= data.draw(st.integers(1, 255))
    *lines, rest = bytes(content).split(b"\n")
    found = walk([line + b"\n" for line in lines], head=head, half=bool(rest))
    assert any(kind is not Kind.REMNANT for kind, _ in found)
