"""Pin sets: learned by a job, approved by the authority's signature alone."""

from dataclasses import dataclass

from sqlalchemy import Connection

from bailee.errors import NotFound, TrustBroken
from bailee.manage import egress, jobs
from bailee.manage.providers import check_serial, find_approved
from bailee.model import Job, PinSet, ProviderId, Signed, TenantId
from bailee.store import pins as rows
from bailee.store.engine import Store
from bailee.store.pins import StoredPinSet
from bailee.vault.authority import AuthorityVerifier
from bailee.vault.statements import verified_pin_set

LEARN_PIN = "learn_pin"
"""The kind of job that shows an origin's verified chain. Arguments: `provider`, `origin`."""


@dataclass(frozen=True, slots=True)
class PinStanding:
    """The newest pin set of an origin."""

    provider: ProviderId
    origin: str
    serial: int
    pins: PinSet | None
    """None when the row is not what the authority signed: the origin carries no call."""
    approved_at: float


def approve(store: Store, verifier: AuthorityVerifier, signed: Signed, now: float) -> PinSet:
    """Store a pin set that the authority signed (`vault.statements.sign_pin_set`).

    To retire a pin is to approve a set without it.

    Raises:
        TrustBroken: The authority did not sign it, or it lacks a backup without saying so.
        NotFound: There is no such provider, or it has no such origin.
        ProviderNotApproved: The provider is only proposed.
        Conflict: Its serial is not the newest one's plus 1.
    """
    pins = verified_pin_set(verifier, signed)
    with store.write() as conn:
        origin = _origin_name(conn, verifier, pins.provider, pins.origin)
        newest = rows.newest(conn, pins.provider, origin)
        check_serial(pins.serial, 0 if newest is None else newest.serial)
        rows.insert(conn, StoredPinSet(pins.provider, origin, pins.serial, signed, now))
    return pins


def next_serial(store: Store, provider: ProviderId, origin: str) -> int:
    """Return the serial that the next pin set of an origin must have."""
    with store.read() as conn:
        newest = rows.newest(conn, provider, origin)
    return 1 if newest is None else newest.serial + 1


def show(
    store: Store, verifier: AuthorityVerifier, provider: ProviderId, origin: str
) -> PinStanding:
    """Return the newest pin set of an origin.

    Raises:
        NotFound: It has none.
    """
    with store.read() as conn:
        newest = rows.newest(conn, provider, origin)
    if newest is None:
        raise NotFound("this origin has no approved pin set", "learn its pins first")
    return _standing(verifier, newest)


def list_all(
    store: Store, verifier: AuthorityVerifier, provider: ProviderId | None = None
) -> list[PinStanding]:
    """List the newest pin set of each origin, of one provider or of all."""
    with store.read() as conn:
        newest = rows.list_newest(conn, provider)
    return [_standing(verifier, row) for row in newest]


def request_learn(
    store: Store,
    verifier: AuthorityVerifier,
    tenant: TenantId,
    provider: ProviderId,
    now: float,
    *,
    origin: str | None = None,
    egress_name: str | None = None,
) -> Job:
    """Ask the keeper to look at an origin's certificate chain.

    Args:
        store: The database.
        verifier: Of the authority of the config.
        tenant: Who asks.
        provider: An approved provider.
        now: Unix seconds.
        origin: The name of one of its origins; None for the default one.
        egress_name: From which egress address to look; None for any active one.

    Raises:
        NotFound: There is no such provider, or it has no such origin.
        ProviderNotApproved: The provider is only proposed.
        NoEgressAddress: No such address is active.
    """
    with store.write() as conn:
        name = _origin_name(conn, verifier, provider, origin)
        address = egress.choose(conn, verifier, egress_name)
        arguments = {"provider": provider, "origin": name}
        return jobs.insert(conn, tenant, LEARN_PIN, arguments, address.name, now)


def _origin_name(
    conn: Connection, verifier: AuthorityVerifier, provider: ProviderId, origin: str | None
) -> str:
    found = find_approved(conn, verifier, provider).origin(origin)
    if found is None:
        raise NotFound("the provider has no such origin")
    return found.name


def _standing(verifier: AuthorityVerifier, row: StoredPinSet) -> PinStanding:
    pins: PinSet | None
    try:
        pins = verified_pin_set(verifier, row.signed, expected=(row.provider, row.origin))
        if pins.serial != row.serial:
            pins = None
    except TrustBroken:
        pins = None
    return PinStanding(row.provider, row.origin, row.serial, pins, row.approved_at)
