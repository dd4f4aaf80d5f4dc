"""WebSockets through the gateway: let in, judged, relayed and recorded as calls are (R34, R52)."""

import asyncio
import ssl
import time
from dataclasses import replace
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import InvalidStatus

from bailee.http.websocket import BINARY, CLOSE, PING, PONG, TEXT, close_payload
from bailee.manage import derived, grants, tokens
from bailee.model import DEFAULT_TENANT
from bailee.reference.pki import World
from gate import Client, request
from integration.gateway.conftest import CREDENTIAL, Stage
from integration.gateway.sockets import (
    GRANT,
    HANDSHAKE,
    OPEN,
    RawSocket,
    SocketOrigin,
    closing,
    socket_stage,
    tls_server,
)
from integration.gateway.staging import journal, until

pytestmark = pytest.mark.anyio


def outcome(stage: Stage) -> dict[str, object]:
    """The last outcome of the journal."""
    return journal(stage, "outcome")[-1]


async def refused(stage: Stage, code: str, path: str = "/ws", **headers: str) -> None:
    """Open a WebSocket and see it refused."""
    raw = await RawSocket.open(stage, path, **headers)
    assert f"bailee-error: {code}".encode() in raw.head.lower(), raw.head
    raw.close()


async def test_websocket_is_served_with_a_grant(tmp_path: Path, world: World) -> None:
    """Text and binary, both ways; the credential is on the handshake, the token is nowhere."""
    async with socket_stage(tmp_path, world) as running, running.connect("/ws?a=b") as client:
        for message in ("hello", "gr\u00fc\u00dfe", b"\x00\xff", "", "x" * 200_000):
            await client.send(message)
            assert await client.recv() == message
        await client.close(1000, "done")
        head = running.origin.heads[0]
        assert running.origin.paths == ["/ws?a=b"]
        assert head["authorization"] == f"Bearer {CREDENTIAL}"
        assert running.stage.token not in str(head)
        assert "sec-websocket-extensions" not in head
        assert client.protocol.extensions == []
        await until(lambda: running.origin.closed == [(1000, "done")])
        intent = journal(running.stage, "intent")[0]
        assert (intent["method"], intent["path"]) == ("WEBSOCKET", "/ws")
        await until(lambda: bool(journal(running.stage, "outcome")))
        ended = outcome(running.stage)
        assert (ended["status"], ended.get("error")) == (101, None)
        assert ended["sent"] > 200_000
        assert ended["received"] > 200_000
        assert running.stage.gate.line.calls == set()


async def test_handshake_is_our_own(tmp_path: Path, world: World) -> None:
    """Another key, no origin of a page, no cookie; what was dropped is named."""
    async with socket_stage(tmp_path, world) as running:
        raw = await RawSocket.open(
            running.stage,
            Origin="https://page.test",
            Cookie="a=b",
            Sec_WebSocket_Extensions="permessage-deflate",
        )
        assert raw.status == 101
        assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in raw.head
        assert b"Bailee-Call: " in raw.head
        assert b"Bailee-Dropped: cookie, origin, sec-websocket-extensions\r\n" in raw.head
        head = running.origin.heads[0]
        assert head["sec-websocket-key"] != HANDSHAKE["Sec-WebSocket-Key"]
        assert not {"origin", "cookie", "sec-websocket-extensions"} & head.keys()
        raw.close()


@pytest.mark.parametrize("rules", [["* /**"], ["GET /**"], ["WEBSOCKET /other"]])
async def test_websocket_is_refused_without_a_grant(
    tmp_path: Path, world: World, rules: list[str]
) -> None:
    """Whatever else was granted: nothing leaves, nothing is recorded as sent (R52)."""
    async with socket_stage(tmp_path, world, rules=rules) as running:
        await refused(running.stage, "denied")
        assert running.origin.heads == []
        assert journal(running.stage, "intent") == []


async def test_websocket_is_refused_where_the_file_knows_of_none(
    tmp_path: Path, world: World
) -> None:
    """Nobody has said how one logs in there."""
    async with socket_stage(tmp_path, world, table="") as running:
        await refused(running.stage, "denied")
        assert running.origin.heads == []


