"""How many of what there is, for `status`, `doctor` and /readyz."""

from dataclasses import dataclass

from bailee.manage import egress, pins, providers
from bailee.manage.egress import EgressStanding
from bailee.manage.forms import PAGE_LIMIT
from bailee.manage.providers import ProviderState
from bailee.model import TenantId
from bailee.store import counts, revision
from bailee.store.engine import Store
from bailee.store.schema import SCHEMA_REVISION
from bailee.vault.authority import AuthorityVerifier


@dataclass(frozen=True, slots=True)
class Status:
    """Counts of one tenant's rows and of what all tenants share."""

    schema: str
    revision: int
    providers: dict[str, int]
    """By state."""
    pinned_origins: int
    connections: dict[str, int]
    """By state."""
    callers: int
    """Not revoked."""
    grants: int
    """Not revoked."""
    jobs: dict[str, int]
    """By state."""
    egress: tuple[EgressStanding, ...]


def status(store: Store, verifier: AuthorityVerifier, tenant: TenantId) -> Status:
    """Count a tenant's rows, and tell where providers and egress addresses stand."""
    with store.read() as conn:
        counted = counts.count(conn, tenant)
        current, addresses = revision.current(conn), egress.standings(conn, verifier)
    pinned = [each for each in pins.list_all(store, verifier) if each.pins is not None]
    return Status(
        schema=SCHEMA_REVISION,
        revision=current,
        providers=_count_providers(store, verifier),
        pinned_origins=len(pinned),
        connections=counted.connections,
        callers=counted.callers,
        grants=counted.grants,
        jobs=counted.jobs,
        egress=tuple(addresses),
    )


def _count_providers(store: Store, verifier: AuthorityVerifier) -> dict[str, int]:
    counted = dict.fromkeys(map(str, ProviderState), 0)
    after: str | None = None
    while page := providers.page(store, verifier, after=after, limit=PAGE_LIMIT):
        for standing in page:
            counted[standing.state] += 1
        after = page[-1].id
    return counted
