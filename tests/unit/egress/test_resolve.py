"""`egress.resolve`: every address is classed, names are asked in few threads, and waits end.

What answers in DNS's place here is a function of the test: no name leaves the machine.
"""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from bailee.egress import resolve
from bailee.egress.resolve import Resolver, ask_system, family_of
from bailee.errors import AddressRefused, NameUnresolved
from bailee.model import Origin

pytestmark = pytest.mark.anyio
PUBLIC, PUBLIC_6 = "8.8.8.8", "2606:4700::1111"
SOURCE, SOURCE_6 = "198.51.100.1", "2001:db8::1"


def origin(host: str = "api.test", address: str | None = None, private: bool = False) -> Origin:
    return Origin("rest", host, 443, address, danger_private_addresses=private)


class Names:
    """Answers in DNS's place, and counts."""

    def __init__(self, *answers: tuple[str, ...]) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, int]] = []

    def __call__(self, host: str, family: int) -> tuple[str, ...]:
        self.asked.append((host, family))
        if not self.answers:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return self.answers.pop(0)


@asynccontextmanager
async def resolver(look_up: Callable[[str, int], tuple[str, ...]]) -> AsyncIterator[Resolver]:
    made = Resolver(look_up)
    try:
        yield made
    finally:
        made.close()


async def test_public_addresses_come_in_order() -> None:
    """All addresses of the answer, in its order, and of the family of the source."""
    names = Names((PUBLIC, "1.1.1.1"))
    async with resolver(names) as asked:
        assert await asked.resolve(origin(), SOURCE) == (PUBLIC, "1.1.1.1")
    assert names.asked == [("api.test", socket.AF_INET)]


async def test_family_is_that_of_the_source() -> None:
    """An IPv6 source asks for IPv6 addresses alone."""
    names = Names((PUBLIC_6,))
    async with resolver(names) as asked:
        assert await asked.resolve(origin(), SOURCE_6) == (PUBLIC_6,)
    assert names.asked == [("api.test", socket.AF_INET6)]


@pytest.mark.parametrize(
    "addresses",
    [
        ("127.0.0.1",),
        ("10.0.0.1",),
        ("169.254.169.254",),
        ("0.0.0.0",),
        (PUBLIC, "192.168.0.1"),
        ("192.168.0.1", PUBLIC),
    ],
    ids=str,
)
async def test_special_address_is_refused(addresses: tuple[str, ...]) -> None:
    """One special-purpose address in an answer refuses all of it."""
    async with resolver(Names(addresses)) as asked:
        with pytest.raises(AddressRefused):
            await asked.resolve(origin(), SOURCE)


@pytest.mark.parametrize(
    "address", ["::1", "fe80::1", "fe80::1%lo", "fd00::1", "::ffff:10.0.0.1", "64:ff9b::a00:1"]
)
async def test_special_ipv6_address_is_refused(address: str) -> None:
    """Also where an IPv4 address hides in it, or a zone follows it."""
    async with resolver(Names((PUBLIC_6, address))) as asked:
        with pytest.raises(AddressRefused):
            await asked.resolve(origin(), SOURCE_6)


async def test_private_addresses_only_where_the_file_says_so() -> None:
    """With danger_private_addresses a private address is let through, a metadata service never."""
    async with resolver(Names(("10.0.0.1",), ("169.254.169.254",))) as asked:
        assert await asked.resolve(origin(private=True), SOURCE) == ("10.0.0.1",)
        with pytest.raises(AddressRefused):
            await asked.resolve(origin("other.test", private=True), SOURCE)


@pytest.mark.parametrize("literal", ["2130706433", "0x7f.1", "0177.0.0.1", "127.1"])
async def test_odd_spelling_of_loopback_is_refused(literal: str) -> None:
    """The system reads these names as 127.0.0.1; what is classed is what it read."""
    async with resolver(ask_system) as asked:
        with pytest.raises(AddressRefused):
            await asked.resolve(origin(literal), SOURCE)