@pytest.mark.parametrize("rule", ["* /WS", "WEBSOCKET /**"])
async def test_websocket_is_refused_when_the_provider_denies_it(
    tmp_path: Path, world: World, rule: str
) -> None:
    """A rule of its file about everything is about WebSockets, too."""
    table = OPEN + f'[[deny]]\nrule = "{rule}"\n'
    async with socket_stage(tmp_path, world, table=table) as running:
        await refused(running.stage, "denied")
        assert running.origin.heads == []


async def test_websocket_is_refused_without_a_token(tmp_path: Path, world: World) -> None:
    """And the connection is closed: nothing but frames could follow."""
    async with socket_stage(tmp_path, world) as running:
        client = await Client.open(running.stage.port)
        target = f"/{running.stage.connection}/ws"
        reply = await client.call(request("GET", target, None, **HANDSHAKE))
        assert reply.status == 401
        assert await client.ended()
        client.close()


async def test_other_answer_is_passed_on(tmp_path: Path, world: World) -> None:
    """What is no 101 is an answer as any: 404, with its body, masked."""

    def not_here(connection: ServerConnection, _request: object) -> object:
        return connection.respond(404, f"not here, {CREDENTIAL}\n")

    async with socket_stage(tmp_path, world, server={"process_request": not_here}) as running:
        client = await Client.open(running.stage.port)
        target = f"/{running.stage.connection}/ws"
        reply = await client.call(request("GET", target, running.stage.token, **HANDSHAKE))
        assert reply.status == 404
        assert reply.body == b"not here, " + b"*" * len(CREDENTIAL) + b"\n"
        assert await client.ended()
        client.close()
        with pytest.raises(InvalidStatus):
            async with running.connect():
                pass
        assert outcome(running.stage)["status"] == 404


async def test_sub_protocol_is_passed(tmp_path: Path, world: World) -> None:
    """The provider chooses among those that the client offers."""
    settings = {"subprotocols": ["v2", "v1"]}
    async with (
        socket_stage(tmp_path, world, server=settings) as running,
        running.connect(subprotocols=["v0", "v1", "v2"]) as client,
    ):
        assert client.subprotocol == "v2"


@pytest.mark.parametrize("behind", [b"\x81\x80\x01\x02\x03\x04", b"GET / HTTP/1.1\r\n", b"\x00"])
async def test_bytes_before_our_answer_are_refused(
    tmp_path: Path, world: World, behind: bytes
) -> None:
    """Who does not wait does not know whom it speaks to."""
    async with socket_stage(tmp_path, world) as running:
        await refused(running.stage, "malformed-request", "/ws?x", behind=behind)
        assert running.origin.heads == []


async def test_bytes_that_come_while_we_dial_are_refused(tmp_path: Path, world: World) -> None:
    """In a read of their own, too."""
    release = asyncio.Event()

    async def wait(_connection: ServerConnection, _request: object) -> None:
        await release.wait()

    async with socket_stage(tmp_path, world, server={"process_request": wait}) as running:
        client = await Client.open(running.stage.port)
        target = f"/{running.stage.connection}/ws"
        await client.send(request("GET", target, running.stage.token, **HANDSHAKE))
        await asyncio.sleep(0.2)
        await client.send(b"\x81\x80\x01\x02\x03\x04")
        reply = await client.reply()
        assert (reply.status, reply.headers["bailee-error"]) == (400, "malformed-request")
        assert await client.ended()
        client.close()
        release.set()


@pytest.mark.parametrize(
    "change",
    [
        {"Upgrade": "h2c"},
        {"Connection": "keep-alive"},
        {"Sec-WebSocket-Version": "8"},
        {"Sec-WebSocket-Key": "x"},
        {"Bailee-Once": "o1"},
    ],
)
async def test_other_upgrade_is_malformed(
    tmp_path: Path, world: World, change: dict[str, str]
) -> None:
    """400, as ever."""
    async with socket_stage(tmp_path, world) as running:
        headers = {name.replace("-", "_"): value for name, value in change.items()}
        await refused(running.stage, "malformed-request", **headers)


# --- frames ---


