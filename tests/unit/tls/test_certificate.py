"""What is said of a certificate: its pin, its names, and whether its time is near."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

import pki
from bailee.errors import StartRefused
from bailee.reference.pki import World, create_leaf, leaf_extensions, sign_certificate
from bailee.tls.certificate import describe, describe_der, read_leaf

DAY = 86_400.0
WORLD = World.create(["gate.test", "127.0.0.1"])


def test_leaf_is_described(tmp_path: Path) -> None:
    """The first certificate of the file counts; its pin is that of its key."""
    path = WORLD.write(tmp_path).certificate
    found = read_leaf(path)
    assert (found.pin, found.pin_text) == (WORLD.leaf.pin, WORLD.leaf.pin_text)
    assert found.names == ("gate.test", "127.0.0.1")
    assert found.ends == WORLD.leaf.certificate.not_valid_after_utc.timestamp()
    assert describe_der(WORLD.leaf.der) == found


def test_pin_survives_a_renewal_with_the_same_key() -> None:
    """Another certificate of the same key has the same pin, one of another key has not."""
    renewed = create_leaf(WORLD.issuer, ["gate.test"], key=WORLD.leaf.key)
    assert describe(renewed.certificate).pin == WORLD.leaf.pin
    assert describe(create_leaf(WORLD.issuer, ["gate.test"]).certificate).pin != WORLD.leaf.pin


def test_common_name_is_no_name() -> None:
    """A certificate without subject alternative names has none."""
    leaf = pki.leaf_without(WORLD.issuer, x509.SubjectAlternativeName)
    assert describe(leaf.certificate).names == ()


@pytest.mark.parametrize(
    ("days", "valid", "concern"),
    [
        (-1.0, False, "it is not valid before 2026-01-01"),
        (0.5, True, ""),
        (59.0, True, ""),
        (61.0, True, "it ends on 2026-04-01, in 29 days"),
        (89.5, True, "it ends on 2026-04-01, in 0 days"),
        (90.5, False, "it ended on 2026-04-01"),
    ],
)
def test_concern_about_its_time(days: float, valid: bool, concern: str) -> None:
    """Nothing until 30 days before the end; then how long it lasts, then that it is over."""
    starts = datetime(2026, 1, 1, tzinfo=UTC)
    leaf = sign_certificate(
        "gate.test",
        WORLD.issuer,
        leaf_extensions(["gate.test"]),
        starts=starts,
        ends=starts + timedelta(days=90),
    )
    found = describe(leaf.certificate)
    now = starts.timestamp() + days * DAY
    assert (found.is_valid(now), found.concern(now)) == (valid, concern)


@pytest.mark.parametrize("content", [None, b"", b"not PEM", WORLD.leaf.key_pem])
def test_file_without_a_certificate_is_refused(tmp_path: Path, content: bytes | None) -> None:
    """The setting and the file are named."""
    path = tmp_path / "server.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(StartRefused) as refused:
        read_leaf(path)
    assert refused.value.detail.startswith(f"gateway.tls_certificate: {path} ")
