"""Signed statements as the admin API takes and gives them."""

import binascii
from base64 import b64decode, b64encode
from collections.abc import Mapping

from bailee.errors import TrustBroken
from bailee.model import Signed


def statement(signed: Signed) -> dict[str, str]:
    """Write a signed statement as the admin API takes it."""
    return {
        "payload": b64encode(signed.payload).decode("ascii"),
        "signature": b64encode(signed.signature).decode("ascii"),
    }


def read_statement(document: Mapping[str, object]) -> Signed:
    """Read a signed statement as the admin API gives it; nothing is verified yet.

    Raises:
        TrustBroken: It is not there, or not base64.
    """
    try:
        payload, signature = (
            b64decode(str(document[name] or ""), validate=True) for name in ("payload", "signature")
        )
    except (KeyError, binascii.Error, ValueError):
        raise TrustBroken("the admin API answered with a record that can't be read") from None
    if not payload:
        raise TrustBroken("the admin API answered without a signed record")
    return Signed(payload, signature)
