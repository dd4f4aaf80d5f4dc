"""Where a call goes and what may be done there, as verified values."""

from collections.abc import Sequence
from dataclasses import dataclass

from bailee.egress.pool import PoolKey
from bailee.errors import BaileeError
from bailee.http.hop import RequestHeaderPolicy
from bailee.model import (
    CallerId,
    ConnectionId,
    EgressId,
    Origin,
    PinSet,
    Place,
    Provider,
    SealContext,
    SealedCredential,
    TenantId,
)
from bailee.policy.rules import CompiledRules, ProviderRules
from bailee.providers.trust import trust_digest
from bailee.signing.place import PlacePlan, plan_of
from bailee.store.lookup import GrantRow


@dataclass(frozen=True, slots=True)
class DialSource:
    """An address that this node can dial from, by the name of its `[[egress]]` entry."""

    name: str
    bind: str
    public: str


@dataclass(frozen=True, slots=True)
class ProviderView:
    """A verified provider with what calls need of it, made once."""

    provider: Provider
    serial: int
    trust_digest: bytes
    rules: ProviderRules
    headers: RequestHeaderPolicy
    plan: PlacePlan
    reserved: frozenset[str]
    """Query parameters in which the credential stands."""


@dataclass(frozen=True, slots=True)
class Route:
    """Where a connection's calls to one origin go, all of it verified."""

    connection: ConnectionId
    tenant: TenantId
    view: ProviderView
    origin: Origin
    after_target: bytes
    """What follows the request target: the version and the `Host` line."""
    pins: PinSet
    source: str
    egress: EgressId
    key: PoolKey
    sealed: SealedCredential
    context: SealContext
    subject: str
    """The keyed hash under which the subject stands in the journal."""
    place: str
    """A digest of the sealed credential with its whole context: what was opened for one place is
    not found for another, even where a row was moved in between."""


@dataclass(slots=True)
class Access:
    """What one caller may do with one door of a connection."""

    caller: CallerId
    connection: ConnectionId
    tenant: TenantId
    view: ProviderView | None
    grants: Sequence[GrantRow]
    valid_until: float
    """When the first of the grants expires: then `rules` has to be made anew."""
    rules: CompiledRules
    route: Route | None
    refusal: BaileeError | None
    """Why there is no route; told to callers that have a grant and to nobody else."""


def make_view(provider: Provider, serial: int) -> ProviderView:
    """Prepare a provider for calls."""
    placements = provider.auth.placements
    token = provider.caller_token
    placed = [each.name for each in placements if each.place is Place.HEADER]
    if token is not None and token.place is Place.HEADER:
        placed.append(token.name)
    return ProviderView(
        provider=provider,
        serial=serial,
        trust_digest=trust_digest(provider),
        rules=ProviderRules.of(provider.deny, provider.multiplexed),
        headers=RequestHeaderPolicy.of(provider.headers, placed),
        plan=plan_of(provider.auth),
        reserved=frozenset(each.name for each in placements if each.place is Place.QUERY),
    )
