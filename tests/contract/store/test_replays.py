"""A key stands for one request of one actor about one tenant's things."""

import pytest
import sqlalchemy as sa

from bailee.errors import Conflict
from bailee.model import TenantId
from bailee.store import feeds, replays
from bailee.store.engine import Store
from contract.store import rows
from contract.store.conftest import Backend
from contract.store.rows import DIGEST, NOW, OTHER, TENANT

KEY = (TENANT, "tok_o", "key-1")


@pytest.fixture
def seeded(store: Store) -> Store:
    """A store with one of everything, no replays."""
    with store.write() as conn:
        rows.seed(conn)
        conn.execute(sa.text("DELETE FROM replays"))
    return store


def test_a_key_is_reserved_once(backend: Backend, seeded: Store) -> None:
    """The first reservation stands, whoever comes second; it waits for its answer."""
    second = Store.open(backend.url)
    with seeded.write() as conn:
        assert replays.reserve(conn, *KEY, DIGEST, NOW)
    with second.write() as conn:
        assert not replays.reserve(conn, *KEY, b"x" * 32, NOW + 1)
        assert replays.find(conn, *KEY) == replays.StoredReplay(DIGEST, NOW, None, None)
    second.close()


def test_an_answer_is_kept_once(seeded: Store) -> None:
    """The first answer is what a repetition gets; without a reservation none is kept."""
    with seeded.write() as conn:
        assert not replays.answer(conn, *KEY, 201, b"{}")
        replays.reserve(conn, *KEY, DIGEST, NOW)
        assert replays.answer(conn, *KEY, 201, b"{}")
        assert not replays.answer(conn, *KEY, 409, b"")
        replays.drop(conn, *KEY)
        found = replays.find(conn, *KEY)
    assert found == replays.StoredReplay(DIGEST, NOW, 201, b"{}")
    assert "{}" not in repr(found)


@pytest.mark.parametrize(
    "other",
    [
        (OTHER, "tok_o", "key-1"),
        (TENANT, "tok_p", "key-1"),
        (TENANT, "tok_o", "key-2"),
        (TenantId("*"), "tok_o", "key-1"),
    ],
)
def test_keys_of_others_are_other_keys(seeded: Store, other: tuple[TenantId, str, str]) -> None:
    """The same key of another actor, or about another tenant, is free."""
    with seeded.write() as conn:
        replays.reserve(conn, *KEY, DIGEST, NOW)
        replays.answer(conn, *KEY, 200, b"mine")
        assert replays.find(conn, *other) is None
        assert replays.reserve(conn, *other, DIGEST, NOW)
        replays.drop(conn, *other)
        found = replays.find(conn, *KEY)
    assert found is not None
    assert found.body == b"mine"


def test_a_dropped_key_is_free(seeded: Store) -> None:
    """What was refused may come again."""
    with seeded.write() as conn:
        replays.reserve(conn, *KEY, DIGEST, NOW)
        replays.drop(conn, *KEY)
        assert replays.reserve(conn, *KEY, b"x" * 32, NOW)


def test_old_keys_are_purged_a_few_at_once(seeded: Store) -> None:
    """What is older than the bound goes, answered or not, at most so many in a transaction."""
    with seeded.write() as conn:
        for number in range(5):
            replays.reserve(conn, TENANT, "tok_o", str(number), DIGEST, NOW + number)
        assert replays.purge(conn, NOW + 3, 3) == 3
        assert replays.purge(conn, NOW + 3, 3) == 1
        assert replays.purge(conn, NOW + 3, 3) == 0
        assert replays.find(conn, TENANT, "tok_o", "4") is not None


def test_a_digest_has_one_length(seeded: Store) -> None:
    """The database itself refuses a digest that is none."""
    with pytest.raises(Conflict), seeded.write() as conn:
        conn.execute(
            sa.text("INSERT INTO replays VALUES ('default', 'a', 'k', x'00', NULL, NULL, 1)")
        )


def test_feeds_follow_each_other(seeded: Store) -> None:
    """The highest serial is the newest; a serial comes once; old ones can go."""
    with seeded.write() as conn:
        assert feeds.newest(conn) == feeds.StoredFeed(2, rows.signed("feed 2"), NOW)
        feeds.insert(conn, 10, rows.signed("feed 10"), NOW + 1)
        newest = feeds.newest(conn)
        assert newest is not None
        assert newest.serial == 10
        assert feeds.drop_below(conn, 10) == 2
        assert feeds.newest(conn) == newest
    with pytest.raises(Conflict), seeded.write() as conn:
        feeds.insert(conn, 10, rows.signed("x"), NOW)
