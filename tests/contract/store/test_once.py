"""A key of `Bailee-Once` belongs to the call that took it first, whatever dies."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

import bailee.store
from bailee.errors import Conflict
from bailee.model import Caller, CallerId, CallId, TenantId
from bailee.store import callers, once
from bailee.store.engine import Store
from contract.store import rows
from contract.store.conftest import Backend
from contract.store.rows import CALLER, NOW, OTHER, TENANT

CLAIMER = """
import sys
from bailee.errors import StoreUnavailable
from bailee.store import once
from bailee.store.engine import Store
store, name, number = Store.open(sys.argv[1]), sys.argv[2], 0
while True:
    try:
        with store.write() as conn:
            first = once.claim(conn, sys.argv[3], sys.argv[4], b"%032d" % number, name, 1.0)
    except StoreUnavailable:  # the others were faster for 5 seconds
        continue
    sys.stdout.write(f"{number} {first}\\n")
    sys.stdout.flush()
    number += 1
"""
"""Claims key after key, as others do at the same time; it says only what was committed."""
FIRST, SECOND = CallId("a-1"), CallId("b-1")
KEY = b"k" * 32


@pytest.fixture
def seeded(store: Store) -> Store:
    """A store with one of everything, no keys, and the same caller's id in no other tenant."""
    with store.write() as conn:
        rows.seed(conn)
        conn.execute(sa.text("DELETE FROM once_keys"))
    return store


def claim(store: Store, call: CallId, at: float = NOW, key: bytes = KEY) -> CallId:
    """Claim in a transaction of its own."""
    with store.write() as conn:
        return once.claim(conn, TENANT, CALLER, key, call, at)


def test_a_key_is_the_first_calls(backend: Backend, seeded: Store) -> None:
    """Whoever comes second is told who was first; the first one may ask again."""
    second = Store.open(backend.url)
    assert claim(seeded, FIRST) == FIRST
    assert claim(second, SECOND, NOW + 1) == FIRST
    assert claim(seeded, FIRST, NOW + 2) == FIRST
    with second.read() as conn:
        assert once.find(conn, TENANT, CALLER, KEY) == FIRST
        assert once.find(conn, TENANT, CALLER, b"x" * 32) is None
    second.close()


def test_a_claim_that_was_not_committed_never_was(seeded: Store) -> None:
    """A transaction that fails leaves the key free."""
    with pytest.raises(RuntimeError), seeded.write() as conn:
        once.claim(conn, TENANT, CALLER, KEY, FIRST, NOW)
        raise RuntimeError
    assert claim(seeded, SECOND) == SECOND


def test_keys_of_others_are_other_keys(seeded: Store) -> None:
    """The same key of another caller, of whatever tenant, is free, and stays when ours goes."""
    second, foreign = CallerId("clr_b"), CallerId("clr_c")
    with seeded.write() as conn:
        callers.insert(conn, Caller(second, TENANT, "app2", ()), NOW)
        callers.insert(conn, Caller(foreign, OTHER, "app", ()), NOW)
        assert once.claim(conn, TENANT, CALLER, KEY, FIRST, NOW) == FIRST
        assert once.claim(conn, TENANT, second, KEY, SECOND, NOW) == SECOND
        assert once.claim(conn, OTHER, foreign, KEY, SECOND, NOW) == SECOND
        assert once.release(conn, TENANT, CALLER, KEY, FIRST)
        assert once.find(conn, TENANT, second, KEY) == SECOND
        assert once.find(conn, OTHER, foreign, KEY) == SECOND


def test_a_released_key_is_free_and_only_its_call_releases_it(seeded: Store) -> None:
    """A call that lost the key can't give it back for the one that has it."""
    claim(seeded, FIRST)
    with seeded.write() as conn:
        assert not once.release(conn, TENANT, CALLER, KEY, SECOND)
        assert once.find(conn, TENANT, CALLER, KEY) == FIRST
        assert once.release(conn, TENANT, CALLER, KEY, FIRST)
        assert not once.release(conn, TENANT, CALLER, KEY, FIRST)
    assert claim(seeded, SECOND) == SECOND


def test_old_keys_are_purged_a_few_at_once(seeded: Store) -> None:
    """What is older than the bound goes, at most so many in a transaction; the rest stays."""
    for number in range(5):
        claim(seeded, CallId(str(number)), NOW + number, b"%032d" % number)
    with seeded.write() as conn:
        assert [once.purge(conn, NOW + 3, 3) for _ in range(3)] == [3, 1, 0]
        assert once.find(conn, TENANT, CALLER, b"%032d" % 3) is None
        assert once.find(conn, TENANT, CALLER, b"%032d" % 4) == "4"


@pytest.mark.parametrize(
    ("tenant", "caller", "key"),
    [
        (TENANT, CALLER, b"short"),
        (TENANT, CallerId("clr_z"), KEY),
        (OTHER, CALLER, KEY),
        (TenantId("absent"), CALLER, KEY),
    ],
)
def test_what_is_no_key_of_a_caller_is_refused(
    seeded: Store, tenant: TenantId, caller: CallerId, key: bytes
) -> None:
    """The database itself refuses a digest that is none, and a caller that the tenant has not."""
    with pytest.raises(Conflict), seeded.write() as conn:
        once.claim(conn, tenant, caller, key, FIRST, NOW)


def start(url: str, name: str) -> "subprocess.Popen[str]":
    """Start a process that claims until it is killed."""
    source = str(Path(bailee.store.__file__).parents[2])
    return subprocess.Popen(
        [sys.executable, "-c", CLAIMER, url, name, TENANT, CALLER],
        env=os.environ | {"PYTHONPATH": source},
        stdout=subprocess.PIPE,
        text=True,
    )


def test_killed_processes_share_no_key(backend: Backend, seeded: Store) -> None:
    """Processes claim the same keys at once and are killed with kill -9: each has one owner.

    What a process was told before it died is what the next ones are told.
    """
    owners: dict[str, str] = {}
    told = 0
    for names in (("a", "b", "c"), ("d",)):
        claimers = [start(backend.url, name) for name in names]
        begun = []
        for claimer in claimers:
            assert claimer.stdout is not None
            begun.append([claimer.stdout.readline() for _ in range(15)])
        for claimer in claimers:
            claimer.send_signal(signal.SIGKILL)
        for claimer, lines in zip(claimers, begun, strict=True):
            assert claimer.stdout is not None
            for line in [*lines, *claimer.stdout]:
                if line.endswith("\n"):
                    number, owner = line.split()
                    assert owners.setdefault(number, owner) == owner
                    told += 1
            claimer.stdout.close()
            assert claimer.wait(30) == -signal.SIGKILL
    assert told >= 60
    assert len(owners) < told
    for number, owner in owners.items():
        assert claim(seeded, CallId("late"), key=b"%032d" % int(number)) == owner
