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
    PlaceScheme,
    Provider,
    SealContext,
    SealedCredential,
    TenantId,
)
from bailee.policy.rules import CompiledRules, ProviderRules
from bailee.providers.refusal import CompiledRefusals, compile_refusals
from bailee.providers.trust import trust_digest
from bailee.signing.place import PlacePlan, plan_of
from bailee.signing.sign import Signer, signer_of
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
    plan: PlacePlan | None
    """How the credential is placed, where that does not depend on the request."""
    signer: Signer | None
    """How requests are signed, where they are."""
    refusals: CompiledRefusals | None
    """The provider's refusals, where its file names any."""
    screened: bool
    """Whether all its answers are looked at before they are passed on."""
    reserved: frozenset[str]
    """Query parameters in which the credential stands, or what was made with it."""
    refused_parameters: frozenset[str]
    """Query parameters that no caller may send: nothing would take their place."""


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
    subject_name: str
    """The subject as the application calls it."""
    place: str
    """A digest of the sealed credential with its whole context: what was opened for one place is
    not found for another, even where a row was moved in between."""

    @property
    def has_websocket(self) -> bool:
        """Whether WebSockets may be opened there."""
        websocket = self.view.provider.websocket
        return websocket is not None and self.origin.name in websocket.origins


@dataclass(slots=True)
class Access:
    """What one caller may do with one door of a connection."""

    caller: CallerId
    connection: ConnectionId
    subject: str
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
    scheme, token = provider.auth, provider.caller_token
    plan = plan_of(scheme) if isinstance(scheme, PlaceScheme) else None
    signer = signer_of(scheme)
    placed = set(signer.headers)
    if token is not None and token.place is Place.HEADER:
        placed.add(token.name)
    if provider.echoes:
        placed.add("accept-encoding")
    refusals = compile_refusals(provider.refusals) if provider.refusals else None
    return ProviderView(
        provider=provider,
        serial=serial,
        trust_digest=trust_digest(provider),
        rules=ProviderRules.of(provider.deny, provider.multiplexed),
        headers=RequestHeaderPolicy.of(provider.headers, placed),
        plan=plan,
        signer=None if plan is not None else signer,
        refusals=refusals,
        screened=refusals is not None or provider.echoes,
        reserved=signer.query_names,
        refused_parameters=signer.query_names if plan is not None else frozenset(),
    )