async def test_given_address_is_not_asked_for() -> None:
    """`address` in the provider's file takes the place of DNS, and is classed all the same."""
    names = Names()
    async with resolver(names) as asked:
        assert await asked.resolve(origin(address=PUBLIC), SOURCE) == (PUBLIC,)
        with pytest.raises(AddressRefused):
            await asked.resolve(origin(address="127.0.0.1"), SOURCE)
        with pytest.raises(NameUnresolved, match="IPv6"):
            await asked.resolve(origin(address=PUBLIC), SOURCE_6)
    assert names.asked == []


async def test_answer_is_remembered_and_classed_at_every_use() -> None:
    """A second call asks nobody; under stricter rules the remembered answer is refused."""
    names = Names(("10.0.0.1",))
    async with resolver(names) as asked:
        for _ in range(3):
            assert await asked.resolve(origin(private=True), SOURCE) == ("10.0.0.1",)
        with pytest.raises(AddressRefused):
            await asked.resolve(origin(), SOURCE)
    assert len(names.asked) == 1


async def test_name_that_leads_elsewhere_later_is_classed_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Rebinding: the second answer is inside, and is refused."""
    monkeypatch.setattr(resolve, "REMEMBERED_SECONDS", -1.0)
    async with resolver(Names((PUBLIC,), ("127.0.0.1",))) as asked:
        assert await asked.resolve(origin(), SOURCE) == (PUBLIC,)
        with pytest.raises(AddressRefused):
            await asked.resolve(origin(), SOURCE)


async def test_failure_is_told_and_not_remembered() -> None:
    """A name without addresses is NameUnresolved, and asked for again the next time."""
    names = Names()
    async with resolver(names) as asked:
        for _ in range(2):
            with pytest.raises(NameUnresolved):
                await asked.resolve(origin(), SOURCE)
    assert len(names.asked) == 2


async def test_impossible_name_is_unresolved() -> None:
    """A label of 64 letters is no name; the system's resolver does not even ask."""
    async with resolver(ask_system) as asked:
        with pytest.raises(NameUnresolved):
            await asked.resolve(origin("a" * 64 + ".test"), SOURCE)


