"""`egress.pin`: what is pinned is a public key of the verified chain."""

import base64
import subprocess

import pytest
from cryptography import x509

from bailee.egress.chain import VerifiedChain
from bailee.egress.pin import compute_pin, match_pins
from bailee.errors import PinMismatch
from bailee.model import Pin, PinSet, ProviderId
from bailee.reference.pki import World, create_leaf

WORLD, OTHER = World.create(), World.create(title="Other")
CHAIN = VerifiedChain((WORLD.leaf.certificate, WORLD.issuer.certificate, WORLD.root.certificate))
UNSEEN = Pin(bytes(32))


def pin_set(*pins: Pin) -> PinSet:
    return PinSet(ProviderId("api"), "rest", 1, pins, False)


def test_pin_is_what_openssl_computes() -> None:
    """RFC 7469's own recipe, with the `openssl` command, gives the same pin."""
    key = ["openssl", "x509", "-pubkey", "-noout"]
    pem = subprocess.run(key, input=WORLD.leaf.pem, capture_output=True, check=True).stdout
    spki = base64.b64decode(b"".join(pem.split(b"\n")[1:-2]))
    digest = ["openssl", "dgst", "-sha256", "-binary"]
    expected = subprocess.run(digest, input=spki, capture_output=True, check=True).stdout
    assert compute_pin(WORLD.leaf.certificate) == expected


def test_pin_survives_a_renewal_and_no_new_key() -> None:
    """The pin is of the key: a renewed certificate has it, one of a new key has not."""
    renewed = create_leaf(WORLD.issuer, ["api.test"], key=WORLD.leaf.key)
    rekeyed = create_leaf(WORLD.issuer, ["api.test"])
    assert compute_pin(renewed.certificate) == compute_pin(WORLD.leaf.certificate)
    assert compute_pin(rekeyed.certificate) != compute_pin(WORLD.leaf.certificate)


@pytest.mark.parametrize("certificate", CHAIN.certificates, ids=["leaf", "intermediate", "root"])
def test_any_certificate_of_the_chain_may_be_pinned(certificate: x509.Certificate) -> None:
    """The pin of the leaf or of an issuer is found, also as the backup behind another."""
    pin = compute_pin(certificate)
    assert match_pins(CHAIN, pin_set(pin)).matched == pin
    pinned = match_pins(CHAIN, pin_set(UNSEEN, pin))
    assert pinned.matched == pin
    assert pinned.chain is CHAIN


@pytest.mark.parametrize(
    "pins",
    [(), (UNSEEN,), (OTHER.leaf.pin, OTHER.issuer.pin, OTHER.root.pin), (WORLD.leaf.pin[:31],)],
    ids=["none", "of nobody", "of another CA", "cut"],
)
def test_chain_without_an_approved_pin_is_refused(pins: tuple[Pin, ...]) -> None:
    """An empty set matches nothing; nor does a part of a pin."""
    with pytest.raises(PinMismatch):
        match_pins(CHAIN, pin_set(*pins))
