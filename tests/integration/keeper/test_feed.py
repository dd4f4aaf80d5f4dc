"""The address feed over a real store: signed when due, and never of rows that were altered."""

import asyncio
import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from bailee.errors import TrustBroken, VaultClosed
from bailee.keeper.feed import VALID_SECONDS, FeedSigner
from bailee.manage import egress
from bailee.model import EgressAddress, EgressState, Feed, Signed
from bailee.secret import Secret
from bailee.store import egress as egress_rows
from bailee.store import feeds
from bailee.vault.keyring import Keyring
from bailee.vault.statements import sign_egress_address, sign_feed, verified_feed
from house import House
from keeper_bench import Bench

pytestmark = pytest.mark.anyio
START = 1_795_560_508.0


@dataclass(slots=True)
class Clock:
    """A clock that stands where it is put."""

    now: float = START

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def signer(bench: Bench, clock: Clock) -> FeedSigner:
    return new_signer(bench, clock)


def new_signer(bench: Bench, clock: Clock) -> FeedSigner:
    """A keeper that was started just now."""
    house = bench.house
    access = bench.access(house.keyring)
    return FeedSigner(house.store, house.verifier, access, bench.journal, clock)


def newest(house: House) -> Feed:
    """The stored feed, verified."""
    with house.store.read() as conn:
        found = feeds.newest(conn)
    assert found is not None
    return verified_feed(house.verifier, found.signed)


def publics(feed: Feed) -> list[str]:
    return [address.public for address in feed.addresses]


def retire(house: House, address: EgressAddress) -> EgressAddress:
    """Retire an address by its next statement."""
    last = dataclasses.replace(address, state=EgressState.RETIRED, serial=address.serial + 1)
    egress.retire(house.store, house.verifier, sign_egress_address(house.authority, last))
    return last


def execute(house: House, statement: str, *values: object) -> None:
    """Alter rows as somebody who can write the database."""
    with house.store.write() as conn:
        conn.exec_driver_sql(statement, values)


async def test_signed_with_all_that_is_active(
    bench: Bench, clock: Clock, signer: FeedSigner
) -> None:
    """The feed names the active addresses, each since it was first in a feed."""
    house = bench.house
    gone = house.add_egress("b", "203.0.113.9")
    retire(house, gone)
    signer.sign()
    clock.now += 60
    house.add_egress("six", "2001:db8::7")
    house.add_egress("c", "203.0.113.7")
    signer.sign()
    feed = newest(house)
    assert publics(feed) == ["127.0.0.2", "203.0.113.7", "2001:db8::7"]
    assert [address.since for address in feed.addresses] == [START, START + 60, START + 60]
    assert {address.until for address in feed.addresses} == {None}
    assert (feed.created_at, feed.valid_until) == (START + 60, START + 60 + VALID_SECONDS)


async def test_signed_when_there_is_no_address(bench: Bench, signer: FeedSigner) -> None:
    """That calls leave from nowhere is told, too."""
    house = bench.house
    with house.store.read() as conn:
        (row,) = egress_rows.list_all(conn)
    retire(house, row.address)
    signer.sign()
    assert newest(house).addresses == ()


async def test_signed_when_addresses_change(bench: Bench, clock: Clock, signer: FeedSigner) -> None:
    """A new address and a retired one each make a feed of a higher serial; idleness makes none."""
    house = bench.house
    assert signer.sign() is not None
    assert signer.sign() is None
    added = house.add_egress("b", "203.0.113.9")
    first = newest(house)
    assert signer.sign() is not None
    second = newest(house)
    assert (first.serial < second.serial, publics(second)) == (True, ["127.0.0.2", "203.0.113.9"])
    retire(house, added)
    assert signer.sign() is not None
    assert (second.serial < newest(house).serial, publics(newest(house))) == (True, ["127.0.0.2"])
    with house.store.read() as conn:
        kept = conn.exec_driver_sql("SELECT serial FROM feeds ORDER BY serial").scalars().all()
    assert kept == [second.serial, newest(house).serial]


