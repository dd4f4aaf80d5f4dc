"""`Bailee-Verdict`: what an answer says about the key."""

import asyncio
import gzip
import time
from email.utils import formatdate
from pathlib import Path

import pytest

from bailee.reference.pki import World
from gate import Client, request
from integration.gateway.conftest import Stage
from integration.gateway.staging import call, raw_answer, staged_preset
from integration.gateway.test_signing import BINANCE, KRAKEN
from origin import Arrived, answer

pytestmark = pytest.mark.anyio

WRONG_KEY = b'{"error":["EAPI:Invalid key"],"result":null}'
SERVED = b'{"error":[],"result":{"ZUSD":"3.5"}}'


def kraken_answer(body: bytes, coding: str = "", date: str = "") -> bytes:
    """An answer of Kraken's with a length."""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    head += f"Content-Encoding: {coding}\r\n" if coding else ""
    return (head + (f"Date: {date}\r\n" if date else "") + "\r\n").encode() + body


@pytest.mark.parametrize(
    ("raw", "verdict"),
    [
        (kraken_answer(SERVED), "served"),
        (kraken_answer(WRONG_KEY), "credential-or-address"),
        (kraken_answer(gzip.compress(WRONG_KEY), "gzip"), "credential-or-address"),
        (kraken_answer(gzip.compress(SERVED), "gzip"), "served"),
        (kraken_answer(WRONG_KEY, "br"), "unclear"),
        (b"HTTP/1.1 429 Too Many\r\nContent-Length: 0\r\n\r\n", "limited"),
        (b"HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\noops", "unclear"),
    ],
    ids=["served", "refused in 200", "gzip", "gzip served", "unknown coding", "limit", "fault"],
)
async def test_a_refusal_is_told_apart(
    tmp_path: Path, world: World, raw: bytes, verdict: str
) -> None:
    """By the preset's table, inside a 200 and compressed ones too; the body is as it came."""
    respond = raw_answer(raw)
    async with staged_preset(tmp_path, world, "kraken", KRAKEN, respond) as stage:
        reply = await call(stage, "POST", "/0/private/Balance", b"")
        assert reply.headers["bailee-verdict"] == verdict
        assert reply.body == raw.partition(b"\r\n\r\n")[2]


async def test_an_answer_in_pieces_is_held_back_until_it_is_whole(
    tmp_path: Path, world: World
) -> None:
    """Chunked, and split in the middle of the word that tells."""

    async def respond(_arrived: Arrived, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for piece in (WRONG_KEY[:20], WRONG_KEY[20:]):
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            await writer.drain()
            await asyncio.sleep(0.05)
        writer.write(b"0\r\n\r\n")
        await writer.drain()

    async with staged_preset(tmp_path, world, "kraken", KRAKEN, respond) as stage:
        reply = await call(stage, "POST", "/0/private/Balance", b"")
        assert reply.headers["bailee-verdict"] == "credential-or-address"
        assert reply.body == WRONG_KEY
        assert (await call(stage, "POST", "/0/private/Balance", b"")).status == 200
        assert stage.origin.handshakes == 1


async def test_events_and_large_answers_are_not_held_back(tmp_path: Path, world: World) -> None:
    """The first event is there while the next one is not; 100 KB pass whole."""
    more = asyncio.Event()
    large = b"x" * 100_000

    async def respond(arrived: Arrived, writer: asyncio.StreamWriter) -> None:
        if b"/events" not in arrived.head:
            more.clear()
            head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(large)}\r\n\r\n".encode()
            writer.write(head + large[:1000])
            await writer.drain()
            await asyncio.wait_for(more.wait(), 5)
            writer.write(large[1000:])
            await writer.drain()
            return
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
        writer.write(head + b"Transfer-Encoding: chunked\r\n\r\n5\r\none\n\n\r\n")
        await writer.drain()
        await asyncio.wait_for(more.wait(), 5)
        writer.write(b"0\r\n\r\n")
        await writer.drain()

    async with staged_preset(tmp_path, world, "kraken", KRAKEN, respond) as stage:
        client = await Client.open(stage.port)
        await client.send(request("GET", f"/{stage.connection}/events", stage.token))
        came = await asyncio.wait_for(client.reader.readuntil(b"one\n\n"), 5)
        assert b"Bailee-Verdict: served" in came
        more.set()
        client.close()
        client = await Client.open(stage.port)
        await client.send(request("GET", f"/{stage.connection}/large", stage.token))
        came = await asyncio.wait_for(client.reader.readuntil(b"x" * 1000), 5)
        assert b"Bailee-Verdict: served" in came
        more.set()
        await asyncio.wait_for(client.reader.readexactly(len(large) - 1000), 5)
        client.close()


