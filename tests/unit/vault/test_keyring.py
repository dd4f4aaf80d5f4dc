"""`vault.keyring`: a wrapped key unwraps with its root key and in its own row."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from bailee.errors import VaultClosed
from bailee.model import ConnectionId, SealContext, TenantId
from bailee.secret import Secret
from bailee.vault.authority import AuthorityVerifier, Label
from bailee.vault.keyring import Keyring
from bailee.vault.opening import open_credential
from bailee.vault.sealing import seal

ROOT = Secret(bytes(range(32)))
RING = Keyring(ROOT)
OTHER_RING = Keyring(Secret(bytes(32)))
T1, T2 = TenantId("t1"), TenantId("t2")

AUTHORITY, WRAPPED_AUTHORITY = RING.new_authority()
KEY, WRAPPED_KEY = RING.new_tenant_key(T1)
KEY_2, WRAPPED_KEY_2 = RING.new_tenant_key(T1)
FOREIGN, WRAPPED_FOREIGN = RING.new_tenant_key(T2)


def test_authority_unwraps() -> None:
    """What comes back signs what the public half verifies."""
    again = Keyring(ROOT).authority(WRAPPED_AUTHORITY, AUTHORITY.public)
    signed = again.sign(Label.PINS, b"x")
    assert AuthorityVerifier(AUTHORITY.public).verify(Label.PINS, signed) == b"x"


def test_tenant_key_unwraps_and_opens() -> None:
    """What was sealed to the public half opens with the private."""
    context = SealContext(T1, ConnectionId("c" * 26), 1, b"d" * 32)
    private = Keyring(ROOT).tenant_private(KEY, WRAPPED_KEY)
    assert open_credential(seal(Secret(b"x"), KEY, context), context, private) == Secret(b"x")


def test_keys_are_new_each_time() -> None:
    """No two tenants share a key or an id."""
    keys = [RING.new_tenant_key(T1)[0] for _ in range(20)]
    assert len({key.public for key in keys}) == len({key.id for key in keys}) == 20


REFUSED: dict[str, Callable[[], object]] = {
    "authority, another root key": lambda: OTHER_RING.authority(
        WRAPPED_AUTHORITY, AUTHORITY.public),
    "authority, another public half": lambda: RING.authority(
        WRAPPED_AUTHORITY, RING.new_authority()[0].public),
    "authority, another authority's row": lambda: RING.authority(
        RING.new_authority()[1], AUTHORITY.public),
    "authority, a tenant's key in its row": lambda: RING.authority(WRAPPED_KEY, AUTHORITY.public),
    "authority, nothing": lambda: RING.authority(b"", AUTHORITY.public),
    "authority, no public half": lambda: RING.authority(WRAPPED_AUTHORITY, ""),
    "tenant, another root key": lambda: OTHER_RING.tenant_private(KEY, WRAPPED_KEY),
    "tenant, another tenant's row": lambda: RING.tenant_private(KEY, WRAPPED_FOREIGN),
    "tenant, an older key's row": lambda: RING.tenant_private(KEY, WRAPPED_KEY_2),
    "tenant, the authority in its row": lambda: RING.tenant_private(KEY, WRAPPED_AUTHORITY),
    "tenant, another tenant's name": lambda: RING.tenant_private(
        replace(KEY, tenant=T2), WRAPPED_KEY),
    "tenant, another key's name": lambda: RING.tenant_private(
        replace(KEY, id=KEY_2.id), WRAPPED_KEY),
    "tenant, another public half": lambda: RING.tenant_private(
        replace(KEY, public=FOREIGN.public), WRAPPED_KEY),
    "tenant, a cut row": lambda: RING.tenant_private(KEY, WRAPPED_KEY[:-1]),
    "tenant, a longer row": lambda: RING.tenant_private(KEY, WRAPPED_KEY + b"\0"),
    "tenant, an unknown form": lambda: RING.tenant_private(KEY, b"\2" + WRAPPED_KEY[1:]),
    "tenant, nothing": lambda: RING.tenant_private(KEY, b""),
    "tenant, a bare key": lambda: RING.tenant_private(
        KEY, X25519PrivateKey.generate().private_bytes_raw()),
}  # fmt: skip


@pytest.mark.parametrize("attempt", REFUSED.values(), ids=REFUSED.keys())
def test_keyring_refuses(attempt: Callable[[], object]) -> None:
    """Another root key, or a row of another place: the vault is closed."""
    with pytest.raises(VaultClosed):
        attempt()


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_any_changed_byte_does_not_unwrap(place: int, flip: int) -> None:
    """One changed byte of a wrapped key closes it."""
    row = bytearray(WRAPPED_KEY)
    row[place % len(row)] ^= flip
    with pytest.raises(VaultClosed):
        RING.tenant_private(KEY, bytes(row))


@pytest.mark.parametrize("length", [0, 16, 31, 33])
def test_root_key_has_32_bytes(length: int) -> None:
    """A shorter AES key would be accepted by the cipher; not here."""
    with pytest.raises(VaultClosed):
        Keyring(Secret(bytes(length)))


def test_keyring_prints_as_nothing() -> None:
    """No byte of the root key is in its text."""
    assert repr(RING) == "Keyring(...)"
