"""The message for the provider: made of a pinned stream, an opened credential and the request."""

import time
from collections.abc import Sequence

import msgspec

from bailee.egress.tls import PinnedStream
from bailee.gateway.authorize import KNOWN_HEAD_SECONDS, Authorized
from bailee.gateway.heads import provider_head, signed_head, unsigned_request
from bailee.gateway.inbound import Inbound
from bailee.gateway.opening import CallVault, Needles, require_same_way
from bailee.http.head import Received
from bailee.signing.place import PlacePlan
from bailee.signing.sign import Signer


class Message(msgspec.Struct, frozen=True, gc=False):
    """What is sent first."""

    head: bytes
    """The head; with the whole body where that is signed. It holds the credential."""
    needles: Needles
    """What must not stand in the answer."""
    dropped: Sequence[bytes]
    """The names of the client's headers that are not sent on."""
    path_prefix: str = ""
    """What of the provider's path holds the credential."""
    signed_body_bytes: int | None = None
    """The length of the signed body, where it is one; None when the body is streamed."""


def placed_message(
    vault: CallVault,
    stream: PinnedStream,
    plan: PlacePlan,
    authorized: Authorized,
    inbound: Inbound,
    received: Received,
    now: float,
) -> Message:
    """Place the credential: in a head that is made, or the same as of the same request before.

    Raises:
        BaileeError: The credential does not open for this stream. Nothing was sent.
    """
    route, known = authorized.route, inbound.known
    if known is not None and known.sealed is not None:
        require_same_way(stream, route)
        if now - known.kept_at < KNOWN_HEAD_SECONDS:
            kept = vault.open_head(known.sealed)
            if kept is not None:
                return Message(kept[0], kept[1], known.dropped)
    placed, needles = vault.place_for(stream, route, plan, now)
    head, dropped = provider_head(received, authorized, placed)
    if known is not None and not placed.path_prefix:
        known.sealed = vault.seal_head(head, needles)
        known.kept_at = now
        known.dropped = dropped
    return Message(head, needles, dropped, placed.path_prefix.decode("ascii"))


def signed_message(
    vault: CallVault,
    stream: PinnedStream,
    signer: Signer,
    authorized: Authorized,
    received: Received,
    body: bytes,
    nonce: str,
    now: float,
) -> Message:
    """Sign the request, with its whole body where the scheme covers it.

    Args:
        vault: Opens the credential.
        stream: Where the message will go.
        signer: The provider's scheme.
        authorized: Where the call goes.
        received: The request.
        body: The whole body, where the scheme covers it.
        nonce: The call's, leased for it; empty where the scheme has none.
        now: When the call began, Unix seconds; it is signed with the time as it is.

    Raises:
        BaileeError: The credential does not open for this stream, or the request can't be signed.
            Nothing was sent.
    """
    credential, needles = vault.open_for(stream, authorized.route, now)
    unsigned = unsigned_request(received, authorized, body)
    # The provider compares the time with its own: it is taken now, after the dial.
    signed = signer.sign(unsigned, credential, time.time(), nonce)
    covered = signer.covers_body
    head, dropped = signed_head(received, authorized, signed, body_signed=covered)
    if not covered:
        return Message(head, needles, dropped)
    return Message(head + signed.body, needles, dropped, "", len(signed.body))
