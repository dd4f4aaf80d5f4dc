"""The same bytes read by the gateway with its compiled parser and by llhttp alone; what is fed."""

import asyncio
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

from msgspec.structs import astuple

import bailee.gateway.answers
import bailee.gateway.session
from bailee.egress.tls import PinnedStream
from bailee.errors import BaileeError
from bailee.gateway.answers import AnswerReader, Begun, End
from bailee.gateway.inbound import Inbound
from bailee.gateway.outbox import Outbox
from bailee.gateway.session import Session
from bailee.model import CallId

HOST = b"Host: 127.0.0.1:8700\r\n"
TOKEN = b"Authorization: Bearer bailee_wgg3vfmbz3nk6y7x4u2q5t7a\r\n"
GET = b"GET /abcdefghijklmnopqrstuvwxyz/v1/items?n=12 HTTP/1.1\r\n"
POST = b"POST /abcdefghijklmnopqrstuvwxyz/v1/items HTTP/1.1\r\n"
JSON = b"Content-Type: application/json\r\n"
PROBE = b"GET /probe HTTP/1.1\r\nHost: probe.test\r\n\r\n"
PROBE_ANSWER = b"HTTP/1.1 203 Probe\r\nContent-Length: 5\r\nX: y\r\n\r\nprobe"

# As these clients send them; a body only where it comes in the same write as the head.
REQUESTS: dict[str, bytes] = {
    "wrk": GET + HOST + TOKEN + b"\r\n",
    "curl": GET + HOST + b"User-Agent: curl/7.88.1\r\nAccept: */*\r\n" + TOKEN + b"\r\n",
    "curl -d": POST + HOST + b"User-Agent: curl/7.88.1\r\nAccept: */*\r\n" + TOKEN + JSON
    + b"Content-Length: 9\r\n\r\n" + b'{"a": 12}',
    "httpx": GET + HOST + b"Accept: */*\r\nAccept-Encoding: gzip, deflate\r\n"
    b"Connection: keep-alive\r\nUser-Agent: python-httpx/0.28.1\r\n" + TOKEN + b"\r\n",
    "requests": GET + HOST + b"User-Agent: python-requests/2.32.5\r\n"
    b"Accept-Encoding: gzip, deflate\r\nAccept: */*\r\nConnection: keep-alive\r\n"
    + TOKEN + b"\r\n",
    "requests, delete": b"DELETE /abcdefghijklmnopqrstuvwxyz/v1/items/7 HTTP/1.1\r\n" + HOST
    + b"User-Agent: python-requests/2.32.5\r\nAccept-Encoding: gzip, deflate\r\nAccept: */*\r\n"
    b"Connection: keep-alive\r\n" + TOKEN + b"Content-Length: 0\r\n\r\n",
    "aiohttp": POST + HOST + TOKEN + b"Accept: */*\r\nAccept-Encoding: gzip, deflate\r\n"
    b"User-Agent: Python/3.11 aiohttp/3.13.2\r\nContent-Length: 9\r\n" + JSON + b"\r\n"
    + b'{"a": 12}',
    "undici": POST.replace(b"POST", b"PATCH") + HOST.lower() + b"connection: keep-alive\r\n"
    + TOKEN.lower() + b"content-type: application/json\r\naccept: */*\r\naccept-language: *\r\n"
    b"sec-fetch-mode: cors\r\nuser-agent: node\r\naccept-encoding: gzip, deflate\r\n"
    b"content-length: 9\r\n\r\n" + b'{"a": 12}',
    "Go": GET + HOST + b"User-Agent: Go-http-client/1.1\r\n" + TOKEN
    + b"Accept-Encoding: gzip\r\n\r\n",
    "an SDK": b"PUT /abcdefghijklmnopqrstuvwxyz/api/v3/order?symbol=BTC-USD&x=%7B%7D HTTP/1.1\r\n"
    + HOST + b"Bailee-Token: bailee_x\r\nBailee-Subject: user-7\r\nBailee-Once: 3f-9\r\n"
    b"If-Match: \"a\"\r\nIdempotency-Key: 17\r\nContent-Length: 3\r\n\r\na\r\n",
}  # fmt: skip
DATE = b"Date: Tue, 25 Nov 2025 03:00:00 GMT\r\n"
ANSWERS: dict[str, bytes] = {
    "nginx": b"HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\n" + DATE + JSON
    + b"Content-Length: 11\r\nConnection: keep-alive\r\n\r\n" + b'{"a": true}',
    "small names": b"HTTP/1.1 422 Unprocessable Entity\r\n" + DATE.lower() + b"server: uvicorn\r\n"
    b"content-length: 11\r\ncontent-type: application/json\r\n\r\n" + b'{"a": true}',
    "node": b"HTTP/1.1 200 OK\r\nX-Powered-By: Express\r\n" + JSON + b"Content-Length: 11\r\n"
    b"ETag: W/\"b-1\"\r\n" + DATE + b"Connection: keep-alive\r\nKeep-Alive: timeout=5\r\n\r\n"
    + b'{"a": true}',
    "Go": b"HTTP/1.1 404 Not Found\r\n" + JSON + DATE + b"Content-Length: 11\r\n\r\n"
    + b'{"a": true}',
    "a page of many": b"HTTP/1.1 200 OK\r\nLink: <https://api.test/v1/items?page=2>; rel=next\r\n"
    b"Set-Cookie: a=b\r\nX-RateLimit-Remaining: 7\r\nX-RateLimit-Reset: 17\r\n" + DATE
    + b"Content-Length: 2\r\n\r\n[]",
    "created": b"HTTP/1.1 201 Created\r\nLocation: /v1/items/7\r\nContent-Length: 0\r\n\r\n",
    "no phrase": b"HTTP/1.1 503 \r\nRetry-After: 3\r\nContent-Length: 1\r\n\r\n\n",
}  # fmt: skip

