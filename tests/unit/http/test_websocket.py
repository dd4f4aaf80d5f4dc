"""Frames: read without doubt however they are cut, as others write them and read them."""

import itertools
import os
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame as OtherFrame
from websockets.frames import Opcode
from websockets.protocol import OPEN, Protocol, Side

from bailee.http.websocket import (
    BINARY,
    CLOSE,
    NO_CODE,
    NOT_UTF8,
    PING,
    PONG,
    PROTOCOL_ERROR,
    REASON_BYTES,
    TEXT,
    TOO_LARGE,
    WHOLE_FRAME_BYTES,
    Frame,
    FrameReader,
    close_payload,
    masked,
    may_be_sent,
    write_frame,
)

LIMIT = 1 << 20
KEY = b"\x01\x82\x03\xf4"


def read(
    data: bytes, *, client: bool = False, limit: int = LIMIT, cuts: Sequence[int] = ()
) -> tuple[list[Frame], int | None]:
    """Feed bytes, cut at these places; the frames, and the code of the fault."""
    reader = FrameReader(masked=client, message_bytes=limit)
    frames: list[Frame] = []
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    for start, end in itertools.pairwise(places):
        if start < end:
            frames += reader.feed(data[start:end])
    return frames, None if reader.fault is None else reader.fault.code


def whole(frames: Sequence[Frame]) -> list[tuple[int, bytes, int]]:
    """Control frames as they are, and messages whole; one that has no end is left out."""
    found: list[tuple[int, bytes, int]] = []
    pieces: list[bytes] = []
    for opcode, payload, fin, code in frames:
        if opcode >= CLOSE:
            found.append((opcode, payload, code))
            continue
        pieces.append(payload)
        if fin:
            found.append((opcode, b"".join(pieces), 0))
            pieces = []
    return found


def text(payload: bytes, *, fin: bool = True, opcode: int = TEXT) -> bytes:
    """A server's frame."""
    return write_frame(opcode, payload, fin=fin)


