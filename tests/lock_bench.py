"""The keeper's check of a lock, on a vault of its own, in a world of `lock_world`."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from bailee.egress.resolve import Resolver
from bailee.keeper.decoys import Decoy, Decoys
from bailee.keeper.probing import Prober
from bailee.keeper.target import Targets
from bailee.keeper.work.check_lock import CheckLock
from bailee.manage import locks
from bailee.manage.lock_checks import CHECK_LOCK
from bailee.model import DEFAULT_TENANT, ConnectionId, Pin, Probing, Provider
from bailee.store.locks import StoredLock
from keeper_bench import SOURCES, Bench
from lock_world import DECOY, LockWorld

DECOYS = (Decoy("d", DECOY, DECOY),)


@dataclass(frozen=True, slots=True)
class LockBench:
    """A keeper that checks locks, and the API that they are of."""

    bench: Bench
    made: LockWorld
    work: CheckLock

    def approve(self, provider: Provider) -> Provider:
        """Approve a provider and pin its API."""
        house = self.bench.house
        house.approve_provider(provider)
        house.approve_pins(provider.id, [self.made.world.leaf.pin, Pin(bytes(32))])
        return provider

    def connect(self, provider: Provider, credential: dict[str, str]) -> ConnectionId:
        """Seal a user's credential."""
        return self.bench.house.add_connection(provider, credential)

    async def check(self, connection: ConnectionId, accept: str = Probing.RISKY) -> dict[str, Any]:
        """Check one lock, as the job says; returns the job's result."""
        arguments = {"connection": connection, "accept": accept}
        job = self.bench.order(kind=CHECK_LOCK, **arguments)
        return dict((await self.work(job)).result)

    def stored(self, connection: ConnectionId) -> StoredLock:
        """The lock of a connection as everybody else sees it."""
        return locks.show(self.bench.house.store, DEFAULT_TENANT, connection).lock


@asynccontextmanager
async def lock_bench(
    bench: Bench, made: LockWorld, decoys: Iterable[Decoy] = DECOYS
) -> AsyncIterator[LockBench]:
    """Put the keeper's check together, as `app.keeper` does."""
    house = bench.house
    access, resolver = bench.access(house.keyring), Resolver()
    work = CheckLock(
        house.store,
        house.verifier,
        access,
        Prober(house.store, access, resolver),
        bench.journal,
        Targets(house.store, house.verifier, SOURCES),
        Decoys(decoys),
        time.time,
    )
    try:
        yield LockBench(bench, made, work)
    finally:
        await asyncio.to_thread(resolver.close)