async def test_a_chunked_answer_is_held_back_to_a_limit(tmp_path: Path, world: World) -> None:
    """64 KiB are looked at; the rest then streams."""
    body, more = WRONG_KEY.ljust(200_000), asyncio.Event()

    async def respond(_arrived: Arrived, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for start in range(0, len(body), 10_000):
            if start == 100_000:
                await asyncio.wait_for(more.wait(), 5)
            writer.write(b"%x\r\n%b\r\n" % (10_000, body[start : start + 10_000]))
            await writer.drain()
        writer.write(b"0\r\n\r\n")
        await writer.drain()

    async with staged_preset(tmp_path, world, "kraken", KRAKEN, respond) as stage:
        client = await Client.open(stage.port)
        await client.send(request("GET", f"/{stage.connection}/x", stage.token))
        came = await asyncio.wait_for(client.reader.readuntil(WRONG_KEY), 5)
        assert b"Bailee-Verdict: credential-or-address" in came
        more.set()
        while not came.endswith(b"\r\n0\r\n\r\n"):
            came += await asyncio.wait_for(client.reader.read(65536), 5)
        assert came.count(b" ") >= len(body) - len(WRONG_KEY)
        client.close()


async def test_an_answer_that_breaks_while_it_is_held_back_is_not_passed_on(
    tmp_path: Path, world: World
) -> None:
    """Nothing of it was sent yet: the client gets a problem; a POST is not sent again."""

    async def respond(_arrived: Arrived, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n" + WRONG_KEY[:10])
        await writer.drain()
        writer.transport.abort()

    async with staged_preset(tmp_path, world, "kraken", KRAKEN, respond) as stage:
        reply = await call(stage, "POST", "/0/private/Balance", b"")
        assert reply.headers["bailee-error"] == "outcome-unknown"
        assert len(stage.origin.arrived) == 1


async def test_an_answer_that_broke_while_it_was_held_back_is_not_asked_for_again(
    tmp_path: Path, world: World
) -> None:
    """On a pooled stream too: bytes of the answer had come, so the request was taken."""

    async def respond(arrived: Arrived, writer: asyncio.StreamWriter) -> None:
        if b"/broken" not in arrived.head:
            await answer(writer)
            return
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n" + WRONG_KEY[:10])
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.transport.abort()

    async with staged_preset(tmp_path, world, "kraken", KRAKEN, respond) as stage:
        assert (await call(stage, path="/x")).status == 200
        reply = await call(stage, path="/broken")
        assert reply.headers["bailee-error"] == "answer-lost"
        assert len(stage.origin.arrived) == 2


@pytest.mark.parametrize(("ahead", "told"), [(0, None), (37, "37"), (-90, "-90")])
async def test_a_clock_that_is_off_is_named_where_a_signed_call_was_refused(
    tmp_path: Path, world: World, ahead: int, told: str | None
) -> None:
    """By the provider's `Date`: how many seconds ours is ahead of it."""
    served = False

    async def respond(_arrived: Arrived, writer: asyncio.StreamWriter) -> None:
        date = f"Date: {formatdate(time.time() - ahead, usegmt=True)}\r\n"
        if served:
            await answer(writer, b'{"accountType":"SPOT"}', headers=date)
        else:
            refusal = b'{"code":-1021,"msg":"Timestamp for this request is outside"}'
            await answer(writer, refusal, "400 Bad Request", date)

    async with staged_preset(tmp_path, world, "binance", BINANCE, respond) as stage:
        skew = (await call(stage, path="/api/v3/account")).headers.get("bailee-clock-skew")
        assert (skew is None) == (told is None)
        if skew is not None and told is not None:
            assert abs(int(skew) - int(told)) <= 1
        served = True
        assert "bailee-clock-skew" not in (await call(stage, path="/api/v3/account")).headers


async def test_a_provider_without_refusals_is_not_judged(stage: Stage) -> None:
    """Bailee says nothing that the provider's file does not know."""
    assert "bailee-verdict" not in (await call(stage)).headers


async def test_a_provider_cannot_write_our_verdict(tmp_path: Path, world: World) -> None:
    """What it says itself under our name is dropped."""
    raw = b"HTTP/1.1 500 No\r\nBailee-Verdict: served\r\nContent-Length: 0\r\n\r\n"
    async with staged_preset(tmp_path, world, "kraken", KRAKEN, raw_answer(raw)) as stage:
        reply = await call(stage, path="/x")
        assert [value for name, value in reply.pairs if name.lower() == "bailee-verdict"] == [
            "unclear"
        ]
