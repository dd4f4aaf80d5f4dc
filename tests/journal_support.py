"""A register in memory, entries to write, and hands that tamper with a journal."""

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path

from bailee.errors import StoreUnavailable
from bailee.journal.chain import Head, genesis
from bailee.journal.entry import Intent, Outcome
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


def only_file(directory: Path) -> Path:
    (path,) = directory.iterdir()
    return path


def read_lines(path: Path) -> list[bytes]:
    return path.read_bytes().split(b"\n")[:-1]


def write_lines(path: Path, lines: list[bytes]) -> None:
    path.write_bytes(b"".join(line + b"\n" for line in lines))


def rehash(path: Path, *, renumber: bool = True) -> None:
    """Do what an attacker does who knows the format: number and hash all lines anew."""
    digest = genesis(path.stem)
    made = []
    for number, line in enumerate(read_lines(path), 1):
        members = json.loads(line)
        del members["hash"]
        if renumber:
            members["seq"] = number
        hashed = json.dumps(members, separators=(",", ":"))[:-1].encode()
        digest = hashlib.sha256(digest + hashed).digest()
        made.append(hashed + b',"hash":"' + digest.hex().encode() + b'"}')
    write_lines(path, made)
