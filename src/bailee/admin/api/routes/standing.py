"""How the installation stands: for load balancers and supervisors, and for operators."""

from fastapi import APIRouter

from bailee import __version__
from bailee.admin.api import render
from bailee.admin.api.desk import AtDesk, AtParts
from bailee.manage import status as manage
from bailee.store import revision

router = APIRouter()


@router.get("/healthz")
async def healthz() -> render.Json:
    """Say that the process lives."""
    return {"status": "ok"}


@router.get("/readyz")
def readyz(parts: AtParts) -> render.Json:
    """Say that the database answers; 503 when it does not."""
    with parts.store.read() as conn:
        revision.current(conn)
    return {"status": "ok"}


@router.get("/v1/status")
def show_status(desk: AtDesk) -> render.Json:
    """Count what there is."""
    counted = manage.status(desk.store, desk.verifier, desk.tenant)
    return {"version": __version__, "tenant": desk.tenant} | render.status(counted)
