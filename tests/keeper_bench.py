"""The keeper's parts inside the test's own event loop, over a real store."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from bailee.egress.resolve import Resolver
from bailee.journal.writer import Journal
from bailee.keeper.jobs import JobLoop, Work
from bailee.keeper.signing import AuthorityAccess
from bailee.keeper.work.learn_pin import EgressSource, LearnPin
from bailee.manage import jobs
from bailee.manage.pins import LEARN_PIN
from bailee.model import DEFAULT_TENANT, Job, JobState
from bailee.vault.keyring import Keyring
from house import SOURCE, House

SOURCES = {"a": EgressSource(SOURCE, SOURCE)}


@dataclass(frozen=True, slots=True)
class Bench:
    """A vault, the keeper's journal, and the event that drains it."""

    house: House
    journal: Journal
    draining: asyncio.Event

    def access(self, keyring: Keyring | None) -> AuthorityAccess:
        return AuthorityAccess(self.house.store, keyring, self.house.authority.public)

    def order(self, egress: str = "a", kind: str = LEARN_PIN, **arguments: str) -> Job:
        """Ask for a job around `manage.pins`, which would look first whether it can be done."""
        now = time.time()
        return jobs.request(self.house.store, DEFAULT_TENANT, kind, arguments, egress, now)

    def show(self, job: Job) -> Job:
        return jobs.show(self.house.store, DEFAULT_TENANT, job.id)

    async def ended(self, job: Job) -> Job:
        """Wait for a job's end."""
        async with asyncio.timeout(10):
            while (found := self.show(job)).state not in (JobState.DONE, JobState.FAILED):
                await asyncio.sleep(0.01)
        return found

    @asynccontextmanager
    async def loop(self, work: Mapping[str, Work], name: str = "k") -> AsyncIterator[JobLoop]:
        """Do jobs until the block ends, and then drain."""
        made = JobLoop(self.house.store, work, list(SOURCES), name, 0.01, time.time)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(made.run(self.draining))
            try:
                yield made
            finally:
                self.draining.set()

    async def learn(
        self,
        job: Job,
        *,
        keyring: Keyring | None = None,
        closed: bool = False,
        sources: Mapping[str, EgressSource] = SOURCES,
    ) -> Job:
        """Let the keeper learn pins until this job has ended."""
        access = self.access(None if closed else keyring or self.house.keyring)
        resolver = Resolver()
        store, verifier = self.house.store, self.house.verifier
        work = LearnPin(store, verifier, access, resolver, self.journal, sources)
        try:
            async with self.loop({LEARN_PIN: work}):
                return await self.ended(job)
        finally:
            resolver.close()

    async def learn_in_vain(
        self,
        job: Job,
        *,
        keyring: Keyring | None = None,
        closed: bool = False,
        sources: Mapping[str, EgressSource] = SOURCES,
    ) -> dict[str, str]:
        """Return what the job failed with."""
        ended = await self.learn(job, keyring=keyring, closed=closed, sources=sources)
        assert ended.state is JobState.FAILED
        assert ended.result is None
        assert ended.error is not None
        assert ended.error.keys() == {"code", "detail", "hint"}
        return ended.error
