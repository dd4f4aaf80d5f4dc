"""Calls to APIs that sign: whole, once, and with a nonce that never falls."""

import asyncio
import base64
import hashlib
import hmac
import time
from pathlib import Path
from urllib.parse import parse_qs

import ccxt
import pytest

from bailee.reference.pki import World
from gate import Client, request
from integration.gateway.conftest import Stage
from integration.gateway.staging import call, journal, staged, staged_preset
from origin import Arrived, answer

pytestmark = pytest.mark.anyio

BINANCE = {"api_key": "canary-binance-key", "secret": "canary-binance-secret"}
KRAKEN_SECRET = b"canary-kraken-secret-0123456789abcdef"
KRAKEN = {"api_key": "canary-kraken-key", "secret": base64.b64encode(KRAKEN_SECRET).decode()}


def kraken_signature(path: str, nonce: str, body: bytes) -> str:
    """What Kraken computes: HMAC-SHA512 over the path and SHA-256 of nonce and body."""
    inner = hashlib.sha256(nonce.encode() + body).digest()
    made = hmac.new(KRAKEN_SECRET, path.encode() + inner, hashlib.sha512).digest()
    return base64.b64encode(made).decode()


def nonces_of(stage: Stage) -> list[int]:
    """The nonces that the origin saw, in the order of arrival; each signature is checked."""
    found = []
    for arrived in stage.origin.arrived:
        path = arrived.request_line.split(" ")[1]
        nonce = parse_qs(arrived.body.decode())["nonce"][0]
        assert arrived.headers["api-sign"] == kraken_signature(path, nonce, arrived.body)
        found.append(int(nonce))
    return found


async def test_a_query_is_signed_with_the_time_of_sending(tmp_path: Path, world: World) -> None:
    """The token is gone, key and signature are in place, and the rest of the query stays."""
    async with staged_preset(tmp_path, world, "binance", BINANCE) as stage:
        before = time.time()
        reply = await call(stage, path="/api/v3/account?recvWindow=9000&timestamp=1&signature=sdk")
        after = time.time()
        assert reply.status == 200
        arrived = stage.origin.arrived[0]
        query = arrived.request_line.split(" ")[1].partition("?")[2]
        signed, _, signature = query.rpartition("&signature=")
        expected = hmac.new(BINANCE["secret"].encode(), signed.encode(), hashlib.sha256)
        assert signature == expected.hexdigest()
        given = parse_qs(signed)
        assert given["recvWindow"] == ["9000"]
        assert int(before * 1000) <= int(given["timestamp"][0]) <= int(after * 1000)
        assert arrived.headers["x-mbx-apikey"] == BINANCE["api_key"]
        assert stage.token.encode() not in arrived.head


async def test_a_body_is_held_until_it_is_whole_and_then_signed(
    tmp_path: Path, world: World
) -> None:
    """It comes in pieces, chunked and after 100-continue, and leaves in one with a length."""
    async with staged_preset(tmp_path, world, "kraken", KRAKEN) as stage:
        client = await Client.open(stage.port)
        head = request(
            "POST",
            f"/{stage.connection}/0/private/AddOrder",
            stage.token,
            Content_Type="application/x-www-form-urlencoded",
            Transfer_Encoding="chunked",
            Expect="100-continue",
        )
        await client.send(head)
        assert await asyncio.wait_for(client.reader.readuntil(b"\r\n\r\n"), 5) == (
            b"HTTP/1.1 100 Continue\r\n\r\n"
        )
        for piece in (b"nonce=1&pair=XBT", b"USD&type=buy"):
            await client.send(b"%x\r\n%b\r\n" % (len(piece), piece))
            await asyncio.sleep(0.05)
            assert stage.origin.connections == 0
            assert stage.origin.plain_bytes == 0
        await client.send(b"0\r\n\r\n")
        assert (await client.reply()).status == 200
        client.close()
        arrived = stage.origin.arrived[0]
        assert parse_qs(arrived.body.decode())["pair"] == ["XBTUSD"]
        assert arrived.headers["content-length"] == str(len(arrived.body))
        assert "transfer-encoding" not in arrived.headers
        assert nonces_of(stage)[0] > 1_700_000_000_000


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_over_the_limit_is_refused_before_anything_leaves(
    tmp_path: Path, world: World, chunked: bool
) -> None:
    """413, whether the length was told or not; a body of just the limit passes."""
    async with staged_preset(tmp_path, world, "kraken", KRAKEN, held_body_bytes=1000) as stage:
        for size, status in ((1001, 413), (1000, 200)):
            client = await Client.open(stage.port)
            body = b"a=" + b"x" * (size - 2)
            more = {"Content_Type": "application/x-www-form-urlencoded"}
            target = f"/{stage.connection}/0/private/AddOrder"
            if chunked:
                head = request("POST", target, stage.token, Transfer_Encoding="chunked", **more)
                await client.send(head + b"%x\r\n%b\r\n0\r\n\r\n" % (size, body))
            else:
                await client.send(request("POST", target, stage.token, body, **more))
            reply = await client.reply()
            assert reply.status == status
            assert len(stage.origin.arrived) == (status == 200)
            client.close()


