"""Egress addresses: published and retired by signed statements."""

from fastapi import APIRouter, Response

from bailee.admin.api import render
from bailee.admin.api.desk import AtDesk, Desk
from bailee.admin.api.forms import Statement
from bailee.admin.api.statements import egress_address
from bailee.errors import NotFound
from bailee.manage import egress as manage
from bailee.store import egress as rows

router = APIRouter(prefix="/v1/egress")


@router.get("")
def list_egress(desk: AtDesk) -> render.Json:
    """List every address, the oldest first."""
    return render.listed(_all(desk))


@router.post("", status_code=201)
def publish_egress(desk: AtDesk, form: Statement, response: Response) -> render.Json:
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
    found = [each for each in _all(desk) if each["id"] == address.id]
    if not found:
        raise NotFound("the address was removed again")
    return found[0]


def _all(desk: Desk) -> list[render.Json]:
    with desk.store.read() as conn:
        signed = {str(row.address.id): row.signed for row in rows.list_all(conn)}
        standings = manage.standings(conn, desk.verifier)
    return [render.egress(each, signed) for each in standings]
