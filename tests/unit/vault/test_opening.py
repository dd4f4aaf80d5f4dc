"""`vault.opening.CredentialCache`: opened credentials, for a short while, never in plain."""

import gc

import pytest

from bailee.model import ConnectionId
from bailee.secret import Secret
from bailee.vault.opening import CredentialCache

ONE, TWO, THREE = (ConnectionId(letter * 26) for letter in "abc")
CANARY = b'{"api_key":"canary-credential"}'


def filled(**arguments: float) -> CredentialCache:
    cache = CredentialCache(**arguments)  # type: ignore[arg-type]  # int is a float here
    cache.keep(ONE, 1, Secret(CANARY), 100.0)
    return cache


def test_kept_credential_is_found() -> None:
    """The current version is found until its time is over."""
    cache = filled()
    for now in (100.0, 250.0, 399.9):
        found = cache.find(ONE, 1, now)
        assert found is not None and found.reveal() == CANARY


@pytest.mark.parametrize("now", [400.0, 1e9, 99.9, -1.0, float("nan")])
def test_old_credential_is_not_found(now: float) -> None:
    """Five minutes after it was kept it is gone, also when the clock went back."""
    cache = filled()
    assert cache.find(ONE, 1, now) is None
    assert len(cache) == 0


def test_use_does_not_prolong() -> None:
    """A credential in steady use is opened again every five minutes."""
    cache = filled()
    for now in range(100, 400, 10):
        assert cache.find(ONE, 1, float(now)) is not None
    assert cache.find(ONE, 1, 400.0) is None


@pytest.mark.parametrize("version", [0, 2])
def test_other_version_is_not_found(version: int) -> None:
    """After a rotation the old version is not used once more, and it is forgotten."""
    cache = filled()
    assert cache.find(ONE, version, 100.0) is None
    assert len(cache) == 0


def test_new_version_takes_the_place_of_the_old() -> None:
    """One version a connection."""
    cache = filled()
    cache.keep(ONE, 2, Secret(b"new"), 100.0)
    assert cache.find(ONE, 2, 100.0) == Secret(b"new")
    assert len(cache) == 1


def test_drop_forgets_one_connection() -> None:
    """A revoked connection is gone, the others stay; dropping twice is no fault."""
    cache = filled()
    cache.keep(TWO, 1, Secret(b"two"), 100.0)
    cache.drop(ONE)
    cache.drop(ONE)
    assert cache.find(ONE, 1, 100.0) is None
    assert cache.find(TWO, 1, 100.0) == Secret(b"two")


def test_drop_all_forgets_everything_and_works_on() -> None:
    """A changed provider or pin set empties the cache."""
    cache = filled()
    cache.drop_all()
    assert cache.find(ONE, 1, 100.0) is None
    cache.keep(ONE, 1, Secret(b"again"), 100.0)
    assert cache.find(ONE, 1, 100.0) == Secret(b"again")


def test_least_recently_used_goes_first() -> None:
    """The bound holds, and what is used stays."""
    cache = filled(limit=2)
    cache.keep(TWO, 1, Secret(b"two"), 100.0)
    cache.find(ONE, 1, 100.0)
    cache.keep(THREE, 1, Secret(b"three"), 100.0)
    assert len(cache) == 2
    assert cache.find(TWO, 1, 100.0) is None
    assert cache.find(ONE, 1, 100.0) is not None


@pytest.mark.parametrize(
    ("limit", "seconds"),
    [(0, 300.0), (10_001, 300.0), (10, 0.0), (10, 300.1), (10, float("nan")), (10, float("inf"))],
)
def test_bounds_can_not_be_widened(limit: int, seconds: float) -> None:
    """At most 10,000 entries and five minutes."""
    with pytest.raises(ValueError, match="credential cache"):
        CredentialCache(limit, seconds)


def test_cache_holds_ciphertext_only() -> None:
    """Nothing that the cache refers to holds the credential, nor the same bytes in two caches."""
    cache, other = filled(), filled()
    assert not any(CANARY in each for each in reachable_bytes(cache))
    assert not set(reachable_bytes(cache)) & set(reachable_bytes(other))
    assert "canary" not in repr(cache)


def reachable_bytes(start: object) -> list[bytes]:
    """All bytes objects that hang on a value, classes and modules left aside."""
    seen: dict[int, object] = {}
    left = [start]
    while left:
        each = left.pop()
        if id(each) in seen or isinstance(each, type) or type(each).__name__ == "module":
            continue
        seen[id(each)] = each
        left += gc.get_referents(each)
    return [each for each in seen.values() if isinstance(each, bytes) and each]
