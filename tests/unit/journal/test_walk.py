"""Walking along a chain tells what was done to it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bailee.journal.chain import MAX_BLOCK_LINES, close_block, split_end
from bailee.journal.entry import End, Entry, Start, encode, encode_lines
from bailee.journal.finding import Finding, Kind
from bailee.journal.walk import MAX_FINDINGS, ChainWalk, Mark
from journal_support import intent, make_blocks, outcome

CHAIN = "gateway-a"
START: list[Entry] = [Start(CHAIN, 1.0, "gateway", "host", "0")]
END: list[Entry] = [End(9.0, "closed")]


def singles(calls: int = 3) -> list[bytes]:
    """A chain whose blocks are single lines."""
    entries: list[list[Entry]] = [
        [entry] for n in range(calls) for entry in (intent(n), outcome(n))
    ]
    return make_blocks(CHAIN, [START, *entries, END])


def several() -> list[bytes]:
    """A chain with blocks of several lines: 1, 2-4, 5-10, 11-13, 14."""
    return make_blocks(
        CHAIN,
        [
            START,
            [intent(0), intent(1), intent(2)],
            [*(outcome(n) for n in range(3)), *(intent(n) for n in range(3, 6))],
            [outcome(3), outcome(4), outcome(5)],
            END,
        ],
    )


def lines_of(blocks: list[bytes]) -> list[bytes]:
    return b"".join(blocks).splitlines(keepends=True)


LINES = singles()
HEAD = len(LINES)
BLOCKS = several()
INNER = lines_of(BLOCKS)
ENDS = [n for n, line in enumerate(INNER, 1) if split_end(line[:-1])]


def head_of(lines: list[bytes], head: int) -> dict[int, tuple[Mark, ...]]:
    return {head: (Mark(lines[head - 1][-67:-3].decode(), Kind.HEAD),)}


def find(
    lines: list[bytes], marks: dict[int, tuple[Mark, ...]], *, half: bool = False
) -> list[Finding]:
    seen = ChainWalk(CHAIN, marks)
    for line in lines:
        seen.feed(line[:-1])
    seen.finish(half)
    return seen.findings


def walk(
    lines: list[bytes], *, head: int = HEAD, half: bool = False
) -> list[tuple[Kind, int | None]]:
    found = find(lines, head_of(LINES, head), half=half)
    return [(finding.kind, finding.line) for finding in found]


def walk_inner(
    lines: list[bytes], *, head: int = ENDS[-1], half: bool = False
) -> list[tuple[Kind, int | None]]:
    found = find(lines, head_of(INNER, head), half=half)
    return [(finding.kind, finding.line) for finding in found]


def edit(line: bytes) -> bytes:
    return line.replace(b"/v1/balance", b"/v1/balanxe")


def test_an_untouched_chain_has_no_finding() -> None:
    """Nothing is found where nothing was done, at any head."""
    for head in range(1, HEAD + 1):
        assert walk(LINES, head=head) == []
    assert ENDS == [1, 4, 10, 13, 14]
    for head in ENDS:
        assert walk_inner(INNER, head=head) == []


def test_blocks_of_any_sizes_have_no_finding() -> None:
    """However the same entries were written, the chain is good."""
    entries: list[Entry] = [*START, *(intent(n) for n in range(7)), *END]
    for size in range(1, 10):
        cut = [entries[at : at + size] for at in range(0, len(entries), size)]
        assert find(lines_of(make_blocks(CHAIN, cut)), {}) == []


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
        [*LINES, close_block(bytes.fromhex(LINES[-1][-67:-3].decode()), 9, b"{}\n")[0]],
        [(Kind.EDITED, 9)],
    ),
    "an entry after the end": (
        [
            *LINES,
            close_block(bytes.fromhex(LINES[-1][-67:-3].decode()), 9, encode(intent(7)) + b"\n")[0],
        ],
        [(Kind.SURPLUS, 9)],
    ),
}


@pytest.mark.parametrize(("lines", "expected"), CASES.values(), ids=CASES.keys())
def test_what_was_done_is_told_apart(
    lines: list[bytes], expected: list[tuple[Kind, int | None]]
) -> None:
    """Each kind of tampering gets its own name and its line."""
    assert walk(lines) == expected


WITHOUT_HASH = INNER[9][: INNER[9].index(b',"seq"')] + b"}\n"
INNER_CASES = {
    "a line edited": ([*INNER[:8], edit(INNER[8]), *INNER[9:]], [(Kind.EDITED, 5)]),
    "the last line edited": ([*INNER[:9], edit(INNER[9]), *INNER[10:]], [(Kind.EDITED, 5)]),
    "a line deleted": ([*INNER[:6], *INNER[7:]], [(Kind.DELETED, 5)]),
    "two lines deleted": ([*INNER[:5], *INNER[7:]], [(Kind.DELETED, 5)]),
    "the last line deleted": ([*INNER[:9], *INNER[10:]], [(Kind.DELETED, 5)]),
    "two lines swapped": (
        [*INNER[:5], INNER[6], INNER[5], *INNER[7:]],
        [(Kind.EDITED, 5)],
    ),
    "the last two lines swapped": (
        [*INNER[:8], INNER[9], INNER[8], *INNER[10:]],
        [(Kind.EDITED, 10), (Kind.DELETED, 5)],
    ),
    "a line put in": ([*INNER[:6], INNER[1], *INNER[6:]], [(Kind.EDITED, 5)]),
    "a line put in for another": ([*INNER[:6], INNER[1], *INNER[7:]], [(Kind.EDITED, 5)]),
    "a line made unreadable": ([*INNER[:6], b"{}\n", *INNER[7:]], [(Kind.EDITED, 7)]),
    "a line moved to another block": (
        [*INNER[:1], *INNER[2:6], INNER[1], *INNER[6:]],
        [(Kind.EDITED, 4), (Kind.DELETED, 2)],
    ),
    "a number edited": (
        [*INNER[:9], INNER[9].replace(b'"seq":10', b'"seq":11'), *INNER[10:]],
        [(Kind.EDITED, 11), (Kind.DELETED, 5)],
    ),
    "a hash made unreadable": (
        [*INNER[:9], INNER[9][:-10] + b"x" + INNER[9][-9:], *INNER[10:]],
        [(Kind.EDITED, 10)],
    ),
    "number and hash taken away": ([*INNER[:9], WITHOUT_HASH, *INNER[10:]], [(Kind.EDITED, 5)]),
    "a block deleted": (lines_of([*BLOCKS[:2], *BLOCKS[3:]]), [(Kind.DELETED, 5)]),
    "blocks swapped": (
        lines_of([*BLOCKS[:2], BLOCKS[3], BLOCKS[2], *BLOCKS[4:]]),
        [(Kind.SWAPPED, 5)],
    ),
    "a block repeated": (lines_of([*BLOCKS[:3], *BLOCKS[2:]]), [(Kind.EDITED, 11)]),
    "the tail cut at a block": (INNER[:-4], [(Kind.CUT, 10)]),
    "the tail cut in a block": (INNER[:-2], [(Kind.CUT, 12)]),
}


@pytest.mark.parametrize(("lines", "expected"), INNER_CASES.values(), ids=INNER_CASES.keys())
def test_what_was_done_inside_a_block_is_found(
    lines: list[bytes], expected: list[tuple[Kind, int | None]]
) -> None:
    """R43: a block of several lines hides nothing; the finding stands at the block's first line."""
    assert walk_inner(lines) == expected


