"""WebSocket frames (RFC 6455, section 5): read without doubt, and written.

Extensions are never negotiated, so every reserved bit is a fault. What is refused:

    a reserved bit or opcode                       1002
    a client's frame unmasked, a server's masked   1002
    a length in more bytes than it needs           1002
    a control frame in fragments, or over 125      1002
    a continuation of nothing, or a message that
      begins before the last one has ended         1002
    a close code that nobody may send              1002
    text or a close reason that is not UTF-8,
      also over the borders of fragments           1007
    a message over the limit                       1009

A frame up to `WHOLE_FRAME_BYTES` is handed on whole; a larger one in pieces as they come, which may
be sent on as fragments of their own (RFC 6455, 5.4). So what waits here is bounded.
"""

from codecs import getincrementaldecoder
from typing import Final, NamedTuple

TEXT: Final = 1
BINARY: Final = 2
CLOSE: Final = 8
PING: Final = 9
PONG: Final = 10
_CONTINUATION: Final = 0

NORMAL: Final = 1000
GOING_AWAY: Final = 1001
PROTOCOL_ERROR: Final = 1002
NO_CODE: Final = 1005
"""Stands for a close frame without a code; it is never sent."""
NOT_UTF8: Final = 1007
POLICY: Final = 1008
TOO_LARGE: Final = 1009
FAILED: Final = 1011

WHOLE_FRAME_BYTES: Final = 64 * 1024
CONTROL_BYTES: Final = 125
REASON_BYTES: Final = CONTROL_BYTES - 2
_FIN: Final = 0x80
_RESERVED: Final = 0x70
_MASKED: Final = 0x80
_Utf8 = getincrementaldecoder("utf-8")


class Frame(NamedTuple):
    """A control frame, or a piece of a message.

    A piece has the opcode of its message, `TEXT` or `BINARY`, wherever in it it stands.
    """

    opcode: int
    payload: bytes
    """Unmasked; of a close frame the reason."""
    fin: bool = True
    """Whether the message ends here."""
    code: int = 0
    """Of a close frame."""


class FrameFault(NamedTuple):
    """Why the frames of a peer can't be read on, as the code of the close frame to it."""

    code: int
    reason: str


