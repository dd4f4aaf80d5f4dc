"""Our own TLS in front of calls: 1.3 alone, and no answer before the handshake is whole."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

import pki
from bailee.config import TlsFiles
from bailee.reference.pki import Issued, World, create_root
from bailee.tls.context import load_tls
from gate import Client, request
from integration.gateway.conftest import Stage
from integration.gateway.staging import (
    call,
    journal,
    plain_answer,
    port_of,
    staged,
    wild_origin,
)
from origin import Arrived, answer

pytestmark = pytest.mark.anyio

NAME = "gate.test"
OWN = World.create([NAME])
CLIENTS = create_root("callers")
LARGE = bytes(range(256)) * 8192


def files(directory: Path, *, mutual: bool = False) -> TlsFiles:
    """Our certificate and its key, and where asked the CA of the callers."""
    written = OWN.write(directory)
    ca = directory / "callers.pem"
    ca.write_bytes(CLIENTS.pem)
    return TlsFiles(written.certificate, written.key, ca if mutual else None)


def trusting(own: Issued | None = None, directory: Path | None = None) -> ssl.SSLContext:
    """A client's settings: our CA, our name, and a certificate of its own if one is given."""
    context = ssl.create_default_context(cadata=OWN.root.pem.decode())
    context.set_alpn_protocols(["h2", "http/1.1"])
    if own is not None:
        assert directory is not None
        context.load_cert_chain(*own.write(directory, "client"))
    return context


@asynccontextmanager
async def secured(
    directory: Path, world: World, *, mutual: bool = False, **more: Any
) -> AsyncIterator[Stage]:
    """A stage whose gateway speaks TLS."""
    tls = load_tls(files(directory, mutual=mutual)).context
    async with staged(directory, world, tls=tls, **more) as stage:
        yield stage


async def connect(stage: Stage, context: ssl.SSLContext | None = None) -> Client:
    """Connect over TLS as `gate.test`."""
    return Client(
        *await asyncio.open_connection(
            "127.0.0.1", stage.port, ssl=context or trusting(), server_hostname=NAME
        )
    )


def get(stage: Stage, path: str = "/p", **headers: str) -> bytes:
    """A request with the stage's token."""
    return request("GET", f"/{stage.connection}{path}", stage.token, **headers)


async def test_call_over_tls_is_served(tmp_path: Path, world: World) -> None:
    """TLS 1.3, HTTP/1.1 by ALPN, one connection for many calls, and no ticket to resume with."""
    async with secured(tmp_path, world) as stage:
        client = await connect(stage)
        for number in range(20):
            assert (await client.call(get(stage, f"/n{number}"))).status == 200
        tls = client.writer.get_extra_info("ssl_object")
        assert (tls.version(), tls.selected_alpn_protocol()) == ("TLSv1.3", "http/1.1")
        assert not tls.session.has_ticket
        assert stage.origin.arrived[0].request_line == "GET /n0 HTTP/1.1"
        client.close()


async def test_bodies_of_many_records_pass(tmp_path: Path, world: World) -> None:
    """Two megabytes each way, also to a client that reads late; the next call is served too."""

    async def echo(arrived: Arrived, writer: asyncio.StreamWriter) -> None:
        await answer(writer, arrived.body)

    async with secured(tmp_path, world, respond=echo) as stage:
        client = await connect(stage)
        await client.send(request("POST", f"/{stage.connection}/p", stage.token, LARGE))
        await asyncio.sleep(0.2)
        assert (await client.reply()).body == LARGE
        raw = request("POST", f"/{stage.connection}/p", stage.token, b"small")
        assert (await client.call(raw)).body == b"small"
        client.close()


