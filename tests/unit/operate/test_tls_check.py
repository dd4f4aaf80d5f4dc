"""What the doctor says of the certificate that callers are shown."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

import pki
from bailee.config import TlsFiles
from bailee.operate.check import Level
from bailee.operate.tls_check import look_at_tls
from bailee.reference.pki import Issued, World, leaf_extensions, sign_certificate

WORLD = World.create(["gate.test"])
DAY = 86_400.0
LEAF = sign_certificate(
    "gate.test",
    WORLD.issuer,
    leaf_extensions(["gate.test"]),
    ends=datetime.now(UTC) + timedelta(days=90),
)
ENDS = LEAF.certificate.not_valid_after_utc.timestamp()
STARTS = LEAF.certificate.not_valid_before_utc.timestamp()


def levels(leaf: Issued, directory: Path, now: float) -> list[tuple[Level, str]]:
    """Look at a certificate with its key at a time."""
    files = TlsFiles(*leaf.write(directory, "server"))
    return [(check.level, check.found) for check in look_at_tls(files, now)]


def test_nothing_is_said_of_plain_calls() -> None:
    """Without TLS there is nothing to look at."""
    assert list(look_at_tls(None, time.time())) == []


@pytest.mark.parametrize(
    ("days", "level"),
    [(30.1, Level.OK), (29.9, Level.WARN), (0.1, Level.WARN), (-0.1, Level.FAIL)],
)
def test_its_end_is_told_30_days_before(tmp_path: Path, days: float, level: Level) -> None:
    """A warning while there is time, a failure when there is none."""
    ((said, _),) = levels(LEAF, tmp_path, ENDS - days * DAY)
    assert said is level


def test_certificate_before_its_time_is_told(tmp_path: Path) -> None:
    """A clock that is behind, or a pair that was put in place too early."""
    ((said, _),) = levels(LEAF, tmp_path, STARTS - 1)
    assert said is Level.FAIL


def test_pin_is_told(tmp_path: Path) -> None:
    """The pin is what applications are given."""
    ((_, found),) = levels(LEAF, tmp_path, ENDS - 31 * DAY)
    assert LEAF.pin_text in found


def test_certificate_without_a_name_is_told(tmp_path: Path) -> None:
    """No caller that verifies takes a common name."""
    leaf = pki.leaf_without(WORLD.issuer, x509.SubjectAlternativeName)
    level, found = levels(leaf, tmp_path, time.time())[-1]
    assert (level, "subject alternative name" in found) == (Level.WARN, True)


def test_key_that_fits_none_is_told(tmp_path: Path) -> None:
    """The gateway does not start with it, so it is a failure."""
    files = TlsFiles(*WORLD.leaf.write(tmp_path, "server"))
    files.key.write_bytes(World.create(["gate.test"]).leaf.key_pem)
    (check,) = look_at_tls(files, time.time())
    assert (check.level, check.about) == (Level.FAIL, "certificate")
    assert "is not the key of" in check.found
    assert check.advice


def test_key_that_others_may_read_is_told(tmp_path: Path) -> None:
    """Its mode is looked at as that of every secret file."""
    files = TlsFiles(*WORLD.leaf.write(tmp_path, "server"))
    files.key.chmod(0o644)
    (check,) = look_at_tls(files, time.time())
    assert (check.level, "chmod 600" in check.advice) == (Level.FAIL, True)
