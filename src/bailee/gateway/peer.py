"""One of the two peers of a WebSocket, as the tunnel between them sees it."""

import os
from typing import Final

from bailee.http.websocket import PING, PONG, Frame, FrameReader, write_frame

_PING_BYTES: Final = 8


class Peer:
    """Where a peer stands: what it has said, what it was told, when it was heard last.

    Args:
        reader: Reads its frames.
        now: On the loop's clock.
    """

    __slots__ = (
        "_continues",
        "_ping",
        "_pinged_at",
        "code",
        "heard_at",
        "reader",
        "said",
        "stalled_at",
        "told",
    )

    def __init__(self, reader: FrameReader, now: float) -> None:
        self.reader = reader
        self.heard_at = now
        self.said = False
        """Whether it has sent a close frame, or can't any more."""
        self.told = False
        """Whether it was sent a close frame, or can't be any more."""
        self.code = 0
        """The code of its close frame."""
        self.stalled_at: float | None = None
        """Since when it reads nothing, while something waits for it."""
        self._continues = False
        self._ping = b""
        self._pinged_at = 0.0

    def __repr__(self) -> str:
        return f"Peer(said={self.said}, told={self.told})"

    def next_opcode(self, frame: Frame) -> int:
        """The opcode under which a piece of a message is written to it."""
        opcode = 0 if self._continues else frame.opcode
        self._continues = not frame.fin
        return opcode

    def ping_due(self, now: float, seconds: float, key: bytes = b"") -> bytes | None:
        """A ping of ours for it, when it is silent for so long; masked with a key."""
        if self._ping or now - self.heard_at < seconds:
            return None
        self._ping, self._pinged_at = os.urandom(_PING_BYTES), now
        return write_frame(PING, self._ping, key=key)

    def is_own_pong(self, frame: Frame) -> bool:
        """Tell whether a frame is the answer to our ping: it is for nobody else."""
        if frame.opcode != PONG or not self._ping or frame.payload != self._ping:
            return False
        self._ping = b""
        return True

    def is_dead(self, now: float, seconds: float, patience: float) -> bool:
        """Tell whether nothing came since our ping, for as long as we wait."""
        if not self._ping:
            return False
        if self.heard_at > self._pinged_at:
            # It is there. A pong that is still to come is passed on, which is no fault.
            self._ping = b""
            return False
        return now - self._pinged_at > patience

    def is_stalled(self, now: float, seconds: float) -> bool:
        """Tell whether it has read nothing for so long."""
        return self.stalled_at is not None and now - self.stalled_at > seconds
