"""Seal a credential to a tenant's public key. Nothing here can open one.

HPKE base mode, RFC 9180: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM, with a fresh
encapsulation each time. `cryptography`'s `Suite` has no `aad` argument; what the credential is
bound to goes into `info`, which HPKE mixes into the key itself.
"""

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from bailee.errors import TrustBroken
from bailee.model import SealContext, SealedCredential, TenantKey
from bailee.secret import Secret

SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
TRUST_DIGEST_BYTES = 32
_LABEL = b"bailee/credential/v1"


def seal(credential: Secret, key: TenantKey, context: SealContext) -> SealedCredential:
    """Seal a credential so that it opens only in its context.

    Args:
        credential: What `signing.place.parse_credential` returned.
        key: The tenant's current key. The caller has verified it (`statements`): whoever can
            replace it can read what is sealed to it.
        context: Tenant, connection, version (from 1) and trust digest.

    Raises:
        TrustBroken: The key is another tenant's, or is no usable X25519 key.
    """
    if key.tenant != context.tenant:
        raise TrustBroken("the key belongs to another tenant than the credential")
    try:
        public = X25519PublicKey.from_public_bytes(key.public)
        ciphertext = SUITE.encrypt(credential.reveal(), public, seal_info(context))
    except ValueError:
        raise TrustBroken("the tenant's key is not a usable X25519 key") from None
    return SealedCredential(
        context.connection, context.version, key.id, context.trust_digest, ciphertext
    )


def seal_info(context: SealContext) -> bytes:
    """Return what a credential is bound to as unambiguous bytes.

    Label, tenant, connection, version and trust digest, each after its length (4 bytes,
    big-endian); the version is 8 bytes.
    """
    if len(context.trust_digest) != TRUST_DIGEST_BYTES or not 1 <= context.version < 2**63:
        raise TrustBroken("a sealed version has a number from 1 and a trust digest of 32 bytes")
    parts = (
        _LABEL,
        context.tenant.encode("utf-8"),
        context.connection.encode("utf-8"),
        context.version.to_bytes(8),
        context.trust_digest,
    )
    return b"".join(len(part).to_bytes(4) + part for part in parts)
