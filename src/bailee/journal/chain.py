"""How lines are chained. Nothing here touches a file.

A line is one JSON object and a line feed. What is written at once is a block of lines, and a
block's last line alone ends with two members of the chain's own:

    {"type":"outcome",...}
    {"type":"intent",...}
    {"type":"intent",...,"seq":7,"hash":"<64 hexadecimal digits>"}

`seq` counts the lines of the chain so far, this one included. What is hashed is the hash before
it, 32 bytes, and all bytes of the block, line feeds included, up to the comma before `"hash"`:

    hash_n = SHA-256(hash_{n-1} || {"type":...}\\n{"type":...,"seq":n)
    hash_0 = SHA-256("bailee/journal/v1" || 0x00 || the chain's id)

so that no byte and no count of lines is outside of what is checked, and a chain's lines fit no
other chain. Anybody can compute these hashes. What holds the chain is kept elsewhere: its head in
the store, and the authority's signature on checkpoints. A head is always the end of a block.
"""

import re
from binascii import hexlify
from dataclasses import dataclass
from hashlib import sha256

SUFFIX = ".jsonl"
MAX_LINE_BYTES = 512 * 1024
"""A path of 32 KiB of nothing but control characters fits in."""
MAX_BLOCK_LINES = 64 * 1024
"""All outcomes that may wait, and an intent of every connection, fit in."""

HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)
_ID = re.compile(r"[a-z][a-z0-9-]{0,79}", re.ASCII)
_END = re.compile(rb',"seq":([1-9][0-9]{0,17}),"hash":"([0-9a-f]{64})"}')
_HASH_MEMBER_BYTES = len(',"hash":""}') + 64
_END_BYTES = _HASH_MEMBER_BYTES + len(',"seq":') + 18


@dataclass(frozen=True, slots=True)
class Head:
    """Where a chain stands: its last line's number and hash (64 hexadecimal digits)."""

    chain: str
    seq: int
    hash: str


@dataclass(frozen=True, slots=True)
class BlockEnd:
    """What a block's last line ends with."""

    seq: int
    hash: bytes
    """The hash that it states, 32 bytes."""
    hashed: bytes
    """The part of the line that is hashed."""


def genesis(chain: str) -> bytes:
    """Compute the hash that stands before a chain's first block: 32 bytes."""
    return sha256(b"bailee/journal/v1\x00" + chain.encode()).digest()


def close_block(previous: bytes, seq: int, lines: bytes) -> tuple[bytes, bytes]:
    """Chain a block to what stands before it.

    Args:
        previous: The hash of the block before, 32 bytes.
        seq: The number of the block's last line.
        lines: One line or more as `entry.encode_lines` made them.

    Returns:
        The block as it stands in the file, and its hash (32 bytes).
    """
    hashed = b'%b,"seq":%d' % (lines[:-2], seq)
    digest = sha256(previous + hashed).digest()
    return b'%b,"hash":"%b"}\n' % (hashed, hexlify(digest)), digest


def split_end(line: bytes) -> BlockEnd | None:
    """Split a block's last line, given without its line feed.

    Returns:
        None when the line does not end as `close_block` writes it: it stands inside of a block.
    """
    end = _END.search(line, max(0, len(line) - _END_BYTES))
    if end is None or end.end() != len(line):
        return None
    return BlockEnd(int(end[1]), bytes.fromhex(end[2].decode()), line[:-_HASH_MEMBER_BYTES])


class BlockHash:
    """The hash that a block must state, of lines that come one by one."""

    def __init__(self, previous: bytes) -> None:
        """Begin after the block with that hash, 32 bytes."""
        self._hash = sha256(previous)

    def add(self, line: bytes) -> None:
        """Go on by one line inside of the block, given without its line feed."""
        self._hash.update(line + b"\n")

    def end(self, hashed: bytes) -> bytes:
        """End with what is hashed of the last line; the hash, 32 bytes."""
        self._hash.update(hashed)
        return self._hash.digest()


def is_chain_id(text: str) -> bool:
    """Say whether a text may be a chain's id, and so a part of a file's name."""
    return _ID.fullmatch(text) is not None


def file_name(chain: str) -> str:
    """Name the file of a chain inside the journal's directory."""
    return chain + SUFFIX
