"""May this caller do this? Decided before anything is recorded, dialled or opened.

What was decided for a token, a method and a path holds until the store changes or something
expires; it is kept in the snapshot, which forgets it with everything else that it read.
"""

from collections.abc import Hashable, Sequence
from hashlib import sha256
from typing import Final
from urllib.parse import unquote_plus

import msgspec

from bailee.errors import (
    ConnectionNotFound,
    Denied,
    PathRefused,
    ReservedParameter,
    SubjectMismatch,
    Unauthenticated,
)
from bailee.gateway.authenticate import Authenticated, authenticate
from bailee.gateway.bodies import require_judgeable
from bailee.gateway.budgets import Want, wants_of
from bailee.gateway.limits import CallLoads, Loads
from bailee.gateway.route import Access, Route
from bailee.gateway.snapshot import Snapshot
from bailee.http.calls_domain import CallsDomain
from bailee.http.head import Received
from bailee.journal.entry import Intent, IntentForm
from bailee.model import WEBSOCKET, Bodies, CallId, Deny
from bailee.policy.rules import authorize as decide
from bailee.policy.rules import canonical_path
from bailee.policy.token import admits_method


class Authorized(msgspec.Struct, frozen=True):
    """A request that a grant and the provider's rules let through. Only `authorize` makes one."""

    authenticated: Authenticated
    route: Route
    path: str
    """The provider's path in its one meaning: what was matched is what is sent."""
    target: bytes
    """The same in bytes."""
    valid_until: float
    """When the token or the first of the grants expires, Unix seconds."""
    intent: IntentForm
    """What the journal will say of each such call before it leaves."""
    door: bytes
    """What was asked for: `{connection}` or `{connection}.{origin}`."""
    by_host: bool
    """Whether the host named the door, so that the whole path was the provider's."""
    loads: CallLoads
    """What it counts in while it is under way."""
    wants: tuple[Want, ...]
    """The budgets that it needs a token of before it may leave; most need none."""
    bodies: Bodies
    """If there are any, a call may leave only if its body is one of these; see `allowed_by`."""
    must_gather: bool
    """Whether the whole body has to be there before anything leaves: it is judged, or signed."""


class KnownHead(msgspec.Struct):
    """A request head that came before, byte for byte, and what was made of it.

    Clients that poll send the same bytes again and again. While the store's revision stays the
    same, the same bytes mean the same; they need not be parsed, decided and rebuilt again.
    """

    received: Received
    authorized: Authorized
    reading: object
    """What `Snapshot.reading` was: while it is the same, the store has not changed."""
    dropped: Sequence[bytes]
    """The headers that are not sent on."""
    kept_at: float = 0.0
    sealed: tuple[bytes, bytes] | None = None
    """The head for the provider, with the credential, sealed by the vault's `heads`."""


KNOWN_HEAD_SECONDS: Final = 300.0
KNOWN_HEAD_BYTES: Final = 2048


def recall(data: bytes, last: KnownHead | None, snapshot: Snapshot, now: float) -> KnownHead | None:
    """Find what was made of the same bytes before.

    Args:
        data: All that came in one read, at the boundary between two requests.
        last: What was made of the client's last request, if that was of these very bytes.
        snapshot: What the store says; it is fresh.
        now: Unix seconds.
    """
    if last is not None and last.reading is snapshot.reading:
        known: object = last
    elif len(data) > KNOWN_HEAD_BYTES or data[-4:] != b"\r\n\r\n":
        return None
    else:
        known = snapshot.heads.get(sha256(data).digest())
    if isinstance(known, KnownHead) and now < known.authorized.valid_until:
        return known
    return None


def remember(data: bytes, received: Received, authorized: Authorized, snapshot: Snapshot) -> None:
    """Remember what was made of a head that came whole, alone and without a body.

    The head for the provider is sealed and kept when the same bytes come again: most do not. Those
    with `Bailee-Once` are never sent twice.
    """
    bound = authorized.authenticated.bound_to_peer or received.once is not None
    if len(data) <= KNOWN_HEAD_BYTES and not bound:
        known = KnownHead(received, authorized, snapshot.reading, ())
        snapshot.heads[sha256(data).digest()] = known


