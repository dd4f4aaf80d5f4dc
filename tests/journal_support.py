"""A register in memory, entries to write, and hands that tamper with a journal."""

import hashlib
import re
from dataclasses import dataclass, replace
from pathlib import Path

from bailee.errors import StoreUnavailable
from bailee.journal.chain import Head, close_block, genesis, split_end
from bailee.journal.entry import Entry, Intent, Outcome, encode_lines
from bailee.journal.writer import Journal
from bailee.model import (
    CallerId,
    CallId,
    ConnectionId,
    EgressId,
    ProviderId,
    TenantId,
    TokenId,
)


@dataclass(frozen=True, slots=True)
class JournalChain:
    """A row of the register."""

    id: str
    role: str
    file: str
    started_at: float
    head_seq: int | None = None
    head_hash: str | None = None
    head_at: float | None = None
    closed_at: float | None = None


class MemoryRegister:
    """The store's side of the journal; `available = False` makes it fail as a database does."""

    def __init__(self) -> None:
        self.chains: dict[str, JournalChain] = {}
        self.available = True
        self.writes = 0

    def register(self, chain: str, role: str, file: str, started_at: float) -> None:
        self._answer()
        assert chain not in self.chains
        self.chains[chain] = JournalChain(chain, role, file, started_at)

    def store_head(self, chain: str, seq: int, hash: str, at: float) -> None:
        self._answer()
        self.chains[chain] = replace(self.chains[chain], head_seq=seq, head_hash=hash, head_at=at)

    def close(self, chain: str, seq: int, hash: str, at: float) -> None:
        self.store_head(chain, seq, hash, at)
        self.chains[chain] = replace(self.chains[chain], closed_at=at)

    def all(self) -> list[JournalChain]:
        return list(self.chains.values())

    def heads(self) -> list[Head]:
        return [Head(c.id, c.head_seq or 0, c.head_hash or "") for c in self.all()]

    def _answer(self) -> None:
        self.writes += 1
        if not self.available:
            raise StoreUnavailable


def intent(
    number: int, *, at: float | None = None, path: str = "/v1/balance", **other: str
) -> Intent:
    return Intent(
        call=CallId(f"call{number}"),
        at=1000.0 + number if at is None else at,
        tenant=TenantId(other.get("tenant", "default")),
        caller=CallerId(other.get("caller", "app")),
        token=TokenId("token1"),
        connection=ConnectionId(other.get("connection", "a" * 26)),
        version=1,
        provider=ProviderId("exchange"),
        origin="rest",
        subject="0" * 32,
        method="GET",
        path=path,
        egress=EgressId("egress1"),
    )


def outcome(number: int, *, at: float | None = None) -> Outcome:
    return Outcome(
        call=CallId(f"call{number}"),
        at=1000.5 + number if at is None else at,
        status=200,
        error=None,
        reached=None,
        sent=0,
        received=12,
        seconds=0.25,
    )


def write_calls(journal: Journal, count: int, *, first: int = 0) -> None:
    for number in range(first, first + count):
        journal.intend(intent(number))
        journal.outcome(outcome(number))
    journal.flush()


def write_blocks(journal: Journal, *sizes: int, first: int = 0) -> None:
    """Write blocks of so many intents; their outcomes wait for the next block."""
    for size in sizes:
        numbers = range(first, first + size)
        journal.intend(*(intent(number) for number in numbers))
        for number in numbers:
            journal.outcome(outcome(number))
        first += size
    journal.flush()


def only_file(directory: Path) -> Path:
    (path,) = directory.iterdir()
    return path


def read_lines(path: Path) -> list[bytes]:
    return path.read_bytes().split(b"\n")[:-1]


def write_lines(path: Path, lines: list[bytes]) -> None:
    path.write_bytes(b"".join(line + b"\n" for line in lines))


def read_blocks(path: Path) -> list[bytes]:
    """Split a file into its blocks, each with its line feeds."""
    blocks, begun = [], b""
    for line in read_lines(path):
        begun += line + b"\n"
        if split_end(line) is not None:
            blocks.append(begun)
            begun = b""
    assert begun == b""
    return blocks


def make_blocks(chain: str, entries: list[list[Entry]]) -> list[bytes]:
    """Chain entries, each list in a block of its own."""
    digest, seq, blocks = genesis(chain), 0, []
    for each in entries:
        seq += len(each)
        block, digest = close_block(digest, seq, encode_lines(each))
        blocks.append(block)
    return blocks


def rehash(path: Path, *, one_block: bool = False) -> None:
    """Do what an attacker does who knows the format: number and hash all blocks anew.

    Args:
        path: The chain's file; its blocks end where they ended.
        one_block: Whether all lines after the first are put into a single block instead.
    """
    digest, made, begun = genesis(path.stem), b"", b""
    lines = read_lines(path)
    for number, line in enumerate(lines, 1):
        begun += re.sub(rb',"seq":[0-9]+,"hash":"[0-9a-f]{64}"}$', b"}", line) + b"\n"
        ends = number in (1, len(lines)) if one_block else split_end(line) is not None
        if ends:
            hashed = begun[:-2] + b',"seq":%d' % number
            digest = hashlib.sha256(digest + hashed).digest()
            made += hashed + b',"hash":"' + digest.hex().encode() + b'"}\n'
            begun = b""
    path.write_bytes(made + begun)
