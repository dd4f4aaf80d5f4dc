"""Lines are chained so that each byte of each line is covered."""

import hashlib
import json

from bailee.journal.chain import genesis, is_chain_id, link, link_hash, split_line

TEXT = b'{"type":"end","at":1.0,"reason":"closed"}'


def test_a_line_is_hashed_as_documented() -> None:
    """hash_n = SHA-256(hash_{n-1} || the line up to its hash)."""
    line, digest = link(b"p" * 32, 7, TEXT)
    hashed = b'{"seq":7,"type":"end","at":1.0,"reason":"closed"'
    assert digest == hashlib.sha256(b"p" * 32 + hashed).digest()
    assert line == hashed + b',"hash":"' + digest.hex().encode() + b'"}\n'
    members = list(json.loads(line))
    assert (members[0], members[-1]) == ("seq", "hash")


def test_a_line_splits_into_what_was_hashed_and_its_hash() -> None:
    """split_line() and link_hash() undo link()."""
    line, digest = link(b"p" * 32, 7, TEXT)
    parts = split_line(line[:-1])
    assert parts is not None
    assert parts[1] == digest == link_hash(b"p" * 32, parts[0])


def test_a_line_without_a_strict_hash_member_is_refused() -> None:
    """Upper-case digits, a space, something behind it: not a line of the journal."""
    line = link(b"p" * 32, 7, TEXT)[0][:-1]
    upper = line[:-66] + line[-66:-2].upper() + line[-2:]
    for wrong in (b"", b"{}", upper, line + b" ", line[:-1], line.replace(b',"hash"', b', "hash"')):
        assert split_line(wrong) is None


def test_chains_begin_with_different_hashes() -> None:
    """A chain's lines fit under no other chain's name."""
    assert genesis("gateway-1") != genesis("gateway-2")


def test_a_chain_id_is_a_safe_file_name() -> None:
    """Ids are lower-case words with digits and hyphens; nothing that leads to another folder."""
    assert is_chain_id("gateway-20260101-000000-0123456789abcdef")
    for wrong in ("", "../x", "a/b", "A", "1", "a.b", "a\n", "a" * 81):
        assert not is_chain_id(wrong)
