"""Messages of WebSockets: judged where a grant says so, logged in by a message of our own, and
masked where the provider shows the credential (R33, R34, R52)."""

import asyncio
import hashlib
import hmac
import json
import time
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection

from bailee.manage import connections, grants
from bailee.model import DEFAULT_TENANT
from bailee.reference.pki import World
from integration.gateway.conftest import CREDENTIAL
from integration.gateway.sockets import (
    RawSocket,
    SocketOrigin,
    SocketStage,
    closing,
    socket_origin,
    socket_stage,
)
from integration.gateway.staging import journal, staged_preset, until

pytestmark = pytest.mark.anyio

MASK = "*" * len(CREDENTIAL)
SELECTED = (
    'WEBSOCKET /ws frame $.op in ["ping"]',
    'WEBSOCKET /ws frame $.op = "subscribe" and $.args.* in ["a", "b"]',
)
LOGIN = """
[websocket]
origin = "rest"
login = "frame"
[websocket.frame]
when = { op = "auth" }
message = { op = "auth", args = ["{api_key}"] }
keep = ["id"]
"""
NONE = '\n[websocket]\norigin = "rest"\nlogin = "none"\n'
AUTH = {"op": "auth", "args": ["dummy"], "extra": "x", "id": "i-1"}


def error_of(running: SocketStage) -> object:
    """The error of the last outcome."""
    return journal(running.stage, "outcome")[-1].get("error")


# --- what a grant names ---


async def test_messages_pass_when_a_rule_names_them(tmp_path: Path, world: World) -> None:
    """Byte for byte, by one rule or another, also in fragments."""
    async with socket_stage(tmp_path, world, rules=SELECTED) as running:
        async with running.connect() as client:
            for message in ('{"op": "ping"}', '{"args":["b","a"],"op":"subscribe","id":1.50}'):
                await client.send(message)
                assert await client.recv() == message
            await client.send(['{"op":', '"ping"', "}"])
            assert await client.recv() == '{"op":"ping"}'
        assert len(running.origin.messages) == 3


DENIED: dict[str, str | bytes] = {
    "another value": '{"op":"order"}',
    "another channel": '{"op":"subscribe","args":["a","c"]}',
    "no JSON": "ping",
    "a binary": b'{"op":"ping"}',
    "a name twice": '{"op":"ping","op":"order"}',
    "a name that is almost the same": '{"op":"ping","Op":"order"}',
    "one of a batch": '[{"op":"ping"},{"op":"order"}]',
    "nothing": "",
}


@pytest.mark.parametrize("case", DENIED)
async def test_other_message_closes_with_1008(tmp_path: Path, world: World, case: str) -> None:
    """Nothing of it is sent, and nothing that comes after it; both sides are told."""
    async with socket_stage(tmp_path, world, rules=SELECTED) as running:
        async with running.connect() as client:
            await client.send('{"op":"ping"}')
            await client.recv()
            await client.send(DENIED[case])
            await client.send('{"op":"ping"}')
            code, reason = await closing(client)
            assert code == 1008
            assert reason.startswith("denied: ")
        await until(lambda: running.origin.closed == [(1008, "denied")])
        assert running.origin.messages == ['{"op":"ping"}']
        assert error_of(running) == "denied"


async def test_fragment_of_a_message_that_is_judged_is_held(tmp_path: Path, world: World) -> None:
    """Until the whole is here: its beginning alone says nothing."""
    async with socket_stage(tmp_path, world, rules=SELECTED) as running:
        raw = await RawSocket.open(running.stage)
        raw.send(1, b'{"op":"ping","x":"', fin=False)
        raw.send(9, b"p")
        assert (await raw.frame())[:2] == (10, b"p")
        raw.send(0, b'","op":"order"}')
        assert (await raw.frame())[2] == 1008
        await until(lambda: bool(running.origin.closed))
        assert running.origin.messages == []
        raw.close()


async def test_rules_that_change_hold_for_the_next_message(tmp_path: Path, world: World) -> None:
    """A rule that went does not let through what it did before."""
    rule = 'WEBSOCKET /ws frame $.op = "order"'
    async with socket_stage(tmp_path, world, rules=SELECTED) as running:
        stage = running.stage
        more = stage.house.grant(stage.connection, rule)
        async with running.connect() as client:
            await client.send('{"op":"order"}')
            await client.recv()
            grants.revoke(stage.house.store, DEFAULT_TENANT, more, time.time())
            await asyncio.sleep(1.2)
            await client.send('{"op":"ping"}')
            await client.recv()
            await client.send('{"op":"order"}')
            assert (await closing(client))[0] == 1008
        assert len(running.origin.messages) == 2


