"""May this caller do this? Decided before anything is recorded, dialled or opened."""

from dataclasses import dataclass
from urllib.parse import unquote_plus

from bailee.errors import (
    ConnectionNotFound,
    Denied,
    PathRefused,
    ReservedParameter,
    Unauthenticated,
)
from bailee.gateway.authenticate import Authenticated
from bailee.gateway.snapshot import Route, Snapshot
from bailee.model import Deny
from bailee.policy.rules import authorize as decide
from bailee.policy.rules import canonical_path


@dataclass(frozen=True, slots=True)
class Authorized:
    """A request that a grant and the provider's rules let through. Only `authorize` makes one."""

    authenticated: Authenticated
    route: Route
    path: str
    """The provider's path in its one meaning: what was matched is what is sent."""


def split_target(path: bytes) -> tuple[bytes, bytes]:
    """Split `/{connection}[.{origin}]/rest` into the door and the provider's path."""
    door, slash, rest = path[1:].partition(b"/")
    return door, slash + rest if slash else b"/"


def authorize(
    authenticated: Authenticated, door: bytes, rest: bytes, snapshot: Snapshot, now: float
) -> Authorized:
    """Find the connection and decide.

    Args:
        authenticated: Who asks for what.
        door: `{connection}` or `{connection}.{origin}`.
        rest: The provider's path as it came.
        snapshot: What the store says.
        now: Unix seconds.

    Raises:
        PathRefused: The path has more than one meaning.
        ConnectionNotFound: No such connection for this caller.
        Denied: The rules refuse it.
        ReservedParameter: The query holds a parameter that the credential is placed in.
        BaileeError: What keeps this connection from being used, told only to who has a grant.
    """
    path = canonical_path(rest)
    if isinstance(path, Deny):
        raise PathRefused(path.reason)
    try:
        access = snapshot.access(authenticated.caller, authenticated.tenant, door, now)
    except ConnectionNotFound:
        if authenticated.by_preset:
            # Without the connection nobody would have looked for the token there.
            raise Unauthenticated("no such token") from None
        raise
    if access.route is None:
        raise access.refusal or ConnectionNotFound()
    verdict = decide(
        access.rules, access.route.view.rules, authenticated.received.method, path
    )
    if isinstance(verdict, Deny):
        raise Denied(verdict.reason, f"the rule is {verdict.rule}" if verdict.rule else "")
    reserved = access.route.view.reserved
    if reserved and authenticated.query:
        _refuse_reserved(authenticated.query, reserved)
    return Authorized(authenticated, access.route, path)


def _refuse_reserved(query: bytes, reserved: frozenset[str]) -> None:
    for part in query.split(b"&"):
        name = unquote_plus(part.partition(b"=")[0].decode("ascii"))
        if name in reserved:
            raise ReservedParameter(f"the query parameter {name} is placed by Bailee; leave it out")
