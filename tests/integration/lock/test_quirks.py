"""Whatever a provider does to a stranger: `enforced` is said of no key that works for a thief."""

import asyncio
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from bailee.model import Condition, LockState, Meaning, Provider, ProviderId, Refusal
from bailee.reference.accounts import KeyKind
from bailee.reference.pki import World
from bailee.reference.quirks import Quirk
from keeper_bench import Bench
from lock_bench import LockBench, lock_bench
from lock_world import EGRESS, LISTS, LockWorld, lock_world, naive_check

pytestmark = pytest.mark.anyio
Quirks = tuple[Quirk, ...]
WORLDS: list[Quirks] = [
    (),
    *((each,) for each in Quirk),
    (Quirk.UNIFORM_401, Quirk.REFUSAL_INSIDE_200),
    (Quirk.FIREWALL, Quirk.NONCE_ERROR),
]
KINDS = {
    "bearer": (KeyKind.BEARER, False),
    "signed": (KeyKind.HMAC, False),
    "signed with a nonce": (KeyKind.HMAC, True),
}


def files(made: LockWorld, quirks: Quirks) -> dict[str, Provider]:
    """What an operator may know of the API, by the id of the file."""
    ids = ("unaware", "aware", "no-report", "bare")
    unaware, aware, no_report, bare = (
        replace(made.provider(knows=quirks if id == "aware" else ()), id=ProviderId(id))
        for id in ids
    )
    return {
        "does not know of the quirks": unaware,
        "knows of them": aware,
        "knows of no self-report": replace(no_report, report=None),
        "knows of no refusal": replace(bare, report=None, refusals=()),
    }


def names_of(quirks: Quirks) -> str:
    return " and ".join(quirks) or "no quirk"


async def checked(
    lock: LockBench, provider: Provider, allow: list[str] | None, **kind: Any
) -> tuple[dict[str, Any], bool]:
    """The verdict on a new key, and whether a thief could use the key."""
    credential = lock.made.make_credential(allow, **kind)
    result = await lock.check(lock.connect(provider, credential))
    return result, lock.made.works_for_a_thief(credential)


@pytest.mark.parametrize("quirks", WORLDS, ids=names_of)
async def test_enforced_is_never_false(
    bench: Bench, tmp_path: Path, world: World, quirks: Quirks
) -> None:
    """In every world, for every list, whatever the provider's file knows. Nor is `open` false."""
    with lock_world(tmp_path, world, *quirks) as made:
        async with lock_bench(bench, made) as lock:
            for (file, provider), (name, allow) in product(
                files(made, quirks).items(), LISTS.items()
            ):
                lock.approve(provider)
                told, works = await checked(lock, provider, allow)
                state = told["state"]
                assert not (state == LockState.ENFORCED and works), (file, name, told)
                assert not (state == LockState.OPEN and not works), (file, name, told)
                if not works and EGRESS not in (allow or []):
                    assert state in (LockState.BLOCKED, LockState.UNPROVEN), (file, name, told)


@pytest.mark.parametrize("quirk", [Quirk.FIREWALL, Quirk.NONCE_ERROR])
@pytest.mark.parametrize("allow", [None, ["0.0.0.0/0"]], ids=["no list", "a list of all"])
async def test_naive_check_says_a_false_enforced(
    bench: Bench, tmp_path: Path, world: World, quirk: Quirk, allow: list[str] | None
) -> None:
    """Two calls call a key `enforced` that no list restricts; the keeper does not."""
    with lock_world(tmp_path, world, quirk) as made:
        async with lock_bench(bench, made) as lock:
            provider = lock.approve(made.provider(knows=(quirk,)))
            told, works = await checked(lock, provider, allow)
            credential = made.make_credential(allow)
            naive = await asyncio.to_thread(naive_check, made, provider, credential)
    assert works
    assert naive == "enforced"
    assert told["state"] == LockState.UNPROVEN


EXPECTED: dict[Quirks, tuple[LockState, LockState]] = {
    (): (LockState.ENFORCED, LockState.OPEN),
    (Quirk.UNIFORM_401,): (LockState.DECLARED, LockState.OPEN),
    (Quirk.REFUSAL_INSIDE_200,): (LockState.ENFORCED, LockState.OPEN),
    (Quirk.FIREWALL,): (LockState.DECLARED, LockState.UNPROVEN),
    (Quirk.NONCE_ERROR,): (LockState.DECLARED, LockState.UNPROVEN),
}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("quirks", EXPECTED, ids=names_of)
async def test_verdict_is_as_good_as_it_can_be(
    bench: Bench, tmp_path: Path, world: World, quirks: Quirks, kind: tuple[KeyKind, bool]
) -> None:
    """A key with our list and one with none: proven where that can be seen, and not beyond."""
    with lock_world(tmp_path, world, *quirks) as made:
        async with lock_bench(bench, made) as lock:
            provider = lock.approve(made.provider(*kind, knows=quirks))
            ours, _ = await checked(lock, provider, [EGRESS], kind=kind[0], nonce=kind[1])
            anyone, _ = await checked(lock, provider, None, kind=kind[0], nonce=kind[1])
    assert (ours["state"], anyone["state"]) == EXPECTED[quirks], (ours, anyone)


async def test_file_that_misreads_a_firewall(bench: Bench, tmp_path: Path, world: World) -> None:
    """A file that takes the firewall's page for an address refusal makes no lock `enforced`."""
    misread = Refusal(Meaning.ADDRESS, Condition(contains=("access denied",)))
    with lock_world(tmp_path, world, Quirk.FIREWALL) as made:
        async with lock_bench(bench, made) as lock:
            provider = lock.approve(
                replace(made.provider(), refusals=(misread, *made.provider().refusals), report=None)
            )
            told, works = await checked(lock, provider, None)
    assert works
    assert (told["state"], told["cause"]) == (LockState.UNPROVEN, "decoy-shut-out")


async def test_check_leaves_no_secret(bench: Bench, tmp_path: Path, world: World) -> None:
    """Neither the result, nor the lock, nor the journal has a credential or the decoy's address."""
    with lock_world(tmp_path, world) as made:
        async with lock_bench(bench, made) as lock:
            provider = lock.approve(made.provider(KeyKind.HMAC, nonce=True))
            credential = made.make_credential([EGRESS], KeyKind.HMAC, nonce=True)
            connection = lock.connect(provider, credential)
            told = await lock.check(connection)
            stored = lock.stored(connection)
    assert (told["state"], stored.state) == ("enforced", LockState.ENFORCED)
    journal = b"".join(each.read_bytes() for each in (bench.house.directory / "journal").iterdir())
    assert journal.count(b"lock.probe") >= 5
    for text in (repr(told), repr(stored), journal.decode()):
        assert credential["api_secret"] not in text
        assert "127.0.1.3" not in text
