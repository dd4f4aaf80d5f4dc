"""A TLS origin that breaks in the way that a request asks for, and counts what reached it.

A request's target is `/FAULT/CALLER/ID`. What it answers is made of the caller's name alone, so
that a byte that went to another caller shows. It runs in the event loop of whoever asks, on plain
asyncio: each write leaves at once, before a reset that follows it.
"""

import asyncio
import socket
import ssl
import struct
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final, NamedTuple, cast

from bailee.reference.pki import Issued

BODY_BYTES: Final = 2000
PAUSE_SECONDS: Final = 0.02
"""Between the last byte and what breaks: the gateway has read what came before."""
LATE_SECONDS: Final = 0.05
INTERIM: Final = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"


class Seen(StrEnum):
    """What the caller may see of a fault."""

    WHOLE = "whole"
    """The answer, whole: it was, and what came after it is nobody's."""
    LOST = "lost"
    """A problem: no answer came, and for a write that its outcome is unknown."""
    MALFORMED = "malformed"
    """A problem: what came can't be understood."""
    CUT = "cut"
    """The head, perhaps, and a connection that ends before the body does; or a problem."""


@dataclass(slots=True)
class FaultOrigin:
    """What a running origin saw."""

    port: int = 0
    requests: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How often a (method, id) came: heads that were complete."""
    places: dict[str, list[int]] = field(default_factory=dict)
    """For each id, how many requests its stream had carried before."""
    strangers: list[str] = field(default_factory=list)
    """Requests that name one caller and carry the credential of another."""
    streams: "set[FaultyStream]" = field(default_factory=set)

    async def drop_streams(self) -> None:
        """End all streams, and wait until the gateway has let go of them."""
        for stream in list(self.streams):
            stream.end()
        async with asyncio.timeout(5):
            while self.streams:
                await asyncio.sleep(0.005)


class FaultyStream(asyncio.Protocol):
    """One connection; its TLS is made by hand, so that it can be broken too."""

    transport: asyncio.Transport

    def __init__(self, origin: FaultOrigin, context: ssl.SSLContext) -> None:
        self._origin = origin
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._greeted = False
        self._waiting = b""
        self._carried = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._origin.streams.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._origin.streams.discard(self)

    def data_received(self, data: bytes) -> None:
        self._incoming.write(data)
        try:
            if not self._greeted:
                self._tls.do_handshake()
                self._greeted = True
            while plain := self._tls.read(65536):
                self._waiting += plain
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError:
            self.transport.abort()
            return
        self._flush()
        while (request := self._next_request()) is not None:
            self._answer(*request)

    def _next_request(self) -> tuple[str, bytes] | None:
        """The head of a request whose body is here too."""
        head, end, rest = self._waiting.partition(b"\r\n\r\n")
        length = 0
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        if not end or len(rest) < length:
            return None
        self._waiting = rest[length:]
        return head.split(b"\r\n", 1)[0].decode(), head

    def _answer(self, line: str, head: bytes) -> None:
        method, target, _ = line.split(" ")
        _, fault, caller, number = target.split("/")
        self._origin.requests[method, number] += 1
        self._origin.places.setdefault(number, []).append(self._carried)
        self._carried += 1
        if f"bearer key-of-{caller}".encode() not in head.lower():
            self._origin.strangers.append(line)
        FAULTS[fault].act(self, caller)

    # --- what a fault is made of ---

    def send(self, plain: bytes) -> None:
        """Encrypt and send, if the connection is still there."""
        if not self.transport.is_closing():
            self._tls.write(plain)
            self._flush()

    def send_raw(self, record: bytes) -> None:
        """Send bytes that did not pass TLS."""
        self.transport.write(record)

    def later(self, act: Callable[[], object], seconds: float = PAUSE_SECONDS) -> None:
        """Do something when the gateway has read what was sent."""
        asyncio.get_running_loop().call_later(seconds, act)

    def reset(self) -> None:
        """Answer with a TCP reset."""
        if not self.transport.is_closing():
            sock = cast(socket.socket, self.transport.get_extra_info("socket"))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.transport.abort()

    def end(self) -> None:
        """End the stream as TLS wants it, with close_notify."""
        try:
            self._tls.unwrap()
        except ssl.SSLError:
            pass  # it waits for the other side's, or the handshake is not over
        self._flush()
        self.transport.close()

    def cut(self) -> None:
        """End TCP without close_notify."""
        self.transport.close()

    def _flush(self) -> None:
        if self._outgoing.pending and not self.transport.is_closing():
            self.transport.write(self._outgoing.read())


def body_for(caller: str) -> bytes:
    """The only body that a caller may ever see, or a beginning of it."""
    return (f"<{caller}>".encode() * BODY_BYTES)[:BODY_BYTES]


def _head(*lines: str, length: int | None = BODY_BYTES) -> bytes:
    told = [] if length is None else [f"Content-Length: {length}"]
    return "\r\n".join(["HTTP/1.1 200 OK", *told, *lines, "", ""]).encode()


def _whole(caller: str) -> bytes:
    return _head(f"X-Caller: {caller}") + body_for(caller)


def _half(caller: str) -> bytes:
    return _whole(caller)[: -BODY_BYTES // 2]


_CHUNKED: Final = _head("Transfer-Encoding: chunked", length=None)
Act = Callable[[FaultyStream, str], None]


def _sends(make: Callable[[str], bytes], then: Callable[[FaultyStream], None] | None = None) -> Act:
    """Send something, and break a little later."""

    def act(stream: FaultyStream, caller: str) -> None:
        stream.send(make(caller))
        if then is not None:
            stream.later(lambda: then(stream))

    return act


def _late_answer(stream: FaultyStream, caller: str) -> None:
    stream.send(_whole(caller))
    stream.later(lambda: stream.send(_whole(caller)), LATE_SECONDS)


def _bad_record(stream: FaultyStream) -> None:
    stream.send_raw(b"\x17\x03\x03\x00\x40" + bytes(64))


class Fault(NamedTuple):
    """A way to break, and what may be seen of it."""

    act: Act
    seen: Seen
    hangs: bool = False


# fmt: off
FAULTS: Final = {
    "none": Fault(_sends(_whole), Seen.WHOLE),
    "reset-before-head": Fault(lambda stream, caller: stream.reset(), Seen.LOST),
    "reset-in-head": Fault(
        _sends(lambda caller: _whole(caller)[:30], FaultyStream.reset), Seen.LOST),
    "reset-after-head": Fault(_sends(lambda caller: _head(), FaultyStream.reset), Seen.CUT),
    "reset-in-body": Fault(_sends(_half, FaultyStream.reset), Seen.CUT),
    "close-before-head": Fault(lambda stream, caller: stream.end(), Seen.LOST),
    "close-in-body": Fault(_sends(_half, FaultyStream.end), Seen.CUT),
    "cut-in-body": Fault(_sends(_half, FaultyStream.cut), Seen.CUT),
    "cut-without-length": Fault(
        _sends(lambda caller: _head(length=None) + body_for(caller), FaultyStream.cut), Seen.CUT),
    "bad-record": Fault(_sends(_half, _bad_record), Seen.CUT),
    "body-too-long": Fault(_sends(lambda caller: _whole(caller) + b"<more>"), Seen.WHOLE),
    "double-answer": Fault(_sends(lambda caller: _whole(caller) * 2), Seen.WHOLE),
    "late-answer": Fault(_late_answer, Seen.WHOLE),
    "truncated-chunk": Fault(
        _sends(lambda caller: _CHUNKED + b"7d0\r\n" + body_for(caller)[:900], FaultyStream.end),
        Seen.CUT),
    "no-last-chunk": Fault(
        _sends(lambda caller: _CHUNKED + b"7d0\r\n" + body_for(caller) + b"\r\n", FaultyStream.end),
        Seen.CUT),
    "bad-chunk": Fault(
        _sends(lambda caller: _CHUNKED + b"0x7d0\r\n" + body_for(caller) + b"\r\n0\r\n\r\n"),
        Seen.MALFORMED),
    "two-lengths": Fault(
        _sends(lambda caller: _head("Content-Length: 10") + body_for(caller)), Seen.MALFORMED),
    "length-and-chunked": Fault(
        _sends(lambda caller: _head("Transfer-Encoding: chunked") + b"0\r\n\r\n"), Seen.MALFORMED),
    "interim-flood": Fault(
        _sends(lambda caller: INTERIM * 1000 + _whole(caller)), Seen.MALFORMED),
    "switch": Fault(
        _sends(lambda caller: b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"),
        Seen.MALFORMED),
    "no-http": Fault(_sends(lambda caller: b"\x00\x01\x02 what is this?\r\n\r\n"), Seen.MALFORMED),
    "hang": Fault(lambda stream, caller: None, Seen.LOST, hangs=True),
    "hang-in-body": Fault(_sends(_half), Seen.CUT, hangs=True),
}
# fmt: on
LATE: Final = "late-answer"
"""Told apart from an answer only while its stream lies idle: once another request is on its way, it
is the answer to that. Whoever makes calls at once leaves it out."""
RESETS: Final = ("reset-before-head", "reset-in-head", "reset-after-head", "reset-in-body")


@asynccontextmanager
async def run_fault_origin(issued: Issued) -> AsyncIterator[FaultOrigin]:
    """Serve with a certificate on 127.0.0.1 until the block ends."""
    origin = FaultOrigin()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    with tempfile.TemporaryDirectory() as directory:
        context.load_cert_chain(*issued.write(Path(directory), "origin"))
    server = await asyncio.get_running_loop().create_server(
        lambda: FaultyStream(origin, context), "127.0.0.1", 0, backlog=1024
    )
    origin.port = server.sockets[0].getsockname()[1]
    try:
        yield origin
    finally:
        server.close()
        for stream in list(origin.streams):
            stream.transport.abort()
        await asyncio.sleep(0)
