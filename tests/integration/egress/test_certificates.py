"""Who is not the provider gets a ClientHello and nothing after it: no Finished, no plain byte."""

import ssl

import pytest

import pki
from bailee.egress.tls import presented_chain
from bailee.errors import CertificateRefused, PinMismatch
from bailee.model import Pin
from bailee.reference.pki import Issued, World, create_leaf
from dialling import SOURCE, dialled, door, observe, pem
from tap import Tap, run_tap, server_context

pytestmark = pytest.mark.anyio
FAULTS = sorted(pki.bad_leaves(World.create(), World.create()))
UNSEEN = Pin(bytes(32))


async def assert_nothing_sent(tap: Tap) -> None:
    """The server got one ClientHello from the promised address, then a reset."""
    wire = await tap.wire()
    assert len(tap.wires) == 1
    assert wire.source == SOURCE
    assert wire.raw > 0
    assert (wire.after_flight, wire.plain, wire.finished) == (0, b"", False)
    assert wire.reset


@pytest.fixture(params=FAULTS)
def bad(request: pytest.FixtureRequest, world: World, rogue: World) -> pki.Bad:
    """Each certificate that must be refused."""
    return pki.bad_leaves(world, rogue)[request.param]


async def test_bad_certificate_is_not_dialled(bad: pki.Bad, world: World) -> None:
    """Every bad certificate is refused, even where its own key and the good CA's are pinned."""
    async with run_tap(server_context(bad.leaf)) as tap:
        with pytest.raises(CertificateRefused):
            async with dialled(door(tap.port, pem(bad.root)), bad.leaf.pin, world.issuer.pin):
                pass
        await assert_nothing_sent(tap)


async def test_bad_certificate_is_not_learned(bad: pki.Bad) -> None:
    """`pin learn` refuses the same certificates: a fake can't get itself pinned."""
    async with run_tap(server_context(bad.leaf)) as tap:
        with pytest.raises(CertificateRefused):
            await observe(door(tap.port, pem(bad.root)))
        await assert_nothing_sent(tap)


async def test_leaf_without_use_is_refused_by_the_second_verifier(world: World) -> None:
    """OpenSSL takes a leaf that does not say serverAuth; the second verifier does not."""
    bad = pki.bad_leaves(world, world)["no extended key usage"]
    async with run_tap(server_context(bad.leaf)) as tap:
        with pytest.raises(CertificateRefused, match="second verifier"):
            async with dialled(door(tap.port, pem(bad.root)), bad.leaf.pin):
                pass


async def test_openssl_refuses_for_itself(world: World) -> None:
    """The first verifier refuses too: its refusal comes before the second is asked."""
    bad = pki.bad_leaves(world, world)
    for fault in ("expired", "wrong name", "common name alone", "root without keyUsage"):
        async with run_tap(server_context(bad[fault].leaf)) as tap:
            with pytest.raises(CertificateRefused, match=r"OpenSSL \(strict\)"):
                async with dialled(door(tap.port, pem(bad[fault].root)), bad[fault].leaf.pin):
                    pass


async def test_observed_chain_is_told_and_left(world: World) -> None:
    """A good chain is told whole, leaf first, and the server never sees a Finished."""
    async with run_tap(server_context(world.leaf)) as tap:
        chain = await observe(door(tap.port, pem(world.root)))
        await assert_nothing_sent(tap)
    issued = (world.leaf, world.issuer, world.root)
    assert chain.certificates == tuple(each.certificate for each in issued)


@pytest.mark.parametrize("asks_for_certificate", [False, True])
async def test_pin_mismatch_is_aborted_before_finished(
    world: World, asks_for_certificate: bool
) -> None:
    """A valid chain with another key gets neither Finished nor an answer to its request."""
    context = server_context(world.leaf)
    if asks_for_certificate:
        context.load_verify_locations(cadata=pem(world.root))
        context.verify_mode = ssl.CERT_OPTIONAL
    async with run_tap(context) as tap:
        with pytest.raises(PinMismatch):
            async with dialled(door(tap.port, pem(world.root)), UNSEEN):
                pass
        await assert_nothing_sent(tap)


async def test_no_pin_lets_nobody_in(world: World) -> None:
    """An empty pin set is no permission."""
    async with run_tap(server_context(world.leaf)) as tap:
        with pytest.raises(PinMismatch):
            async with dialled(door(tap.port, pem(world.root))):
                pass
        await assert_nothing_sent(tap)


async def test_pinned_issuer_that_is_only_appended_does_not_count(
    world: World, rogue: World
) -> None:
    """A rogue CA that the bundle trusts appends the pinned issuer: what was built decides."""
    leaf = pki.with_appended(rogue.leaf, world)
    async with run_tap(server_context(leaf)) as tap:
        with pytest.raises(PinMismatch):
            pins = (world.issuer.pin, world.root.pin)
            async with dialled(door(tap.port, pem(world.root, rogue.root)), *pins):
                pass
        await assert_nothing_sent(tap)


@pytest.mark.parametrize("which", ["leaf", "issuer", "root"])
async def test_pin_of_leaf_or_issuer_is_accepted(world: World, which: str) -> None:
    """Each key of the verified chain may be the pinned one, alone or as the backup."""
    issued: Issued = getattr(world, which)
    async with run_tap(server_context(world.leaf)) as tap:
        for pins in ((issued.pin,), (UNSEEN, issued.pin)):
            async with dialled(door(tap.port, pem(world.root)), *pins) as stream:
                assert stream.pinned.matched == issued.pin
                assert stream.alive


async def test_backup_key_is_accepted(world: World) -> None:
    """The provider changes to its backup key: calls go on."""
    backup = create_leaf(world.issuer, ["api.test"])
    async with (
        run_tap(server_context(backup)) as tap,
        dialled(door(tap.port, pem(world.root)), world.leaf.pin, backup.pin) as stream,
    ):
        assert stream.pinned.matched == backup.pin


async def test_another_ca_of_the_bundle_is_pinned_out(world: World, rogue: World) -> None:
    """A CA that is trusted but not pinned can't pass off its own leaf."""
    async with run_tap(server_context(rogue.leaf)) as tap:
        with pytest.raises(PinMismatch):
            async with dialled(door(tap.port, pem(world.root, rogue.root)), world.leaf.pin):
                pass
        await assert_nothing_sent(tap)


def test_presented_chain_is_told_by_every_python(world: World) -> None:
    """What was presented is read in DER, leaf first, whichever way this Python has."""
    server = server_context(world.leaf)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.load_verify_locations(cadata=pem(world.root))
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(to_client, to_server, server_hostname="api.test")
    theirs = server.wrap_bio(to_server, to_client, server_side=True)
    for end in (ours, theirs, ours):
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            continue
    assert presented_chain(ours) == [world.leaf.der, world.issuer.der]
