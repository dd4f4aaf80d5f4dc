"""Calls through a gateway to an origin that breaks, and what their callers see of it."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Final

from bailee.model import ConnectionId
from bailee.reference.pki import World
from fault_origin import FAULTS, RESETS, FaultOrigin, Seen, body_for
from gate import Client, Reply, request
from house import House, make_provider

CALLERS: Final = ("user-ann", "user-ben", "user-cat", "user-dan")
METHODS: Final = ("GET", "POST")
CODES: Final = {
    "GET": {"answer-lost", "provider-timeout"},
    "POST": {"outcome-unknown"},
}
"""How the loss of an answer is told, by method."""


@dataclass(frozen=True, slots=True)
class Caller:
    """One user's door: a connection of its own, over the same pool of streams."""

    name: str
    connection: ConnectionId
    token: str

    def request(self, method: str, fault: str, number: str) -> bytes:
        """A request that breaks in a certain way."""
        target = f"/{self.connection}/{fault}/{self.name}/{number}"
        return request(method, target, self.token, b"{}" if method == "POST" else None)


@dataclass(frozen=True, slots=True)
class Told:
    """What a caller saw: an answer, or None when its connection ended before the answer did."""

    reply: Reply | None

    @property
    def error(self) -> str | None:
        """The code of Bailee's own problem."""
        return None if self.reply is None else self.reply.headers.get("bailee-error")

    def __str__(self) -> str:
        if self.reply is None:
            return "cut"
        return f"{self.reply.status} {self.error or 'whole'}"


@dataclass(slots=True)
class Desk:
    """Makes calls, one id each, and notes whatever should not be."""

    port: int
    origin: FaultOrigin
    callers: Sequence[Caller]
    numbers: "count[int]" = field(default_factory=count)
    wrong: list[str] = field(default_factory=list)
    calls: int = 0

    async def call(self, caller: Caller, method: str, fault: str, number: str = "") -> Told:
        """Make one call on a client connection of its own, and judge what came back."""
        number = number or f"n{next(self.numbers)}"
        client = await Client.open(self.port)
        try:
            told = Told(await client.call(caller.request(method, fault, number)))
        except (EOFError, ConnectionError):
            told = Told(None)
        finally:
            client.close()
        self.calls += 1
        self._judge(caller, method, fault, number, told)
        return told

    def _judge(self, caller: Caller, method: str, fault: str, number: str, told: Told) -> None:
        name = f"{method} {fault} {number}: {told}"
        came = self.origin.requests[method, number]
        if came > (1 if method == "POST" else 2):
            self.wrong.append(f"{name}: it reached the origin {came} times")
        if not is_expected(method, fault, told):
            self.wrong.append(f"{name}: not what may be seen of it")
        if told.reply is not None:
            text = repr(told.reply.pairs) + repr(told.reply.body)
            if any(other.name in text for other in self.callers if other is not caller):
                self.wrong.append(f"{name}: bytes of another caller")
            if told.error is None and told.reply.body != body_for(caller.name):
                self.wrong.append(f"{name}: another body than the origin's")

    async def on_fresh(self, caller: Caller, method: str, fault: str) -> Told:
        """Make a call that has to be dialled."""
        await self.origin.drop_streams()
        return await self._placed(caller, method, fault, pooled=False)

    async def on_pooled(self, caller: Caller, method: str, fault: str) -> Told:
        """Make a call on a stream that has carried one."""
        await self.call(caller, "GET", "none")
        return await self._placed(caller, method, fault, pooled=True)

    async def _placed(self, caller: Caller, method: str, fault: str, *, pooled: bool) -> Told:
        number = f"n{next(self.numbers)}"
        told = await self.call(caller, method, fault, number)
        places = self.origin.places.get(number, [])
        if not places or (places[0] > 0) != pooled:
            self.wrong.append(f"{method} {fault}: not on a {'pooled' if pooled else 'fresh'} one")
        return told

    async def storm(self, clients: int, calls: int, seed: int, faults: Sequence[str]) -> None:
        """Make calls of all callers at once, every third without a fault."""

        async def client(number: int) -> None:
            chance = random.Random(f"{seed} {number}")
            caller = self.callers[number % len(self.callers)]
            for _ in range(calls // clients):
                fault = chance.choice([*faults, *["none"] * (len(faults) // 2)])
                await self.call(caller, chance.choice(METHODS), fault)

        async with asyncio.TaskGroup() as tasks:
            for number in range(clients):
                tasks.create_task(client(number))

    async def resets(self, clients: int, count: int) -> int:
        """Make so many writes whose answers are reset, half of them on pooled streams.

        Returns:
            How often the write that came most often reached the origin.
        """
        numbers = [f"r{next(self.numbers)}" for _ in range(count)]

        async def client(number: int) -> None:
            caller = self.callers[number % len(self.callers)]
            for each, name in enumerate(numbers[number::clients]):
                if each % 2:
                    await self.call(caller, "GET", "none")
                await self.call(caller, "POST", RESETS[each // 2 % len(RESETS)], name)

        async with asyncio.TaskGroup() as tasks:
            for number in range(clients):
                tasks.create_task(client(number))
        return max(self.origin.requests["POST", name] for name in numbers)


def is_expected(method: str, fault: str, told: Told) -> bool:
    """Whether a caller may see this of a fault."""
    seen, error = FAULTS[fault].seen, told.error
    if seen is Seen.WHOLE:
        return told.reply is not None and error is None
    if told.reply is None:
        return seen is Seen.CUT
    if error is None or told.reply.status not in (502, 504):
        return False
    lost = error in CODES[method]
    return lost if seen is Seen.LOST else lost or error == "answer-malformed"


def admit_callers(house: House, world: World, port: int) -> list[Caller]:
    """Let four callers in, each with a connection and a credential of its own."""
    provider = make_provider(port, world.root.pem.decode())
    house.approve_provider(provider)
    house.approve_pins(provider.id, [world.leaf.pin])
    callers = []
    for name in CALLERS:
        connection = house.add_connection(provider, {"api_key": f"key-of-{name}"}, subject=name)
        token = house.add_caller(name)
        house.grant(connection, "* /**", caller=name)
        callers.append(Caller(name, connection, token))
    return callers
