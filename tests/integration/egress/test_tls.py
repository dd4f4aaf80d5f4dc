"""TLS as it is spoken to providers: versions, ALPN, no resumption, and how a stream ends."""

import asyncio
import ssl

import pytest

from bailee.egress.tls import Handshake, TlsSettings
from bailee.errors import CertificateRefused, PinMismatch, ProviderUnreachable
from bailee.model import Pin
from bailee.reference.pki import World
from dialling import dialled, door, pem
from tap import run_tap, server_context

pytestmark = pytest.mark.anyio
TLS_1_2 = ssl.TLSVersion.TLSv1_2


class Reader:
    """Takes what a stream says, and how it ends."""

    def __init__(self) -> None:
        self.plain = b""
        self.ended: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    def data_received(self, plain: bytes) -> None:
        self.plain += plain

    def stream_lost(self, *, clean: bool) -> None:
        self.ended.set_result(clean)

    def pause_sending(self) -> None:
        pass

    def resume_sending(self) -> None:
        pass


async def test_tls_1_3_is_the_least(world: World) -> None:
    """A server that has only TLS 1.2 is refused, unless the provider's file allows it."""
    async with run_tap(server_context(world.leaf, maximum_version=TLS_1_2)) as tap:
        with pytest.raises(CertificateRefused):
            async with dialled(door(tap.port, pem(world.root)), world.leaf.pin):
                pass
        wire = await tap.wire()
        assert (wire.plain, wire.finished) == (b"", False)
        allowed = door(tap.port, pem(world.root), tls_minimum="1.2")
        async with dialled(allowed, world.leaf.pin) as stream:
            stream.write(b"plain")
            while not tap.wires[1].plain:
                await asyncio.sleep(0.001)
        assert (await tap.wire(1)).version == "TLSv1.2"


async def test_tls_1_2_is_only_the_least(world: World) -> None:
    """Where 1.2 is allowed, a server that has 1.3 is spoken to in 1.3."""
    async with run_tap(server_context(world.leaf)) as tap:
        allowed = door(tap.port, pem(world.root), tls_minimum="1.2")
        async with dialled(allowed, world.leaf.pin):
            pass
        assert (await tap.wire()).version == "TLSv1.3"


async def test_tls_1_2_mismatch_sends_no_plain_byte(world: World) -> None:
    """TLS 1.2 shows Finished before the pin can be judged; no byte of a call follows it."""
    async with run_tap(server_context(world.leaf, maximum_version=TLS_1_2)) as tap:
        allowed = door(tap.port, pem(world.root), tls_minimum="1.2")
        with pytest.raises(PinMismatch):
            async with dialled(allowed, Pin(bytes(32))):
                pass
        wire = await tap.wire()
        assert wire.plain == b""
        assert wire.reset


@pytest.mark.parametrize("offered", [[], ["http/1.1"], ["h2", "http/1.1"]], ids=str)
async def test_http_1_1_is_all_that_is_offered(world: World, offered: list[str]) -> None:
    """A server may know no ALPN, or choose HTTP/1.1."""
    context = server_context(world.leaf)
    if offered:
        context.set_alpn_protocols(offered)
    chosen = []
    async with (
        run_tap(
            context, on_finished=lambda tls: chosen.append(tls.selected_alpn_protocol())
        ) as tap,
        dialled(door(tap.port, pem(world.root)), world.leaf.pin),
    ):
        while not chosen:
            await asyncio.sleep(0.001)
    assert chosen == ["http/1.1" if offered else None]


async def test_another_protocol_is_refused(world: World) -> None:
    """Whoever chooses another protocol, even if it had been offered, gets no Finished."""
    settings = TlsSettings(pem(world.root), "1.3")
    settings.context.set_alpn_protocols(["h2", "http/1.1"])
    context = server_context(world.leaf)
    context.set_alpn_protocols(["h2"])
    async with run_tap(context) as tap:
        _, handshake = await asyncio.get_running_loop().create_connection(
            lambda: Handshake(settings, "api.test", lambda chain: chain), "127.0.0.1", tap.port
        )
        with pytest.raises(CertificateRefused, match=r"HTTP/1\.1"):
            await handshake.done
        assert (await tap.wire()).after_flight == 0


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_3, TLS_1_2], ids=["1.3", "1.2"])
async def test_sessions_are_not_resumed(world: World, version: ssl.TLSVersion) -> None:
    """Each stream shakes hands in full, so that each is judged anew (R26)."""
    async with run_tap(server_context(world.leaf, maximum_version=version)) as tap:
        to = door(tap.port, pem(world.root), tls_minimum="1.2")
        for number in range(3):
            async with dialled(to, world.leaf.pin) as stream:
                stream.write(b"x")
                while len(tap.wires) <= number or not tap.wires[number].plain:
                    await asyncio.sleep(0.001)
        assert [(wire.finished, wire.resumed) for wire in tap.wires] == [(True, False)] * 3