async def test_slow_client_stops_the_provider(tmp_path: Path, world: World) -> None:
    """A client that does not read is not waited for in memory, and gets all of it when it does."""
    sent, size, block = 0, 64 << 20, bytes(65536)

    async def respond(_: Arrived, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        while sent < size:
            writer.write(block)
            sent += len(block)
            await writer.drain()

    async with secured(tmp_path, world, respond=respond) as stage:
        client = await connect(stage)
        await client.send(get(stage))
        assert await at_rest(lambda: sent) < size // 2
        await client.reader.readuntil(b"\r\n\r\n")
        got = 0
        while got < size:
            got += len(await client.reader.read(1 << 18))
        assert got == size
        client.close()


async def test_slow_provider_stops_the_client(tmp_path: Path, world: World) -> None:
    """A body that nobody takes is not read, and passes when somebody does."""
    size, go, got = 64 << 20, asyncio.Event(), 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal got
        await reader.readuntil(b"\r\n\r\n")
        await go.wait()
        while got < size:
            got += len(await reader.read(1 << 18))
        await answer(writer)

    async with (
        wild_origin(world.leaf, serve, buffer=16_384) as server,
        secured(tmp_path, world, upstream=port_of(server)) as stage,
        asyncio.TaskGroup() as tasks,
    ):
        client, sent = await connect(stage), 0

        async def upload() -> None:
            nonlocal sent
            head = request("POST", f"/{stage.connection}/p", stage.token, Content_Length=size)
            await client.send(head)
            while sent < size:
                sent += 65536
                await client.send(bytes(65536))

        tasks.create_task(upload())
        assert await at_rest(lambda: sent) < size // 2
        go.set()
        assert (await client.reply()).status == 200
        assert got == size
        client.close()


async def test_pipelined_requests_are_answered_in_order(tmp_path: Path, world: World) -> None:
    """In one record, and each byte in a record of its own."""

    async def echo(arrived: Arrived, writer: asyncio.StreamWriter) -> None:
        await answer(writer, arrived.request_line.encode())

    async with secured(tmp_path, world, respond=echo) as stage:
        client = await connect(stage)
        await client.send(b"".join(get(stage, f"/a{number}") for number in range(50)))
        for number in range(50):
            assert (await client.reply()).body == f"GET /a{number} HTTP/1.1".encode()
        for byte in get(stage, "/b") * 2:
            client.writer.write(bytes([byte]))
        for _ in range(2):
            assert (await client.reply()).body == b"GET /b HTTP/1.1"
        client.close()


async def test_tls_1_2_is_refused(tmp_path: Path, world: World) -> None:
    """The client learns it by an alert, and no call begins."""
    async with secured(tmp_path, world) as stage:
        old = trusting()
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        with pytest.raises(ssl.SSLError, match="PROTOCOL_VERSION"):
            await connect(stage, old)
        assert stage.origin.arrived == []


@pytest.mark.parametrize("raw", [b"", b"GET / HTTP/1.1\r\n\r\n", b"\x80\x2e\x01", b"\x00"])
async def test_what_is_no_tls_is_closed_without_an_answer(
    tmp_path: Path, world: World, raw: bytes
) -> None:
    """Plain HTTP with a token gets not one byte, nor does anything else."""
    async with secured(tmp_path, world) as stage:
        client = await Client.open(stage.port)
        await client.send(raw or get(stage))
        assert await client.ended()
        client.close()
        assert stage.origin.arrived == []


async def test_slow_handshake_is_closed(tmp_path: Path, world: World) -> None:
    """Whoever says nothing, or begins and does not go on, is closed at the deadline of a head."""
    async with secured(tmp_path, world, head_seconds=0.3) as stage:
        silent, slow = await Client.open(stage.port), await Client.open(stage.port)
        await slow.send(client_hello()[:40])
        for client in (silent, slow):
            assert await client.ended()
            client.close()
        quick = await connect(stage)
        assert (await quick.call(get(stage))).status == 200
        quick.close()


async def test_session_has_its_own_deadline_after_the_handshake(
    tmp_path: Path, world: World
) -> None:
    """A whole handshake and half a head: 408 over TLS, and closed."""
    async with secured(tmp_path, world, head_seconds=0.3) as stage:
        client = await connect(stage)
        await client.send(get(stage)[:20])
        assert (await client.reply()).status == 408
        assert await client.ended()
        client.close()


async def test_handshakes_count_as_connections(tmp_path: Path, world: World) -> None:
    """Who has not finished its handshake takes a place; over the cap a client is dropped."""
    async with secured(tmp_path, world, connections=2) as stage:
        kept, waiting = await connect(stage), await Client.open(stage.port)
        with pytest.raises((ConnectionError, ssl.SSLError)):
            await connect(stage)
        waiting.close()
        await asyncio.sleep(0.05)
        again = await connect(stage)
        for client in (kept, again):
            assert (await client.call(get(stage))).status == 200
            client.close()


# --- certificates of callers --------------------------------------------------------------------

REFUSED = {
    "no certificate": lambda: None,
    "of another CA": lambda: pki.client_leaf(create_root("others")),
    "for a server": lambda: pki.create_leaf(CLIENTS, ["app.test"]),
    "whose time is over": lambda: pki.expired_leaf(CLIENTS),
    "self-signed": pki.self_signed_leaf,
}


@pytest.mark.parametrize("case", REFUSED)
async def test_caller_without_a_good_certificate_is_refused(
    tmp_path: Path, world: World, case: str
) -> None:
    """However good the token is, nothing is answered, recorded or sent."""
    own = REFUSED[case]()
    async with secured(tmp_path, world, mutual=True) as stage:
        with pytest.raises((ssl.SSLError, ConnectionError, EOFError)):
            client = await connect(stage, trusting(own, tmp_path))
            await client.call(get(stage))
        assert stage.origin.arrived == journal(stage, "intent") == []


async def test_certificate_stands_beside_the_token(tmp_path: Path, world: World) -> None:
    """With a good certificate the token decides as before."""
    async with secured(tmp_path, world, mutual=True) as stage:
        context = trusting(pki.client_leaf(CLIENTS), tmp_path)
        for token, status in ((stage.token, 200), (None, 401), ("bailee_nonsense", 401)):
            client = await connect(stage, context)
            reply = await client.call(request("GET", f"/{stage.connection}/p", token))
            assert reply.status == status
            client.close()


# --- what the client is told of us ---------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("claimed", ["http", "https"])
async def test_urls_have_the_scheme_that_was_used(
    tmp_path: Path, world: World, scheme: str, claimed: str
) -> None:
    """`Location` leads back the way the call came; `X-Forwarded-Proto` is not believed."""
    moved = plain_answer("Location: /v2/x\r\n", status="302 Found")
    make = secured if scheme == "https" else staged
    async with make(tmp_path, world, respond=moved) as stage:
        forged = {"X_Forwarded_Proto": claimed, "Forwarded": f"proto={claimed}"}
        if scheme == "http":
            reply = await call(stage, **forged)
        else:
            client = await connect(stage)
            reply = await client.call(get(stage, **forged))
            client.close()
        assert reply.headers["location"] == f"{scheme}://127.0.0.1:8700/{stage.connection}/v2/x"


# --- the end of a connection ----------------------------------------------------------------------


async def test_client_that_ends_its_side_still_gets_its_answer(
    tmp_path: Path, world: World
) -> None:
    """After a close_notify the answer under way is sent, then ours, then the connection ends."""
    async with secured(tmp_path, world, respond=late) as stage:
        client = await ByHand.open(stage)
        await client.send(get(stage), farewell=True)
        said, clean = await client.rest()
        assert said.startswith(b"HTTP/1.1 200 ")
        assert said.endswith(b"late")
        assert clean


async def test_client_that_is_cut_off_is_gone(tmp_path: Path, world: World) -> None:
    """TCP that ends without a close_notify may be somebody between: the call is given up."""
    async with secured(tmp_path, world, respond=late) as stage:
        client = await ByHand.open(stage)
        await client.send(get(stage))
        client.writer.write_eof()
        assert await client.rest() == (b"", False)
        assert journal(stage, "outcome")[-1]["error"] == "client-gone"


async def test_answer_ends_with_a_farewell(tmp_path: Path, world: World) -> None:
    """Our close_notify stands after the last answer, so that its end can't be forged."""
    async with secured(tmp_path, world) as stage:
        client = await ByHand.open(stage)
        await client.send(get(stage, Connection="close"))
        said, clean = await client.rest()
        assert said.startswith(b"HTTP/1.1 200 ")
        assert clean


async def test_altered_record_ends_the_connection(tmp_path: Path, world: World) -> None:
    """A record that was changed on the way is not answered."""
    async with secured(tmp_path, world) as stage:
        client = await ByHand.open(stage)
        client.tls.write(get(stage))
        record = client.outgoing.read()
        client.writer.write(record[:-1] + bytes([record[-1] ^ 1]))
        assert await client.rest() == (b"", False)
        assert stage.origin.arrived == []


async def test_handshake_under_way_is_served_in_a_drain(tmp_path: Path, world: World) -> None:
    """Who connected before gets one answer, and the drain ends without waiting for its deadline."""
    async with secured(tmp_path, world) as stage:
        reader, writer = await asyncio.open_connection("127.0.0.1", stage.port)
        await asyncio.sleep(0.05)
        async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
            tasks.create_task(stage.gate.listener.drain(10.0))
            await asyncio.sleep(0.05)
            await writer.start_tls(trusting(), server_hostname=NAME)
            reply = await Client(reader, writer).call(get(stage))
            assert (reply.status, reply.headers["connection"]) == (200, "close")
        with pytest.raises(ConnectionError):
            await connect(stage)
        writer.transport.abort()


async def late(_: Arrived, writer: asyncio.StreamWriter) -> None:
    """Answer after a while."""
    await asyncio.sleep(0.2)
    await answer(writer, b"late")


async def at_rest(count: Callable[[], int]) -> int:
    """Wait until a number that grows stands still."""
    before = -1
    while (now := count()) != before or not now:
        before = now
        await asyncio.sleep(0.2)
    return now


def client_hello() -> bytes:
    """The first flight of a client."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = trusting().wrap_bio(incoming, outgoing, server_hostname=NAME)
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


class ByHand:
    """A client that can end its TLS and its TCP one without the other."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = trusting().wrap_bio(self.incoming, self.outgoing, server_hostname=NAME)

    @classmethod
    async def open(cls, stage: Stage) -> "ByHand":
        client = cls(*await asyncio.open_connection("127.0.0.1", stage.port))
        while True:
            try:
                client.tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                client.writer.write(client.outgoing.read())
                client.incoming.write(await client.reader.read(65536))
        return client

    async def send(self, raw: bytes, *, farewell: bool = False) -> None:
        self.tls.write(raw)
        if farewell:
            with pytest.raises(ssl.SSLWantReadError):
                self.tls.unwrap()
        self.writer.write(self.outgoing.read())
        await self.writer.drain()

    async def rest(self) -> tuple[bytes, bool]:
        """All that comes until the connection ends, and whether TLS ended before TCP."""
        said, clean = b"", False
        async with asyncio.timeout(5):
            try:
                while data := await self.reader.read(65536):
                    self.incoming.write(data)
            except ConnectionError:
                pass
        try:
            while plain := self.tls.read(65536):
                said += plain
            clean = True
        except ssl.SSLZeroReturnError:
            clean = True
        except ssl.SSLWantReadError:
            pass
        self.writer.transport.abort()
        return said, clean
