"""Budgets and bans of a node: two workers under `bailee serve`, and what their provider sees."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bailee.model import ConnectionId
from bailee.policy.budget import Limit
from bailee.reference.pki import World
from gate import Client, Reply, request
from house import build_house, make_provider
from origin import Arrived, answer, run_origin
from served import CREDENTIAL, Served, admit

pytestmark = pytest.mark.anyio

CLIENTS = 8
ARRIVAL_SECONDS = 0.3
"""How much later one call may arrive than another that left with it: it dials, this one does not.
Tokens are counted when calls leave."""
TOLD_SECONDS = 4
STOP_SECONDS = 1.0
"""Workers are told within 50 ms; the machine that tests run on may take longer."""


@dataclass(slots=True)
class Node:
    """Two workers, and when calls came to the provider."""

    port: int
    connection: ConnectionId
    token: str
    arrivals: list[float] = field(default_factory=list)
    limited_at: float = 0.0
    opened: list[Client] = field(default_factory=list)

    async def respond(self, arrived: Arrived, writer: asyncio.StreamWriter) -> None:
        """Answer as the provider does; `/limit` is answered with 429."""
        self.arrivals.append(time.monotonic())
        if "/limit" in arrived.request_line:
            self.limited_at = time.monotonic()
            await answer(writer, b"{}", "429 Too Many", f"Retry-After: {TOLD_SECONDS}\r\n")
        else:
            await answer(writer)

    async def call(self, client: Client, path: str = "/p") -> Reply:
        """Make one call on a kept connection."""
        return await client.call(request("GET", f"/{self.connection}{path}", self.token))

    async def hammer(self, client: Client, seconds: float) -> Counter[str]:
        """Call on and on; how often each worker served and refused."""
        seen: Counter[str] = Counter()
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            reply = await self.call(client)
            error = reply.headers.get("bailee-error", "served")
            seen[f"{worker_of(reply)} {error}"] += 1
            if reply.status == 429:
                await asyncio.sleep(0.004)
        return seen

    async def clients(self) -> dict[str, list[Client]]:
        """Open connections, at least two to each worker."""
        found: dict[str, list[Client]] = {}
        for _ in range(100):
            client = await Client.open(self.port)
            self.opened.append(client)
            worker = worker_of(await self.call(client))
            found.setdefault(worker, []).append(client)
            enough = [each for each in found.values() if len(each) >= CLIENTS // 2]
            if len(enough) == 2:
                return found
        raise AssertionError("one worker takes all connections")


def worker_of(reply: Reply) -> str:
    """Which worker answered: its calls' ids begin alike."""
    return reply.headers["bailee-call"].partition("-")[0]


@asynccontextmanager
async def run_node(directory: Path, budget: str) -> AsyncIterator[Node]:
    """Serve with two workers in front of an origin that writes down when calls come."""
    house, world = build_house(directory / "vault"), World.create(["api.test"])
    node = Node(0, ConnectionId(""), "")
    async with run_origin(world.leaf, node.respond) as origin:
        provider = make_provider(origin.port, world.root.pem.decode(), budget)
        node.connection, node.token = admit(house, provider, world.leaf.pin, CREDENTIAL)
        with Served(house, workers=2) as served:
            await asyncio.to_thread(served.wait_for, "serving")
            node.port = served.port
            try:
                yield node
            finally:
                for client in node.opened:
                    client.close()
            assert await asyncio.to_thread(served.stop) == 0
    house.store.close()


def most_in_window(times: list[float], seconds: float) -> int:
    """The most of some times that lie in one window."""
    return max(sum(begin <= time < begin + seconds for time in times) for begin in times)


@pytest.mark.parametrize(
    "limit", [Limit.of(60, 2.0), Limit.of(300, 2.0)], ids=["lent one by one", "lent in advance"]
)
async def test_budget_when_clients_hammer_two_workers(tmp_path: Path, limit: Limit) -> None:
    """The provider never sees more than the budget, and one worker alone can use most of it."""
    assert bool(limit.spare) == (limit.calls == 300)
    budget = f'[[budget]]\nper = "egress"\ncalls = {limit.calls}\nseconds = {limit.seconds}\n'
    async with run_node(tmp_path, budget) as node:
        workers = await node.clients()
        every = [client for clients in workers.values() for client in clients]
        seen = sum(await asyncio.gather(*(node.hammer(each, 3.0) for each in every)), Counter())
        assert all(seen[f"{worker} served"] for worker in workers)
        assert all(seen[f"{worker} budget-exhausted"] for worker in workers)
        alone = next(iter(workers.values()))[: CLIENTS // 2]
        before = len(node.arrivals)
        await asyncio.gather(*(node.hammer(each, 3.0) for each in alone))
        assert len(node.arrivals) - before >= 0.7 * 3.0 * limit.flow
        assert most_in_window(node.arrivals, limit.seconds - ARRIVAL_SECONDS) <= limit.calls


async def test_limit_when_one_worker_is_told_to_wait(tmp_path: Path) -> None:
    """The other stops too, and both go on when the told time is over."""
    async with run_node(tmp_path, "") as node:
        told, other = [clients[0] for clients in (await node.clients()).values()]
        hammering = asyncio.get_running_loop().create_task(node.hammer(other, TOLD_SECONDS + 1.0))
        await asyncio.sleep(0.3)
        reply = await node.call(told, "/limit")
        assert (reply.status, reply.headers.get("bailee-error")) == (429, None)
        refused = await node.call(told)
        assert refused.headers["bailee-error"] == "provider-limited"
        seen = await hammering
        assert sum(count for key, count in seen.items() if "provider-limited" in key) > 10
        over = node.limited_at + TOLD_SECONDS
        stopped = [each for each in node.arrivals if node.limited_at + STOP_SECONDS < each < over]
        assert stopped == []
        assert [each for each in node.arrivals if each >= over]
        assert (await node.call(told)).status == 200
