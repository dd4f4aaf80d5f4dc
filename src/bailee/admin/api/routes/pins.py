"""Pin sets: learned by a job, approved by the authority's signature."""

from bailee.admin.api.answers.base import Page, cut_page
from bailee.admin.api.answers.shared import Pins
from bailee.admin.api.desk import AtDesk
from bailee.admin.api.forms import Statement
from bailee.admin.api.paging import DEFAULT_LIMIT, After, Limit
from bailee.admin.api.router import new_router
from bailee.admin.api.statements import pin_set
from bailee.manage import pins as manage
from bailee.model import ProviderId
from bailee.store import pins as rows

router = new_router("/v1")


@router.get("/pins")
def list_pins(
    desk: AtDesk, provider: str | None = None, after: After = None, limit: Limit = DEFAULT_LIMIT
) -> Page[Pins]:
    """List the newest pin set of each origin, of one provider or of all."""
    chosen = None if provider is None else ProviderId(provider)
    with desk.store.read() as conn:
        newest = rows.list_newest(conn, chosen)
    signed = {(row.provider, row.origin, row.serial): row.signed for row in newest}
    made = [
        Pins.of(each, signed.get((each.provider, each.origin, each.serial)))
        for each in manage.list_all(desk.store, desk.verifier, chosen)
    ]
    return cut_page(made, lambda each: f"{each.provider}/{each.origin}", after, limit)


@router.post("/providers/{provider}/pins", status_code=201)
def approve_pins(desk: AtDesk, provider: str, form: Statement) -> Pins:
    """Store a pin set that the authority signed; to retire a pin, send a set without it."""
    pins, signed = pin_set(desk.verifier, form, ProviderId(provider))
    detail = {"origin": pins.origin, "serial": str(pins.serial), "pins": str(len(pins.pins))}
    with desk.change("pins.approve", provider, **detail):
        manage.approve(desk.store, desk.verifier, signed, desk.now)
    standing = manage.show(desk.store, desk.verifier, pins.provider, pins.origin)
    return Pins.of(standing, signed if standing.serial == pins.serial else None)
