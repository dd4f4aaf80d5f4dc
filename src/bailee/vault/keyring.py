"""What the root key wraps: the authority's private key and the tenants'. Gateway, keeper, CLI.

A wrapped key is `version (1 byte) || nonce (12) || AES-256-GCM of the 32 raw bytes`. What kind of
key it is, whose, and which stand in the additional data: a wrapped key that was moved to another
row does not unwrap.
"""

import os
from base64 import b32encode

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bailee.errors import VaultClosed
from bailee.model import TenantId, TenantKey
from bailee.secret import Secret
from bailee.vault.authority import Authority

ROOT_KEY_BYTES = 32
_FORMAT = b"\x01"
_NONCE_BYTES = 12
_WRAPPED_BYTES = 1 + _NONCE_BYTES + 32 + 16
_AUTHORITY = b"bailee/wrap/authority/v1"
_TENANT = b"bailee/wrap/tenant/v1"
_HINT = "is the root key the one that this database was made with?"


class Keyring:
    """The root key at work.

    Args:
        root: 32 bytes.

    Raises:
        VaultClosed: `root` has another length.
    """

    __slots__ = ("_aead",)

    def __init__(self, root: Secret) -> None:
        if len(root) != ROOT_KEY_BYTES:
            raise VaultClosed("the root key is not 32 bytes")
        self._aead = AESGCM(root.reveal())

    def __repr__(self) -> str:
        return "Keyring(...)"

    def new_authority(self) -> tuple[Authority, bytes]:
        """Make an authority. Returns it and its private key, wrapped."""
        private = Ed25519PrivateKey.generate()
        authority = Authority(private)
        raw = private.private_bytes_raw()
        return authority, self._wrap(raw, _authority_place(authority.public))

    def authority(self, wrapped: bytes, public: str) -> Authority:
        """Unwrap the authority.

        Args:
            wrapped: What `new_authority` returned.
            public: The public half from the config.

        Raises:
            VaultClosed: It does not unwrap, or its public half is another.
        """
        # The public half is part of the additional data: a wrong one does not unwrap.
        raw = self._unwrap(wrapped, _authority_place(public))
        return Authority(Ed25519PrivateKey.from_private_bytes(raw))

    def new_tenant_key(self, tenant: TenantId) -> tuple[TenantKey, bytes]:
        """Make a key pair for a tenant.

        Returns:
            The public half, to be signed (`statements.sign_tenant_key`), and the wrapped private.
        """
        private = X25519PrivateKey.generate()
        name = b32encode(os.urandom(10)).decode("ascii").lower()
        key = TenantKey(tenant, name, private.public_key().public_bytes_raw())
        return key, self._wrap(private.private_bytes_raw(), _tenant_place(key))

    def tenant_private(self, key: TenantKey, wrapped: bytes) -> X25519PrivateKey:
        """Unwrap the private half of a tenant's key.

        Args:
            key: The verified statement.
            wrapped: The row beside it.

        Raises:
            VaultClosed: It does not unwrap here: another root key, tenant, key id or public half.
        """
        private = X25519PrivateKey.from_private_bytes(self._unwrap(wrapped, _tenant_place(key)))
        if private.public_key().public_bytes_raw() != key.public:
            raise VaultClosed("a tenant's private key does not belong to its public half", _HINT)
        return private

    def _wrap(self, raw: bytes, place: bytes) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        return _FORMAT + nonce + self._aead.encrypt(nonce, raw, place)

    def _unwrap(self, wrapped: bytes, place: bytes) -> bytes:
        if len(wrapped) != _WRAPPED_BYTES or wrapped[:1] != _FORMAT:
            raise VaultClosed("a wrapped key is not of the form that this version knows")
        nonce, text = wrapped[1 : 1 + _NONCE_BYTES], wrapped[1 + _NONCE_BYTES :]
        try:
            return self._aead.decrypt(nonce, text, place)
        except InvalidTag:
            raise VaultClosed("a wrapped key does not unwrap", _HINT) from None


def _authority_place(public: str) -> bytes:
    return _joined(_AUTHORITY, b"", public.encode("utf-8"))


def _tenant_place(key: TenantKey) -> bytes:
    return _joined(_TENANT, key.tenant.encode("utf-8"), key.id.encode("utf-8"))


def _joined(*parts: bytes) -> bytes:
    return b"".join(len(part).to_bytes(4) + part for part in parts)
