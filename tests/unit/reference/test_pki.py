"""The small CA world passes two verifiers, and each bad certificate fails where it should."""

import re
import ssl
import stat
from collections.abc import Callable
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import (
    Criticality,
    ExtensionPolicy,
    Policy,
    PolicyBuilder,
    Store,
    VerificationError,
)

import pki
from bailee.reference.pki import Issued, World, create_leaf

NAME = "api.test"
WORLD, ROGUE = World.create(title="Good"), World.create(title="Rogue")
FLAT = World.create(with_intermediate=False)
BAD = pki.bad_leaves(WORLD, ROGUE)
NO_USAGE = "no extended key usage"


def _want_server_use(_: Policy, __: x509.Certificate, usage: x509.ExtendedKeyUsage) -> None:
    if ExtendedKeyUsageOID.SERVER_AUTH not in usage:
        raise ValueError("not for servers")


EVERY_USE = ExtensionPolicy.webpki_defaults_ee()
SERVER_USE = EVERY_USE.require_present(
    x509.ExtendedKeyUsage, Criticality.AGNOSTIC, _want_server_use
)
"""By default `cryptography` checks the extended key usage where there is one; this wants one."""


def _handshake(
    leaf: Issued, roots: list[Issued], name: str, directory: Path, *, common_name: bool = False
) -> str:
    """Shake hands in memory and return the TLS version. Raises `ssl.SSLError`."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(*leaf.write(directory, "server"))
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    client.hostname_checks_common_name = common_name
    client.load_verify_locations(cadata="".join(root.pem.decode() for root in roots))
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(to_client, to_server, server_hostname=name)
    theirs = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(2):
        for end in (ours, theirs):
            _step(end.do_handshake)
    version = ours.version()
    assert version is not None
    return version


def _step(handshake: Callable[[], None]) -> None:
    try:
        handshake()
    except ssl.SSLWantReadError:
        return


def _verify(
    leaf: Issued, roots: list[Issued], name: str, policy: ExtensionPolicy = SERVER_USE
) -> list[x509.Certificate]:
    subject = x509.DNSName(name) if name.endswith(".test") else x509.IPAddress(ip_address(name))
    store = Store([root.certificate for root in roots])
    builder = PolicyBuilder().store(store).time(datetime.now(UTC))
    authorities = ExtensionPolicy.webpki_defaults_ca()
    builder = builder.extension_policies(ca_policy=authorities, ee_policy=policy)
    return builder.build_server_verifier(subject).verify(leaf.certificate, list(leaf.above))


@pytest.mark.parametrize("world", [WORLD, FLAT], ids=["with intermediate", "without"])
def test_world_passes_both_verifiers(world: World, tmp_path: Path) -> None:
    """A good chain passes OpenSSL's strict mode and `cryptography`'s server verifier."""
    assert _handshake(world.leaf, [world.root], NAME, tmp_path) == "TLSv1.3"
    chain = _verify(world.leaf, [world.root], NAME)
    assert chain[0] == world.leaf.certificate
    assert chain[-1] == world.root.certificate
    assert len(chain) == (2 if world.intermediate is None else 3)


@pytest.mark.parametrize("issued", [WORLD.root, WORLD.issuer, WORLD.leaf], ids=repr)
def test_constraints_and_usage_are_critical(issued: Issued) -> None:
    """RFC 5280 wants both critical on a CA; the leaf has them so too."""
    extensions = issued.certificate.extensions
    assert extensions.get_extension_for_class(x509.BasicConstraints).critical
    assert extensions.get_extension_for_class(x509.KeyUsage).critical


@pytest.mark.parametrize("name", ["127.0.0.1", "::1", "other.test"])
def test_leaf_is_for_each_of_its_names(name: str, tmp_path: Path) -> None:
    """A leaf can be for several names and addresses."""
    leaf = create_leaf(WORLD.issuer, ["api.test", "other.test", "127.0.0.1", "::1"])
    assert _handshake(leaf, [WORLD.root], name, tmp_path) == "TLSv1.3"
    assert _verify(leaf, [WORLD.root], name)


@pytest.mark.parametrize("fault", sorted(set(BAD) - {NO_USAGE}))
def test_openssl_refuses_bad_certificate(fault: str, tmp_path: Path) -> None:
    """OpenSSL's strict mode refuses each bad certificate but one."""
    with pytest.raises(ssl.SSLCertVerificationError):
        _handshake(BAD[fault].leaf, [BAD[fault].root], NAME, tmp_path)