async def test_a_length_over_the_limit_is_refused_before_the_body_comes(
    tmp_path: Path, world: World
) -> None:
    """The head says it: nothing is recorded, and the client need not send the rest."""
    async with staged_preset(tmp_path, world, "kraken", KRAKEN, held_body_bytes=1000) as stage:
        client = await Client.open(stage.port)
        target = f"/{stage.connection}/0/private/AddOrder"
        await client.send(request("POST", target, stage.token, Content_Length="1001"))
        assert (await client.reply()).status == 413
        assert journal(stage, "intent") == []
        client.close()


async def test_a_signed_request_has_one_content_type(tmp_path: Path, world: World) -> None:
    """The scheme's takes the place of the client's, and a missing one is filled in."""
    async with staged_preset(tmp_path, world, "kraken", KRAKEN) as stage:
        form = "application/x-www-form-urlencoded"
        for exact in ({}, {"Content-Type": ""}, {"Content-Type": form}):
            path = "/0/private/Balance"
            assert (await call(stage, "POST", path, b"", exact=exact)).status == 200
            head = stage.origin.arrived[-1].head.lower()
            assert head.count(b"content-type: application/x-www-form-urlencoded\r\n") == 1
            assert head.count(b"content-type") == 1


async def test_a_client_that_stops_in_a_signed_body_is_told_and_nothing_left(
    tmp_path: Path, world: World
) -> None:
    """408, as nothing moves; the record says that nothing had reached the provider."""
    async with staged_preset(tmp_path, world, "kraken", KRAKEN, idle_seconds=0.3) as stage:
        client = await Client.open(stage.port)
        target = f"/{stage.connection}/0/private/AddOrder"
        more = {"Content_Type": "application/x-www-form-urlencoded", "Content_Length": "10"}
        await client.send(request("POST", target, stage.token, **more) + b"a=")
        assert (await client.reply()).status == 408
        assert stage.origin.handshakes == 0
        client.close()
        outcome = journal(stage, "outcome")[-1]
        assert (outcome["error"], outcome["reached"]) == ("body-timeout", "nothing")


async def test_nonces_of_calls_at_once_are_unique_and_of_calls_in_turn_rising(
    tmp_path: Path, world: World
) -> None:
    """A clock that stands still or goes back does not matter: the database counts on."""
    async with staged_preset(tmp_path, world, "kraken", KRAKEN) as stage:
        nonces = stage.gate.line.nonces
        for _ in range(3):
            assert (await call(stage, "POST", "/0/private/Balance", b"")).status == 200
        nonces._clock = lambda: 1.0
        for _ in range(3):
            assert (await call(stage, "POST", "/0/private/Balance", b"")).status == 200
        in_turn = nonces_of(stage)
        assert in_turn == sorted(set(in_turn))
        calls = (call(stage, "POST", "/0/private/Balance", b"") for _ in range(20))
        assert {reply.status for reply in await asyncio.gather(*calls)} == {200}
        seen = nonces_of(stage)
        assert len(set(seen)) == 26
        assert min(seen[6:]) > max(in_turn)