def test_a_finding_names_the_lines_of_its_block() -> None:
    """First and last line, where they stand in the file."""
    (edited,) = find([*INNER[:8], edit(INNER[8]), *INNER[9:]], {})
    assert edited.detail.startswith("lines 5 to 10: ")
    (deleted,) = find([*INNER[:6], *INNER[7:]], {})
    assert deleted.detail == "of lines 5 to 10 of the chain 1 should stand here as well"


def test_lines_cut_into_other_blocks_are_found_by_a_mark() -> None:
    """R43: with all hashes made anew and no block ending at the head, the head is still asked."""
    entries: list[Entry] = [intent(n) for n in range(3)]
    good = lines_of(make_blocks(CHAIN, [START, entries, [intent(9)], END]))
    forged = lines_of(make_blocks(CHAIN, [START, [*entries, intent(9)], END]))
    assert find(forged, {}) == []
    (found,) = find(forged, head_of(good, 4))
    assert (found.kind, found.line) == (Kind.HEAD, 4)


def test_half_a_line_after_the_head_is_a_remnant() -> None:
    """A crash leaves half a line, and only after the stored head; before it the tail was cut."""
    assert walk(LINES[:-1], head=HEAD - 1, half=True) == [(Kind.REMNANT, HEAD)]
    assert walk(LINES[:-1], head=HEAD, half=True) == [(Kind.CUT, HEAD - 1)]


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("kept", [1, 2, 5])
def test_half_a_block_after_the_head_is_a_remnant(kept: int, half: bool) -> None:
    """Whole lines without their block's end: a notice after the stored head, a cut before it."""
    lines = INNER[: 4 + kept]
    assert walk_inner(lines, head=4, half=half) == [(Kind.REMNANT, 5)]
    assert walk_inner(lines, head=10, half=half) == [(Kind.CUT, 4 + kept)]


