"""A request with a key that comes again is not done again."""

import threading

import pytest

from bailee.errors import BadInput, KeyReused, RequestUnderWay
from bailee.manage import purge, replays
from bailee.manage.replays import KEPT_SECONDS, Answered
from unit.manage.world import NOW, OTHER, TENANT, World

KEY = (TENANT, "tok_a", "key 1")
DIGEST, ANOTHER = b"d" * 32, b"x" * 32


def test_a_repetition_gets_the_first_answer(world: World) -> None:
    """First time, under way, answered; without a body too."""
    assert replays.begin(world.store, *KEY, DIGEST, NOW) is None
    with pytest.raises(RequestUnderWay):
        replays.begin(world.store, *KEY, DIGEST, NOW + 1)
    replays.finish(world.store, *KEY, 201, b"{}")
    assert replays.begin(world.store, *KEY, DIGEST, NOW + 2) == Answered(201, b"{}")
    replays.finish(world.store, *KEY, 500, b"later")
    assert replays.begin(world.store, *KEY, DIGEST, NOW + 3) == Answered(201, b"{}")
    bare = (TENANT, "tok_a", "key 2")
    replays.begin(world.store, *bare, DIGEST, NOW)
    replays.finish(world.store, *bare, 201, None)
    assert replays.begin(world.store, *bare, DIGEST, NOW) == Answered(201, None)


@pytest.mark.parametrize("answered", [True, False])
def test_a_key_is_for_one_request(world: World, answered: bool) -> None:
    """Another request with the same key is refused, whether or not the first has its answer."""
    replays.begin(world.store, *KEY, DIGEST, NOW)
    if answered:
        replays.finish(world.store, *KEY, 200, b"")
    with pytest.raises(KeyReused):
        replays.begin(world.store, *KEY, ANOTHER, NOW + 1)


def test_keys_are_the_actors_and_the_tenants(world: World) -> None:
    """Two actors, or one actor in two tenants, may choose the same key."""
    replays.begin(world.store, *KEY, DIGEST, NOW)
    replays.finish(world.store, *KEY, 200, b"secret of one")
    assert replays.begin(world.store, TENANT, "tok_b", "key 1", DIGEST, NOW) is None
    assert replays.begin(world.store, OTHER, "tok_a", "key 1", DIGEST, NOW) is None


def test_what_was_refused_may_come_again(world: World) -> None:
    """A key that is forgotten is free; one that was answered is not forgotten."""
    replays.begin(world.store, *KEY, DIGEST, NOW)
    replays.forget(world.store, *KEY)
    assert replays.begin(world.store, *KEY, ANOTHER, NOW) is None
    replays.finish(world.store, *KEY, 200, b"")
    replays.forget(world.store, *KEY)
    assert replays.begin(world.store, *KEY, ANOTHER, NOW) == Answered(200, b"")


@pytest.mark.parametrize("key", ["", " x", "x ", "x" * 129, "é", "a\nb", "a\x7f"])
def test_a_bad_key_is_refused(world: World, key: str) -> None:
    """A key is 1 to 128 printable ASCII characters."""
    with pytest.raises(BadInput):
        replays.begin(world.store, TENANT, "tok_a", key, DIGEST, NOW)


@pytest.mark.parametrize("key", ["x", "x" * 128, '"8e03978e-40d5-43e8-bc93-6894a57f9324"', "a b"])
def test_a_good_key_is_taken(world: World, key: str) -> None:
    """Whatever form an HTTP client gives it."""
    assert replays.begin(world.store, TENANT, "tok_a", key, DIGEST, NOW) is None


def test_a_key_is_free_after_a_day(world: World) -> None:
    """With or without the keeper's purge, a key means something for one day."""
    replays.begin(world.store, *KEY, DIGEST, NOW)
    replays.finish(world.store, *KEY, 200, b"old")
    assert purge.purge(world.store, NOW + KEPT_SECONDS - 1, 60.0).replays == 0
    late = NOW + KEPT_SECONDS
    assert replays.begin(world.store, *KEY, ANOTHER, late) is None
    with pytest.raises(RequestUnderWay):
        replays.begin(world.store, *KEY, ANOTHER, late + 1)
    replays.finish(world.store, *KEY, 200, b"new")
    assert replays.begin(world.store, *KEY, ANOTHER, late + 2) == Answered(200, b"new")
    assert purge.purge(world.store, late + KEPT_SECONDS, 60.0) == purge.Purged(0, 1, 0)


def test_of_many_at_once_one_begins(world: World) -> None:
    """Ten threads with one key: one of them does it, the others wait or are told."""
    outcomes: list[str] = []

    def ask() -> None:
        try:
            found = replays.begin(world.store, *KEY, DIGEST, NOW)
        except RequestUnderWay:
            outcomes.append("under way")
        else:
            outcomes.append("begins" if found is None else "answered")

    threads = [threading.Thread(target=ask) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["begins"] + ["under way"] * 9
