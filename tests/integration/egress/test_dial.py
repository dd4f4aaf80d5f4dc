"""From the promised address or not at all, to the vetted address, in time."""

import asyncio
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bailee.egress.tls import settings_for
from bailee.errors import (
    AddressRefused,
    BaileeError,
    CertificateRefused,
    ConfigInvalid,
    EgressAddressMissing,
    NameUnresolved,
    ProviderUnreachable,
)
from bailee.reference.pki import World, create_leaf
from dialling import SOURCE, dialled, door, observe, pem
from tap import run_tap, server_context

pytestmark = pytest.mark.anyio
NOT_HERE, NOT_HERE_6 = "198.51.100.7", "2001:db8::7"


@pytest.fixture
def context(world: World) -> ssl.SSLContext:
    """A good server's."""
    return server_context(world.leaf)


async def test_call_leaves_from_the_source(world: World, context: ssl.SSLContext) -> None:
    """The peer sees each promised address when that is the one to leave from."""
    async with run_tap(context) as tap:
        for number, source in enumerate(("127.0.0.2", "127.0.0.3", "127.0.0.2")):
            async with dialled(door(tap.port, pem(world.root), source), world.leaf.pin):
                pass
            assert (await tap.wire(number)).source == source


@pytest.mark.parametrize("observed", [False, True], ids=["dial", "observe"])
async def test_missing_source_dials_from_nowhere_else(
    world: World, context: ssl.SSLContext, observed: bool
) -> None:
    """An address that is not on the machine is told, and nothing connects from another one."""
    async with run_tap(context) as tap:
        to = door(tap.port, pem(world.root), NOT_HERE)
        with pytest.raises(EgressAddressMissing, match=NOT_HERE):
            if observed:
                await observe(to)
            else:
                async with dialled(to, world.leaf.pin):
                    pass
        await asyncio.sleep(0.02)
        assert tap.wires == []


async def test_missing_ipv6_source(world: World, context: ssl.SSLContext) -> None:
    """The same for IPv6."""
    async with run_tap(context, "::1") as tap:
        to = door(tap.port, pem(world.root), NOT_HERE_6, address="::1")
        with pytest.raises(EgressAddressMissing, match=NOT_HERE_6):
            async with dialled(to, world.leaf.pin):
                pass
        await asyncio.sleep(0.02)
        assert tap.wires == []


@pytest.mark.parametrize("source", ["::1", "0:0:0:0:0:0:0:1"])
async def test_ipv6_source(world: World, context: ssl.SSLContext, source: str) -> None:
    """An IPv6 source dials IPv6, however the address is spelled."""
    async with run_tap(context, "::1") as tap:
        async with dialled(door(tap.port, pem(world.root), source, address="::1"), world.leaf.pin):
            pass
        assert (await tap.wire()).source == "::1"


@pytest.mark.parametrize(
    ("source", "address"), [(SOURCE, "::1"), ("::1", "127.0.0.1")], ids=["4 to 6", "6 to 4"]
)
async def test_families_are_not_mixed(
    world: World, context: ssl.SSLContext, source: str, address: str
) -> None:
    """There is no way from one family to the other that would leave from the promised address."""
    async with run_tap(context, address) as tap:
        with pytest.raises(NameUnresolved):
            async with dialled(
                door(tap.port, pem(world.root), source, address=address), world.leaf.pin
            ):
                pass
        assert tap.wires == []


async def test_next_address_is_tried_when_one_refuses(
    world: World, context: ssl.SSLContext
) -> None:
    """A name with a dead address is reached at the next one."""
    async with run_tap(context) as tap:
        async with dialled(
            door(tap.port, pem(world.root), address=None),
            world.leaf.pin,
            look_up=lambda host, family: ("127.0.0.9", "127.0.0.8", "127.0.0.1"),
        ):
            pass
        assert (await tap.wire()).source == SOURCE


async def test_at_most_three_addresses_are_tried(world: World, context: ssl.SSLContext) -> None:
    """A long answer does not become a long walk."""
    async with run_tap(context) as tap:
        with pytest.raises(ProviderUnreachable, match=r"127\.0\.0\.7 "):
            async with dialled(
                door(tap.port, pem(world.root), address=None),
                world.leaf.pin,
                look_up=lambda host, family: ("127.0.0.9", "127.0.0.8", "127.0.0.7", "127.0.0.1"),
            ):
                pass
        assert tap.wires == []


async def test_refused_address_is_not_dialled(world: World, context: ssl.SSLContext) -> None:
    """A name that leads to loopback is never dialled without danger_private_addresses."""
    async with run_tap(context) as tap:
        for inside in (None, "127.0.0.1"):
            with pytest.raises(AddressRefused):
                async with dialled(
                    door(
                        tap.port,
                        pem(world.root),
                        address=inside,
                        danger_private_addresses=False,
                    ),
                    world.leaf.pin,
                    look_up=lambda host, family: ("127.0.0.1",),
                ):
                    pass
        assert tap.wires == []


async def test_host_may_be_an_address(world: World) -> None:
    """A provider without a name: the certificate is for its address."""
    leaf = create_leaf(world.issuer, ["127.0.0.1"])
    async with run_tap(server_context(leaf)) as tap:
        async with dialled(
            door(tap.port, pem(world.root), host="127.0.0.1", address=None), leaf.pin
        ):
            pass
        with pytest.raises(CertificateRefused):
            async with dialled(door(tap.port, pem(world.root)), leaf.pin):
                pass


