"""Ten thousand calls on kept connections: none is lost, and nothing of them stays."""

import asyncio
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from types import CoroutineType

import pytest

from bailee.reference.pki import World
from gate import Client, request, run_gate
from house import SOURCE, build_house, make_provider
from integration.supervise.serving import eventually
from origin import run_origin
from served import CREDENTIAL, Place, admit, resident_bytes, run_place

CALLS = 10_000
CLIENTS = 32
FEW = 320
GROWTH = 20 * 1024**2
SETTLED_SECONDS = 1.2
"""By then the worker has stored its journal's head twice, with all that this opens."""
ROOT = os.geteuid() == 0


async def call_on_kept(port: int, path: str, token: str, count: int) -> None:
    """Make so many calls with `CLIENTS` clients, each on one connection; all must be served."""

    async def client(number: int) -> None:
        kept = await Client.open(port)
        try:
            for each in range(number, count, CLIENTS):
                method, body = ("POST", b"x" * 100) if each % 2 else ("GET", None)
                reply = await kept.call(request(method, f"{path}/{each}", token, body))
                assert reply.status == 200, reply
                assert "connection" not in reply.headers
        finally:
            kept.close()

    async with asyncio.TaskGroup() as clients:
        for number in range(CLIENTS):
            clients.create_task(client(number))


@pytest.mark.anyio
async def test_calls_when_there_are_ten_thousand(tmp_path: Path) -> None:
    """Each call reaches the origin once and has an intent and an outcome in a sound journal.

    Afterwards the worker has no thread and no descriptor more than after the first 32, and has
    grown by 20 MiB at most.
    """
    with run_place(tmp_path) as place:
        (pid,) = place.served.running("gateway")
        path = f"/{place.connection}/n"
        await call_on_kept(place.served.port, path, place.token, CLIENTS)
        await asyncio.sleep(SETTLED_SECONDS)
        before, memory = standing(place), resident_bytes(pid)
        assert before.client_sockets == 0
        await call_on_kept(place.served.port, path, place.token, CALLS)
        eventually(lambda: standing(place) == before)
        assert resident_bytes(pid) - memory <= GROWTH
        assert place.served.running("gateway") == [pid]
        assert place.served.stop() == 0
        expected = Counter(f"/n/{each}" for each in range(CALLS))
        expected.update(f"/n/{each}" for each in range(CLIENTS))
        assert Counter(place.origin.targets()) == expected
        lines = place.served.journal()
        intents = {line["call"]: line["path"] for line in lines if line["type"] == "intent"}
        outcomes = [line for line in lines if line["type"] == "outcome"]
        assert Counter(intents.values()) == expected
        assert Counter(outcome["call"] for outcome in outcomes) == Counter(list(intents))
        assert {outcome["status"] for outcome in outcomes} == {200}
        assert place.served.verify_journal()["notices"] == []


@dataclass(frozen=True, slots=True)
class Standing:
    """What a worker holds besides idle streams to the provider, which are kept by design."""

    threads: int
    client_sockets: int
    descriptors: int | None
    """Unknown (None) to another than root: the worker is not dumpable."""


def standing(place: Place) -> Standing:
    """Look what the only worker of a place holds now."""
    (pid,) = place.served.running("gateway")
    idle = sockets(f"{SOURCE}:", f"127.0.0.1:{place.origin.port}")
    assert idle <= CLIENTS
    descriptors = len(list(Path(f"/proc/{pid}/fd").iterdir())) - idle if ROOT else None
    threads = len(list(Path(f"/proc/{pid}/task").iterdir()))
    return Standing(threads, sockets(f"127.0.0.1:{place.served.port}", ""), descriptors)


def sockets(local: str, remote: str) -> int:
    """Count the established TCP sockets between two places: `ADDRESS:`, or with a port."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[3] == "01" and is_at(row[1], local) and is_at(row[2], remote) for row in rows)


def is_at(socket: str, place: str) -> bool:
    """Whether one end of a row of /proc/net/tcp is at a place."""
    address, _, port = socket.partition(":")
    shown = ".".join(str(byte) for byte in reversed(bytes.fromhex(address)))
    return f"{shown}:{int(port, 16)}".startswith(place)


@pytest.mark.anyio
async def test_calls_when_they_have_ended(tmp_path: Path) -> None:
    """A worker whose clients are gone runs the tasks that it ran at first, and no call."""
    house, world = build_house(tmp_path / "vault"), World.create(["api.test"])
    async with run_origin(world.leaf) as origin:
        provider = make_provider(origin.port, world.root.pem.decode())
        connection, token = admit(house, provider, world.leaf.pin, CREDENTIAL)
        async with run_gate(house) as gate:
            before = gateway_tasks()
            assert before
            await call_on_kept(gate.port, f"/{connection}/n", token, FEW)
            async with asyncio.timeout(10):
                while gate.line.calls or gateway_tasks() != before:
                    await asyncio.sleep(0.02)
    house.store.close()


def gateway_tasks() -> list[str]:
    """The names of the coroutines of Bailee that are tasks now."""
    coroutines = [task.get_coro() for task in asyncio.all_tasks()]
    code = [each.cr_code for each in coroutines if isinstance(each, CoroutineType)]
    return sorted(each.co_qualname for each in code if "/bailee/" in each.co_filename)
