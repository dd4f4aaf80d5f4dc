"""How a verified chain is described."""

import json

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

from bailee.egress.chain import VerifiedChain
from bailee.keeper.work.learn_pin import NAME_CHARACTERS, describe_chain
from bailee.reference.pki import World

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey


def certificate(key: Key, name: str = "api.test") -> x509.Certificate:
    """A certificate of which only name and key matter."""
    world = World.create().leaf.certificate
    subject = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(world.not_valid_before_utc)
        .not_valid_after(world.not_valid_after_utc)
    )
    return builder.sign(key, None if isinstance(key, ed25519.Ed25519PrivateKey) else SHA256())


KEYS: dict[str, Key] = {
    "EC P-256": ec.generate_private_key(ec.SECP256R1()),
    "EC P-384": ec.generate_private_key(ec.SECP384R1()),
    "RSA 2048": rsa.generate_private_key(65537, 2048),
    "Ed25519": ed25519.Ed25519PrivateKey.generate(),
}


@pytest.mark.parametrize("kind", KEYS)
def test_kind_of_key(kind: str) -> None:
    """People see what kind of key a pin is of."""
    (told,) = describe_chain(VerifiedChain((certificate(KEYS[kind]),)))
    assert (told["key"], told["role"]) == (kind, "leaf")


def test_roles_and_times_when_chain_is_whole() -> None:
    """Leaf first, root last, whole seconds; the whole is JSON and comes back the same."""
    world = World.create()
    assert world.intermediate is not None
    certificates = (world.leaf, world.intermediate, world.root)
    told = describe_chain(VerifiedChain(tuple(each.certificate for each in certificates)))
    assert [each["role"] for each in told] == ["leaf", "issuer", "root"]
    assert [each["pin"] for each in told] == [each.pin_text for each in certificates]
    assert told[0]["not_after"] == world.leaf.certificate.not_valid_after_utc.timestamp()
    assert json.loads(json.dumps(told)) == told


@pytest.mark.parametrize("name", ["a\x1b[2Jb", "a\nb", "a\u202eb", "x" * 64 + "\x07"], ids=ascii)
def test_name_escaped_when_it_can_not_be_printed(name: str) -> None:
    """The peer chose the name: it moves no cursor and breaks no line."""
    (told,) = describe_chain(VerifiedChain((certificate(KEYS["EC P-256"], name),)))
    assert str(told["subject"]).isprintable()
    assert len(str(told["subject"])) <= NAME_CHARACTERS
