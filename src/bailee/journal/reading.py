"""Reading the journal for people: all chains as one list ordered by time.

Reading is not verifying: what can be read is shown. A chain's own order is never changed: an entry
that was written late (an outcome, or after the clock went back) comes where its chain has come to.
"""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from bailee.journal.chain import MAX_LINE_BYTES, SUFFIX, is_chain_id, split_end
from bailee.journal.entry import End, Entry, Event, Intent, Outcome, Start, decode

_MAX_OPEN_CALLS = 100_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to show; None is no condition. Times are Unix seconds, `until` is left out itself.

    An outcome is wanted when its intent was. Start and end records are shown only when nothing
    but times is asked for.
    """

    since: float | None = None
    until: float | None = None
    call: str | None = None
    tenant: str | None = None
    caller: str | None = None
    connection: str | None = None
    provider: str | None = None
    subject: str | None = None
    """The keyed hash, as the entries have it."""


@dataclass(frozen=True, slots=True)
class Record:
    """One line that was read. `line` is the JSON text as it stands, without its line feed.

    `seq` is counted: whether it is the number that the chain gives the line, `verify` tells.
    """

    chain: str
    seq: int
    entry: Entry
    line: bytes


class JournalReader:
    """Reads a journal's directory again and again, each line once.

    One `poll()` is an export; a `deque(reader.poll(), maxlen=20)` is a tail; polling on follows.
    """

    def __init__(self, directory: Path, wanted: Wanted | None = None) -> None:
        """Begin at the start of every chain; nothing is opened yet."""
        self.unreadable = 0
        """Lines that could not be read as entries; `verify` says more of them."""
        self._directory = directory
        self._wanted = wanted or Wanted()
        self._positions: dict[str, _Position] = {}
        self._calls: dict[str, None] = {}

    def __repr__(self) -> str:
        return f"JournalReader({str(self._directory)!r}, chains={len(self._positions)})"

    def poll(self) -> Iterator[Record]:
        """Read what has come since the last poll, ordered by time over all chains.

        Half a line at the end of a file is left for the next poll; whole lines of a block whose
        end has not come are shown, although a crash may leave them there for good. At any time as
        many files are open as chains overlap. Whoever stops in the middle of a poll misses its
        rest.

        Raises:
            OSError: A file can't be read.
        """
        waiting = sorted(self._new_parts(), key=lambda part: part[:2], reverse=True)
        running: list[tuple[float, str, Record, Iterator[tuple[float, Record]]]] = []
        while waiting or running:
            if waiting and (not running or waiting[-1][0] <= running[0][0]):
                _, chain, position = waiting.pop()
                lines, name = self._read(chain, position), chain
            else:
                _, name, record, lines = heapq.heappop(running)
                if self._is_wanted(record.entry):
                    yield record
            if (following := next(lines, None)) is not None:
                heapq.heappush(running, (following[0], name, following[1], lines))

    def _new_parts(self) -> Iterator[tuple[float, str, "_Position"]]:
        """Find the files with something new, each with the time it begins at."""
        for path in self._directory.glob("*" + SUFFIX):
            if not is_chain_id(path.stem):
                continue
            position = self._positions.setdefault(path.stem, _Position())
            if path.stat().st_size > position.offset:
                ahead = _Position(position.offset, position.lines)
                first = next(self._read(path.stem, ahead), None)
                yield first[0] if first else 0.0, path.stem, position
        self.unreadable = sum(position.unreadable for position in self._positions.values())

    def _read(self, chain: str, position: "_Position") -> Iterator[tuple[float, Record]]:
        with (self._directory / (chain + SUFFIX)).open("rb") as file:
            file.seek(position.offset)
            while (line := file.readline(MAX_LINE_BYTES + 1)).endswith(b"\n"):
                position.offset += len(line)
                position.lines += 1
                record = _record(chain, position.lines, line[:-1])
                if record is None:
                    position.unreadable += 1
                    self.unreadable += 1
                    continue
                yield record.entry.at, record

    def _is_wanted(self, entry: Entry) -> bool:
        wanted = self._wanted
        if wanted.since is not None and entry.at < wanted.since:
            return False
        if wanted.until is not None and entry.at >= wanted.until:
            return False
        match entry:
            case Intent():
                if not _intent_matches(entry, wanted):
                    return False
                if _names_calls(wanted) and len(self._calls) < _MAX_OPEN_CALLS:
                    self._calls[entry.call] = None
                return True
            case Outcome():
                if not _names_calls(wanted):
                    return True
                return entry.call == wanted.call or self._calls.pop(entry.call, 0) is None
            case Event():
                only_tenant = not _names_calls(wanted) or _only_tenant(wanted)
                return only_tenant and wanted.tenant in (None, entry.tenant)
            case Start() | End():
                return not _names_calls(wanted)


@dataclass(slots=True)
class _Position:
    offset: int = 0
    lines: int = 0
    unreadable: int = 0


class _ChainMembers(msgspec.Struct, frozen=True):
    seq: object = None
    hash: object = None


def _record(chain: str, seq: int, line: bytes) -> Record | None:
    try:
        members = msgspec.json.decode(line, type=_ChainMembers)
        if members != _ChainMembers() and split_end(line) is None:
            return None
        return Record(chain, seq, decode(line), line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


_MEMBERS = ("call", "tenant", "caller", "connection", "provider", "subject")


def _intent_matches(intent: Intent, wanted: Wanted) -> bool:
    return all(getattr(wanted, name) in (None, getattr(intent, name)) for name in _MEMBERS)


def _names_calls(wanted: Wanted) -> bool:
    return any(getattr(wanted, name) is not None for name in _MEMBERS)


def _only_tenant(wanted: Wanted) -> bool:
    return all(getattr(wanted, name) is None for name in _MEMBERS if name != "tenant")
