"""The keeper deletes what is of no use any more."""

import asyncio
import time
from pathlib import Path

import pytest

from bailee.keeper.purging import Purging
from bailee.manage import callers, replays, tokens
from bailee.manage.derived import derive
from bailee.model import DEFAULT_TENANT, CallId, Pin
from bailee.store import once
from house import build_house, make_provider
from providers_samples import CA

pytestmark = pytest.mark.anyio


async def test_expired_derived_tokens_and_old_answers_go(tmp_path: Path) -> None:
    """What is live stays; a round ends with the drain."""
    house = build_house(tmp_path / "vault")
    provider = make_provider(443, CA)
    house.approve_provider(provider)
    house.approve_pins(provider.id, [Pin(bytes(32))])
    connection = house.add_connection(provider, {"api_key": "k"})
    house.add_caller()
    house.grant(connection, "GET /**")
    now = time.time()
    parent = tokens.issue_operator(house.store, DEFAULT_TENANT, "test", now).token.id
    for seconds in (60, 900):
        derive(house.store, DEFAULT_TENANT, parent, "app", now, subject="u1", seconds=seconds)
    replays.begin(house.store, DEFAULT_TENANT, "tok", "key", bytes(32), now)

    def count() -> int:
        found = tokens.page(house.store, DEFAULT_TENANT, derived=True, after=None, limit=100)
        return len(found)

    draining = asyncio.Event()
    for later, left in ((0, 2), (61, 1), (901, 0)):
        await Purging(house.store, lambda later=later: now + later, 30).purge_and_log()  # type: ignore[misc]  # bound now
        assert count() == left
    assert replays.begin(house.store, DEFAULT_TENANT, "tok2", "key", bytes(32), now) is None
    await Purging(house.store, lambda: now + 90_000, 30).purge_and_log()
    assert replays.begin(house.store, DEFAULT_TENANT, "tok", "key", bytes(32), now) is None
    running = asyncio.get_running_loop().create_task(
        Purging(house.store, time.time, 30).run(draining, 60)
    )
    await asyncio.sleep(0.05)
    draining.set()
    await asyncio.wait_for(running, 5)
    house.store.close()


async def test_a_database_that_does_not_answer_is_tried_again(tmp_path: Path) -> None:
    """The keeper goes on."""
    house = build_house(tmp_path / "vault")
    house.store.close()
    house.database.rename(tmp_path / "away.db")
    await Purging(house.store, time.time, 30).purge_and_log()


async def test_once_keys_go_when_they_are_as_old_as_told(tmp_path: Path) -> None:
    """Not a moment before: a key that is gone can be used again."""
    house = build_house(tmp_path / "vault")
    house.add_caller()
    (caller,) = callers.page(house.store, DEFAULT_TENANT, after=None, limit=9)
    now, digest, call = time.time(), bytes(32), CallId("a-1")
    with house.store.write() as conn:
        once.claim(conn, DEFAULT_TENANT, caller.caller.id, digest, call, now)
    for later, found in ((2 * 86_400 - 1, "a-1"), (2 * 86_400, None)):
        await Purging(house.store, lambda later=later: now + later, 2).purge_and_log()  # type: ignore[misc]  # bound now
        with house.store.read() as conn:
            assert once.find(conn, DEFAULT_TENANT, caller.caller.id, digest) == found
    house.store.close()
