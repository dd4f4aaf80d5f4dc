"""An API that shows the credential shows it to nobody (R33)."""

import asyncio
import base64
import gzip
from pathlib import Path
from urllib.parse import quote

import pytest

from bailee.reference.pki import World
from gate import Client, request
from integration.gateway.conftest import CREDENTIAL, Stage
from integration.gateway.staging import call, staged, staged_preset
from integration.gateway.test_signing import BINANCE
from origin import Arrived, answer

pytestmark = pytest.mark.anyio

MASKED = b"*" * len(CREDENTIAL)
FORMS = {
    "raw": CREDENTIAL.encode(),
    "base64": base64.b64encode(b"user:" + CREDENTIAL.encode()),
    "URL": quote(CREDENTIAL).encode(),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
async def test_a_whole_answer_is_masked(tmp_path: Path, world: World, form: bytes) -> None:
    """In the body and in a header; lengths stay, and the same bytes again are masked again."""

    async def respond(_arrived: Arrived, writer: asyncio.StreamWriter) -> None:
        headers = f"X-Echo: {form.decode()}\r\n"
        await answer(writer, b'{"you_sent": "' + form + b'"}', headers=headers)

    async with staged(tmp_path, world, respond=respond) as stage:
        client = await Client.open(stage.port)
        for _ in range(4):
            reply = await client.call(request("GET", f"/{stage.connection}/p", stage.token))
            shown = reply.body + reply.headers["x-echo"].encode()
            assert b"canary" not in shown
            assert len(reply.body) == len(b'{"you_sent": ""}') + len(form)
            assert shown.count(b"*") >= 2 * len(MASKED) - 8
        client.close()


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
async def test_an_answer_in_pieces_is_masked(tmp_path: Path, world: World, framing: str) -> None:
    """The credential is cut in the middle; no byte of it passes, and none of the rest is lost, not
    even an end that could have been the credential's beginning."""
    body = b'{"a": "' + CREDENTIAL.encode() + b'", "b": "' + CREDENTIAL.encode() + b'"} canary'
    cuts = (body[:20], body[20:25], body[25:60], body[60:])

    async def respond(_arrived: Arrived, writer: asyncio.StreamWriter) -> None:
        head = b"HTTP/1.1 200 OK\r\n"
        if framing == "length":
            head += b"Content-Length: %d\r\n" % len(body)
        elif framing == "chunked":
            head += b"Transfer-Encoding: chunked\r\n"
        writer.write(head + b"\r\n")
        for piece in cuts:
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece) if framing == "chunked" else piece)
            await writer.drain()
            await asyncio.sleep(0.03)
        if framing == "chunked":
            writer.write(b"0\r\n\r\n")
        await writer.drain()
        if framing == "close":
            writer.close()

    async with staged(tmp_path, world, respond=respond) as stage:
        reply = await call(stage)
        assert reply.body == body.replace(CREDENTIAL.encode(), MASKED)
        reply = await call(stage)
        assert reply.body == body.replace(CREDENTIAL.encode(), MASKED)


async def test_an_event_is_not_held_back(tmp_path: Path, world: World) -> None:
    """Only what may be the beginning of the credential waits for what follows."""
    more = asyncio.Event()

    async def respond(_arrived: Arrived, writer: asyncio.StreamWriter) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
        writer.write(head + b"Transfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n")
        await writer.drain()
        await asyncio.wait_for(more.wait(), 5)
        writer.write(b"0\r\n\r\n")
        await writer.drain()

    async with staged(tmp_path, world, respond=respond) as stage:
        client = await Client.open(stage.port)
        await client.send(request("GET", f"/{stage.connection}/events", stage.token))
        await asyncio.wait_for(client.reader.readuntil(b"data: 1\n\n"), 5)
        more.set()
        await asyncio.wait_for(client.reader.readuntil(b"0\r\n\r\n"), 5)
        client.close()


async def test_what_a_signed_call_carries_is_masked(tmp_path: Path, world: World) -> None:
    """Key and secret, at every call: the cache keeps what is looked for too."""

    async def respond(_arrived: Arrived, writer: asyncio.StreamWriter) -> None:
        shown = f'{{"apiKey": "{BINANCE["api_key"]}", "secret": "{BINANCE["secret"]}"}}'
        await answer(writer, shown.encode())

    async with staged_preset(tmp_path, world, "binance", BINANCE, respond) as stage:
        for _ in range(3):
            reply = await call(stage, path="/api/v3/account")
            assert b"canary" not in reply.body
            assert reply.body.count(b"*") == len(BINANCE["api_key"]) + len(BINANCE["secret"])


async def test_a_provider_that_echoes_is_asked_for_plain_answers(
    tmp_path: Path, world: World
) -> None:
    """Whatever the client accepts; an answer that is compressed all the same is refused."""
    body = gzip.compress(CREDENTIAL.encode())

    async def respond(arrived: Arrived, writer: asyncio.StreamWriter) -> None:
        if b"/gzip" in arrived.head:
            await answer(writer, body, headers="Content-Encoding: gzip\r\n")
        else:
            await answer(writer, CREDENTIAL.encode())

    async with staged(tmp_path, world, respond=respond, more="echoes = true") as stage:
        reply = await call(stage, exact={"Accept-Encoding": "gzip"})
        assert reply.body == MASKED
        assert stage.origin.arrived[0].headers["accept-encoding"] == "identity"
        assert stage.origin.arrived[0].head.lower().count(b"accept-encoding") == 1
        reply = await call(stage, path="/gzip")
        assert (reply.status, reply.headers["bailee-error"]) == (502, "answer-malformed")
        assert body not in reply.body


async def test_other_providers_may_compress(stage: Stage) -> None:
    """What the guard can't see is said in the documents; nothing is changed for its sake."""
    assert (await call(stage, exact={"Accept-Encoding": "gzip"})).status == 200
    assert stage.origin.arrived[0].headers["accept-encoding"] == "gzip"
