"""How the installation stands: for load balancers, supervisors, scrapers and operators."""

from fastapi import Response

from bailee import __version__
from bailee.admin.api.answers.standing import Health, StatusShown
from bailee.admin.api.desk import AtDesk, AtParts
from bailee.admin.api.metrics import CONTENT_TYPE
from bailee.admin.api.router import new_router
from bailee.manage import status as manage
from bailee.store import revision

router = new_router()


class MetricsText(Response):
    """The text format of Prometheus."""

    media_type = CONTENT_TYPE


@router.get("/healthz")
async def healthz() -> Health:
    """Say that the process lives."""
    return Health(status="ok")


@router.get("/readyz")
def readyz(parts: AtParts) -> Health:
    """Say that the database answers; 503 when it does not."""
    with parts.store.read() as conn:
        revision.current(conn)
    return Health(status="ok")


@router.get("/metrics", response_class=MetricsText)
def metrics(parts: AtParts) -> Response:
    """Tell counts by state, and how requests went. No label names a tenant, a subject or an id."""
    return MetricsText(parts.metrics.text())


@router.get("/v1/status")
def show_status(desk: AtDesk) -> StatusShown:
    """Count what there is."""
    counted = manage.status(desk.store, desk.verifier, desk.tenant)
    return StatusShown.of(counted, __version__, desk.tenant, desk.role)