async def test_remembered_names_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Over the limit the answers are forgotten rather than kept without end."""
    monkeypatch.setattr(resolve, "REMEMBERED_LIMIT", 4)
    names = Names(*[(PUBLIC,)] * 6)
    async with resolver(names) as asked:
        for number in [0, 1, 2, 3, 0, 4, 0]:
            await asked.resolve(origin(f"n{number}.test"), SOURCE)
    assert [host for host, _ in names.asked] == [f"n{n}.test" for n in (0, 1, 2, 3, 4, 0)]


class Stuck:
    """Dead DNS: answers nobody until it is released."""

    def __init__(self) -> None:
        self.release = threading.Event()
        self.asked: list[str] = []

    def __call__(self, host: str, family: int) -> tuple[str, ...]:
        self.asked.append(host)
        self.release.wait(3)
        return (PUBLIC,)


async def settled(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0)


async def test_dead_dns_is_bounded() -> None:
    """64 names at most, each in a thread; the next is refused at once, and the loop runs on."""
    stuck = Stuck()
    async with resolver(stuck) as asked, asyncio.TaskGroup() as tasks:
        waiting = [
            tasks.create_task(asked.resolve(origin(f"n{number}.test"), SOURCE))
            for number in range(resolve.WAITING_LIMIT)
        ]
        await settled(lambda: len(stuck.asked) == resolve.WAITING_LIMIT)
        with pytest.raises(NameUnresolved, match="too many names"):
            async with asyncio.timeout(1):
                await asked.resolve(origin("more.test"), SOURCE)
        assert await asked.resolve(origin(address=PUBLIC), SOURCE) == (PUBLIC,)
        threads = [each for each in threading.enumerate() if each.name.startswith("resolve-")]
        assert len(threads) == len(stuck.asked) == resolve.WAITING_LIMIT
        stuck.release.set()
        assert await asyncio.gather(*waiting) == [(PUBLIC,)] * resolve.WAITING_LIMIT
        assert await asked.resolve(origin("more.test"), SOURCE) == (PUBLIC,)


async def test_one_name_is_asked_for_once_at_a_time() -> None:
    """Calls that wait for the same name share one answer; who gives up ends no other wait."""
    stuck = Stuck()
    async with resolver(stuck) as asked, asyncio.TaskGroup() as tasks:
        waiting = [tasks.create_task(asked.resolve(origin(), SOURCE)) for _ in range(20)]
        await settled(lambda: bool(stuck.asked))
        waiting[0].cancel()
        with suppress(asyncio.CancelledError):
            await waiting[0]
        stuck.release.set()
        assert await asyncio.gather(*waiting[1:]) == [(PUBLIC,)] * 19
    assert stuck.asked == ["api.test"]


async def test_wait_ends_with_its_deadline() -> None:
    """Dead DNS costs a call its connect deadline and nothing more."""
    stuck = Stuck()
    async with resolver(stuck) as asked:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await asked.resolve(origin(), SOURCE)
        stuck.release.set()


def test_family_of_a_literal() -> None:
    """The family is read off the literal."""
    assert family_of("127.0.0.1") == socket.AF_INET
    assert family_of("::1") == socket.AF_INET6


class Failing:
    """Answers once, then as it is told to."""

    def __init__(self, then: Callable[[], tuple[str, ...]]) -> None:
        self.asked = 0
        self._then = then

    def __call__(self, host: str, family: int) -> tuple[str, ...]:
        self.asked += 1
        return (PUBLIC,) if self.asked == 1 else self._then()


def no_answer() -> tuple[str, ...]:
    raise OSError("DNS is away")


async def test_old_answer_is_good_while_dns_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """DNS is asked again each time, and what it said before is dialled meanwhile (RFC 8767)."""
    monkeypatch.setattr(resolve, "REMEMBERED_SECONDS", -1.0)
    names = Failing(no_answer)
    async with resolver(names) as asked:
        for _ in range(3):
            assert await asked.resolve(origin(), SOURCE) == (PUBLIC,)
    assert names.asked == 3


async def test_old_answer_is_good_while_dns_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call waits for a new answer for a moment only; when that is there, it counts."""
    monkeypatch.setattr(resolve, "REMEMBERED_SECONDS", -1.0)
    monkeypatch.setattr(resolve, "PATIENCE_SECONDS", 0.05)
    release = threading.Event()

    def late() -> tuple[str, ...]:
        release.wait(3)
        return ("8.8.4.4",)

    async with resolver(Failing(late)) as asked:
        assert await asked.resolve(origin(), SOURCE) == (PUBLIC,)
        assert await asked.resolve(origin(), SOURCE) == (PUBLIC,)
        release.set()
        monkeypatch.setattr(resolve, "PATIENCE_SECONDS", 3.0)
        assert await asked.resolve(origin(), SOURCE) == ("8.8.4.4",)


async def test_answer_that_is_too_old_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """After an hour without DNS nobody knows where the name leads."""
    monkeypatch.setattr(resolve, "REMEMBERED_SECONDS", -1.0)
    monkeypatch.setattr(resolve, "STALE_SECONDS", -1.0)
    async with resolver(Failing(no_answer)) as asked:
        assert await asked.resolve(origin(), SOURCE) == (PUBLIC,)
        with pytest.raises(NameUnresolved):
            await asked.resolve(origin(), SOURCE)


async def test_dead_name_holds_up_no_other() -> None:
    """Each name has a thread of its own."""

    def look_up(host: str, family: int) -> tuple[str, ...]:
        if host.startswith("dead"):
            release.wait(3)
        return (PUBLIC,)

    release = threading.Event()
    async with resolver(look_up) as asked, asyncio.TaskGroup() as tasks:
        for number in range(30):
            tasks.create_task(asked.resolve(origin(f"dead{number}.test"), SOURCE))
        await asyncio.sleep(0)
        async with asyncio.timeout(2):
            assert await asked.resolve(origin("alive.test"), SOURCE) == (PUBLIC,)
        release.set()
