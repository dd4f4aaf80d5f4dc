"""Jobs: work that needs the root key or a socket to a provider, and so the keeper."""

import asyncio
from typing import Annotated, Final

from anyio import to_thread
from fastapi import Query, Response

from bailee.admin.api.answers.base import Page, page_of
from bailee.admin.api.answers.owned import JobShown
from bailee.admin.api.desk import AtDesk, Desk
from bailee.admin.api.forms import JobOrder
from bailee.admin.api.paging import DEFAULT_LIMIT, After, Limit
from bailee.admin.api.router import new_router
from bailee.manage import jobs as manage
from bailee.manage import pins
from bailee.model import Job, JobId, JobState, ProviderId

LONGEST_WAIT_SECONDS: Final = 30.0
LOOK_SECONDS: Final = 0.1
_ENDED: Final = frozenset({JobState.DONE, JobState.FAILED})
router = new_router("/v1/jobs")


@router.post("", status_code=202)
def order_job(desk: AtDesk, form: JobOrder, response: Response) -> JobShown:
    """Ask the keeper to look at an origin's certificates; poll what `Location` names."""
    wanted = form.arguments
    with desk.change("pins.learn", wanted.provider) as change:
        job = pins.request_learn(
            desk.store,
            desk.verifier,
            desk.tenant,
            ProviderId(wanted.provider),
            desk.now,
            origin=wanted.origin,
            egress_name=form.egress,
        )
        change.detail |= {"job": job.id, "origin": job.arguments["origin"]}
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    return JobShown.of(job)


@router.get("")
def list_jobs(desk: AtDesk, after: After = None, limit: Limit = DEFAULT_LIMIT) -> Page[JobShown]:
    """List jobs."""
    page = manage.page(desk.store, desk.tenant, after=after, limit=limit)
    return page_of(page, JobShown.of, lambda each: each.id, limit)


@router.get("/{job}")
async def show_job(
    desk: AtDesk, job: str, wait: Annotated[float, Query(ge=0, le=LONGEST_WAIT_SECONDS)] = 0.0
) -> JobShown:
    """Show a job, and wait up to `wait` seconds for its end."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + wait
    found = await _look(desk, job)
    while found.state not in _ENDED and loop.time() < deadline:
        if await _drains(desk, min(LOOK_SECONDS, deadline - loop.time())):
            break
        found = await _look(desk, job)
    return JobShown.of(found)


async def _look(desk: Desk, job: str) -> Job:
    return await to_thread.run_sync(manage.show, desk.store, desk.tenant, JobId(job))


async def _drains(desk: Desk, seconds: float) -> bool:
    """Pause; True at once when the process is about to leave."""
    try:
        async with asyncio.timeout(max(seconds, 0.0)):
            await desk.parts.draining.wait()
    except TimeoutError:
        return False
    return True
