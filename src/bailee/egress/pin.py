"""Pins are matched against the chain that was verified, never against what was merely presented."""

import hashlib
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bailee.egress.chain import VerifiedChain
from bailee.errors import PinMismatch
from bailee.model import Pin, PinSet


@dataclass(frozen=True, slots=True)
class PinnedChain:
    """A verified chain of which a certificate has an approved pin. Only `match_pins` makes one."""

    chain: VerifiedChain
    matched: Pin


def compute_pin(certificate: x509.Certificate) -> Pin:
    """Compute the SPKI pin of a certificate.

    The pin covers the public key alone: it survives a renewal that keeps the key.

    Returns:
        SHA-256 of the SubjectPublicKeyInfo, 32 bytes, not base64.

    Source:
        RFC 7469, section 2.4.
    """
    key = certificate.public_key()
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return Pin(hashlib.sha256(spki).digest())


def match_pins(chain: VerifiedChain, pins: PinSet) -> PinnedChain:
    """Find a certificate of a verified chain whose pin is approved.

    Raises:
        PinMismatch: None has one. Nothing was sent but the handshake's first flight.
    """
    for certificate in chain.certificates:
        pin = compute_pin(certificate)
        if pin in pins.pins:
            return PinnedChain(chain, pin)
    raise PinMismatch(
        f"no certificate of the verified chain of origin {pins.origin!r} has an approved pin",
        f"if the provider changed its key: bailee pin learn {pins.provider} --approve sha256/...",
    )
