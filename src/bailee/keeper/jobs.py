"""Taking jobs, doing them, and storing how they ended."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from bailee.errors import BaileeError, InternalError
from bailee.keeper.rounds import pause
from bailee.manage import jobs
from bailee.model import Job
from bailee.store.engine import Store

AT_ONCE: Final = 8
"""So many jobs are under way at a time: one dead provider does not hold up the others."""
JOB_SECONDS: Final = 45.0
"""The most that a job may take; less than the lease after which another keeper may take it."""
_log = structlog.get_logger("keeper")


@dataclass(frozen=True, slots=True)
class Finished:
    """What a job found out, with the authority's signature over it and its question."""

    result: dict[str, object]
    signature: bytes


class Work(Protocol):
    """One kind of work."""

    async def __call__(self, job: Job) -> Finished:
        """Do a job.

        Raises:
            BaileeError: It can't be done; whoever asked is told code, detail and hint.
        """
        ...


class JobLoop:
    """Takes jobs that this keeper can do.

    Args:
        store: The database.
        work: The kinds of work that it knows.
        egress_names: The addresses that it can dial from.
        taken_by: Its own name, new at each start.
        poll_seconds: How often it looks for a job while there is none.
        clock: Unix seconds.
    """

    def __init__(
        self,
        store: Store,
        work: Mapping[str, Work],
        egress_names: Collection[str],
        taken_by: str,
        poll_seconds: float,
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._work = work
        self._egress_names = tuple(egress_names)
        self._taken_by = taken_by
        self._poll_seconds = poll_seconds
        self._clock = clock
        self._slots = asyncio.Semaphore(AT_ONCE)

    def __repr__(self) -> str:
        return f"JobLoop({self._taken_by}, {sorted(self._work)}, {list(self._egress_names)})"

    async def run(self, draining: asyncio.Event) -> None:
        """Take and do jobs until `draining` is set; returns when the last one has ended."""
        async with asyncio.TaskGroup() as tasks:
            while not draining.is_set():
                await self._slots.acquire()
                job = await self._take()
                if job is not None:
                    tasks.create_task(self._do(job))
                    continue
                self._slots.release()
                await pause(draining, self._poll_seconds)

    async def _take(self) -> Job | None:
        try:
            return await asyncio.to_thread(
                jobs.take,
                self._store,
                self._work.keys(),
                self._egress_names,
                self._taken_by,
                self._clock(),
            )
        except BaileeError as failure:
            _log.error("jobs can't be taken", code=failure.code, detail=failure.detail)
            return None

    async def _do(self, job: Job) -> None:
        try:
            await self._store_end(job, await self._outcome(job))
        finally:
            self._slots.release()

    async def _outcome(self, job: Job) -> Finished | BaileeError:
        try:
            async with asyncio.timeout(JOB_SECONDS):
                return await self._work[job.kind](job)
        except BaileeError as error:
            return error
        except TimeoutError:
            return InternalError(f"the job took longer than {JOB_SECONDS:g} seconds")
        except Exception:  # noqa: BLE001  # no job ends the keeper; the log has the traceback
            _log.exception("job broke", job=job.id, kind=job.kind)
            return InternalError("the job broke; the keeper's log says where")

    async def _store_end(self, job: Job, outcome: Finished | BaileeError) -> None:
        """A job whose end can't be stored is taken again when its lease is over."""
        try:
            if isinstance(outcome, BaileeError):
                _log.warning("job failed", job=job.id, kind=job.kind, code=outcome.code)
                await asyncio.to_thread(
                    jobs.fail, self._store, job.id, self._taken_by, outcome, self._clock()
                )
            else:
                await asyncio.to_thread(
                    jobs.finish,
                    self._store,
                    job.id,
                    self._taken_by,
                    outcome.result,
                    outcome.signature,
                    self._clock(),
                )
        except BaileeError as failure:
            _log.error("a job's end is not stored", job=job.id, code=failure.code)
