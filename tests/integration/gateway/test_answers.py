"""An answer has one meaning, or it is a 502: nobody sees a byte that is not of his answer (R31)."""

import asyncio
from pathlib import Path

import pytest

from bailee.reference.pki import World
from gate import Client, request
from integration.gateway.conftest import Stage
from integration.gateway.staging import call, code, echo, journal, plain_answer, raw_answer, staged
from origin import Arrived

pytestmark = pytest.mark.anyio

ANSWERS = {
    "a length": (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", b"hello"),
    "a length of nothing": (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b""),
    "chunks": (
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n"
            b"0\r\nX-Trailer: 1\r\n\r\n"
        ),
        b"hello",
    ),
    "no chunks": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b""),
    "an interim answer first": (
        (
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
        ),
        b"hello",
    ),
    "no reason phrase": (b"HTTP/1.1 200 \r\nContent-Length: 5\r\n\r\nhello", b"hello"),
    "no space after the status": (b"HTTP/1.1 200\r\nContent-Length: 5\r\n\r\nhello", b"hello"),
    "a reason in Latin-1": (b"HTTP/1.1 200 caf\xe9\r\nContent-Length: 5\r\n\r\nhello", b"hello"),
    "a length with zeros before it": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 005\r\n\r\nhello",
        b"hello",
    ),
    "Chunked in capitals": (
        b"HTTP/1.1 200 OK\r\ntransfer-encoding:\tCHUNKED\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        b"hello",
    ),
}


@pytest.mark.parametrize("case", ANSWERS)
async def test_answer_passes(case: str, tmp_path: Path, world: World) -> None:
    """With the end that it had; the stream is used again."""
    raw, body = ANSWERS[case]
    async with staged(tmp_path, world, respond=raw_answer(raw)) as stage:
        client = await Client.open(stage.port)
        for _ in range(3):
            reply = await client.call(request("GET", f"/{stage.connection}/p", stage.token))
            assert (reply.status, reply.body) == (200, body)
            assert "link" not in reply.headers and "x-trailer" not in reply.headers
        client.close()
        assert stage.origin.handshakes == 1


async def test_answer_that_ends_with_its_stream_passes(tmp_path: Path, world: World) -> None:
    """When TLS was ended in order; the client sees chunks, and keeps its connection."""
    raw = b"HTTP/1.1 200 OK\r\n\r\nhello"
    async with staged(tmp_path, world, respond=raw_answer(raw, close=True)) as stage:
        client = await Client.open(stage.port)
        for _ in range(2):
            reply = await client.call(request("GET", f"/{stage.connection}/p", stage.token))
            assert (reply.status, reply.body) == (200, b"hello")
            assert reply.headers["transfer-encoding"] == "chunked"
        client.close()
        assert stage.origin.handshakes == 2


async def test_answer_cut_before_its_end_never_looks_whole(tmp_path: Path, world: World) -> None:
    """Without close_notify, within a length, within chunks: the client's connection breaks."""
    cut = {
        "until close": b"HTTP/1.1 200 OK\r\n\r\nhel",
        "length": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel",
        "chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
    }
    async with staged(tmp_path, world) as stage:
        for case, raw in cut.items():

            async def respond(_: Arrived, writer: asyncio.StreamWriter, raw: bytes = raw) -> None:
                writer.write(raw)
                await writer.drain()
                await asyncio.sleep(0.05)
                writer.transport.abort()

            stage.origin.respond = respond
            client = await Client.open(stage.port)
            await client.send(request("GET", f"/{stage.connection}/p", stage.token))
            with pytest.raises((EOFError, ConnectionError)):
                await client.reply()
            client.close()
            last = journal(stage, "outcome")[-1]
            assert (last["status"], last["error"]) == (200, "answer-lost"), case