class FrameReader:
    """Reads the frames of one peer.

    Args:
        masked: Whether the peer is a client, whose frames must be masked.
        message_bytes: The largest message.
    """

    __slots__ = (
        "_frame_left",
        "_key",
        "_limit",
        "_mask_bit",
        "_message_fin",
        "_message_opcode",
        "_message_size",
        "_needed",
        "_offset",
        "_utf8",
        "_waiting",
        "_waiting_bytes",
        "closed",
        "fault",
    )

    def __init__(self, *, masked: bool, message_bytes: int) -> None:
        self._mask_bit = _MASKED if masked else 0
        self._limit = message_bytes
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._needed = 2
        """So many bytes have to be there before anything more can be read."""
        self._message_opcode = 0
        """Of the message whose end has not come yet; 0 between messages."""
        self._message_size = 0
        self._message_fin = False
        """Whether the frame that comes in pieces ends its message."""
        self._frame_left = 0
        """What is still to come of a frame that is handed on in pieces."""
        self._key = b""
        self._offset = 0
        self._utf8 = _Utf8()
        self.fault: FrameFault | None = None
        self.closed = False
        """Whether the peer has sent a close frame: what comes after it is not read."""

    def __repr__(self) -> str:
        return f"FrameReader(waiting={self._waiting_bytes}, closed={self.closed})"

    @property
    def between_messages(self) -> bool:
        """Whether no message has begun without having ended."""
        return not self._message_opcode

    def feed(self, data: bytes) -> list[Frame]:
        """Read what has come; look at `fault` afterwards, which is final."""
        if self.closed or self.fault is not None:
            return []
        if self._waiting:
            self._waiting.append(data)
            self._waiting_bytes += len(data)
            if self._waiting_bytes < self._needed:
                return []
            data = b"".join(self._waiting)
            self._waiting = []
        frames: list[Frame] = []
        at, end = 0, len(data)
        while at < end and not self.closed and self.fault is None:
            after = (
                self._piece(data, at, frames) if self._frame_left else self._frame(data, at, frames)
            )
            if after == at:
                break
            at = after
        if at < end and not self.closed and self.fault is None:
            self._waiting = [data[at:] if at else data]
        self._waiting_bytes = end - at
        return frames

    def _frame(self, data: bytes, at: int, frames: list[Frame]) -> int:
        """Read one frame, or the head of one that comes in pieces; the same place when it is not
        here yet."""
        here = len(data) - at
        if here < 2:
            self._needed = 2
            return at
        first, second = data[at], data[at + 1]
        opcode, fin, length = first & 15, bool(first & _FIN), second & 127
        if first & _RESERVED or (second & _MASKED) != self._mask_bit:
            return self._fail(
                PROTOCOL_ERROR, "a reserved bit is set, or the mask is not as it must"
            )
        size = 2 if length < 126 else 4 if length == 126 else 10
        head = size + 4 if self._mask_bit else size
        # Before the length is here: what is wrong already needs no more bytes.
        if not self._begins_well(opcode, fin, length):
            return at
        if here < head:
            self._needed = head
            return at
        if size > 2:
            length = int.from_bytes(data[at + 2 : at + size])
            if length < 126 or (size == 10 and (length < 65536 or length >> 63)):
                return self._fail(PROTOCOL_ERROR, "a length is not in its shortest form")
        if opcode < CLOSE and self._message_size + length > self._limit:
            return self._fail(TOO_LARGE, f"a message has at most {self._limit} bytes")
        key = data[at + size : at + head] if self._mask_bit else b""
        if length > WHOLE_FRAME_BYTES:
            self._key, self._offset, self._frame_left = key, 0, length
            self._message_opcode = opcode or self._message_opcode
            self._message_fin = fin
            return at + head
        if here < head + length:
            self._needed = head + length
            return at
        payload = data[at + head : at + head + length]
        if key:
            payload = masked(payload, key)
        if opcode >= CLOSE:
            self._control(opcode, payload, frames)
        else:
            self._message_opcode = opcode or self._message_opcode
            self._message_part(payload, fin, frames)
        return at + head + length

    def _begins_well(self, opcode: int, fin: bool, length: int) -> bool:
        if opcode >= CLOSE:
            if opcode > PONG:
                self._fail(PROTOCOL_ERROR, "an opcode is reserved")
            elif not fin or length > CONTROL_BYTES:
                self._fail(PROTOCOL_ERROR, "a control frame is fragmented or too long")
        elif opcode > BINARY:
            self._fail(PROTOCOL_ERROR, "an opcode is reserved")
        elif (opcode == _CONTINUATION) == (not self._message_opcode):
            self._fail(PROTOCOL_ERROR, "the fragments are out of order")
        return self.fault is None

    def _piece(self, data: bytes, at: int, frames: list[Frame]) -> int:
        payload = data[at : at + self._frame_left]
        if self._key:
            turn = self._offset & 3
            key = self._key[turn:] + self._key[:turn]
            self._offset += len(payload)
            self._frame_left -= len(payload)
            payload = masked(payload, key)
        else:
            self._frame_left -= len(payload)
        after = at + len(payload)
        self._message_part(payload, self._message_fin and not self._frame_left, frames)
        self._needed = 1
        return after

    def _message_part(self, payload: bytes, fin: bool, frames: list[Frame]) -> None:
        opcode = self._message_opcode
        if opcode == TEXT and not self._is_utf8(payload, fin):
            self._fail(NOT_UTF8, "a text is not UTF-8")
            return
        if fin:
            self._message_opcode = self._message_size = 0
        else:
            self._message_size += len(payload)
        if fin or payload:
            frames.append(Frame(opcode, payload, fin))

    def _is_utf8(self, payload: bytes, fin: bool) -> bool:
        decoder = self._utf8
        if payload.isascii() and decoder.getstate()[0] == b"":
            return True
        try:
            decoder.decode(payload, fin)
        except UnicodeDecodeError:
            return False
        return True

    def _control(self, opcode: int, payload: bytes, frames: list[Frame]) -> None:
        if opcode != CLOSE:
            frames.append(Frame(opcode, payload))
            return
        code = int.from_bytes(payload[:2]) if payload else NO_CODE
        if payload and (len(payload) == 1 or not may_be_sent(code)):
            self._fail(PROTOCOL_ERROR, "a close code that nobody may send")
            return
        try:
            payload[2:].decode("utf-8")
        except UnicodeDecodeError:
            self._fail(NOT_UTF8, "a close reason is not UTF-8")
            return
        self.closed = True
        frames.append(Frame(CLOSE, payload[2:], True, code))

    def _fail(self, code: int, reason: str) -> int:
        self.fault = FrameFault(code, reason)
        return -1


def may_be_sent(code: int) -> bool:
    """Tell whether a close code may stand in a frame (RFC 6455, 7.4, and IANA's registry)."""
    return 1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999


def write_frame(opcode: int, payload: bytes, *, fin: bool = True, key: bytes = b"") -> bytes:
    """Write one frame.

    Args:
        opcode: 0 for a continuation.
        payload: Of a control frame at most 125 bytes.
        fin: Whether the message ends here.
        key: 4 bytes that nobody can foresee for a client's frame, nothing for a server's.
    """
    first, length = (_FIN | opcode) if fin else opcode, len(payload)
    bit = _MASKED if key else 0
    if length < 126:
        head = bytes((first, bit | length))
    elif length < 65536:
        head = bytes((first, bit | 126, length >> 8, length & 255))
    else:
        head = bytes((first, bit | 127)) + length.to_bytes(8)
    return b"".join((head, key, masked(payload, key))) if key else head + payload


def close_payload(code: int, reason: bytes = b"") -> bytes:
    """Write what stands in a close frame; the reason is cut to what fits, between characters."""
    if code == NO_CODE:
        return b""
    if len(reason) > REASON_BYTES:
        reason = reason[:REASON_BYTES].decode("utf-8", "ignore").encode("utf-8")
    return code.to_bytes(2) + reason


def masked(payload: bytes, key: bytes) -> bytes:
    """Mask or unmask: XOR with the four bytes of the key, over and over."""
    length = len(payload)
    pad = (key * ((length + 3) >> 2))[:length]
    number = int.from_bytes(payload, "little") ^ int.from_bytes(pad, "little")
    return number.to_bytes(length, "little")
