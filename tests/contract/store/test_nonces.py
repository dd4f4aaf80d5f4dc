"""Nonces: none twice, none lower than one before, whatever dies and whatever the clock says."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
import sqlalchemy as sa

import bailee.store
from bailee.errors import BadInput, Conflict
from bailee.model import ConnectionId
from bailee.store import connections, nonces
from bailee.store.engine import Store
from contract.store import rows
from contract.store.conftest import Backend
from contract.store.rows import CONNECTION

LEASER = """
import sys
from bailee.store import connections, nonces
from bailee.store.engine import Store
store = Store.open(sys.argv[1])
floor = int(sys.argv[2])
while True:
    try:
        with store.write() as conn:
            leased = nonces.lease(conn, sys.argv[3], floor, 10)
    except StoreUnavailable:  # the others were faster for 5 seconds
        continue
    sys.stdout.write(f"{leased.start} {leased.stop}\\n")
    sys.stdout.flush()
"""
"""Leases without end, each time as if its clock stood still; it says only what was committed."""


@pytest.fixture
def seeded(store: Store) -> Store:
    """A store with one of everything, its nonces included."""
    with store.write() as conn:
        rows.seed(conn)
        conn.execute(sa.text("DELETE FROM nonces"))
    return store


def lease(store: Store, at_least: int, count: int = 1) -> range:
    """Lease in a transaction of its own."""
    with store.write() as conn:
        return nonces.lease(conn, CONNECTION, at_least, count)


def test_leases_follow_each_other(seeded: Store) -> None:
    """A lease begins at what it asks for, or at the end of the last one if that is higher."""
    assert lease(seeded, 1_000, 10) == range(1_000, 1_010)
    assert lease(seeded, 1_000, 5) == range(1_010, 1_015)
    assert lease(seeded, 2_000, 1) == range(2_000, 2_001)


def test_a_clock_that_goes_back_lowers_nothing(seeded: Store) -> None:
    """However early it is said to be, the next nonce is higher than the last."""
    assert lease(seeded, 5_000, 100) == range(5_000, 5_100)
    for at_least in (4_000, 0, 5_099):
        assert lease(seeded, at_least).start >= 5_100
    assert lease(seeded, 0) == range(5_103, 5_104)


def test_connections_have_nonces_of_their_own(seeded: Store) -> None:
    """One connection's lease moves no other's."""
    other = ConnectionId("d" * 26)
    with seeded.write() as conn:
        connections.insert(conn, rows.connection(other))
    assert lease(seeded, 7, 3) == range(7, 10)
    with seeded.write() as conn:
        assert nonces.lease(conn, other, 1, 1) == range(1, 2)


def test_a_lease_that_was_not_committed_never_was(seeded: Store) -> None:
    """A transaction that fails leaves the ceiling where it was, and nobody used what it gave."""
    lease(seeded, 10, 10)
    with pytest.raises(RuntimeError), seeded.write() as conn:
        nonces.lease(conn, CONNECTION, 1_000_000, 10)
        raise RuntimeError
    assert lease(seeded, 0) == range(20, 21)


@pytest.mark.parametrize(
    ("at_least", "count"),
    [(-1, 1), (0, 0), (0, -1), (0, nonces.COUNT_LIMIT + 1), (2**63, 1), (2**64, 1)],
)
def test_a_lease_out_of_range_is_refused(seeded: Store, at_least: int, count: int) -> None:
    """What the database could not hold as a whole number is never leased."""
    with pytest.raises(BadInput):
        lease(seeded, at_least, count)
    assert lease(seeded, 0) == range(1)


def test_nonces_end_rather_than_wrap(seeded: Store) -> None:
    """At the end of 64 bits there is no further nonce: not a float, not a lower one."""
    highest = 2**63 - 1
    with pytest.raises(BadInput):
        lease(seeded, highest - 5, 10)
    assert lease(seeded, highest - 10, 10) == range(highest - 10, highest)
    for at_least in (0, highest - 10, highest):
        with pytest.raises(BadInput):
            lease(seeded, at_least)
    with seeded.write() as conn:
        conn.execute(sa.text("UPDATE nonces SET ceiling = 5"))
    with pytest.raises(BadInput):
        lease(seeded, highest - 5, 10)
    assert lease(seeded, highest - 5, 5).stop == highest


def test_an_unknown_connection_has_no_nonces(seeded: Store) -> None:
    """Nothing is leased for a connection that is not there."""
    with pytest.raises(Conflict), seeded.write() as conn:
        nonces.lease(conn, ConnectionId("z" * 26), 0, 1)


def start(url: str, floor: int) -> "subprocess.Popen[str]":
    """Start a process that leases until it is killed."""
    source = str(Path(bailee.store.__file__).parents[2])
    return subprocess.Popen(
        [sys.executable, "-c", LEASER, url, str(floor), CONNECTION],
        env=os.environ | {"PYTHONPATH": source},
        stdout=subprocess.PIPE,
        text=True,
    )


def said(lines: Iterable[str]) -> list[range]:
    """The leases in what a process wrote; a line that was cut off by its death does not count."""
    return [range(*map(int, line.split())) for line in lines if line.endswith("\n")]


def test_killed_processes_repeat_nothing(backend: Backend, seeded: Store) -> None:
    """Processes lease at once and are killed with kill -9: every nonce was leased once, rising."""
    seen: list[list[range]] = []
    for floors in ((900, 901, 902), (100,)):  # the last one's clock has gone back
        leasers = [start(backend.url, floor) for floor in floors]
        begun = []
        for leaser in leasers:
            assert leaser.stdout is not None
            begun.append([leaser.stdout.readline() for _ in range(15)])
        for leaser in leasers:
            leaser.send_signal(signal.SIGKILL)
        for leaser, lines in zip(leasers, begun, strict=True):
            assert leaser.stdout is not None
            seen.append(said([*lines, *leaser.stdout]))
            leaser.stdout.close()
            assert leaser.wait(30) == -signal.SIGKILL
    for leases in seen:
        starts = [each.start for each in leases]
        assert starts == sorted(set(starts))
    everyone = [nonce for leases in seen for each in leases for nonce in each]
    assert len(everyone) == len(set(everyone))
    first, second = seen[:3], seen[3:]
    assert max(each.stop for leases in first for each in leases) <= min(
        each.start for leases in second for each in leases
    )
    assert lease(seeded, 0).start >= max(everyone) + 1