# --- the login in a message ---


async def test_login_is_replaced_whole(tmp_path: Path, world: World) -> None:
    """The origin sees the template and what is kept; never the token or the client's dummy."""
    async with socket_stage(tmp_path, world, table=LOGIN) as running:
        async with running.connect() as client:
            await client.send(json.dumps(AUTH | {"args": [running.stage.token]}))
            shown = json.loads(await client.recv())
            await client.send('{"op":"ping"}')
            assert await client.recv() == '{"op":"ping"}'
        login = running.origin.messages[0]
        assert login == '{"op":"auth","args":["' + CREDENTIAL + '"],"id":"i-1"}'
        assert shown == {"op": "auth", "args": [MASK], "id": "i-1"}
        seen = str(running.origin.heads) + str(running.origin.messages)
        assert seen.count(CREDENTIAL) == 1
        assert "authorization" not in running.origin.heads[0]
        assert running.stage.token not in seen
        assert "dummy" not in seen


@pytest.mark.parametrize(
    "first",
    ['{"op":"ping"}', "ping", b'{"op":"auth"}', '{"op":"auth","op":"auth"}', '[{"op":"auth"}]', ""],
)
async def test_credential_is_placed_in_the_first_message_or_nowhere(
    tmp_path: Path, world: World, first: str | bytes
) -> None:
    """Another first message passes as it is; a login after it is refused."""
    async with socket_stage(tmp_path, world, table=LOGIN) as running:
        async with running.connect() as client:
            await client.send(first)
            assert await client.recv() == first
            await client.send(json.dumps(AUTH))
            code, reason = await closing(client)
            assert code == 1008
            assert reason.startswith("denied: a login is the first message")
        assert running.origin.messages == [first]
        assert CREDENTIAL not in str(running.origin.heads)


async def test_second_login_is_refused(tmp_path: Path, world: World) -> None:
    """One credential, once on each connection."""
    async with socket_stage(tmp_path, world, table=LOGIN) as running:
        async with running.connect() as client:
            await client.send(json.dumps(AUTH))
            await client.recv()
            await client.send(json.dumps(AUTH))
            assert (await closing(client))[0] == 1008
        assert len(running.origin.messages) == 1


async def test_login_is_sent_when_a_rule_names_it(tmp_path: Path, world: World) -> None:
    """A grant that names messages names the login, too, or there is none."""
    async with socket_stage(tmp_path, world, table=LOGIN, rules=SELECTED) as running:
        async with running.connect() as client:
            await client.send(json.dumps(AUTH))
            assert (await closing(client))[0] == 1008
        assert running.origin.messages == []
        assert CREDENTIAL not in str(running.origin.heads)
        stage = running.stage
        stage.house.grant(stage.connection, 'WEBSOCKET /ws frame $.op = "auth"')
        await asyncio.sleep(1.2)
        async with running.connect() as client:
            await client.send(json.dumps(AUTH))
            assert json.loads(await client.recv())["args"] == [MASK]


async def test_provider_without_a_login_gets_no_credential(tmp_path: Path, world: World) -> None:
    """Neither on the handshake nor in a message."""
    async with socket_stage(tmp_path, world, table=NONE) as running:
        async with running.connect() as client:
            await client.send(json.dumps(AUTH))
            assert json.loads(await client.recv()) == AUTH
        assert "authorization" not in running.origin.heads[0]
        assert CREDENTIAL not in str(running.origin.heads) + str(running.origin.messages)


async def test_revoked_credential_is_not_opened_for_a_login(tmp_path: Path, world: World) -> None:
    """The connection was opened before; the login would have come after."""
    async with socket_stage(tmp_path, world, table=LOGIN) as running:
        stage = running.stage
        async with running.connect() as client:
            await client.ping()
            connections.revoke(stage.house.store, DEFAULT_TENANT, stage.connection, time.time())
            assert (await closing(client, 3.0))[0] == 1008
        assert running.origin.messages == []


BYBIT = {"api_key": "canary-bybit-key", "secret": "canary-bybit-secret"}