def admit(
    received: Received,
    snapshot: Snapshot,
    loads: Loads,
    peer: str,
    now: float,
    calls_domain: CallsDomain | None = None,
) -> Authorized:
    """Authenticate and authorise a request.

    Args:
        received: The request.
        snapshot: What the store says.
        loads: How many calls are under way.
        peer: The address of the client's socket.
        now: Unix seconds.
        calls_domain: Under it the host names the door; elsewhere the path does.

    Raises:
        BaileeError: See `authenticate` and `authorize`.
    """
    key = _decision_key(received)
    named: bytes | None = None
    if calls_domain is not None:
        named = calls_domain.door_of(received.host)
        if named is not None:
            key = named, key
    known = snapshot.decisions.get(key)
    if isinstance(known, Authorized) and now < known.valid_until:
        authorized = known
    else:
        by_host = named is not None
        door, rest = split_target(received.path) if named is None else (named, received.path)
        authenticated = authenticate(received, door, snapshot, peer, now)
        authorized = authorize(
            authenticated, received.method, door, rest, snapshot, loads, now, by_host=by_host
        )
        # A preset's own place may hold another token than the key tells of.
        if snapshot.token_place(door) is None and not authenticated.bound_to_peer:
            snapshot.decisions[key] = authorized
    refused = authorized.route.view.refused_parameters
    if refused and received.query:
        _refuse_reserved(received.query, refused)
    if received.subject is not None:
        _require_subject(received.subject, authorized.route)
    if authorized.must_gather and authorized.bodies:
        require_judgeable(received)
    return authorized


def split_target(path: bytes) -> tuple[bytes, bytes]:
    """Split `/{connection}[.{origin}]/rest` into the door and the provider's path."""
    door, slash, rest = path[1:].partition(b"/")
    return door, slash + rest if slash else b"/"


def authorize(
    authenticated: Authenticated,
    method: str,
    door: bytes,
    rest: bytes,
    snapshot: Snapshot,
    loads: Loads,
    now: float,
    *,
    by_host: bool = False,
) -> Authorized:
    """Find the connection and decide.

    Args:
        authenticated: Who asks.
        method: For what.
        door: `{connection}` or `{connection}.{origin}`.
        rest: The provider's path as it came.
        snapshot: What the store says.
        loads: How many calls are under way.
        now: Unix seconds.
        by_host: Whether the host named the door; it changes nothing of the decision.

    Raises:
        PathRefused: The path has more than one meaning.
        ConnectionNotFound: No such connection for this caller.
        Denied: The rules refuse it.
        BaileeError: What keeps this connection from being used, told only to who has a grant.
    """
    try:
        access = snapshot.access(authenticated.caller, authenticated.tenant, door, now)
    except ConnectionNotFound:
        if authenticated.by_preset:
            # Without the connection nobody would have looked for the token there.
            raise Unauthenticated("no such token") from None
        raise
    if not _is_bound_to(authenticated, access):
        raise ConnectionNotFound()
    path = canonical_path(rest)
    if isinstance(path, Deny):
        raise PathRefused(path.reason)
    if access.route is None:
        raise access.refusal or ConnectionNotFound()
    if not admits_method(authenticated.methods, method):
        raise Denied(f"the token is not for {method}")
    verdict = decide(access.rules, access.route.view.rules, method, path)
    if isinstance(verdict, Deny):
        raise Denied(verdict.reason, f"the rule is {verdict.rule}" if verdict.rule else "")
    if method == WEBSOCKET and not access.route.has_websocket:
        raise Denied("the provider has no WebSocket there, as far as its file says")
    until = min(authenticated.expires_at, access.valid_until)
    signer = access.route.view.signer
    return Authorized(
        authenticated,
        access.route,
        path,
        path.encode("ascii"),
        until,
        _intent(authenticated, access.route, method, path),
        door,
        by_host,
        loads.of_call(
            authenticated.caller,
            authenticated.limits.concurrent,
            access.route.view.provider.id,
            access.route.source,
        ),
        wants_of(authenticated.caller, authenticated.limits, loads.calls_per_second, access.route),
        verdict.bodies,
        method != WEBSOCKET
        and (bool(verdict.bodies) or (signer is not None and signer.covers_body)),
    )


def _is_bound_to(authenticated: Authenticated, access: Access) -> bool:
    """Tell whether a token is good for a connection; one that is not derived is for all."""
    return authenticated.subject in (None, access.subject) and authenticated.connection in (
        None,
        access.connection,
    )


def _require_subject(named: bytes, route: Route) -> None:
    if named.decode("utf-8", "replace") != route.subject_name:
        raise SubjectMismatch()


def _intent(authenticated: Authenticated, route: Route, method: str, path: str) -> IntentForm:
    return IntentForm(
        Intent(
            call=CallId(""),
            at=0.0,
            tenant=authenticated.tenant,
            caller=authenticated.caller,
            token=authenticated.token,
            connection=route.connection,
            version=route.sealed.version,
            provider=route.view.provider.id,
            origin=route.origin.name,
            subject=route.subject,
            method=method,
            path=path,
            egress=route.egress,
        )
    )


def _decision_key(received: Received) -> Hashable:
    """What a decision depends on. The token stands in it as a digest only."""
    if received.token is not None:
        return True, sha256(received.token).digest(), received.method, received.path
    held = received.authorization or b""
    return False, sha256(held).digest(), received.method, received.path


def _refuse_reserved(query: bytes, reserved: frozenset[str]) -> None:
    for part in query.split(b"&"):
        name = unquote_plus(part.partition(b"=")[0].decode("ascii"))
        if name in reserved:
            raise ReservedParameter(f"the query parameter {name} is placed by Bailee; leave it out")
