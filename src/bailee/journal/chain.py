"""How lines are chained. Nothing here touches a file.

A line is one JSON object and a line feed. Its first member is `seq` (1, 2, 3 ...), its last is
`hash`. What is hashed is the hash before it, 32 bytes, and the line's own bytes up to the comma
before `"hash"`:

    hash_n = SHA-256(hash_{n-1} || {"seq":n,"type":...,...)
    hash_0 = SHA-256("bailee/journal/v1" || 0x00 || the chain's id)

so that no byte of a line is outside of what is checked, and a chain's lines fit no other chain.
Anybody can compute these hashes. What holds the chain is kept elsewhere: its head in the store,
and the authority's signature on checkpoints.
"""

import re
from dataclasses import dataclass
from binascii import hexlify
from hashlib import sha256

SUFFIX = ".jsonl"
MAX_LINE_BYTES = 512 * 1024
"""A path of 32 KiB of nothing but control characters fits in."""

HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)
_ID = re.compile(r"[a-z][a-z0-9-]{0,79}", re.ASCII)
_HASH_MEMBER = re.compile(rb',"hash":"([0-9a-f]{64})"}')
_HASH_MEMBER_BYTES = 75


@dataclass(frozen=True, slots=True)
class Head:
    """Where a chain stands: its last line's number and hash (64 hexadecimal digits)."""

    chain: str
    seq: int
    hash: str


def genesis(chain: str) -> bytes:
    """Compute the hash that stands before a chain's first line: 32 bytes."""
    return sha256(b"bailee/journal/v1\x00" + chain.encode()).digest()


def link(previous: bytes, seq: int, text: bytes) -> tuple[bytes, bytes]:
    """Chain one encoded entry to what stands before it.

    Args:
        previous: The hash of the line before, 32 bytes.
        seq: The new line's number.
        text: The entry as `entry.encode` made it.

    Returns:
        The whole line with its line feed, and its hash (32 bytes).
    """
    hashed = b'{"seq":%d,' % seq + text[1:-1]
    digest = sha256(previous + hashed).digest()
    return b"".join((hashed, b',"hash":"', hexlify(digest), b'"}\n')), digest


def split_line(line: bytes) -> tuple[bytes, bytes] | None:
    """Split a line (without its line feed) into what is hashed and the hash that it states.

    Returns:
        None when the line does not end in a `hash` member as `link` writes it.
    """
    member = _HASH_MEMBER.fullmatch(line, max(0, len(line) - _HASH_MEMBER_BYTES))
    if member is None:
        return None
    return line[:-_HASH_MEMBER_BYTES], bytes.fromhex(member[1].decode())


def link_hash(previous: bytes, hashed: bytes) -> bytes:
    """Compute the hash that a line must state: of the hash before it and what `split_line` gave."""
    return sha256(previous + hashed).digest()


def is_chain_id(text: str) -> bool:
    """Say whether a text may be a chain's id, and so a part of a file's name."""
    return _ID.fullmatch(text) is not None


def file_name(chain: str) -> str:
    """Name the file of a chain inside the journal's directory."""
    return chain + SUFFIX
