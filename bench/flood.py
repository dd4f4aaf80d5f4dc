"""Whether a flood is answered at once, and forgotten soon.

    .venv/bin/python bench/flood.py [--connects 5000] [--cap 2000] [--factor 10] [--descriptors N]

`bailee serve` with one worker that keeps `--cap` connections and lets a caller have 100 calls under
way. Two floods, each on a worker of its own:

connects: clients connect, evenly over five seconds, send one call and stay. Those over the cap are
to be told 503 within 100 ms of their connect.

overload: the provider takes 250 ms for an answer, so that 100 calls at once are 400 a second.
`--factor` times as many are offered for five seconds, each on time whether or not others were
answered. What can't be carried is to be told 429 or 503, with Retry-After, within 100 ms.

In both, the worker's memory is sampled every 20 ms, and when the flood has ended, single calls show
when all is as before: twenty in a row that take no longer than twice the p99 that calls took before
it (50 ms at least). `--descriptors` starts Bailee with so low a soft limit of open files. The flood
comes from this process, so its own delays are in the times. Loopback only.
"""

import argparse
import asyncio
import os
import resource
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import uvloop
from measure import MIB, Report, Watch, options, percentile, require
from slow_origin import run_slow_origin
from world import OTHER_CORE, Bailee, bailee, build_house, furnish

from bailee.reference.pki import World

FLOOD_SECONDS: Final = 5.0
ANSWER_SECONDS: Final = 0.25
CALLER_CONCURRENT: Final = 100
REFUSED_MS: Final = 100.0
MEMORY_MIB: Final = 512
NORMAL_SECONDS: Final = 2.0
IN_A_ROW: Final = 20
PATIENCE_SECONDS: Final = 10.0
REFUSALS: Final = (429, 503)


@dataclass(slots=True)
class Told:
    """What the clients of a flood were told: how long each answer took, milliseconds."""

    served: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    without_hint: int = 0
    """Refusals without Retry-After."""
    other: dict[str, int] = field(default_factory=dict)

    def add(self, status: int, head: bytes, seconds: float) -> None:
        """Note one answer."""
        if status == 200:
            self.served.append(seconds * 1000)
        elif status in REFUSALS:
            self.refused.append(seconds * 1000)
            self.without_hint += b"\r\nretry-after:" not in head.lower()
        else:
            self.miss(str(status))

    def miss(self, what: str) -> None:
        """Note what was no answer to be proud of."""
        self.other[what] = self.other.get(what, 0) + 1


