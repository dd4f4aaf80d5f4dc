"""A scheme made ready to sign: one form for all of them."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, Protocol

from bailee.errors import ReservedParameter
from bailee.model import AuthScheme, Place, PlaceScheme
from bailee.secret import Secret
from bailee.signing.parameters import edit_parameters
from bailee.signing.place import PlacePlan, plan_of
from bailee.signing.request import SignedRequest, Unsigned
from bailee.signing.template import template_signer


class Signer(Protocol):
    """What a call needs of a scheme. It is pure: clock and nonce come in."""

    @property
    def covers_body(self) -> bool:
        """Whether the body has to be there, whole, before the request can be signed."""

    @property
    def nonce(self) -> Literal["none", "monotonic", "uuid"]:
        """What `sign` wants as its nonce: nothing, a decimal number that is higher than every one
        before it, or a random UUID."""

    @property
    def nonce_unit(self) -> Literal["s", "ms", "us", "ns"]:
        """A monotonic nonce is not below the time in these."""

    @property
    def headers(self) -> frozenset[str]:
        """The headers that it fills, in lower case. The caller's own of these are dropped."""

    @property
    def query_names(self) -> frozenset[str]:
        """The query parameters that it fills."""

    def sign(self, request: Unsigned, credential: Secret, now: float, nonce: str) -> SignedRequest:
        """Put the credential, or what is made with it, into a request.

        What an SDK in front sent as its own time, nonce and signature is replaced; everything else
        keeps its bytes and its order.

        Args:
            request: What the caller wants to send.
            credential: What `parse_credential` returned for the same scheme.
            now: Unix seconds.
            nonce: As `nonce` says; empty for "none".

        Raises:
            UnsignableRequest: The caller's own parts are ambiguous, or the body is of another form
                than the scheme signs.
            ReservedParameter: The caller sent a parameter in which the credential stands.
            CredentialClosed: The credential is not one of this scheme.
        """


@dataclass(frozen=True, slots=True)
class PlaceSigner:
    """A place scheme as a signer."""

    headers: frozenset[str]
    query_names: frozenset[str]
    _plan: PlacePlan
    covers_body: bool = False
    nonce: Literal["none", "monotonic", "uuid"] = "none"
    nonce_unit: Literal["s", "ms", "us", "ns"] = "ms"

    def sign(self, request: Unsigned, credential: Secret, now: float, nonce: str) -> SignedRequest:
        """Place the credential; see `Signer`."""
        own = {name.encode(): None for name in self.query_names}
        if own and edit_parameters(request.query, own).seen:
            raise ReservedParameter()
        placed = self._plan.place(credential)
        query = b"&".join(part for part in (request.query, placed.query) if part)
        return SignedRequest(
            placed.headers, placed.path_prefix + request.path, query, request.body, None
        )


@lru_cache(maxsize=4096)
def signer_of(scheme: AuthScheme) -> Signer:
    """Make a scheme ready, once."""
    if not isinstance(scheme, PlaceScheme):
        return template_signer(scheme)
    headers = {p.name.lower() for p in scheme.placements if p.place is Place.HEADER}
    if any(p.place is Place.BASIC for p in scheme.placements):
        headers.add("authorization")
    query = frozenset(p.name for p in scheme.placements if p.place is Place.QUERY)
    return PlaceSigner(frozenset(headers), query, plan_of(scheme))
