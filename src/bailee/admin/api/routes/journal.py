"""The journal's chains, as the store knows them."""

from bailee.admin.api.answers.base import Page, page_of
from bailee.admin.api.answers.shared import Chain
from bailee.admin.api.desk import AtDesk
from bailee.admin.api.paging import DEFAULT_LIMIT, After, Limit
from bailee.admin.api.router import new_router
from bailee.store import chains as rows

router = new_router("/v1/journal")


@router.get("/chains")
def list_chains(desk: AtDesk, after: After = None, limit: Limit = DEFAULT_LIMIT) -> Page[Chain]:
    """List chains with their heads; they name no tenant's things."""
    with desk.store.read() as conn:
        page = rows.list_page(conn, after=after, limit=limit)
    return page_of(page, Chain.of, lambda each: each.id, limit)