async def test_stream_speaks_both_ways(world: World) -> None:
    """Plain bytes go out as written, and come in as the server wrote them."""
    async with run_tap(server_context(world.leaf), on_finished=lambda tls: None) as tap:
        async with dialled(door(tap.port, pem(world.root)), world.leaf.pin) as stream:
            stream.write(b"GET / HTTP/1.1\r\n\r\n")
            while not tap.wires or not tap.wires[0].plain:
                await asyncio.sleep(0.001)
        assert (await tap.wire()).plain == b"GET / HTTP/1.1\r\n\r\n"


def say_and_unwrap(tls: ssl.SSLObject) -> None:
    tls.write(b"answer")
    try:
        tls.unwrap()
    except ssl.SSLWantReadError:
        pass


async def test_end_with_close_notify_is_clean(world: World) -> None:
    """An answer that ends with a close_notify is whole."""
    async with (
        run_tap(server_context(world.leaf), on_finished=say_and_unwrap) as tap,
        dialled(door(tap.port, pem(world.root)), world.leaf.pin) as stream,
    ):
        reader = stream.receiver = Reader()
        assert await asyncio.wait_for(reader.ended, 5)
        assert reader.plain == b"answer"
        assert not stream.alive


async def test_end_without_close_notify_is_not_clean(world: World) -> None:
    """An answer that is cut by a bare TCP end may not be whole, and is not taken for it."""
    cut = asyncio.Event()
    context = server_context(world.leaf)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"answer")
        await writer.drain()
        await cut.wait()
        writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with server:
        port = server.sockets[0].getsockname()[1]
        async with dialled(door(port, pem(world.root)), world.leaf.pin) as stream:
            reader = stream.receiver = Reader()
            cut.set()
            assert not await asyncio.wait_for(reader.ended, 5)


def speak_first(tls: ssl.SSLObject) -> None:
    tls.write(b"HTTP/1.1 200 OK\r\n\r\n")


async def test_words_that_nobody_asked_for_end_the_stream(world: World) -> None:
    """Bytes that come before a call is on the stream can't become the answer to one."""
    async with (
        run_tap(
            server_context(world.leaf),
            on_finished=speak_first,
        ) as tap,
        dialled(door(tap.port, pem(world.root)), world.leaf.pin) as stream,
    ):
        async with asyncio.timeout(5):
            while stream.alive:
                await asyncio.sleep(0.001)


async def test_stream_that_broke_in_the_handshake_is_not_returned(world: World) -> None:
    """A record behind the flight that can't be decrypted: no call is put on a dead stream."""
    record = b"\x17\x03\x03\x00\x20" + bytes(32)
    async with run_tap(server_context(world.leaf), behind=record) as tap:
        with pytest.raises(ProviderUnreachable, match="after the handshake"):
            async with dialled(door(tap.port, pem(world.root)), world.leaf.pin):
                pass
        assert (await tap.wire()).plain == b""


async def test_server_that_leaves_after_its_flight_gives_no_stream(world: World) -> None:
    """A stream whose peer is gone already is not handed to a call that would wait for it."""
    async with run_tap(server_context(world.leaf), hang_up=True) as tap:
        for _ in range(20):
            lost: asyncio.Future[bool] | None = None
            try:
                async with dialled(door(tap.port, pem(world.root)), world.leaf.pin) as stream:
                    assert stream.alive
                    reader = stream.receiver = Reader()
                    lost = reader.ended
                    assert not await asyncio.wait_for(lost, 5)
            except ProviderUnreachable:
                assert lost is None