Outcome = tuple[list[Any], list[str]]


@contextmanager
def llhttp_alone() -> Iterator[None]:
    """Keep the gateway from its compiled parser until the block ends."""
    kept = bailee.gateway.session.read_plain_request, bailee.gateway.answers.read_plain_answer
    bailee.gateway.session.read_plain_request = lambda data: None
    bailee.gateway.answers.read_plain_answer = lambda data: None
    try:
        yield
    finally:
        bailee.gateway.session.read_plain_request = kept[0]
        bailee.gateway.answers.read_plain_answer = kept[1]


class _Transport:
    """What a session does to its connection."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def get_extra_info(self, name: str) -> None:
        """Nothing is known of the peer."""

    def get_write_buffer_size(self) -> int:
        """Nothing waits."""
        return 0

    def is_closing(self) -> bool:
        """It takes what is written."""
        return False

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *given: self.said.append(f"{name} {given}")


class _Exchange:
    """A call that takes all."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *given: None


class _Calls:
    """Begins every call."""

    def __init__(self) -> None:
        self.begun: list[Inbound] = []

    def new_id(self) -> CallId:
        """All have one name."""
        return CallId("c")

    def begin(self, session: Session, inbound: Inbound, call: CallId) -> Any:
        """Take a request."""
        self.begun.append(inbound)
        return _Exchange()

    def end_expired(self) -> None:
        """None does."""

    def recall(self, data: bytes, last: object) -> None:
        """Nothing was seen before."""


def request_outcome(*reads: bytes, answered: bool = True) -> Outcome:
    """What a session makes of these reads; a request that is complete is answered at once."""
    calls, transport = _Calls(), _Transport()
    session = Session(calls, Outbox(), set(), 10, 5.0, 5.0)
    session.connection_made(cast(asyncio.Transport, transport))
    for data in reads:
        before = len(calls.begun)
        session.data_received(data)
        last = calls.begun[-1] if len(calls.begun) > before else None
        if answered and last is not None and last.received is not None and last.complete:
            session.finish(keep=last.received.keep_alive, now=0.0)
    seen = [
        (
            astuple(inbound.received) if inbound.received is not None else None,
            inbound.complete,
            inbound.pieces,
            inbound.waiting,
            inbound.whole,
            inbound.fault and inbound.fault.code,
        )
        for inbound in calls.begun
    ]
    return seen, transport.said


class _Stream:
    """A stream that is only read."""

    receiver: object = None

    def __init__(self) -> None:
        self.aborted = False

    def abort(self) -> None:
        """Give it up."""
        self.aborted = True


class _Asked:
    """A call that waits for its answer."""

    def __init__(self, method: str) -> None:
        self.method = method
        self.came: list[Any] = []
        self.reusable = False

    def answer_came(self, begun: Begun | None, pieces: list[bytes], end: End | None) -> None:
        """Keep what came."""
        head = None if begun is None else (begun.status, astuple(begun.head), begun.body)
        self.came.append((head, pieces, end))
        self.reusable = end is not None and end.reusable

    def answer_failed(self, error: BaileeError | None) -> None:
        """Keep the failure."""
        self.came.append(error and (error.code, error.detail))


def answer_outcome(method: str, *reads: bytes, more: bool = True) -> Outcome:
    """What a reader makes of these reads; with `more`, a GET follows each answer."""
    stream = _Stream()
    reader = AnswerReader(cast(PinnedStream, stream))
    call = _Asked(method)
    calls = [call]
    reader.attach(cast(Any, call))
    for data in reads:
        if call.reusable and more:
            call = _Asked("GET")
            calls.append(call)
            reader.attach(cast(Any, call))
        reader.data_received(data)
    return [each.came for each in calls], [f"aborted {stream.aborted}"]