async def test_fragments_and_pings_pass(tmp_path: Path, world: World) -> None:
    """A message in pieces comes as one; pings and pongs cross, also between the pieces."""
    async with socket_stage(tmp_path, world) as running:
        raw = await RawSocket.open(running.stage)
        raw.send(TEXT, b"\xc3", fin=False)
        raw.send(PING, b"p1")
        assert await raw.frame() == (PONG, b"p1", 0)
        raw.send(0, b"\xa9a", fin=False)
        raw.send(0, b"b")
        assert await raw.frame() == (TEXT, "\u00e9ab".encode(), 0)
        assert running.origin.messages == ["\u00e9ab"]
        pong = await running.origin.connections[0].ping(b"from the provider")
        assert await raw.frame() == (PING, b"from the provider", 0)
        raw.send(PONG, b"from the provider")
        await asyncio.wait_for(pong, 5)
        raw.close()


async def test_large_message_passes_in_pieces(tmp_path: Path, world: World) -> None:
    """Up to the limit, and nothing of it is held."""
    limit = 300_000
    async with (
        socket_stage(tmp_path, world, websocket_message_bytes=limit) as running,
        running.connect() as client,
    ):
        await client.send(b"x" * limit)
        assert await client.recv() == b"x" * limit


async def test_message_over_the_limit_closes_with_1009(tmp_path: Path, world: World) -> None:
    """A client's, and a provider's."""
    async with socket_stage(tmp_path, world, websocket_message_bytes=1000) as running:
        async with running.connect() as client:
            await client.send("x" * 1000)
            assert await client.recv() == "x" * 1000
            await client.send("x" * 1001)
            code, reason = await closing(client)
            assert code == 1009
            assert reason.startswith("message-too-large")
        await until(lambda: running.origin.closed == [(1001, "message-too-large")])
        assert len(running.origin.messages) == 1
        assert outcome(running.stage)["error"] == "message-too-large"


async def test_large_message_of_the_provider_closes_with_1009(tmp_path: Path, world: World) -> None:
    """Nobody gets a part of it that looks whole."""

    async def send_much(connection: ServerConnection, _origin: SocketOrigin) -> None:
        await connection.send("x" * 1001)

    async with socket_stage(tmp_path, world, send_much, websocket_message_bytes=1000) as running:
        async with running.connect() as client:
            assert (await closing(client))[0] == 1009
        await until(lambda: running.origin.closed == [(1009, "message-too-large")])


BROKEN = {
    "a frame without a mask": (b"\x81\x01a", 1002),
    "a reserved bit": (b"\xc1\x80\x00\x00\x00\x00", 1002),
    "bad UTF-8": (b"\x81\x81\x00\x00\x00\x00\xff", 1007),
    "a close code that nobody may send": (b"\x88\x82\x00\x00\x00\x00\x03\xed", 1002),
}


@pytest.mark.parametrize("case", BROKEN)
async def test_broken_frames_of_a_client_close(tmp_path: Path, world: World, case: str) -> None:
    """With the code of RFC 6455; the provider learns no more than that the client is gone."""
    data, expected = BROKEN[case]
    async with socket_stage(tmp_path, world) as running:
        raw = await RawSocket.open(running.stage)
        raw.writer.write(data)
        opcode, reason, code = await raw.frame()
        assert (opcode, code) == (CLOSE, expected)
        assert reason.startswith(b"frame-malformed: ")
        assert (await raw.frame())[0] == 0
        await until(lambda: running.origin.closed == [(1001, "frame-malformed")])
        assert running.origin.messages == []
        assert outcome(running.stage)["error"] == "frame-malformed"
        raw.close()


# --- the end ---


@pytest.mark.parametrize(("code", "reason"), [(1000, "bye"), (4001, "gr\u00fc\u00df"), (3000, "")])
async def test_close_of_the_client_passes(
    tmp_path: Path, world: World, code: int, reason: str
) -> None:
    """Code and reason, and the answer to it."""
    async with socket_stage(tmp_path, world) as running:
        async with running.connect() as client:
            await client.close(code, reason)
            assert client.protocol.close_rcvd is not None
            assert client.protocol.close_rcvd.code == code
        await until(lambda: running.origin.closed == [(code, reason)])
        await until(lambda: bool(journal(running.stage, "outcome")))
        assert outcome(running.stage).get("error") is None