ACCEPTED = {
    "a text": (text(b"hello"), [(TEXT, b"hello", 0)]),
    "an empty text": (text(b""), [(TEXT, b"", 0)]),
    "a binary": (write_frame(BINARY, b"\xff\x00"), [(BINARY, b"\xff\x00", 0)]),
    "125, 126, 65535 and 65536 bytes": (
        b"".join(text(b"x" * n) for n in (125, 126, 65535, 65536)),
        [(TEXT, b"x" * n, 0) for n in (125, 126, 65535, 65536)],
    ),
    "fragments": (
        text(b"a", fin=False) + text(b"b", fin=False, opcode=0) + text(b"c", opcode=0),
        [(TEXT, b"abc", 0)],
    ),
    "empty fragments": (
        text(b"", fin=False) + text(b"", fin=False, opcode=0) + text(b"", opcode=0),
        [(TEXT, b"", 0)],
    ),
    "a ping between fragments": (
        text(b"a", fin=False) + write_frame(PING, b"p") + text(b"b", opcode=0),
        [(PING, b"p", 0), (TEXT, b"ab", 0)],
    ),
    "a pong unasked": (write_frame(PONG, b""), [(PONG, b"", 0)]),
    "a control frame of 125 bytes": (write_frame(PING, b"p" * 125), [(PING, b"p" * 125, 0)]),
    "a letter cut in two by fragments": (
        text(b"\xc3", fin=False) + text(b"\xa9", opcode=0),
        [(TEXT, b"\xc3\xa9", 0)],
    ),
    "a close with a reason": (
        write_frame(CLOSE, close_payload(1000, "gr\u00fc\u00df".encode())),
        [(CLOSE, "gr\u00fc\u00df".encode(), 1000)],
    ),
    "a close without a code": (write_frame(CLOSE, b""), [(CLOSE, b"", NO_CODE)]),
    "a close of an application": (write_frame(CLOSE, close_payload(4999)), [(CLOSE, b"", 4999)]),
    "nothing after a close": (
        write_frame(CLOSE, close_payload(1000)) + b"\xff\xff\xff",
        [(CLOSE, b"", 1000)],
    ),
    "a message of just the limit": (
        write_frame(BINARY, b"x" * (LIMIT - 1), fin=False) + text(b"x", opcode=0),
        [(BINARY, b"x" * LIMIT, 0)],
    ),
}
REFUSED = {
    "RSV1": (b"\xc1\x00", PROTOCOL_ERROR),
    "RSV2": (b"\xa1\x00", PROTOCOL_ERROR),
    "RSV3 of a control frame": (b"\x99\x00", PROTOCOL_ERROR),
    "opcode 3": (b"\x83\x00", PROTOCOL_ERROR),
    "opcode 7": (b"\x87\x00", PROTOCOL_ERROR),
    "opcode 11": (b"\x8b\x00", PROTOCOL_ERROR),
    "opcode 15": (b"\x8f\x00", PROTOCOL_ERROR),
    "a server's frame with a mask": (write_frame(TEXT, b"a", key=KEY), PROTOCOL_ERROR),
    "125 in three bytes": (b"\x81\x7e\x00\x7d" + b"x" * 125, PROTOCOL_ERROR),
    "0 in nine bytes": (b"\x81\x7f" + bytes(8), PROTOCOL_ERROR),
    "65535 in nine bytes": (b"\x81\x7f" + (65535).to_bytes(8) + b"x" * 65535, PROTOCOL_ERROR),
    "a length with its highest bit": (b"\x81\x7f\x80" + bytes(7), PROTOCOL_ERROR),
    "a ping in fragments": (b"\x09\x00", PROTOCOL_ERROR),
    "a close in fragments": (b"\x08\x00", PROTOCOL_ERROR),
    "a ping of 126 bytes": (b"\x89\x7e\x00\x7e" + b"p" * 126, PROTOCOL_ERROR),
    "a continuation of nothing": (text(b"a", opcode=0), PROTOCOL_ERROR),
    "a continuation after the end": (text(b"a") + text(b"b", opcode=0), PROTOCOL_ERROR),
    "a text within a text": (text(b"a", fin=False) + text(b"b"), PROTOCOL_ERROR),
    "a binary within a text": (text(b"a", fin=False) + write_frame(BINARY, b""), PROTOCOL_ERROR),
    "a close of one byte": (write_frame(CLOSE, b"\x03"), PROTOCOL_ERROR),
    "close code 999": (write_frame(CLOSE, b"\x03\xe7"), PROTOCOL_ERROR),
    "close code 1004": (write_frame(CLOSE, (1004).to_bytes(2)), PROTOCOL_ERROR),
    "close code 1005": (write_frame(CLOSE, (1005).to_bytes(2)), PROTOCOL_ERROR),
    "close code 1006": (write_frame(CLOSE, (1006).to_bytes(2)), PROTOCOL_ERROR),
    "close code 1015": (write_frame(CLOSE, (1015).to_bytes(2)), PROTOCOL_ERROR),
    "close code 2999": (write_frame(CLOSE, (2999).to_bytes(2)), PROTOCOL_ERROR),
    "close code 5000": (write_frame(CLOSE, (5000).to_bytes(2)), PROTOCOL_ERROR),
    "a reason that is not UTF-8": (write_frame(CLOSE, b"\x03\xe8\xff"), NOT_UTF8),
    "a text that is not UTF-8": (text(b"\xff"), NOT_UTF8),
    "a text that ends within a letter": (text(b"\xc3"), NOT_UTF8),
    "a text that ends within a letter, in fragments": (
        text(b"a\xc3", fin=False) + text(b"", opcode=0),
        NOT_UTF8,
    ),
    "a letter that another fragment breaks": (
        text(b"\xc3", fin=False) + text(b"a", opcode=0),
        NOT_UTF8,
    ),
    "a surrogate": (text(b"\xed\xa0\x80"), NOT_UTF8),
    "a long form": (text(b"\xc0\xaf"), NOT_UTF8),
    "bad UTF-8 in a large frame": (text(b"x" * 70_000 + b"\xff" + b"x" * 70_000), NOT_UTF8),
    "a message over the limit": (write_frame(BINARY, b"x" * (LIMIT + 1)), TOO_LARGE),
    "fragments over the limit": (
        write_frame(BINARY, b"x" * LIMIT, fin=False) + text(b"x", opcode=0),
        TOO_LARGE,
    ),
}


