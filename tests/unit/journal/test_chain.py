"""Blocks of lines are chained so that each byte and the count of lines are covered."""

import hashlib
import json

import pytest

from bailee.journal.chain import BlockHash, close_block, genesis, is_chain_id, split_end

ONE = b'{"type":"end","at":1.0,"reason":"closed"}\n'
TWO = b'{"type":"outcome","call":"a"}\n{"type":"intent","call":"b"}\n'


@pytest.mark.parametrize("lines", [ONE, TWO], ids=["one line", "two lines"])
def test_a_block_is_hashed_as_documented(lines: bytes) -> None:
    """hash_n = SHA-256(hash_{n-1} || the block up to its hash); the last line alone has members."""
    block, digest = close_block(b"p" * 32, 7, lines)
    hashed = lines[:-2] + b',"seq":7'
    assert digest == hashlib.sha256(b"p" * 32 + hashed).digest()
    assert block == hashed + b',"hash":"' + digest.hex().encode() + b'"}\n'
    *inner, last = [list(json.loads(line)) for line in block.splitlines()]
    assert last[-2:] == ["seq", "hash"]
    assert all(members == ["type", "call"] for members in inner)


def test_a_block_splits_into_what_was_hashed_and_its_hash() -> None:
    """split_end() and BlockHash undo close_block()."""
    block, digest = close_block(b"p" * 32, 123456789, TWO)
    inner, last = block.splitlines()
    end = split_end(last)
    assert split_end(inner) is None
    assert end is not None
    assert (end.seq, end.hash) == (123456789, digest)
    running = BlockHash(b"p" * 32)
    running.add(inner)
    assert running.end(end.hashed) == digest


def test_a_line_without_a_strict_end_is_refused() -> None:
    """Upper-case digits, a space, something behind it, a number with a zero before: no end."""
    line = close_block(b"p" * 32, 7, ONE)[0][:-1]
    upper = line[:-66] + line[-66:-2].upper() + line[-2:]
    for wrong in (
        b"",
        b"{}",
        upper,
        line + b" ",
        line + b"\n",
        line[:-1],
        line.replace(b',"hash"', b', "hash"'),
        line.replace(b'"seq":7', b'"seq":07'),
        line.replace(b'"seq":7', b'"seq":"7"'),
        line.replace(b'"seq":7', b'"seq":0'),
        line.replace(b'"seq":7', b'"seq":' + b"9" * 19),
    ):
        assert split_end(wrong) is None
    assert split_end(line.replace(b'"seq":7', b'"seq":' + b"9" * 18)) is not None


def test_chains_begin_with_different_hashes() -> None:
    """A chain's lines fit under no other chain's name."""
    assert genesis("gateway-1") != genesis("gateway-2")


def test_a_chain_id_is_a_safe_file_name() -> None:
    """Ids are lower-case words with digits and hyphens; nothing that leads to another folder."""
    assert is_chain_id("gateway-20260101-000000-0123456789abcdef")
    for wrong in ("", "../x", "a/b", "A", "1", "a.b", "a\n", "a" * 81):
        assert not is_chain_id(wrong)
