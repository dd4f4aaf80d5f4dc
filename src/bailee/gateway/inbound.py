"""One request of a client, from its first byte to the last of its body."""

from typing import Final

from bailee.errors import BaileeError
from bailee.gateway.authorize import KnownHead
from bailee.http.head import Received

BODY_WAITING_LIMIT: Final = 64 * 1024
"""Bytes of a body that may wait for the provider before the client is no longer read."""


class Inbound:
    """One request of a session: its head, or what is wrong with it, and its body as it comes."""

    fault: BaileeError | None = None
    pieces: list[bytes] | None = None
    waiting = 0
    came = 0
    """Bytes of the body that have come so far."""
    whole = b""
    """All bytes of the request, when they came alone, in one read, and without a body."""

    def __init__(self, known: KnownHead | None = None) -> None:
        self.known = known
        """What was made of the same bytes before."""
        self.received: Received | None = None if known is None else known.received
        self.complete = known is not None

    def add_piece(self, piece: bytes) -> None:
        """Keep a part of the body until the call takes it."""
        if self.pieces is None:
            self.pieces = []
        self.pieces.append(piece)
        self.waiting += len(piece)
        self.came += len(piece)

    def gathered(self) -> bytes:
        """The body as it is here; it stays to be taken."""
        pieces = self.pieces
        if pieces is None:
            return b""
        if len(pieces) > 1:
            pieces[:] = [b"".join(pieces)]
        return pieces[0]

    def take_pieces(self) -> list[bytes]:
        """Take what has come of the body since the last time."""
        pieces, self.pieces, self.waiting = self.pieces, None, 0
        return pieces or []