@pytest.mark.parametrize("case", ACCEPTED)
@pytest.mark.parametrize("client", [False, True])
def test_frames_are_read(case: str, client: bool) -> None:
    """In one piece, byte by byte at their beginning, and with a mask."""
    data, expected = ACCEPTED[case]
    if client:
        data = _masked_frames(data)
    for cuts in ((), range(1, min(len(data), 64)), (len(data) // 2,)):
        frames, fault = read(data, client=client, cuts=cuts)
        assert fault is None
        assert whole(frames) == expected


def _masked_frames(data: bytes) -> bytes:
    """A server's well-formed frames as a client would send them; what follows a close is kept."""
    out, at = b"", 0
    while at < len(data):
        second = data[at + 1]
        size = {126: 4, 127: 10}.get(second, 2)
        length = second if size == 2 else int.from_bytes(data[at + 2 : at + size])
        if data[at] == 0xFF:
            return out + data[at:]
        payload = data[at + size : at + size + length]
        out += bytes((data[at], second | 0x80)) + data[at + 2 : at + size]
        out += KEY + masked(payload, KEY)
        at += size + length
    return out


@pytest.mark.parametrize("case", REFUSED)
def test_frames_are_refused_when_they_could_be_read_otherwise(case: str) -> None:
    """With the code of RFC 6455, however the bytes come."""
    data, expected = REFUSED[case]
    for cuts in ((), range(1, min(len(data), 16)), (len(data) - 1,)):
        frames, fault = read(data, cuts=cuts)
        assert fault == expected
        assert all(frame.opcode != CLOSE for frame in frames)


def test_clients_frame_is_refused_without_a_mask() -> None:
    """It must have one, whatever the frame is; a zero mask is one."""
    for opcode in (TEXT, BINARY, CLOSE, PING, PONG):
        assert read(write_frame(opcode, b""), client=True)[1] == PROTOCOL_ERROR
    assert read(write_frame(TEXT, b"a", key=bytes(4)), client=True) == ([Frame(TEXT, b"a")], None)


def test_fault_is_final() -> None:
    """Nothing is read behind it."""
    reader = FrameReader(masked=False, message_bytes=LIMIT)
    assert reader.feed(text(b"a") + b"\xc1\x00" + text(b"b")) == [Frame(TEXT, b"a")]
    assert reader.feed(text(b"c")) == []
    assert reader.fault is not None
    assert reader.fault.code == PROTOCOL_ERROR


def test_small_frame_is_handed_on_whole_and_a_large_one_in_pieces() -> None:
    """What waits is never more than a small frame."""
    reader = FrameReader(masked=False, message_bytes=LIMIT)
    small = write_frame(BINARY, b"x" * WHOLE_FRAME_BYTES)
    assert reader.feed(small[:-1]) == []
    assert reader.feed(small[-1:]) == [Frame(BINARY, b"x" * WHOLE_FRAME_BYTES)]
    large = write_frame(BINARY, b"y" * (WHOLE_FRAME_BYTES + 1))
    assert reader.feed(large[:110]) == [Frame(BINARY, b"y" * 100, fin=False)]
    assert reader.feed(large[110:111]) == [Frame(BINARY, b"y", fin=False)]
    assert reader.feed(large[111:])[-1].fin


def test_close_codes_that_may_be_sent() -> None:
    """Those of RFC 6455, 7.4, IANA's registry and applications."""
    registered = {1000, 1001, 1002, 1003, *range(1007, 1015)}
    assert {code for code in range(6000) if may_be_sent(code)} == registered | {*range(3000, 5000)}


def test_reason_is_cut_between_characters() -> None:
    """A close frame holds 123 bytes of it."""
    assert close_payload(1008, b"r" * 200) == (1008).to_bytes(2) + b"r" * REASON_BYTES
    cut = close_payload(1008, "\u00e9".encode() * 100)[2:]
    assert cut == "\u00e9".encode() * 61
    assert close_payload(NO_CODE, b"lost") == b""


# --- any bytes ---

KEYS = st.binary(min_size=4, max_size=4)
CONTROLS = st.tuples(st.sampled_from([PING, PONG]), st.binary(max_size=125))


@st.composite
def streams(draw: st.DrawFn) -> list[tuple[int, bytes, bool]]:
    """Frames of whole messages, with control frames anywhere."""
    frames: list[tuple[int, bytes, bool]] = []
    for _ in range(draw(st.integers(1, 4))):
        is_text = draw(st.booleans())
        body = draw(st.text(max_size=40)).encode() if is_text else draw(st.binary(max_size=300))
        size = draw(st.sampled_from([0, 0, 130, 66_000]))
        body = b"z" * size + body
        cuts = sorted(draw(st.lists(st.integers(0, len(body)), max_size=3)))
        places = [0, *cuts, len(body)]
        for number, (start, end) in enumerate(itertools.pairwise(places)):
            opcode = 0 if number else TEXT if is_text else BINARY
            frames.append((opcode, body[start:end], end == len(body) and number == len(cuts)))
            if draw(st.booleans()):
                control, payload = draw(CONTROLS)
                frames.append((control, payload, True))
    return frames


@given(streams(), st.lists(st.integers(0, 1 << 30), max_size=6), st.booleans(), st.data())
def test_any_cut_gives_the_same_messages_as_another_reader(
    stream: list[tuple[int, bytes, bool]], cuts: list[int], client: bool, data: st.DataObject
) -> None:
    """`websockets` reads our frames as we do, and we read them the same in any pieces."""
    wire = b"".join(
        write_frame(opcode, payload, fin=fin, key=data.draw(KEYS) if client else b"")
        for opcode, payload, fin in stream
    )
    frames, fault = read(wire, client=client, cuts=cuts)
    assert fault is None
    other = Protocol(Side.SERVER if client else Side.CLIENT, state=OPEN, max_size=None)
    other.receive_data(wire)
    assert other.parser_exc is None
    seen = [(int(e.opcode), bytes(e.data), e.fin) for e in other.events_received()]
    assert whole(frames) == _whole_of(seen)


def _whole_of(seen: list[tuple[int, bytes, bool]]) -> list[tuple[int, bytes, int]]:
    opcode, read = 0, []
    for each, payload, fin in seen:
        if each in (TEXT, BINARY):
            opcode = each
        read.append(Frame(each if each >= CLOSE else opcode, payload, fin))
    return whole(read)


@given(st.sampled_from([TEXT, BINARY, PING, PONG]), st.text(max_size=60), st.booleans())
def test_frames_of_another_writer_are_read(opcode: int, payload: str, client: bool) -> None:
    """`websockets` writes them, with a mask of its own choice for a client."""
    wire = OtherFrame(Opcode(opcode), payload.encode()[:125]).serialize(mask=client)
    if opcode == TEXT:
        wire = OtherFrame(Opcode(opcode), payload.encode()).serialize(mask=client)
        assert read(wire, client=client) == ([Frame(TEXT, payload.encode())], None)
    else:
        assert read(wire, client=client)[1] is None


@given(st.binary(max_size=200), st.booleans(), st.lists(st.integers(0, 200), max_size=4))
def test_any_bytes_are_read_in_one_way(data: bytes, client: bool, cuts: list[int]) -> None:
    """Whatever comes and however: the same frames, the same fault, and no exception."""
    once, fault = read(data, client=client, limit=1000)
    again, same = read(data, client=client, limit=1000, cuts=cuts)
    assert same == fault
    assert whole(again) == whole(once)


@given(st.binary(max_size=5000), KEYS)
def test_mask_is_its_own_reverse(payload: bytes, key: bytes) -> None:
    """And is XOR byte by byte."""
    made = masked(payload, key)
    assert masked(made, key) == payload
    assert made == bytes(byte ^ key[i & 3] for i, byte in enumerate(payload))


def test_large_masked_frame_is_unmasked_in_any_pieces() -> None:
    """The mask goes on where the last piece ended."""
    payload = os.urandom(200_003)
    wire = write_frame(BINARY, payload, key=KEY)
    for cuts in ((), (17,), tuple(range(15, 60)), (100_001, 100_002, 150_003)):
        frames, fault = read(wire, client=True, cuts=cuts)
        assert fault is None
        assert whole(frames) == [(BINARY, payload, 0)]