def test_no_extended_key_usage_is_refused_only_where_it_is_required(tmp_path: Path) -> None:
    """Both verifiers take a leaf without extended key usage, unless the policy requires one."""
    bad = BAD[NO_USAGE]
    assert _handshake(bad.leaf, [bad.root], NAME, tmp_path) == "TLSv1.3"
    assert _verify(bad.leaf, [bad.root], NAME, EVERY_USE)
    with pytest.raises(VerificationError):
        _verify(bad.leaf, [bad.root], NAME, SERVER_USE)
    with pytest.raises(VerificationError):
        _verify(BAD["clientAuth alone"].leaf, [WORLD.root], NAME, EVERY_USE)


def test_common_name_is_refused_only_where_it_is_switched_off(tmp_path: Path) -> None:
    """Python's `ssl` falls back to the common name by default; switched off, it refuses."""
    bad = BAD["common name alone"]
    assert _handshake(bad.leaf, [bad.root], NAME, tmp_path, common_name=True) == "TLSv1.3"
    with pytest.raises(ssl.SSLCertVerificationError):
        _handshake(bad.leaf, [bad.root], NAME, tmp_path)


@pytest.mark.parametrize("fault", sorted(BAD))
def test_second_verifier_refuses_bad_certificate(fault: str) -> None:
    """`cryptography`'s verifier, told to require serverAuth, refuses every bad certificate."""
    with pytest.raises(VerificationError):
        _verify(BAD[fault].leaf, [BAD[fault].root], NAME)


def test_appended_issuer_is_presented_but_not_verified(tmp_path: Path) -> None:
    """Where both CAs are trusted the rogue chain is valid; the good issuer is presented, unused."""
    leaf = pki.with_appended(ROGUE.leaf, WORLD)
    roots = [WORLD.root, ROGUE.root]
    assert _handshake(leaf, roots, NAME, tmp_path) == "TLSv1.3"
    assert WORLD.issuer.certificate in leaf.above
    assert WORLD.issuer.certificate not in _verify(leaf, roots, NAME)


def test_pin_survives_a_renewal_and_no_new_key() -> None:
    """The pin is of the public key: a renewal keeps it, another key does not."""
    renewed = create_leaf(WORLD.issuer, [NAME], key=WORLD.leaf.key)
    assert renewed.der != WORLD.leaf.der
    assert renewed.pin == WORLD.leaf.pin
    assert len({WORLD.leaf.pin, WORLD.issuer.pin, WORLD.root.pin, ROGUE.leaf.pin}) == 4
    assert len(WORLD.leaf.pin) == 32
    assert re.fullmatch(r"sha256/[A-Za-z0-9+/]{43}=", WORLD.leaf.pin_text)


def test_write_keeps_the_key_private_and_no_ca_key(tmp_path: Path) -> None:
    """The server's key is for its owner alone, and a CA's key is not written at all."""
    files = WORLD.write(tmp_path / "tls")
    again = WORLD.write(tmp_path / "tls")
    assert files == again
    assert stat.S_IMODE(files.key.stat().st_mode) == 0o600
    assert {path.name for path in files.key.parent.iterdir()} == {
        "ca.pem",
        "server.pem",
        "server.key",
    }
    assert files.ca.read_bytes() == WORLD.root.pem
    assert files.certificate.read_bytes() == WORLD.leaf.pem + WORLD.issuer.pem
    assert files.key.read_bytes() == WORLD.leaf.key_pem


def test_repr_shows_no_key() -> None:
    """Whoever prints an issued certificate sees its name."""
    assert repr(WORLD.leaf) == "Issued(CN=api.test)"