@pytest.mark.parametrize(("code", "reason"), [(1000, ""), (1013, "later"), (4999, "x")])
async def test_close_of_the_provider_passes(
    tmp_path: Path, world: World, code: int, reason: str
) -> None:
    """After what it sent before."""

    async def leave(connection: ServerConnection, _origin: SocketOrigin) -> None:
        await connection.send("last")
        await connection.close(code, reason)

    async with socket_stage(tmp_path, world, leave) as running:
        async with running.connect() as client:
            assert await client.recv() == "last"
            assert await closing(client) == (code, reason)
        await until(lambda: running.origin.closed == [(code, reason)])
        await until(lambda: bool(journal(running.stage, "outcome")))
        assert outcome(running.stage).get("error") is None


async def test_close_without_a_code_passes_without_one(tmp_path: Path, world: World) -> None:
    """1005 stands for it and is never sent."""
    async with socket_stage(tmp_path, world) as running:
        raw = await RawSocket.open(running.stage)
        raw.send(CLOSE, b"")
        opcode, _, _ = await raw.frame()
        assert opcode == CLOSE
        assert (await raw.frame())[0] == 0
        await until(lambda: running.origin.closed == [(1005, "")])
        raw.close()


async def test_client_that_hangs_up_is_told_to_the_provider(tmp_path: Path, world: World) -> None:
    """1001; the record says who went."""
    async with socket_stage(tmp_path, world) as running:
        raw = await RawSocket.open(running.stage)
        raw.send(TEXT, b"a")
        await raw.frame()
        raw.close()
        await until(lambda: running.origin.closed == [(1001, "")])
        await until(lambda: bool(journal(running.stage, "outcome")))
        ended = outcome(running.stage)
        assert (ended["status"], ended["error"]) == (101, "client-gone")
        assert running.stage.gate.line.calls == set()


async def test_provider_that_is_lost_closes_with_1011(tmp_path: Path, world: World) -> None:
    """And the client is told why."""

    async def vanish(connection: ServerConnection, _origin: SocketOrigin) -> None:
        await connection.recv()
        connection.transport.abort()

    async with socket_stage(tmp_path, world, vanish) as running:
        async with running.connect() as client:
            await client.send("x")
            code, reason = await closing(client)
            assert code == 1011
            assert reason.startswith("answer-lost")
        await until(lambda: bool(journal(running.stage, "outcome")))
        assert outcome(running.stage)["error"] == "answer-lost"


async def test_drain_closes_with_1001(tmp_path: Path, world: World) -> None:
    """Both sides, at once; a drain does not wait for a stream that never ends (R41)."""
    async with socket_stage(tmp_path, world) as running:
        async with running.connect() as client:
            await client.send("x")
            await client.recv()
            draining = asyncio.ensure_future(running.stage.gate.listener.drain(5.0))  # noqa: TID251  # a test's own task
            code, reason = await closing(client)
            assert code == 1001
            assert reason.startswith("draining")
            await asyncio.wait_for(draining, 2)
        await until(lambda: running.origin.closed == [(1001, "draining")])
        assert outcome(running.stage)["error"] == "draining"


# --- what allowed it is gone ---


async def test_revoked_grant_closes_with_1008(tmp_path: Path, world: World) -> None:
    """Within a second, and nothing passes any more (R7)."""
    async with socket_stage(tmp_path, world, rules=("GET /other",)) as running:
        stage = running.stage
        granted = stage.house.grant(stage.connection, GRANT)
        async with running.connect() as client:
            await client.send("x")
            await client.recv()
            grants.revoke(stage.house.store, DEFAULT_TENANT, granted, time.time())
            code, reason = await closing(client, 2.0)
            assert code == 1008
            assert reason.startswith(("denied", "connection-not-found"))
        await until(lambda: [code for code, _ in running.origin.closed] == [1008])