@pytest.mark.parametrize(
    ("part", "due"), [(0.0, False), (0.49, False), (0.5, True), (1.2, True)], ids=str
)
async def test_signed_when_half_of_its_life_is_over(
    bench: Bench, clock: Clock, signer: FeedSigner, part: float, due: bool
) -> None:
    """Whoever reads the feed always has half of its life before him."""
    signer.sign()
    clock.now += VALID_SECONDS * part
    assert (signer.sign() is not None) is due
    assert newest(bench.house).created_at == (clock.now if due else START)
    assert newest(bench.house).addresses[0].since == START


async def test_not_signed_again_when_the_keeper_restarts(bench: Bench, clock: Clock) -> None:
    """A feed outlives the keeper, and so does what it says of its addresses."""
    new_signer(bench, clock).sign()
    clock.now += 60
    assert new_signer(bench, clock).sign() is None
    bench.house.add_egress("b", "203.0.113.9")
    assert new_signer(bench, clock).sign() is not None
    assert [address.since for address in newest(bench.house).addresses] == [START, START + 60]


async def test_serial_rises_when_the_clock_falls(
    bench: Bench, clock: Clock, signer: FeedSigner
) -> None:
    """Readers compare serials: these never fall, whatever the clock does."""
    signer.sign()
    first = newest(bench.house).serial
    clock.now -= 86_400
    bench.house.add_egress("b", "203.0.113.9")
    signer.sign()
    assert newest(bench.house).serial == first + 1


def other_address(house: House) -> None:
    """The statement is another authority's."""
    rogue, _ = Keyring(Secret(bytes(32))).new_authority()
    with house.store.read() as conn:
        (row,) = egress_rows.list_all(conn)
    forged = sign_egress_address(rogue, dataclasses.replace(row.address, public="203.0.113.66"))
    execute(
        house,
        "UPDATE egress_addresses SET public = '203.0.113.66', payload = ?, signature = ?",
        forged.payload,
        forged.signature,
    )


def other_column(house: House) -> None:
    """The column beside the statement says another address."""
    execute(house, "UPDATE egress_addresses SET public = '203.0.113.66'")


def added_row(house: House) -> None:
    """There is a row more, with a copy of the statement of another."""
    execute(
        house,
        "INSERT INTO egress_addresses (id, name, public, state, serial, payload, signature,"
        " created_at) SELECT 'egr_x', 'x', '203.0.113.66', state, serial, payload, signature,"
        " created_at FROM egress_addresses",
    )


def removed_row(house: House) -> None:
    """An address that nobody retired is not there any more."""
    execute(house, "DELETE FROM egress_addresses")


ALTERED = (other_address, other_column, added_row, removed_row)


@pytest.mark.parametrize("alter", ALTERED, ids=lambda alter: alter.__name__)
async def test_nothing_signed_when_rows_were_altered(
    bench: Bench, clock: Clock, signer: FeedSigner, alter: Callable[[House], None]
) -> None:
    """Whoever alters the rows of addresses gets nothing published: the last feed stands."""
    signer.sign()
    before = newest(bench.house)
    alter(bench.house)
    for keeper in (signer, new_signer(bench, clock)):
        with pytest.raises(TrustBroken):
            keeper.sign()
    assert newest(bench.house) == before


async def test_nothing_signed_when_a_retirement_was_taken_back(
    bench: Bench, signer: FeedSigner
) -> None:
    """The true statement of before, put back into its row, is refused."""
    house = bench.house
    address = house.add_egress("b", "203.0.113.9")
    signer.sign()
    with house.store.read() as conn:
        row = next(row for row in egress_rows.list_all(conn) if row.address.id == address.id)
    retire(house, address)
    signer.sign()
    execute(
        house,
        "UPDATE egress_addresses SET state = 'active', serial = 1, payload = ?, signature = ?"
        " WHERE id = ?",
        row.signed.payload,
        row.signed.signature,
        address.id,
    )
    with pytest.raises(TrustBroken, match="older"):
        signer.sign()
    assert publics(newest(house)) == ["127.0.0.2"]


def store_feed(house: House, serial: int, signed: Signed) -> None:
    with house.store.write() as conn:
        feeds.insert(conn, serial, signed, START)


