"""Who asks? Every failure looks the same from outside; the log knows the reason."""

import base64
import binascii
from urllib.parse import unquote_plus

import msgspec

from bailee.errors import Unauthenticated
from bailee.gateway.snapshot import Snapshot
from bailee.http.head import Received
from bailee.model import (
    NO_CALLER_LIMITS,
    CallerId,
    CallerLimits,
    ConnectionId,
    Place,
    Role,
    TenantId,
    TokenId,
    TokenPlace,
)
from bailee.policy.token import digest
from bailee.store.lookup import TokenRow


class Authenticated(msgspec.Struct, frozen=True):
    """A caller whose token is good. Only `authenticate` makes one."""

    token: TokenId
    token_digest: bytes
    caller: CallerId
    tenant: TenantId
    expires_at: float
    by_preset: bool
    """Whether the token stood where only this connection's preset looks for it."""
    bound_to_peer: bool
    """Whether the caller has an inbound allowlist, so that the answer holds for this peer alone."""
    subject: str | None = None
    """The only subject whose connections a derived token is good for."""
    connection: ConnectionId | None = None
    """The only connection that it is good for."""
    methods: frozenset[str] | None = None
    """The only methods that it is good for."""
    limits: CallerLimits = NO_CALLER_LIMITS
    """The caller's own."""


def authenticate(
    received: Received, door: bytes, snapshot: Snapshot, peer: str, now: float
) -> Authenticated:
    """Find the token and its caller.

    The token is taken from `Bailee-Token`, else from where the SDK of the connection's provider
    puts the provider's key, else from `Authorization: Bearer`. It is never looked for in the query
    unless that is the preset's own place; there it is taken out of `received.query`.

    Args:
        received: The request.
        door: The first segment of its path, which says whose SDK it may be.
        snapshot: What the store says.
        peer: The address of the client's socket.
        now: Unix seconds.

    Raises:
        Unauthenticated: No token, or not a good one, or not from the caller's allowlist.
    """
    text, by_preset = _find_token(received, snapshot.token_place(door))
    known = digest(text) if text else None
    row = snapshot.token(known) if known is not None else None
    if known is None or row is None:
        raise Unauthenticated("no such token")
    return _judge(known, row, snapshot, peer, now, by_preset=by_preset)


def renew(authenticated: Authenticated, snapshot: Snapshot, peer: str, now: float) -> Authenticated:
    """Look again at the token of a call under way.

    Raises:
        Unauthenticated: It would be refused by now.
    """
    row = snapshot.token(authenticated.token_digest)
    if row is None:
        raise Unauthenticated("no such token")
    by_preset = authenticated.by_preset
    return _judge(authenticated.token_digest, row, snapshot, peer, now, by_preset=by_preset)


def _judge(
    known: bytes, row: TokenRow, snapshot: Snapshot, peer: str, now: float, *, by_preset: bool
) -> Authenticated:
    if row.role is not Role.CALLER or row.caller is None:
        raise Unauthenticated("not the token of a caller")
    if row.revoked_at is not None:
        raise Unauthenticated("the token or its caller was revoked")
    if now >= row.expires_at:
        raise Unauthenticated("the token has expired")
    if row.allow_from and not snapshot.allowlist(row, row.caller).admits(peer):
        raise Unauthenticated("the client's address is not on the caller's inbound allowlist")
    return Authenticated(
        row.id,
        known,
        row.caller,
        row.tenant,
        row.expires_at,
        by_preset,
        bool(row.allow_from),
        row.subject,
        row.connection,
        row.methods,
        row.limits,
    )


def _find_token(received: Received, place: TokenPlace | None) -> tuple[str, bool]:
    found = ""
    if place is not None:
        # Taken out of the query even where another token counts: it must not reach the provider.
        if place.place is Place.QUERY:
            found = _take_from_query(received, place.name)
        else:
            found = _from_header(received, place)
    if received.token is not None:
        return received.token.decode("latin-1"), False
    if found:
        return found, True
    scheme, _, value = (received.authorization or b"").partition(b" ")
    if scheme.lower() == b"bearer":
        return value.strip().decode("latin-1"), False
    return "", False


def _from_header(received: Received, place: TokenPlace) -> str:
    if place.place is Place.BASIC:
        return _from_basic(received.authorization or b"", place.name)
    wanted = place.name.lower().encode()
    if wanted == b"authorization":
        scheme, _, value = (received.authorization or b"").partition(b" ")
        return (value or scheme).strip().decode("latin-1")
    values = [value for lower, _, value in received.headers if lower == wanted]
    return values[0].decode("latin-1") if len(values) == 1 else ""


def _from_basic(authorization: bytes, which: str) -> str:
    scheme, _, value = authorization.partition(b" ")
    if scheme.lower() != b"basic":
        return ""
    try:
        user, _, password = base64.b64decode(value.strip(), validate=True).partition(b":")
    except binascii.Error:
        return ""
    return (user if which == "username" else password).decode("latin-1")


def _take_from_query(received: Received, name: str) -> str:
    found, kept = "", []
    for part in received.query.split(b"&"):
        key, _, value = part.partition(b"=")
        if unquote_plus(key.decode("ascii")) == name:
            found = unquote_plus(value.decode("ascii"))
        else:
            kept.append(part)
    received.query = b"&".join(kept)
    return found
