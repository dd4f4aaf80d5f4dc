"""A body that a grant's rules are about: what its head must be, and that it is judged as sent."""

import re
from typing import Final

from bailee.errors import BodyTooLarge, Denied
from bailee.http.head import Received
from bailee.model import Bodies, Deny
from bailee.policy.body import judge_body

_JSON: Final = re.compile(rb'application/json(?:[ \t]*;[ \t]*charset="?utf-8"?)?', re.IGNORECASE)
"""Another charset would be another text."""
_HINT: Final = "send what is to be done as one JSON body, with Content-Type: application/json"


def too_large(limit: int, *, held: bool = True) -> BodyTooLarge:
    """Say that a body is too large: to be `held` until it is whole, or at all."""
    which = "that is judged or signed " if held else ""
    return BodyTooLarge(f"a body {which}has at most {limit} bytes")


def require_judgeable(received: Received) -> None:
    """Refuse a request whose body would not say all that it asks for.

    Many servers merge the query into the body, or let it win: GraphQL over HTTP does.

    Raises:
        Denied: It has a query or no body, or one that is not plain JSON.
    """
    kinds = []
    for lower, _, value in received.headers:
        if lower == b"content-encoding":
            raise Denied("a grant is about this body, which is compressed", _HINT)
        if lower == b"content-type":
            kinds.append(value)
    if received.query:
        raise Denied("a grant is about this body, and the query could say something else", _HINT)
    if received.body_length == 0:
        raise Denied("a grant is about the body, and there is none", _HINT)
    if len(kinds) != 1 or not _JSON.fullmatch(kinds[0]):
        raise Denied("a grant is about this body, which is not application/json", _HINT)


def allowed_by(received: Received, bodies: Bodies, body: bytes) -> Bodies:
    """Judge a request by its whole body.

    Args:
        received: Its head.
        bodies: The conditions of the rules that match it.
        body: What will be sent; a scheme that signs it may put its own members in.

    Returns:
        Those of `bodies` that let it through.

    Raises:
        Denied: None does.
    """
    require_judgeable(received)
    verdict = judge_body(bodies, body)
    if isinstance(verdict, Deny):
        raise Denied(verdict.reason)
    return verdict.bodies