def test_calls_of_a_remnant_never_left() -> None:
    """Intents count when their block has ended: `intend` never returned for the others."""
    seen = ChainWalk(CHAIN, {})
    for line in INNER[:9]:
        seen.feed(line[:-1])
    assert (seen.intents, seen.outcomes) == (["call0", "call1", "call2"], [])
    seen.feed(INNER[9][:-1])
    assert seen.intents == [f"call{n}" for n in range(6)]
    assert seen.outcomes == ["call0", "call1", "call2"]


def test_an_end_record_ends_a_chain_only_with_its_hash() -> None:
    """An end record inside of an unfinished block has ended nothing."""
    seen = ChainWalk(CHAIN, {})
    for line in [*INNER[:-1], encode_lines(END)]:
        seen.feed(line[:-1])
    assert seen.ended_at is None


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


def test_a_block_is_bounded() -> None:
    """Lines without any hash are given up, so that a walk keeps no more than so many in mind."""
    seen = ChainWalk(CHAIN, {})
    seen.feed(INNER[0][:-1])
    line = encode(intent(1))
    for _ in range(MAX_BLOCK_LINES - 1):
        seen.feed(line)
    assert seen.findings == []
    seen.feed(line)
    assert [(f.kind, f.line) for f in seen.findings] == [(Kind.EDITED, MAX_BLOCK_LINES + 1)]
    assert len(seen.intents) == MAX_BLOCK_LINES


@given(st.integers(1, HEAD), st.data())
def test_any_changed_byte_up_to_the_head_is_found(head: int, data: st.DataObject) -> None:
    """R43: whichever byte is set to whichever other value, line ends included, it is found."""
    _change_a_byte(LINES, head, data)


@given(st.sampled_from(ENDS), st.data())
def test_any_changed_byte_of_a_block_is_found(head: int, data: st.DataObject) -> None:
    """R43: the same with blocks of several lines."""
    _change_a_byte(INNER, head, data)


@given(
    st.lists(st.integers(1, 6), min_size=1, max_size=6),
    st.lists(st.tuples(st.integers(0, 36), st.integers(0, 36), st.booleans()), max_size=3),
)
def test_lines_in_any_other_order_or_number_are_found(
    sizes: list[int], moves: list[tuple[int, int, bool]]
) -> None:
    """R43: lines moved, left out or put in twice, in whatever blocks: only the chain passes."""
    calls = iter(range(100))
    entries: list[list[Entry]] = [[intent(next(calls)) for _ in range(size)] for size in sizes]
    lines = lines_of(make_blocks(CHAIN, [START, *entries]))
    changed = list(lines)
    for source, target, stays in moves:
        line = changed[source % len(changed)] if stays else changed.pop(source % len(changed))
        if target < 30:
            changed.insert(target % (len(changed) + 1), line)
        changed = changed or lines[:1]
    found = {finding.kind for finding in find(changed, head_of(lines, len(lines)))}
    assert bool(found) == (changed != lines)
    if changed[: len(lines)] != lines:
        assert found - {Kind.REMNANT}


def _change_a_byte(lines: list[bytes], head: int, data: st.DataObject) -> None:
    content = bytearray(b"".join(lines))
    position = data.draw(st.integers(0, len(b"".join(lines[:head])) - 1))
    content[position] ^= data.draw(st.integers(1, 255))
    *changed, rest = bytes(content).split(b"\n")
    found = find([line + b"\n" for line in changed], head_of(lines, head), half=bool(rest))
    assert any(finding.kind is not Kind.REMNANT for finding in found)