async def test_closed_port_is_told(world: World) -> None:
    """Nobody listens there: what was dialled from where, and that it was refused."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(ProviderUnreachable, match=rf"127\.0\.0\.1 port {port}.*refused"):
        async with dialled(door(port, pem(world.root)), world.leaf.pin):
            pass


@pytest.fixture
def deaf_port() -> Iterator[int]:
    """A port whose queue is full: the kernel answers no SYN any more."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        port = listener.getsockname()[1]
        waiting = []
        for _ in range(3):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", port))
            waiting.append(client)
        yield port
        for client in waiting:
            client.close()


async def test_connect_has_a_deadline(world: World, deaf_port: int) -> None:
    """Who does not answer at all costs the deadline and no more."""
    began = time.monotonic()
    with pytest.raises(ProviderUnreachable, match=r"within 0\.2 seconds"):
        async with dialled(door(deaf_port, pem(world.root)), world.leaf.pin, seconds=0.2):
            pass
    assert 0.15 < time.monotonic() - began < 1.0


async def test_silent_server_has_a_deadline(world: World) -> None:
    """A server that accepts and says nothing is left, and its connection with it."""
    async with run_tap(None) as tap:
        with pytest.raises(ProviderUnreachable, match=r"within 0\.2 seconds"):
            async with dialled(door(tap.port, pem(world.root)), world.leaf.pin, seconds=0.2):
                pass
        assert (await tap.wire()).closed.is_set()


async def test_dead_dns_has_a_deadline(world: World) -> None:
    """The deadline holds for the name too."""

    def stuck(host: str, family: int) -> tuple[str, ...]:
        time.sleep(0.4)
        return ("127.0.0.1",)

    with pytest.raises(ProviderUnreachable, match=r"within 0\.1 seconds"):
        async with dialled(
            door(1, pem(world.root), address=None), world.leaf.pin, seconds=0.1, look_up=stuck
        ):
            pass


@pytest.mark.parametrize("words", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\0" * 64, b""], ids=str)
async def test_server_without_tls_is_refused(world: World, words: bytes) -> None:
    """Whoever answers a ClientHello with something else, or hangs up, is told from a provider."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(4096)
        writer.write(words)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises((CertificateRefused, ProviderUnreachable)):
            async with dialled(door(port, pem(world.root)), world.leaf.pin):
                pass


async def test_cancelled_dial_leaves_no_connection(world: World) -> None:
    """A call that is given up in the middle of the handshake takes its connection with it."""
    async with run_tap(None) as tap, asyncio.TaskGroup() as tasks:

        async def go() -> None:
            async with dialled(door(tap.port, pem(world.root)), world.leaf.pin):
                pass

        task = tasks.create_task(go())
        while not tap.wires or not tap.wires[0].raw:
            await asyncio.sleep(0.001)
        task.cancel()
        assert (await tap.wire()).reset


async def test_environment_is_ignored(
    world: World,
    context: ssl.SSLContext,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """No proxy is used, no netrc read and no key logged, whatever the environment says (R18)."""
    netrc, keys = tmp_path / "netrc", tmp_path / "keys.log"
    netrc.write_text("default login canary-user password canary-password\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".netrc").write_text(netrc.read_text())
    async with run_tap(None) as proxy, run_tap(context) as tap:
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
            monkeypatch.setenv(name.upper(), f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("NO_PROXY", "")
        monkeypatch.setenv("NETRC", str(netrc))
        monkeypatch.setenv("SSLKEYLOGFILE", str(keys))
        settings_for.cache_clear()
        async with dialled(door(tap.port, pem(world.root)), world.leaf.pin) as stream:
            stream.write(b"plain")
            while not tap.wires or not tap.wires[0].plain:
                await asyncio.sleep(0.001)
        assert tap.wires[0].plain == b"plain"
        assert proxy.wires == []
        assert not keys.exists()


@pytest.mark.parametrize("own", [False, True], ids=["system's roots", "origin's roots"])
async def test_roots_of_the_environment_are_ignored(
    world: World, rogue: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, own: bool
) -> None:
    """SSL_CERT_FILE and SSL_CERT_DIR add no root, to the system's or to an origin's own (R18)."""
    bundle = tmp_path / "roots.pem"
    bundle.write_text(pem(rogue.root))
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    settings_for.cache_clear()
    heeding = ssl.create_default_context()
    assert len(heeding.get_ca_certs()) == 1, "the variable is in force for who heeds it"
    expected: tuple[type[BaileeError], ...] = (CertificateRefused, ConfigInvalid)
    async with run_tap(server_context(rogue.leaf)) as tap:
        with pytest.raises(expected) as refused:
            async with dialled(door(tap.port, pem(world.root) if own else None), rogue.leaf.pin):
                pass
    settings_for.cache_clear()
    assert "second verifier" not in refused.value.detail, "OpenSSL took the root"


async def test_bundle_with_comments_and_broken_blocks_is_read(
    world: World, context: ssl.SSLContext
) -> None:
    """Bundles of distributions hold words that are not ASCII, and OpenSSL would refuse them all."""
    block = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    async with (
        run_tap(context) as tap,
        dialled(
            door(tap.port, f"# Főtanúsítvány\n{block}{pem(world.root)}"), world.leaf.pin
        ) as stream,
    ):
        assert stream.alive
