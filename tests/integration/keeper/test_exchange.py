"""One request and one answer over a real pinned stream, whatever the peer sends."""

import asyncio
import ssl
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bailee.errors import AnswerLost, AnswerMalformed, BaileeError, ProviderTimeout
from bailee.keeper.exchange import BODY_LIMIT, HEAD_LIMIT, Answered, exchange, http_date
from bailee.reference.pki import World
from dialling import dialled, door

pytestmark = pytest.mark.anyio
REQUEST = b"GET / HTTP/1.1\r\nHost: api.test\r\n\r\n"


@asynccontextmanager
async def peer(
    world: World, answer: bytes, *, hold: bool = False, cut: bool = False
) -> AsyncIterator[int]:
    """A TLS server that reads one request, writes these bytes, and hangs up, waits or cuts off."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as directory:
        context.load_cert_chain(*world.leaf.write(Path(directory), "peer"))
    leave = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()
            if hold:
                await leave.wait()
            if cut:
                await asyncio.sleep(0.05)  # what was written shall arrive
                return
            writer.close()
            await writer.wait_closed()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        leave.set()
        server.close()


async def ask(
    world: World,
    answer: bytes,
    *,
    method: str = "GET",
    seconds: float = 5.0,
    hold: bool = False,
    cut: bool = False,
) -> Answered:
    """Exchange with a peer that answers so."""
    async with peer(world, answer, hold=hold, cut=cut) as port:
        to = door(port, world.root.pem.decode())
        async with dialled(to, world.leaf.pin) as stream:
            try:
                return await exchange(stream, REQUEST, method, seconds)
            finally:
                assert not stream.alive
                assert stream.receiver is None


HEAD = b"HTTP/1.1 200 OK\r\n"
WHOLE = {
    "a length": (HEAD + b"Content-Length: 2\r\n\r\nok", b"ok"),
    "chunks": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n", b"ok"),
    "interim answers": (
        b"HTTP/1.1 103 Early\r\n\r\n" + HEAD + b"Content-Length: 2\r\n\r\nok",
        b"ok",
    ),
    "no body": (b"HTTP/1.1 204 No\r\n\r\n", b""),
    "bytes after the end": (HEAD + b"Content-Length: 2\r\n\r\nokHTTP/1.1 500 X\r\n\r\n", b"ok"),
    "identity": (HEAD + b"Content-Encoding: identity\r\nContent-Length: 2\r\n\r\nok", b"ok"),
}


@pytest.mark.parametrize("case", WHOLE)
@pytest.mark.parametrize("hold", [False, True], ids=["hangs up", "waits"])
async def test_answered_when_it_is_whole(world: World, case: str, hold: bool) -> None:
    """The answer is there as soon as it is whole, whether or not the peer hangs up."""
    sent, body = WHOLE[case]
    answer = await ask(world, sent, hold=hold)
    assert answer.body == body
    assert answer.status == (204 if case == "no body" else 200)


async def test_answered_when_it_lasts_until_the_end(world: World) -> None:
    """A body without a length ends with the stream, in order."""
    assert (await ask(world, HEAD + b"\r\nok")).body == b"ok"


async def test_lost_when_the_end_is_not_the_peers(world: World) -> None:
    """A stream that is cut without a TLS farewell may have lost the rest of such a body."""
    with pytest.raises(AnswerLost):
        await ask(world, HEAD + b"\r\nok", cut=True)


async def test_answered_when_a_head_was_asked_for(world: World) -> None:
    """An answer to HEAD has a length and no body."""
    answer = await ask(world, HEAD + b"Content-Length: 500\r\n\r\n", method="HEAD", hold=True)
    assert answer.body == b""


async def test_headers_are_noted(world: World) -> None:
    """Date and Retry-After of the final answer, in any case of letters, and no others."""
    sent = (
        b"HTTP/1.1 103 Early\r\nRetry-After: 1\r\n\r\n"
        b"HTTP/1.1 429 Slow\r\ndate: Tue, 15 Nov 1994 08:12:31 GMT\r\nRETRY-AFTER: 60\r\n"
        b"Content-Length: 0\r\n\r\n"
    )
    assert await ask(world, sent) == Answered(429, b"", 784887151.0, "60")
    early = b"HTTP/1.1 103 Early\r\nRetry-After: 1\r\n\r\n" + HEAD + b"Content-Length: 0\r\n\r\n"
    assert await ask(world, early) == Answered(200, b"")
    assert await ask(world, HEAD + b"Date: today\r\nContent-Length: 0\r\n\r\n") == Answered(
        200, b""
    )


@pytest.mark.parametrize("coding", ["length", "chunks", "none"])
async def test_body_is_cut_when_it_is_long(world: World, coding: str) -> None:
    """No more than 64 KiB is kept, however it is sent; the rest is not waited for."""
    size = 4 * BODY_LIMIT
    sent = {
        "length": HEAD + b"Content-Length: %d\r\n\r\n" % (2 * size) + b"x" * size,
        "chunks": HEAD + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % (2 * size) + b"x" * size,
        "none": HEAD + b"\r\n" + b"x" * size,
    }[coding]
    assert (await ask(world, sent, hold=True)).body == b"x" * BODY_LIMIT


BROKEN: dict[str, tuple[bytes, type[BaileeError]]] = {
    "nothing": (b"", AnswerLost),
    "half a head": (HEAD + b"Content-Le", AnswerLost),
    "half a body": (HEAD + b"Content-Length: 9\r\n\r\nok", AnswerLost),
    "half a chunk": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n9\r\nok", AnswerLost),
    "no HTTP": (b"SSH-2.0-x\r\n\r\n", AnswerMalformed),
    "two lengths": (
        HEAD + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\nok", AnswerMalformed
    ),
    "length and chunks": (
        HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", AnswerMalformed
    ),
    "a switch of protocols": (
        b"HTTP/1.1 101 X\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", AnswerMalformed
    ),
    "interim answers without end": (b"HTTP/1.1 102 X\r\n\r\n" * 9, AnswerMalformed),
    "a compressed body": (
        HEAD + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\nok", AnswerMalformed
    ),
    "a head without end": (HEAD + b"X: " + b"x" * (HEAD_LIMIT + 1), AnswerMalformed),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
async def test_refused_when_answer_is(world: World, case: str) -> None:
    """What is not one whole, unambiguous answer is none."""
    sent, error = BROKEN[case]
    with pytest.raises(error):
        await ask(world, sent)


@pytest.mark.parametrize("sent", [b"", HEAD, HEAD + b"Content-Length: 9\r\n\r\nok"], ids=str)
async def test_refused_when_time_is_up(world: World, sent: bytes) -> None:
    """A peer that goes slow is left at the deadline, wherever it is."""
    began = time.monotonic()
    with pytest.raises(ProviderTimeout):
        await ask(world, sent, seconds=0.2, hold=True)
    assert time.monotonic() - began < 2.0


@pytest.mark.parametrize("text", ["", "now", "12", "Tue, 99 Nov 1994 08:12:31 GMT", "\x00", "ü"])
def test_no_date_when_it_is_none(text: str) -> None:
    """Whatever stands there, it raises nothing."""
    assert http_date(text) is None


def test_answer_does_not_show_its_body() -> None:
    """What the user owns stands in no log."""
    assert repr(Answered(200, b"balance 17")) == "Answered(200, 10 bytes)"