async def test_expired_token_closes_with_1008(tmp_path: Path, world: World) -> None:
    """The reason says no more than strangers are told."""
    async with socket_stage(tmp_path, world) as running:
        stage = running.stage
        token = stage.house.add_caller("brief", seconds=1.0)
        stage.house.grant(stage.connection, GRANT, caller="brief")
        async with running.connect(token=token) as client:
            await client.send("x")
            await client.recv()
            assert await closing(client, 4.0) == (1008, "unauthenticated")
        assert outcome(stage)["error"] == "unauthenticated"


# --- silence and slowness ---


async def test_silent_peers_are_pinged_and_stay(tmp_path: Path, world: World) -> None:
    """Who answers may be silent for as long as it likes; our pings are nobody else's."""
    async with (
        socket_stage(tmp_path, world, idle_seconds=0.3) as running,
        running.connect(ping_interval=None) as client,
    ):
        await asyncio.sleep(2.0)
        await client.send("still here")
        assert await client.recv() == "still here"


async def test_dead_client_is_closed(tmp_path: Path, world: World) -> None:
    """It answers no ping: the record says so."""
    async with socket_stage(tmp_path, world, idle_seconds=0.3) as running:
        raw = await RawSocket.open(running.stage)
        assert (await raw.frame())[0] == PING
        opcode, _, code = await raw.frame()
        assert (opcode, code) == (CLOSE, 1008)
        await until(lambda: running.origin.closed == [(1001, "client-gone")])
        raw.close()


async def test_slow_reader_does_not_grow_memory(tmp_path: Path, world: World) -> None:
    """Whoever reads nothing is not read for: the provider can't send on, and nothing piles up."""
    sent = 0

    async def flood(connection: ServerConnection, _origin: SocketOrigin) -> None:
        nonlocal sent
        while True:
            await connection.send(b"x" * 60_000)
            sent += 60_000

    async with socket_stage(tmp_path, world, flood, idle_seconds=30) as running:
        raw = await RawSocket.open(running.stage)
        before = -1
        while before != sent:
            before = sent
            await asyncio.sleep(0.5)
        (call,) = running.stage.gate.line.calls
        assert sent < 16 << 20
        assert call._session.transport.get_write_buffer_size() < 1 << 20
        raw.close()
        await until(lambda: not running.stage.gate.line.calls)


async def test_slow_provider_holds_up_its_client(tmp_path: Path, world: World) -> None:
    """The other way round; one that reads nothing for `idle_seconds` is given up."""
    hold = asyncio.Event()

    async def sleep(_connection: ServerConnection, _origin: SocketOrigin) -> None:
        await hold.wait()

    async with socket_stage(tmp_path, world, sleep, idle_seconds=3) as running:
        raw = await RawSocket.open(running.stage)
        written = 0
        try:
            async with asyncio.timeout(2):
                while written < 64 << 20:
                    raw.send(BINARY, b"x" * 60_000)
                    await raw.writer.drain()
                    written += 60_000
        except TimeoutError:
            pass
        assert written < 32 << 20
        (call,) = running.stage.gate.line.calls
        assert call._stream is not None
        assert call._stream.transport.get_write_buffer_size() < 1 << 20
        await until(lambda: bool(journal(running.stage, "outcome")), 15)
        assert outcome(running.stage)["error"] == "provider-timeout"
        raw.close()
        hold.set()


async def test_reader_that_stalls_is_closed(tmp_path: Path, world: World) -> None:
    """After `idle_seconds` in which it read nothing of what waits for it, however much it says."""

    async def flood(connection: ServerConnection, _origin: SocketOrigin) -> None:
        while True:
            await connection.send(b"x" * 60_000)

    async with socket_stage(tmp_path, world, flood, idle_seconds=1.0) as running:
        raw = await RawSocket.open(running.stage)
        async with asyncio.timeout(15):
            while not journal(running.stage, "outcome"):
                raw.send(PONG, b"alive")
                await asyncio.sleep(0.1)
        assert outcome(running.stage)["error"] == "client-gone"
        raw.close()