async def test_signed_anew_when_feeds_were_removed(
    bench: Bench, clock: Clock, signer: FeedSigner
) -> None:
    """The keeper that runs knows what it signed: the next serial is higher all the same."""
    signer.sign()
    first = newest(bench.house)
    execute(bench.house, "DELETE FROM feeds")
    clock.now += 1
    signer.sign()
    assert newest(bench.house).serial == first.serial + 1
    assert newest(bench.house).addresses == first.addresses


async def test_signed_anew_when_an_older_feed_was_put_back(
    bench: Bench, clock: Clock, signer: FeedSigner
) -> None:
    """A feed that was true once does not take a newer one's place."""
    house = bench.house
    signer.sign()
    with house.store.read() as conn:
        old = feeds.newest(conn)
    assert old is not None
    house.add_egress("b", "203.0.113.9")
    signer.sign()
    second = newest(house)
    execute(house, "DELETE FROM feeds")
    store_feed(house, old.serial, old.signed)
    signer.sign()
    assert newest(house).serial > second.serial
    assert newest(house).addresses == second.addresses


async def test_not_stored_when_a_forged_feed_stands_before_it(
    bench: Bench, signer: FeedSigner
) -> None:
    """A row that would hide every feed of ours is told of, and not fed with more rows."""
    house = bench.house
    signer.sign()
    forged = Signed(b"{}", bytes(64))
    store_feed(house, 2**60, forged)
    for _ in range(2):
        with pytest.raises(TrustBroken, match="stands before"):
            signer.sign()
    with house.store.read() as conn:
        assert conn.exec_driver_sql("SELECT count(*) FROM feeds").scalar_one() <= 2


async def test_signed_anew_when_the_feed_is_another_authoritys(
    bench: Bench, signer: FeedSigner
) -> None:
    """What somebody else signed does not count as the last feed."""
    house = bench.house
    rogue, _ = Keyring(Secret(bytes(32))).new_authority()
    store_feed(house, 1, sign_feed(rogue, Feed(1, START, START + 60, ())))
    assert signer.sign() is not None
    assert publics(newest(house)) == ["127.0.0.2"]


async def test_nothing_signed_when_vault_is_closed(bench: Bench, clock: Clock) -> None:
    """Without the root key the keeper goes on, says so once, and signs nothing."""
    house = bench.house
    closed = FeedSigner(house.store, house.verifier, bench.access(None), bench.journal, clock)
    with pytest.raises(VaultClosed):
        closed.sign()
    await closed.sign_and_record()
    with house.store.read() as conn:
        assert feeds.newest(conn) is None


async def test_told_once_when_it_fails(
    bench: Bench, signer: FeedSigner, capsys: pytest.CaptureFixture[str]
) -> None:
    """What hinders the feed is one line in the log, and one more when it comes back."""
    signer.sign()
    other_column(bench.house)
    for _ in range(3):
        await signer.sign_and_record()
    assert capsys.readouterr().out.count("no feed") == 1
    execute(bench.house, "UPDATE egress_addresses SET public = '127.0.0.2'")
    await signer.sign_and_record()
    other_column(bench.house)
    await signer.sign_and_record()
    assert capsys.readouterr().out.count("no feed") == 1


async def test_recorded_when_signed(bench: Bench, signer: FeedSigner) -> None:
    """The journal says which feed was signed."""
    await signer.sign_and_record()
    await signer.sign_and_record()
    (file,) = (bench.house.directory / "journal").glob("keeper-*")
    events = [json.loads(line) for line in file.read_bytes().splitlines()]
    (event,) = [each for each in events if each.get("kind") == "feed.signed"]
    assert event["target"] == str(newest(bench.house).serial)
    assert event["detail"]["addresses"] == "1"


async def test_signed_at_once_and_until_drained(bench: Bench, signer: FeedSigner) -> None:
    """The keeper signs when it starts, sees a change soon, and ends with the drain."""

    def count() -> int:
        with bench.house.store.read() as conn:
            found = feeds.newest(conn)
        return -1 if found is None else len(newest(bench.house).addresses)

    async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        tasks.create_task(signer.run(bench.draining, 0.01))
        while count() < 1:
            await asyncio.sleep(0.01)
        bench.house.add_egress("b", "203.0.113.9")
        while count() < 2:
            await asyncio.sleep(0.01)
        bench.draining.set()
