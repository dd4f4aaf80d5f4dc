"""The second verifier: `cryptography`'s X.509 path builder beside OpenSSL's.

OpenSSL has accepted the chain, in strict mode, before this runs. Two independent implementations
have to agree; what this one returns is the chain that it built, and pins are matched on that alone.
"""

import datetime
import ipaddress
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import (
    Criticality,
    ExtensionPolicy,
    Policy,
    PolicyBuilder,
    Store,
    VerificationError,
)

from bailee.errors import CertificateRefused, ConfigInvalid

GOOD_CA_HINT = (
    "a CA that both verifiers accept: openssl req -x509 -newkey ec -pkeyopt "
    "ec_paramgen_curve:P-256 -nodes -days 365 -subj '/CN=Lab CA' "
    "-addext 'basicConstraints=critical,CA:TRUE' -addext 'keyUsage=critical,keyCertSign,cRLSign' "
    "-keyout ca.key -out ca.pem; its leaves need subjectAltName, authorityKeyIdentifier and "
    "extendedKeyUsage=serverAuth"
)
_CHAIN_LIMIT = 10
"""Certificates a peer may present; real chains have two to four."""


def _want_server_use(_: Policy, __: x509.Certificate, usage: x509.ExtendedKeyUsage) -> None:
    if ExtendedKeyUsageOID.SERVER_AUTH not in usage:
        raise ValueError("the leaf's extendedKeyUsage has no serverAuth")


_CA_POLICY = ExtensionPolicy.webpki_defaults_ca()
_LEAF_POLICY = ExtensionPolicy.webpki_defaults_ee().require_present(
    x509.ExtendedKeyUsage, Criticality.AGNOSTIC, _want_server_use
)
"""By default both verifiers take a leaf that says nothing about its use."""
_REFUSALS = (VerificationError, ValueError, x509.InvalidVersion, UnsupportedAlgorithm)
"""What `cryptography` raises of certificates that are not valid, or can't even be read."""


@dataclass(frozen=True, slots=True)
class VerifiedChain:
    """A chain that both verifiers accepted, leaf first. Only `ChainVerifier` makes one."""

    certificates: tuple[x509.Certificate, ...]


class ChainVerifier:
    """Builds and checks chains to a fixed set of roots.

    Args:
        roots_pem: PEM certificates; those that `cryptography` can't read are left out.

    Raises:
        ConfigInvalid: Not one root could be read.
    """

    def __init__(self, roots_pem: str) -> None:
        self._store = Store(read_roots(roots_pem))

    def verify(
        self, presented: Sequence[bytes], host: str, now: datetime.datetime
    ) -> VerifiedChain:
        """Build a chain from what a peer presented to one of the roots.

        Args:
            presented: DER certificates as presented, the leaf first.
            host: The DNS name or IP literal that the leaf must have as a subject alternative name.
            now: The time to verify at, with a time zone.

        Raises:
            CertificateRefused: No valid chain can be built; names this verifier and its reason.
        """
        if not 1 <= len(presented) <= _CHAIN_LIMIT:
            raise CertificateRefused(f"the peer presented {len(presented)} certificates")
        try:
            certificates = [x509.load_der_x509_certificate(der) for der in presented]
            policy = PolicyBuilder().store(self._store).time(now)
            policy = policy.extension_policies(ca_policy=_CA_POLICY, ee_policy=_LEAF_POLICY)
            verifier = policy.build_server_verifier(_subject(host))
            built = verifier.verify(certificates[0], certificates[1:])
        except _REFUSALS as refused:
            # What follows in brackets is the peer's own words: the subject of its certificate.
            reason = " ".join(str(refused).partition("(encountered")[0].split())[:300]
            raise CertificateRefused(
                f"the second verifier (cryptography) refused the chain for {host}: {reason}",
                GOOD_CA_HINT,
            ) from None
        return VerifiedChain(tuple(built))


def read_roots(roots_pem: str) -> list[x509.Certificate]:
    """Read the certificates of a PEM bundle, leaving out what `cryptography` can't parse."""
    roots = []
    marker = "-----END CERTIFICATE-----"
    for block in roots_pem.split(marker)[:-1]:
        start = block.find("-----BEGIN CERTIFICATE-----")
        if start < 0:
            continue
        with warnings.catch_warnings(action="ignore", category=CryptographyDeprecationWarning):
            try:
                roots.append(x509.load_pem_x509_certificate((block[start:] + marker).encode()))
            except ValueError:
                continue
    if not roots:
        raise ConfigInvalid(
            "the CA file holds no certificate that can be read", "it must hold PEM certificates"
        )
    return roots


def _subject(host: str) -> x509.DNSName | x509.IPAddress:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