NO_BODY = {
    ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nETag: x\r\n\r\n"): (200, "5"),
    ("HEAD", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"): (200, None),
    ("HEAD", b"HTTP/1.1 404 Not Found\r\n\r\n"): (404, None),
    ("GET", b"HTTP/1.1 204 No Content\r\n\r\n"): (204, None),
    ("GET", b"HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n"): (304, None),
    ("POST", b"HTTP/1.1 204 No Content\r\n\r\n"): (204, None),
}


@pytest.mark.parametrize("case", NO_BODY, ids=lambda case: f"{case[0]} {case[1][9:12].decode()}")
async def test_answer_without_a_body_passes(
    case: tuple[str, bytes], tmp_path: Path, world: World
) -> None:
    """HEAD, 204 and 304: nothing is waited for, and both connections are kept."""
    method, raw = case
    async with staged(tmp_path, world, respond=raw_answer(raw)) as stage:
        client = await Client.open(stage.port)
        for _ in range(2):
            await client.send(request(method, f"/{stage.connection}/p", stage.token))
            reply = await client.reply(head_only=True)
            assert (reply.status, reply.headers.get("content-length")) == NO_BODY[case]
            assert "transfer-encoding" not in reply.headers
        stage.origin.respond = plain_answer(body=b"next")
        reply = await client.call(request("GET", f"/{stage.connection}/p", stage.token))
        assert reply.body == b"next"
        client.close()
        # llhttp can't tell a HEAD's answer from one that ends with its stream.
        known_end = b"Content-Length" in raw or b"chunked" in raw or method != "HEAD"
        assert stage.origin.handshakes == (1 if known_end else 3)


OK, LENGTH, TE = b"HTTP/1.1 200 OK\r\n", b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n"
HELLO, CHUNKS = b"\r\nhello", b"\r\n5\r\nhello\r\n0\r\n\r\n"

# What the provider answers, by what is wrong with it. Beside each stands in ANSWERS, NO_BODY or
# BEYOND what is much the same and passes.
MALFORMED = {
    "TE and CL": OK + TE + LENGTH + CHUNKS,
    "CL and TE": OK + LENGTH + TE + CHUNKS,
    "two CL": OK + LENGTH + b"Content-Length: 6\r\n\r\nhello!",
    "two equal CL": OK + LENGTH + LENGTH + HELLO,
    "CL with a sign": OK + b"Content-Length: +5\r\n" + HELLO,
    "negative CL": OK + b"Content-Length: -5\r\n" + HELLO,
    "hexadecimal CL": OK + b"Content-Length: 0x5\r\n" + HELLO,
    "empty CL": OK + b"Content-Length:\r\n" + HELLO,
    "huge CL": OK + b"Content-Length: 99999999999999999999999\r\n" + HELLO,
    "CL of 19 digits": OK + b"Content-Length: 1000000000000000000\r\n" + HELLO,
    "a list as CL": OK + b"Content-Length: 5, 5\r\n" + HELLO,
    "CL with a space before the colon": OK + b"Content-Length : 5\r\n" + HELLO,
    "TE gzip": OK + b"Transfer-Encoding: gzip\r\n" + HELLO,
    "TE gzip, chunked": OK + b"Transfer-Encoding: gzip, chunked\r\n" + CHUNKS,
    "TE chunked, identity": OK + b"Transfer-Encoding: chunked, identity\r\n" + CHUNKS,
    "TE xchunked": OK + b"Transfer-Encoding: xchunked\r\n" + CHUNKS,
    "TE identity": OK + b"Transfer-Encoding: identity\r\n" + HELLO,
    "empty TE": OK + b"Transfer-Encoding:\r\n" + CHUNKS,
    "TE twice": OK + TE + TE + CHUNKS,
    "TE of HTTP/1.0": b"HTTP/1.0 200 OK\r\n" + TE + CHUNKS,
    "a bad chunk size": OK + TE + b"\r\nzz\r\nhello",
    "a signed chunk size": OK + TE + b"\r\n+5\r\nhello\r\n0\r\n\r\n",
    "a chunk size over 64 bits": OK + TE + b"\r\n" + b"f" * 17 + b"\r\nhello",
    "bare LF after a chunk size": OK + TE + b"\r\n5\nhello\r\n0\r\n\r\n",
    "a chunk longer than it says": OK + TE + b"\r\n4\r\nhello\r\n0\r\n\r\n",
    "CL in a trailer": OK + TE + b"\r\n5\r\nhello\r\n0\r\nContent-Length: 5\r\n\r\n",
    "a folded trailer": OK + TE + b"\r\n5\r\nhello\r\n0\r\nX: a\r\n b\r\n\r\n",
    "garbage": b"\x00\x01\x02 hello\r\n\r\n",
    "a body alone": b"hello\r\n\r\n",
    "a space before it": b" " + OK + LENGTH + HELLO,
    "HTTP/2": b"\x00\x00\x12\x04\x00\x00\x00\x00\x00",
    "HTTP/2.0": b"HTTP/2.0 200 OK\r\n" + LENGTH + HELLO,
    "HTTP/1.2": b"HTTP/1.2 200 OK\r\n" + LENGTH + HELLO,
    "HTTP/0.9": b"HTTP/0.9 200 OK\r\n" + LENGTH + HELLO,
    "a small version": b"http/1.1 200 OK\r\n" + LENGTH + HELLO,
    "a radio": b"ICY 200 OK\r\n" + LENGTH + HELLO,
    "no status": b"HTTP/1.1 OK\r\nContent-Length: 0\r\n\r\n",
    "a status of 2 digits": b"HTTP/1.1 99 OK\r\nContent-Length: 0\r\n\r\n",
    "a status of 4 digits": b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
    "status 000": b"HTTP/1.1 000 OK\r\nContent-Length: 0\r\n\r\n",
    "status 099": b"HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n",
    "status 600": b"HTTP/1.1 600 OK\r\nContent-Length: 0\r\n\r\n",
    "status 999": b"HTTP/1.1 999 OK\r\nContent-Length: 0\r\n\r\n",
    "a status with a sign": b"HTTP/1.1 +20 OK\r\nContent-Length: 0\r\n\r\n",
    "two spaces before the status": b"HTTP/1.1  200 OK\r\nContent-Length: 0\r\n\r\n",
    "101": b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
    "101 without a word": b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    "101 that ends": b"HTTP/1.1 101 X\r\nContent-Length: 0\r\n\r\n" + OK + LENGTH + HELLO,
    "interim without end": b"HTTP/1.1 102 Processing\r\n\r\n" * 9,
    "an interim answer with a body": b"HTTP/1.1 103 Early\r\n"
    + LENGTH
    + HELLO
    + OK
    + LENGTH
    + HELLO,
    "an interim answer with a length": (
        b"HTTP/1.1 103 Early\r\n" + LENGTH + b"\r\n" + OK + LENGTH + HELLO
    ),
    "an interim answer with chunks": b"HTTP/1.1 103 X\r\n" + TE + b"\r\n" + OK + LENGTH + HELLO,
    "obs-fold": OK + b"X: a\r\n b\r\nContent-Length: 0\r\n\r\n",
    "a space before the first header": OK + b" X: a\r\nContent-Length: 0\r\n\r\n",
    "a space before the colon": OK + b"X : a\r\nContent-Length: 0\r\n\r\n",
    "a name with a space": OK + b"X y: a\r\nContent-Length: 0\r\n\r\n",
    "a name with a NUL": OK + b"X\x00: a\r\nContent-Length: 0\r\n\r\n",
    "no colon": OK + b"X\r\nContent-Length: 0\r\n\r\n",
    "bare LF": b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
    "bare LF after a header": OK + b"X: a\nContent-Length: 0\r\n\r\n",
    "bare CR in a value": OK + b"X: a\rb\r\nContent-Length: 0\r\n\r\n",
    "bare CR in the reason": b"HTTP/1.1 200 O\rK\r\nContent-Length: 0\r\n\r\n",
    "NUL": OK + b"X: a\x00b\r\nContent-Length: 0\r\n\r\n",
    "a control byte": OK + b"X: a\x01b\r\nContent-Length: 0\r\n\r\n",
    "an escape": OK + b"X: \x1b[2J\r\nContent-Length: 0\r\n\r\n",
    "DEL": OK + b"X: a\x7fb\r\nContent-Length: 0\r\n\r\n",
    "a head of 70 KiB": OK + b"X: " + b"x" * 70_000,
    "a head without end": OK + b"X: y\r\n" * 20_000,
}


def add_other_caller(stage: Stage) -> str:
    """The token of another caller, who has a grant for the same connection."""
    token = stage.house.add_caller("other")
    stage.house.grant(stage.connection, "* /**", caller="other")
    stage.gate.snapshot.refresh()
    return token


async def test_malformed_answer_is_a_502_and_its_stream_dropped(stage: Stage) -> None:
    """R31: nothing of it is passed on, and another caller's call is answered by its own answer."""
    wrong: dict[str, object] = {}
    other = add_other_caller(stage)
    for number, (case, raw) in enumerate(MALFORMED.items(), 1):
        stage.origin.respond = raw_answer(raw)
        client = await Client.open(stage.port)
        await client.send(request("GET", f"/{stage.connection}/p", stage.token))
        try:
            got: object = code(await client.reply())
        except (EOFError, ConnectionError, KeyError, ValueError) as cut:
            got = cut
        if got != (502, "answer-malformed"):
            wrong[case] = got
        client.close()
        stage.origin.respond = echo
        assert (await call(stage, path=f"/n{number}", token=other)).body == f"/n{number}|".encode()
        # The stream of that answer carries the next malformed one, which ends it.
        if stage.origin.handshakes != number + 1:
            wrong[case] = "its stream was used again"
            stage.origin.handshakes = number + 1
    assert wrong == {}
    outcomes = [each["error"] for each in journal(stage, "outcome")]
    assert outcomes[::2] == ["answer-malformed"] * len(MALFORMED)


# Method, answer and what the caller sees: what is beyond the answer's end reaches nobody.
BEYOND = {
    "204 with a length and a body": ("GET", b"HTTP/1.1 204 X\r\n" + LENGTH + HELLO, 204),
    "204 with chunks": ("GET", b"HTTP/1.1 204 X\r\n" + TE + CHUNKS, 204),
    "204 with a length and a body to come": ("GET", b"HTTP/1.1 204 X\r\n" + LENGTH + b"\r\n", 204),
    "204 with chunks to come": ("GET", b"HTTP/1.1 204 X\r\n" + TE + b"\r\n", 204),
    "304 with a body": ("GET", b"HTTP/1.1 304 X\r\n" + LENGTH + HELLO, 304),
    "304 with chunks": ("GET", b"HTTP/1.1 304 X\r\n" + TE + CHUNKS, 304),
    "HEAD with a body": ("HEAD", OK + LENGTH + HELLO, 200),
    "HEAD with chunks": ("HEAD", OK + TE + CHUNKS, 200),
    "HEAD with another answer": ("HEAD", OK + LENGTH + b"\r\n" + OK + LENGTH + b"\r\nevil!", 200),
    "more than the length": ("GET", OK + LENGTH + HELLO + b"XXXX", 200),
    "half of another answer": ("GET", OK + LENGTH + HELLO + b"HTTP/1.1 20", 200),
    "another answer": ("GET", OK + LENGTH + HELLO + OK + LENGTH + b"\r\nevil!", 200),
    "another answer after chunks": ("GET", OK + TE + CHUNKS + OK + LENGTH + b"\r\nevil!", 200),
    "an interim answer afterwards": ("GET", OK + LENGTH + HELLO + b"HTTP/1.1 100 X\r\n\r\n", 200),
    "HTTP/1.0 with a length": ("GET", b"HTTP/1.0 200 OK\r\n" + LENGTH + HELLO, 200),
    "HTTP/1.0 that would stay": (
        "GET",
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n" + LENGTH + HELLO,
        200,
    ),
    "an answer that closes": ("GET", OK + b"Connection: close\r\n" + LENGTH + HELLO, 200),
}


async def test_what_is_beyond_an_answer_reaches_nobody(stage: Stage) -> None:
    """R31: the answer passes with its own body or none, its stream is dropped."""
    other, wrong = add_other_caller(stage), {}
    for number, (case, (method, raw, status)) in enumerate(BEYOND.items(), 1):
        stage.origin.respond = raw_answer(raw)
        reply = await call(stage, method, f"/b{number}")
        body = b"hello" if (method, status) == ("GET", 200) else b""
        if (reply.status, reply.body) != (status, body):
            wrong[case] = reply.status, reply.body
        stage.origin.respond = echo
        assert (await call(stage, path=f"/n{number}", token=other)).body == f"/n{number}|".encode()
        if stage.origin.handshakes != number + 1:
            wrong[case] = stage.origin.handshakes, b"its stream was used again"
            stage.origin.handshakes = number + 1
    assert wrong == {}


async def test_bad_chunk_after_the_head_cuts_the_client_off(stage: Stage) -> None:
    """What has begun can't be mended: it must not look whole."""

    async def respond(_: Arrived, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n")
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.write(b"zz\r\n0\r\n\r\n")

    stage.origin.respond = respond
    client = await Client.open(stage.port)
    await client.send(request("GET", f"/{stage.connection}/p", stage.token))
    with pytest.raises((EOFError, ConnectionError)):
        await client.reply()
    client.close()
    assert journal(stage, "outcome")[-1]["error"] == "answer-malformed"


EXTRA = {
    "garbage": b"XXXX",
    "a second answer": b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 4\r\n\r\nevil",
    "a line break": b"\r\n",
}


@pytest.mark.parametrize("case", EXTRA)
async def test_bytes_after_an_answer_reach_nobody(case: str, stage: Stage) -> None:
    """R31: what comes while nothing was asked for ends the stream."""

    async def respond(arrived: Arrived, writer: asyncio.StreamWriter) -> None:
        body = arrived.request_line.split()[1].encode()
        whole = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
        writer.write(whole)
        await asyncio.sleep(0.01)
        writer.write(EXTRA[case])

    stage.origin.respond = respond
    for number in range(5):
        reply = await call(stage, path=f"/n{number}")
        assert reply.body == f"/n{number}".encode()
        await asyncio.sleep(0.03)
    assert stage.origin.handshakes == 5
