"""The public key to which the tenant's credentials are sealed."""

from fastapi import APIRouter

from bailee.admin.api import render
from bailee.admin.api.desk import AtDesk
from bailee.manage import tenants as manage

router = APIRouter(prefix="/v1/tenant")


@router.get("/key")
def show_key(desk: AtDesk) -> render.Json:
    """Show the signed key. Whoever seals verifies it first with the authority's public half."""
    return render.signed_parts(manage.current_key(desk.store, desk.tenant))
