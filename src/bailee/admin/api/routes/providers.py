"""Providers: an operator proposes, the authority's signature approves."""

import msgspec

from bailee.admin.api.answers.base import Page, page_of
from bailee.admin.api.answers.shared import ProviderDetail, ProviderLine
from bailee.admin.api.desk import AtDesk, Desk
from bailee.admin.api.forms import Proposal, Statement
from bailee.admin.api.paging import DEFAULT_LIMIT, After, Limit
from bailee.admin.api.router import new_router
from bailee.admin.api.statements import provider_approval
from bailee.errors import BadInput
from bailee.manage import providers as manage
from bailee.manage.providers import ProviderStanding
from bailee.model import ProviderId
from bailee.providers.load import decode_provider
from bailee.store import providers as rows

router = new_router("/v1/providers")


@router.get("")
def list_providers(
    desk: AtDesk, after: After = None, limit: Limit = DEFAULT_LIMIT
) -> Page[ProviderLine]:
    """List where providers stand."""
    page = manage.page(desk.store, desk.verifier, after=after, limit=limit)
    return page_of(page, ProviderLine.of, lambda each: each.id, limit)


@router.get("/{provider}")
def show_provider(desk: AtDesk, provider: str) -> ProviderDetail:
    """Show a provider as it is approved and as it is proposed."""
    return _detail(desk, manage.show(desk.store, desk.verifier, ProviderId(provider)))


@router.post("", status_code=201)
def propose_provider(desk: AtDesk, form: Proposal) -> ProviderDetail:
    """Propose a provider, or a change of one. It carries no call before it is approved."""
    provider = decode_provider(_encoded(form))
    with desk.change("provider.propose", provider.id):
        standing = manage.propose(desk.store, desk.verifier, provider, desk.now)
    return _detail(desk, standing)


@router.post("/{provider}/approval", status_code=201)
def approve_provider(desk: AtDesk, provider: str, form: Statement) -> ProviderDetail:
    """Store an approval that the authority signed."""
    signed = provider_approval(desk.verifier, form, ProviderId(provider))
    with desk.change("provider.approve", provider) as change:
        standing = manage.approve(desk.store, desk.verifier, signed, desk.now)
        change.detail["serial"] = str(standing.serial)
    return _detail(desk, standing)


def _detail(desk: Desk, standing: ProviderStanding) -> ProviderDetail:
    with desk.store.read() as conn:
        newest = rows.newest(conn, standing.id)
    return ProviderDetail.with_statement(standing, None if newest is None else newest.signed)


def _encoded(form: Proposal) -> bytes:
    try:
        return msgspec.json.encode(form.document, order="sorted")
    except (UnicodeEncodeError, RecursionError, OverflowError):
        raise BadInput("the document holds text or numbers that no provider can have") from None