async def test_signed_login_is_that_of_the_time_it_is_sent(tmp_path: Path, world: World) -> None:
    """Bybit's, through the preset: key, expiry and signature; the dummy's are nowhere."""
    async with (
        socket_origin(world.leaf) as origin,
        staged_preset(
            tmp_path, world, "bybit", BYBIT, rules=["WEBSOCKET /v5/**"], upstream=origin.port
        ) as stage,
    ):
        before = time.time()
        async with SocketStage(stage, origin).connect("/v5/private") as client:
            dummy = {"op": "auth", "args": [stage.token, 1, "0" * 64], "req_id": "7"}
            await client.send(json.dumps(dummy))
            await client.recv()
        login: Any = json.loads(origin.messages[0])
        key, expires, signature = login["args"]
        assert (login["op"], login["req_id"], key) == ("auth", "7", BYBIT["api_key"])
        assert before + 9 <= int(expires) / 1000 <= time.time() + 11
        expected = hmac.new(
            BYBIT["secret"].encode(), f"GET/realtime{expires}".encode(), hashlib.sha256
        )
        assert signature == expected.hexdigest()
        assert stage.token not in str(origin.messages) + str(origin.heads)
        assert BYBIT["secret"] not in str(origin.messages)


SIGNED = """
scheme = "template"
secret = "secret"
time = "ms"
message = "{time}{method}{target}"
algorithm = "hmac-sha256"
secret_as = "text"
signature_as = "hex"
[[auth.put]]
header = "X-Time"
value = "{time}"
[[auth.put]]
header = "X-Sign"
value = "{signature}"
"""


async def test_handshake_of_a_signed_provider_is_signed(tmp_path: Path, world: World) -> None:
    """As the GET that it is."""
    credential = {"secret": "canary-signing-secret"}
    auth = SIGNED.replace('secret = "secret"', 'fields = ["secret"]\nsecret = "secret"')
    async with socket_stage(tmp_path, world, auth=auth, credential=credential) as running:
        async with running.connect("/ws/account?a=b") as client:
            await client.send("x")
            await client.recv()
        head = running.origin.heads[0]
        text = head["x-time"] + "GET/ws/account?a=b"
        expected = hmac.new(credential["secret"].encode(), text.encode(), hashlib.sha256)
        assert head["x-sign"] == expected.hexdigest()


# --- the echo guard ---


@pytest.mark.parametrize("binary", [False, True])
async def test_echoed_credential_is_masked(tmp_path: Path, world: World, binary: bool) -> None:
    """At the same length: whole, split over fragments, in a reason and in a ping."""

    async def show(connection: ServerConnection, _origin: SocketOrigin) -> None:
        whole = f'{{"key": "{CREDENTIAL}", "end": "canary"}}'
        pieces = (whole[:14], whole[14:22], whole[22:40], whole[40:])
        made = [piece.encode() for piece in pieces] if binary else list(pieces)
        await connection.send(whole.encode() if binary else whole)
        await connection.send(made)
        await connection.send("canary")
        await connection.close(4000, f"bad key {CREDENTIAL}")

    async with socket_stage(tmp_path, world, show) as running, running.connect() as client:
        expected = f'{{"key": "{MASK}", "end": "canary"}}'
        for _ in range(2):
            message = await client.recv()
            assert (message.decode() if isinstance(message, bytes) else message) == expected
        assert await client.recv() == "canary"
        assert await closing(client) == (4000, f"bad key {MASK}")


async def test_message_is_not_held_back(tmp_path: Path, world: World) -> None:
    """One that ends like the credential begins comes when it comes."""

    async def show(connection: ServerConnection, _origin: SocketOrigin) -> None:
        await connection.send(CREDENTIAL[:20])
        await connection.recv()

    async with socket_stage(tmp_path, world, show) as running, running.connect() as client:
        assert await asyncio.wait_for(client.recv(), 5) == CREDENTIAL[:20]


async def test_credential_of_a_login_is_not_in_the_journal(tmp_path: Path, world: World) -> None:
    """Nor are messages."""
    async with socket_stage(tmp_path, world, table=LOGIN) as running:
        async with running.connect() as client:
            await client.send(json.dumps(AUTH))
            await client.recv()
        await until(lambda: bool(journal(running.stage, "outcome")))
        directory = running.stage.house.directory / "journal"
        written = b"".join(f.read_bytes() for f in directory.iterdir() if f.is_file())
        assert CREDENTIAL.encode() not in written
        assert b"i-1" not in written
