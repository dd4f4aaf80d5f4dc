"""`egress.chain`: the second verifier refuses every bad certificate alone, and tells its chain."""

import datetime

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

import pki
from bailee.egress.chain import ChainVerifier, read_roots
from bailee.errors import CertificateRefused, ConfigInvalid
from bailee.reference.pki import Issued, World, create_leaf

NAME = pki.NAME
WORLD, ROGUE = World.create(title="Good"), World.create(title="Rogue")
BAD = pki.bad_leaves(WORLD, ROGUE)
BLOCK = "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n"


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def presented(leaf: Issued) -> list[bytes]:
    return [leaf.der, *(above.public_bytes(Encoding.DER) for above in leaf.above)]


def bundle(*roots: Issued) -> str:
    return "".join(root.pem.decode() for root in roots)


def test_good_chain_is_built_to_the_root() -> None:
    """The chain comes back leaf first with the root that the peer did not present."""
    chain = ChainVerifier(bundle(WORLD.root)).verify(presented(WORLD.leaf), NAME, now())
    issued = (WORLD.leaf, WORLD.issuer, WORLD.root)
    assert chain.certificates == tuple(each.certificate for each in issued)


@pytest.mark.parametrize("name", ["api.test", "127.0.0.1", "::1"])
def test_leaf_is_for_names_and_addresses(name: str) -> None:
    """A leaf for an IP address is good for that address, and for no other."""
    leaf = create_leaf(WORLD.issuer, ["api.test", "127.0.0.1", "::1"])
    verifier = ChainVerifier(bundle(WORLD.root))
    assert verifier.verify(presented(leaf), name, now()).certificates[0] == leaf.certificate
    with pytest.raises(CertificateRefused):
        verifier.verify(presented(leaf), "127.0.0.9", now())


@pytest.mark.parametrize("fault", sorted(BAD))
def test_bad_certificate_is_refused(fault: str) -> None:
    """Every fault is refused by this verifier alone, without OpenSSL before it."""
    with pytest.raises(CertificateRefused, match=r"second verifier \(cryptography\)"):
        ChainVerifier(bundle(BAD[fault].root)).verify(presented(BAD[fault].leaf), NAME, now())


def test_leaf_must_be_for_servers() -> None:
    """A leaf that does not say serverAuth is refused, and the hint says what a leaf needs."""
    with pytest.raises(CertificateRefused) as refused:
        ChainVerifier(bundle(WORLD.root)).verify(
            presented(BAD["no extended key usage"].leaf), NAME, now()
        )
    assert "extendedKeyUsage=serverAuth" in refused.value.hint


def test_certificate_is_verified_at_the_time_given() -> None:
    """What is good today is not good in a year, nor was it yesterday."""
    verifier = ChainVerifier(bundle(WORLD.root))
    for away in (datetime.timedelta(days=365), datetime.timedelta(days=-1)):
        with pytest.raises(CertificateRefused):
            verifier.verify(presented(WORLD.leaf), NAME, now() + away)


def test_what_is_only_presented_is_not_in_the_chain() -> None:
    """A rogue CA that is trusted too: the good issuer that it appends is not in what was built."""
    leaf = pki.with_appended(ROGUE.leaf, WORLD)
    chain = ChainVerifier(bundle(WORLD.root, ROGUE.root)).verify(presented(leaf), NAME, now())
    assert WORLD.issuer.der in presented(leaf)
    issued = (ROGUE.leaf, ROGUE.issuer, ROGUE.root)
    assert chain.certificates == tuple(each.certificate for each in issued)


def odd_version() -> bytes:
    """A certificate that says that it is of version 6."""
    return WORLD.issuer.der.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x05", 1)


ODD = {
    "nothing": [],
    "no certificate": [b"no certificate"],
    "an empty one": [b""],
    "garbage behind": [*presented(WORLD.leaf), b"\x30\x00"],
    "an unknown version behind": [*presented(WORLD.leaf), odd_version()],
    "eleven": [*presented(WORLD.leaf), *[WORLD.issuer.der] * 9],
    "only the issuer": [WORLD.issuer.der],
    "the leaf alone": [WORLD.leaf.der],
    "the leaf last": presented(WORLD.leaf)[::-1],
}


@pytest.mark.parametrize("der", ODD.values(), ids=ODD.keys())
def test_odd_presentation_is_refused(der: list[bytes]) -> None:
    """Whatever a peer presents, the answer is a chain or CertificateRefused."""
    with pytest.raises(CertificateRefused):
        ChainVerifier(bundle(WORLD.root)).verify(der, NAME, now())


def test_refusal_repeats_no_word_of_the_peer() -> None:
    """The subject of a stranger's certificate does not get into errors and logs."""
    leaf = create_leaf(WORLD.issuer, ["stranger-chosen.test"])
    with pytest.raises(CertificateRefused) as refused:
        ChainVerifier(bundle(WORLD.root)).verify(presented(leaf), NAME, now())
    assert "stranger-chosen" not in refused.value.detail + refused.value.hint
    assert "no matching subjectAltName" in refused.value.detail


def test_unreadable_roots_are_left_out() -> None:
    """Comments and broken certificates in a bundle do not hide the good ones."""
    text = "# Übersicht\n" + BLOCK.format("AAAA") + bundle(WORLD.root) + BLOCK.format("!")
    assert read_roots(text) == [WORLD.root.certificate]


@pytest.mark.parametrize("text", ["", "no PEM", BLOCK.format("AAAA"), WORLD.leaf.key_pem.decode()])
def test_bundle_without_a_certificate_is_refused(text: str) -> None:
    """No root is a fault of the configuration; it never means that anyone is trusted."""
    with pytest.raises(ConfigInvalid):
        ChainVerifier(text)
