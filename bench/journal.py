"""What the journal costs: `python bench/journal.py [DIRECTORY]`. Prints figures and the machine."""

import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bailee.journal.entry import Intent, Outcome
from bailee.journal.verify import verify
from bailee.journal.writer import Journal
from bailee.model import (
    CallerId,
    CallId,
    ConnectionId,
    EgressId,
    ProviderId,
    Signed,
    TenantId,
    TokenId,
)

CALLS = 96_000
ROUNDS = 5
BLOCKS = (1, 4, 16)
"""Intents a block; each divides CALLS."""


@dataclass(frozen=True, slots=True)
class _Chain:
    id: str
    started_at: float
    head_seq: int | None = None
    head_hash: str | None = None
    closed_at: float | None = None


class _NoRegister:
    """A register that keeps nothing: the store is not what is measured."""

    def register(self, chain: str, role: str, file: str, started_at: float) -> None:
        self.chain = _Chain(chain, started_at)

    def store_head(self, chain: str, seq: int, hash: str, at: float) -> None: ...

    def close(self, chain: str, seq: int, hash: str, at: float) -> None: ...


def main() -> None:
    """Measure, print."""
    place = sys.argv[1] if len(sys.argv) > 1 else None
    with tempfile.TemporaryDirectory(dir=place) as directory:
        register = _NoRegister()
        journal = Journal.open(Path(directory), "bench", register, rotate_bytes=1 << 40)
        print(f"machine: {_processor()}, {os.cpu_count()} CPUs, Linux {platform.release()}")
        print(f"python {platform.python_version()}, journal in {directory}")
        for size in BLOCKS:
            _show_block(journal, size)
        _show("making an intent and an outcome", 1, lambda: (_intent(1), _outcome(1)))
        journal.close()
        _show_verify(Path(directory), register.chain)


def _show_block(journal: Journal, size: int) -> None:
    """Write blocks of so many outcomes and as many intents; the entries are made beforehand."""
    intents = [_intent(number) for number in range(size)]
    outcomes = [_outcome(number) for number in range(size)]

    def write() -> None:
        for outcome in outcomes:
            journal.outcome(outcome)
        journal.intend(*intents)

    _show(f"{size} intents and outcomes a block", size, write)


def _show(what: str, calls: int, act: Callable[[], object]) -> None:
    best = min(_time(act, CALLS // calls) for _ in range(ROUNDS))
    print(f"{what:32} {best / CALLS * 1e6:6.2f} us a call  (best of {ROUNDS} x {CALLS} calls)")


def _time(act: Callable[[], object], times: int) -> float:
    """Measure the processor's time, as other processes must not count."""
    start = time.process_time()
    for _ in range(times):
        act()
    return time.process_time() - start


def _show_verify(directory: Path, chain: _Chain) -> None:
    start = time.process_time()
    report = verify(directory, [chain], [], _refuse)
    seconds = time.process_time() - start
    assert report.sound, report.findings[0]
    print(f"{'verify':32} {seconds / report.lines * 1e6:6.2f} us a line ({report.lines} lines)")


def _refuse(signed: Signed) -> bytes:
    raise NotImplementedError("there is no checkpoint to verify")


def _intent(number: int) -> Intent:
    return Intent(
        call=CallId(f"c{number:025d}"),
        at=1_760_000_000.123456 + number,
        tenant=TenantId("default"),
        caller=CallerId("k7q2m5x3c4v6b7n2a3s4d5f6g7"),
        token=TokenId("t7q2m5x3c4v6b7n2a3s4d5f6g7"),
        connection=ConnectionId("a7q2m5x3c4v6b7n2a3s4d5f6g7"),
        version=3,
        provider=ProviderId("exchange"),
        origin="rest",
        subject="0123456789abcdef0123456789abcdef",
        method="GET",
        path="/api/v3/account/orders",
        egress=EgressId("e7q2m5x3c4v6b7n2a3s4d5f6g7"),
    )


def _outcome(number: int) -> Outcome:
    return Outcome(
        call=CallId(f"c{number:025d}"),
        at=1_760_000_000.223456 + number,
        status=200,
        error=None,
        reached=None,
        sent=0,
        received=4_096,
        seconds=0.1012,
    )


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


if __name__ == "__main__":
    main()
