"""The journal's chains, as the store knows them."""

from fastapi import APIRouter

from bailee.admin.api import render
from bailee.admin.api.desk import AtDesk
from bailee.manage.forms import parse_limit
from bailee.store import chains as rows

router = APIRouter(prefix="/v1/journal")


@router.get("/chains")
def list_chains(desk: AtDesk, after: str | None = None, limit: int = 100) -> render.Json:
    """List chains with their heads; they name no tenant's things."""
    with desk.store.read() as conn:
        page = rows.list_page(conn, after=after, limit=parse_limit(limit))
    return render.listed([render.chain(each) for each in page], limit)