async def test_a_request_that_is_sent_again_has_a_nonce_of_its_own(
    tmp_path: Path, world: World
) -> None:
    """A pooled stream died under it before an answer: the second one is signed anew (R14)."""
    served = 0

    async def respond(arrived: Arrived, writer: asyncio.StreamWriter) -> None:
        nonlocal served
        served += 1
        if served == 2:
            writer.transport.abort()
        else:
            await answer(writer)

    auth = """
scheme = "template"
secret = "secret"
nonce = "monotonic"
nonce_unit = "ms"
message = "{nonce}{path}"
algorithm = "hmac-sha256"
secret_as = "text"
signature_as = "hex"
[[auth.put]]
header = "X-Key"
value = "{api_key}"
[[auth.put]]
header = "X-Nonce"
value = "{nonce}"
[[auth.put]]
header = "X-Sign"
value = "{signature}"
"""
    secret = {"api_key": "canary-key", "secret": "canary-secret"}
    more, own = 'headers = ["x-*"]', {"X-Key": "own", "X-Sign": "own", "X-Other": "own"}
    async with staged(
        tmp_path, world, respond=respond, auth=auth, credential=secret, more=more
    ) as stage:
        for _ in range(2):
            assert (await call(stage, "DELETE", "/x", exact=own)).status == 200
        heads = [arrived.head for arrived in stage.origin.arrived]
        assert [head.count(b"own") for head in heads] == [1, 1, 1]
        nonces = [arrived.headers["x-nonce"] for arrived in stage.origin.arrived]
        assert len(nonces) == 3
        assert nonces == sorted(set(nonces))
        signed = [arrived.headers["x-sign"] for arrived in stage.origin.arrived]
        assert signed == [
            hmac.new(b"canary-secret", f"{nonce}/x".encode(), hashlib.sha256).hexdigest()
            for nonce in nonces
        ]


async def test_what_cannot_be_signed_is_refused_and_nothing_leaves(
    tmp_path: Path, world: World
) -> None:
    """A nonce that stands there twice is told by name; the stream goes back unused."""
    async with staged_preset(tmp_path, world, "kraken", KRAKEN) as stage:
        form = {"Content_Type": "application/x-www-form-urlencoded"}
        reply = await call(stage, "POST", "/0/private/Balance", b"nonce=1&nonce=2", **form)
        assert reply.status == 400
        assert reply.headers["bailee-error"] == "unsignable-request"
        form["Content_Encoding"] = "gzip"
        reply = await call(stage, "POST", "/0/private/Balance", b"nonce=1", **form)
        assert (reply.status, reply.headers["bailee-error"]) == (400, "unsignable-request")
        assert stage.origin.plain_bytes == 0
        assert (await call(stage, "POST", "/0/private/Balance", b"")).status == 200


async def test_an_unmodified_sdk_signs_with_the_dummy_and_is_signed_for_with_the_real(
    tmp_path: Path, world: World
) -> None:
    """ccxt has our token as its key and the preset's dummy as its secret, and our URL."""

    async def respond(_arrived: Arrived, writer: asyncio.StreamWriter) -> None:
        await answer(writer, b'{"error":[],"result":{"ZUSD":"3.5"}}', headers="X-A: b\r\n")

    async with staged_preset(tmp_path, world, "kraken", KRAKEN, respond) as stage:
        assert stage.provider.dummy_secret is not None
        sdk = ccxt.kraken({"apiKey": stage.token, "secret": stage.provider.dummy_secret})
        base = f"http://127.0.0.1:{stage.port}/{stage.connection}"
        sdk.urls["api"] = {name: base for name in sdk.urls["api"]}
        balance = await asyncio.to_thread(sdk.private_post_balance)
        assert balance["result"] == {"ZUSD": "3.5"}
        arrived = stage.origin.arrived[0]
        assert arrived.headers["api-key"] == KRAKEN["api_key"]
        nonces_of(stage)
        assert stage.token.encode() not in arrived.head + arrived.body
