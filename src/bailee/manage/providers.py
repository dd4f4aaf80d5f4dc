"""Providers: proposed by anyone who may, approved by the authority's signature alone."""

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection

from bailee.errors import BadInput, Conflict, NotFound, ProviderNotApproved, TrustBroken
from bailee.manage.forms import parse_limit
from bailee.model import Provider, ProviderId, Signed
from bailee.providers.load import decode_provider, encode_provider
from bailee.store import providers as rows
from bailee.store.engine import Store
from bailee.store.providers import StoredProposal, StoredProvider
from bailee.vault.authority import AuthorityVerifier
from bailee.vault.statements import verified_provider


class ProviderState(StrEnum):
    """Where a provider stands."""

    APPROVED = "approved"
    PROPOSED = "proposed"
    """Nobody has approved it: it carries no call."""
    CHANGED = "changed"
    """Approved, and another document is proposed for it; calls go by what was approved."""
    BROKEN = "broken"
    """The newest record was not signed by the authority: it carries no call."""


@dataclass(frozen=True, slots=True)
class ProviderStanding:
    """A provider as it is approved, and as it is proposed."""

    id: ProviderId
    state: ProviderState
    serial: int
    """Of the newest record; 0 before the first approval."""
    approved: Provider | None
    proposed: Provider | None
    approved_at: float | None = None
    proposed_at: float | None = None


def propose(
    store: Store, verifier: AuthorityVerifier, provider: Provider, now: float
) -> ProviderStanding:
    """Propose a provider, or a change of one, in the place of an earlier proposal.

    Nothing that was approved changes. A proposal of what is approved already leaves no proposal.
    """
    with store.write() as conn:
        rows.propose(conn, StoredProposal(provider.id, encode_provider(provider), now))
        standing = _find(conn, verifier, provider.id)
        if standing.state is ProviderState.APPROVED:
            rows.drop_proposal(conn, provider.id)
            standing = _find(conn, verifier, provider.id)
    return standing


def approve(
    store: Store, verifier: AuthorityVerifier, signed: Signed, now: float
) -> ProviderStanding:
    """Store an approval that the authority signed (`vault.statements.sign_provider`).

    A proposal of the same content is done with; one that differs stays.

    Raises:
        TrustBroken: The authority did not sign it.
        Conflict: Its serial is not the newest one's plus 1.
    """
    provider, serial = verified_provider(verifier, signed)
    with store.write() as conn:
        newest = rows.newest(conn, provider.id)
        check_serial(serial, 0 if newest is None else newest.serial)
        rows.insert(conn, StoredProvider(provider.id, serial, signed, now))
        proposal = rows.find_proposal(conn, provider.id)
        if proposal is not None and proposal.document == encode_provider(provider):
            rows.drop_proposal(conn, provider.id)
        return _find(conn, verifier, provider.id)


def next_serial(store: Store, provider: ProviderId) -> int:
    """Return the serial that the next approval of a provider must have."""
    with store.read() as conn:
        newest = rows.newest(conn, provider)
    return 1 if newest is None else newest.serial + 1


def show(store: Store, verifier: AuthorityVerifier, provider: ProviderId) -> ProviderStanding:
    """Tell where a provider stands.

    Raises:
        NotFound: It is neither approved nor proposed.
    """
    with store.read() as conn:
        return _find(conn, verifier, provider)


def page(
    store: Store, verifier: AuthorityVerifier, *, after: str | None = None, limit: int = 100
) -> list[ProviderStanding]:
    """List where providers stand, in the order of their ids.

    Raises:
        BadInput: `limit` is not 1 to 1000.
    """
    limit = parse_limit(limit)
    with store.read() as conn:
        records = {row.id: row for row in rows.list_page(conn, after=after, limit=limit)}
        proposals = {
            row.provider: row for row in rows.list_proposals(conn, after=after, limit=limit)
        }
    # An id among the first `limit` of both lists together is among the first of each that has it.
    ids = sorted(records.keys() | proposals.keys())[:limit]
    return [_standing(verifier, each, records.get(each), proposals.get(each)) for each in ids]


def find_approved(conn: Connection, verifier: AuthorityVerifier, provider: ProviderId) -> Provider:
    """Return a provider as it was approved last.

    Raises:
        NotFound: It is neither approved nor proposed.
        ProviderNotApproved: It is only proposed.
        TrustBroken: The newest record was not signed by the authority for this place.
    """
    record = rows.newest(conn, provider)
    if record is None:
        if rows.find_proposal(conn, provider) is None:
            raise NotFound("there is no such provider")
        raise ProviderNotApproved("the provider is proposed, not approved", "approve it first")
    return _verified(verifier, record)


def check_serial(serial: int, newest: int) -> None:
    """Refuse a statement that does not follow the newest one.

    Raises:
        Conflict: `serial` is not `newest` plus 1.
    """
    if serial != newest + 1:
        raise Conflict(
            f"the statement has serial {serial}, and {newest + 1} is due",
            "another one was signed meanwhile: look at it, then sign again",
        )


def _find(conn: Connection, verifier: AuthorityVerifier, provider: ProviderId) -> ProviderStanding:
    record, proposal = rows.newest(conn, provider), rows.find_proposal(conn, provider)
    if record is None and proposal is None:
        raise NotFound("there is no such provider")
    return _standing(verifier, provider, record, proposal)


def _standing(
    verifier: AuthorityVerifier,
    provider: ProviderId,
    record: StoredProvider | None,
    proposal: StoredProposal | None,
) -> ProviderStanding:
    approved = None
    state = ProviderState.PROPOSED
    if record is not None:
        try:
            approved, state = _verified(verifier, record), ProviderState.APPROVED
        except TrustBroken:
            state = ProviderState.BROKEN
    if (
        approved is not None
        and proposal is not None
        and proposal.document != encode_provider(approved)
    ):
        state = ProviderState.CHANGED
    return ProviderStanding(
        id=provider,
        state=state,
        serial=0 if record is None else record.serial,
        approved=approved,
        proposed=None if proposal is None else _proposed(proposal),
        approved_at=None if record is None else record.approved_at,
        proposed_at=None if proposal is None else proposal.proposed_at,
    )


def _verified(verifier: AuthorityVerifier, record: StoredProvider) -> Provider:
    provider, serial = verified_provider(verifier, record.signed, expected=record.id)
    if serial != record.serial:
        raise TrustBroken("a provider's record stands under another serial than its own")
    return provider


def _proposed(proposal: StoredProposal) -> Provider | None:
    try:
        provider = decode_provider(proposal.document)
    except BadInput:
        return None
    return provider if provider.id == proposal.provider else None