class Client:
    """One connection, which sends one request at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def open(cls, port: int) -> "Client":
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def call(self, request: bytes) -> tuple[int, bytes]:
        """Send a request and read its answer; EOFError or OSError when there is none."""
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                await self._reader.readexactly(int(line.partition(b":")[2]))
        return int(head.split()[1]), head

    def close(self) -> None:
        self._writer.transport.abort()


async def flood(due: int, seconds: float, one: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Start so many, evenly spaced; returns when all have ended."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    async with asyncio.TaskGroup() as tasks:
        for number in range(due):
            wait = begun + number * seconds / due - loop.time()
            if wait > 0:
                await asyncio.sleep(wait)
            tasks.create_task(one())


async def connects(place: Bailee, count: int, told: Told, kept: list[Client]) -> None:
    """Connect so often in five seconds, call once on each connection, and keep it."""
    request = place.target("/v1/quick").request()

    async def one() -> None:
        begun = time.monotonic()
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                client = await Client.open(place.served.port)
                kept.append(client)
                status, head = await client.call(request)
            told.add(status, head, time.monotonic() - begun)
        except (OSError, EOFError) as error:
            told.miss(type(error).__name__)

    await flood(count, FLOOD_SECONDS, one)


async def overload(place: Bailee, factor: float, told: Told, kept: list[Client]) -> None:
    """Offer so many times what can be carried; each call on an idle connection, or a new one."""
    request, idle = place.target("/v1/slow").request(), list[Client]()
    count = int(factor * CALLER_CONCURRENT / ANSWER_SECONDS * FLOOD_SECONDS)

    async def one() -> None:
        begun = time.monotonic()
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                client = idle.pop() if idle else None
                if client is None:
                    client = await Client.open(place.served.port)
                    kept.append(client)
                status, head = await client.call(request)
            told.add(status, head, time.monotonic() - begun)
            if b"\r\nconnection: close" not in head.lower():
                idle.append(client)
        except (OSError, EOFError) as error:
            told.miss(type(error).__name__)

    await flood(count, FLOOD_SECONDS, one)


async def usual(place: Bailee, count: int) -> list[float]:
    """How long single calls take, each on a connection of its own, milliseconds."""
    request, times = place.target("/v1/quick").request(), []
    for _ in range(count):
        begun = time.monotonic()
        client = await Client.open(place.served.port)
        status, _ = await client.call(request)
        client.close()
        assert status == 200, status
        times.append((time.monotonic() - begun) * 1000)
    return times


async def until_normal(place: Bailee, limit_ms: float) -> float:
    """Seconds until twenty calls in a row are served and quick; the first of them counts."""
    begun = first = time.monotonic()
    row = 0
    while row < IN_A_ROW:
        if time.monotonic() - begun > PATIENCE_SECONDS:
            return float("inf")
        try:
            async with asyncio.timeout(1):
                (took,) = await usual(place, 1)
        except (OSError, EOFError, AssertionError):
            took = float("inf")
        row = row + 1 if took <= limit_ms else 0
        if not row:
            first = time.monotonic()
    return first - begun


Flood = Callable[[Bailee, Told, list[Client]], Coroutine[Any, Any, None]]


async def measure(place: Bailee, name: str, run: Flood, report: Report) -> None:
    """One flood: before, during, after."""
    before = percentile(await usual(place, 50), 0.99)
    told, kept = Told(), list[Client]()
    with Watch(place.worker) as watch:
        await run(place, told, kept)
        for client in kept:
            client.close()
        again = await until_normal(place, max(50.0, 2 * before))
    served, refused = told.served, told.refused
    report.line(
        f"{name}: {len(served)} served (p99 {percentile(served, 0.99):.1f} ms), {len(refused)}"
        f" refused (p50 {percentile(refused, 0.5):.1f}, p99 {percentile(refused, 0.99):.1f} ms),"
        f" {told.without_hint} of them without Retry-After, others: {told.other}"
    )
    report.line(f"{name}: memory {watch.before / MIB:.1f} to {watch.most / MIB:.1f} MiB")
    report.figure(f"{name}: slowest refusal", percentile(refused, 1), "ms", at_most=REFUSED_MS)
    report.figure(f"{name}: refusals without Retry-After", told.without_hint, at_most=0)
    report.figure(f"{name}: neither served nor refused", sum(told.other.values()), at_most=0)
    report.figure(f"{name}: memory", watch.most / MIB, "MiB", at_most=MEMORY_MIB)
    report.figure(f"{name}: normal after", again, "s", at_most=NORMAL_SECONDS)
    report.figure(f"{name}: workers that died", len(place.served.pids("gateway")) - 1, at_most=0)


@contextmanager
def stage(directory: Path, args: argparse.Namespace) -> Iterator[Bailee]:
    """Bailee before an origin that takes its time where it is asked to."""
    house, world = build_house(directory / "vault"), World.create(["api.test"])
    with run_slow_origin(*world.leaf.write(directory, "leaf"), ANSWER_SECONDS) as port:
        connection, token = furnish(house, port, world, concurrent=CALLER_CONCURRENT)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (args.descriptors or soft, hard))
        with bailee(house, connection, token, connections=args.cap) as place:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            yield place
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    house.store.close()


def main() -> None:
    """Measure, tell."""
    parser = options(__doc__ or "")
    parser.add_argument("--connects", type=int, default=5000)
    parser.add_argument("--cap", type=int, default=2000)
    parser.add_argument("--factor", type=float, default=10.0)
    parser.add_argument("--descriptors", type=int, default=0)
    args = parser.parse_args()
    if args.quick:
        args.connects, args.cap, args.factor = 200, 150, 2.0
    require("taskset")
    os.sched_setaffinity(0, {OTHER_CORE})
    report = Report("flood", args)
    floods: dict[str, Flood] = {
        "connects": lambda *given: connects(given[0], args.connects, *given[1:]),
        "overload": lambda *given: overload(given[0], args.factor, *given[1:]),
    }
    for name, run in floods.items():
        with tempfile.TemporaryDirectory() as directory, stage(Path(directory), args) as place:
            uvloop.run(measure(place, name, run, report))
    report.end()


if __name__ == "__main__":
    main()