ODD_BYTES = b'\r\n \t\0:;,\x7f\x80\xffaA09/?#%"\\-_'
ODD_PARTS = (
    b"\r\n", b"\n", b"\r", b"\r\n\r\n", b"\n\n", b"\r\r\n", b" ", b"\t", b": ", b"0", b"chunked",
    b"Content-Length: 0\r\n", b"Content-Length: 5\r\n", b"content-length: 11\r\n",
    b"Content-Length : 5\r\n", b"Content-Length: +5\r\n", b"Content-Length: 05\r\n",
    b"Content-Length: 5, 5\r\n", b"Content-Length: 0x5\r\n", b"Content-Length:5\r\n",
    b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding:\x0bchunked\r\n", b"TE: trailers\r\n",
    b"Transfer_Encoding: chunked\r\n", b"Connection: close\r\n", b"Connection: keep-alive\r\n",
    b"connection: Keep-Alive\r\n", b"Connection: keep-alive, x-a\r\n", b"Connection: upgrade\r\n",
    b"Proxy-Connection: close\r\n", b"Proxy-Connection: keep-alive\r\n", b"Upgrade: h2c\r\n",
    b"Expect: 100-continue\r\n", b"Host: b.test\r\n", b"Host:\r\n", b"X:\r\n", b"X: a\r\n b\r\n",
    b"X:a\r\n", b"X:  a\r\n", b"X:\ta\r\n", b"X: a \r\n", b"X: a\tb\r\n", b"X: \xe9\r\n",
    b": a\r\n",
    b"X\r\n", b"X : a\r\n", b"Keep-Alive: timeout=5\r\n", b"Bailee-Once: 1\r\n", b"Trailer: X\r\n",
    b"Authorization: b\r\n", b"Alt-Svc: h3\r\n", b"Location: /x\r\n", b"Bailee-Call: x\r\n",
    b"HTTP/1.1", b"HTTP/1.0", b"HTTP/2.0", b" HTTP/1.1 200 OK\r\n", b"GET / HTTP/1.1\r\n", b"100",
    b"204", b"304", b"101", b"http://a.test", b"*", b"//", b"/../", b"%2e", b"abcde", b"0\r\n\r\n",
)  # fmt: skip


def mutated(chance: random.Random, seeds: list[bytes]) -> bytes:
    """A message with one to four changes, none of which has to make it wrong."""
    data = chance.choice(seeds)
    for _ in range(chance.randint(1, 4)):
        data = chance.choice(_CHANGES)(chance, data)
    return data


def _put_byte(chance: random.Random, data: bytes) -> bytes:
    at = chance.randrange(len(data) + 1)
    return data[:at] + bytes([chance.choice(ODD_BYTES)]) + data[at + chance.randrange(2) :]


def _put_part(chance: random.Random, data: bytes) -> bytes:
    at = chance.randrange(len(data) + 1)
    return data[:at] + chance.choice(ODD_PARTS) + data[at:]


def _put_line(chance: random.Random, data: bytes) -> bytes:
    lines = data.split(b"\r\n")
    name = bytes(chance.choices(b"abcXYZ019-_.!", k=chance.randint(1, 12)))
    value = bytes(chance.choices(bytes(range(32, 127)), k=chance.randint(1, 20)))
    lines.insert(chance.randint(1, len(lines)), name + chance.choice([b": ", b":"]) + value)
    return b"\r\n".join(lines)


def _put_whole_line(chance: random.Random, data: bytes) -> bytes:
    lines = data.split(b"\r\n")
    lines.insert(chance.randint(1, len(lines)), chance.choice(ODD_PARTS).rstrip(b"\r\n"))
    return b"\r\n".join(lines)


def _cut_out(chance: random.Random, data: bytes) -> bytes:
    at = chance.randrange(len(data) + 1)
    return data[:at] + data[at + chance.choice([1, 1, 2, 5, 20]) :]


def _move_line(chance: random.Random, data: bytes) -> bytes:
    lines = data.split(b"\r\n")
    line = chance.choice(lines)
    if chance.randrange(2):
        lines.remove(line)
    lines.insert(chance.randint(0, len(lines)), line)
    return b"\r\n".join(lines)


def _change_case(chance: random.Random, data: bytes) -> bytes:
    at = chance.randrange(len(data) + 1)
    return data[:at] + data[at : at + chance.randint(1, 15)].swapcase() + data[at + 15 :]


def _truncate(chance: random.Random, data: bytes) -> bytes:
    return data[: chance.randrange(len(data) + 1)]


def _append(chance: random.Random, data: bytes) -> bytes:
    return data + chance.choice([PROBE, PROBE_ANSWER, *ODD_PARTS])


_CHANGES = (
    _put_byte,
    _put_part,
    _put_line,
    _put_whole_line,
    _cut_out,
    _move_line,
    _change_case,
    _truncate,
    _append,
)