async def test_many_messages_keep_their_order(tmp_path: Path, world: World) -> None:
    """Both ways at once."""
    async with socket_stage(tmp_path, world) as running, running.connect() as client:
        for number in range(500):
            await client.send(str(number))
        assert [await client.recv() for _ in range(500)] == [str(n) for n in range(500)]


async def test_closed_twice_is_closed_once(tmp_path: Path, world: World) -> None:
    """Both close at the same time: each gets the other's frame, and there is one record."""

    async def leave(connection: ServerConnection, _origin: SocketOrigin) -> None:
        await connection.recv()
        await connection.close(4002, "provider")

    async with socket_stage(tmp_path, world, leave) as running:
        raw = await RawSocket.open(running.stage)
        raw.send(TEXT, b"x")
        raw.send(CLOSE, close_payload(4001, b"client"))
        assert (await raw.frame())[0] == CLOSE
        assert (await raw.frame())[0] == 0
        await until(lambda: len(running.origin.closed) == 1)
        assert len(journal(running.stage, "outcome")) == 1
        raw.close()


async def test_connection_may_be_pipelined_before(tmp_path: Path, world: World) -> None:
    """A call, then a WebSocket on the same connection: answered in their order."""
    async with socket_stage(tmp_path, world, rules=(GRANT, "GET /**")) as running:
        client = await Client.open(running.stage.port)
        target = f"/{running.stage.connection}/plain"
        first = request("GET", target, running.stage.token)
        await client.send(
            first
            + request("GET", f"/{running.stage.connection}/ws", running.stage.token, **HANDSHAKE)
        )
        assert (await client.reply()).status == 426
        head = await asyncio.wait_for(client.reader.readuntil(b"\r\n\r\n"), 5)
        assert head.startswith(b"HTTP/1.1 101 ")
        client.close()


# --- the other doors ---


async def test_websocket_is_served_over_tls(tmp_path: Path, world: World) -> None:
    """By our own listener; closing says farewell, and the client's end is clean."""
    context = tls_server(world.leaf)
    trust = ssl.create_default_context(cadata=world.root.pem.decode())
    async with socket_stage(tmp_path, world, tls=context) as running:
        url = running.url().replace("ws://", "wss://")
        headers = {"Bailee-Token": running.stage.token}
        async with connect(
            url, ssl=trust, server_hostname="api.test", additional_headers=headers, proxy=None
        ) as client:
            for message in ("hello", "x" * 300_000):
                await client.send(message)
                assert await client.recv() == message
            await client.close(4000, "bye")
        await until(lambda: running.origin.closed == [(4000, "bye")])
        await until(lambda: bool(journal(running.stage, "outcome")))
        assert outcome(running.stage).get("error") is None


async def test_websocket_is_served_by_host_name(tmp_path: Path, world: World) -> None:
    """The whole path is the provider's."""
    async with socket_stage(tmp_path, world, calls_domain="calls.test") as running:
        stage = running.stage
        client = await Client.open(stage.port)
        raw = request("GET", "/ws?a=b", stage.token, **HANDSHAKE)
        host = f"Host: {stage.connection}.calls.test".encode()
        await client.send(raw.replace(b"Host: 127.0.0.1:8700", host))
        head = await asyncio.wait_for(client.reader.readuntil(b"\r\n\r\n"), 5)
        assert head.startswith(b"HTTP/1.1 101 ")
        assert running.origin.paths == ["/ws?a=b"]
        client.close()


@pytest.mark.parametrize(("methods", "status"), [(["GET"], 403), (["GET", "WEBSOCKET"], 101)])
async def test_derived_token_has_to_name_websockets(
    tmp_path: Path, world: World, methods: list[str], status: int
) -> None:
    """A token for reading opens no stream."""
    async with socket_stage(tmp_path, world) as running:
        stage = running.stage
        asking = tokens.issue_operator(stage.house.store, DEFAULT_TENANT, "test", time.time())
        issued = derived.derive(
            stage.house.store,
            DEFAULT_TENANT,
            asking.token.id,
            "app",
            time.time(),
            connection=stage.connection,
            methods=methods,
            seconds=60,
        )
        token = issued.text.reveal().decode()
        raw = await RawSocket.open(replace(stage, token=token))
        assert raw.status == status
        raw.close()
