"""Egress addresses: published and retired by signed statements."""

from fastapi import Response

from bailee.admin.api.answers.base import Page, cut_page
from bailee.admin.api.answers.shared import Egress
from bailee.admin.api.desk import AtDesk, Desk
from bailee.admin.api.forms import Statement
from bailee.admin.api.paging import DEFAULT_LIMIT, After, Limit
from bailee.admin.api.router import new_router
from bailee.admin.api.statements import egress_address
from bailee.errors import NotFound
from bailee.manage import egress as manage
from bailee.store import egress as rows

router = new_router("/v1/egress")


@router.get("")
def list_egress(desk: AtDesk, after: After = None, limit: Limit = DEFAULT_LIMIT) -> Page[Egress]:
    """List addresses, the oldest first."""
    return cut_page(_all(desk), lambda each: each.id, after, limit)


@router.post("", status_code=201, responses={200: {"model": Egress}})
def publish_egress(desk: AtDesk, form: Statement, response: Response) -> Egress:
    """Store a statement that the authority signed: a new address (201), or a retirement (200)."""
    address, signed = egress_address(desk.verifier, form)
    first = address.serial == 1
    kind = "egress.add" if first else "egress.retire"
    with desk.change(kind, address.id, name=address.name, serial=str(address.serial)):
        if first:
            manage.add(desk.store, desk.verifier, signed, desk.now)
        else:
            manage.retire(desk.store, desk.verifier, signed)
            response.status_code = 200
    found = [each for each in _all(desk) if each.id == address.id]
    if not found:
        raise NotFound("the address was removed again")
    return found[0]


def _all(desk: Desk) -> list[Egress]:
    with desk.store.read() as conn:
        signed = {str(row.address.id): row.signed for row in rows.list_all(conn)}
        standings = manage.standings(conn, desk.verifier)
    return [Egress.of(each, signed, desk.role) for each in standings]
