"""Which key a request names, and whether it has that key.

A bearer key is sent as it is: `Authorization: Bearer KEY`. An HMAC key's request is signed:

    Reference-Key: the key's id
    Reference-Timestamp: Unix time in milliseconds, at most 30 seconds off
    Reference-Nonce: a whole number, higher than that of the key's last request (only for keys that
                     were made with one)
    Reference-Signature: HMAC-SHA256, in hex, under the key's secret (UTF-8), of

    TIMESTAMP \\n [NONCE \\n] METHOD \\n PATH \\n QUERY \\n BODY

without the spaces. PATH and QUERY are as they are sent, percent-encoding and order included; QUERY
is without the question mark, and empty where there is none. BODY is the SHA-256 of the body in hex,
that of nothing where there is none.
"""

import hashlib
import hmac
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from bailee.reference.accounts import Accounts, ApiKey, KeyKind
from bailee.reference.allowlist_middleware import Message, Receive, Scope
from bailee.reference.wire import ApiFault, Request, bearer, single_header

WINDOW_MS = 30_000
MAX_SIGNED_BYTES = 1024**2
KEY_HEADER = "Reference-Key"
TIMESTAMP_HEADER = "Reference-Timestamp"
NONCE_HEADER = "Reference-Nonce"
SIGNATURE_HEADER = "Reference-Signature"
_NUMBER = re.compile(r"[0-9]{1,20}")


@dataclass(frozen=True, slots=True)
class KeyCheck:
    """Finds the key of a request among all keys."""

    accounts: Accounts
    clock: Callable[[], float] = time.time

    def claimed(self, scope: Scope) -> ApiKey | None:
        """Find the key that a request names. A bearer key is proven by that, an HMAC key is not."""
        secret, key_id = bearer(scope), single_header(scope, KEY_HEADER)
        if (secret is None) == (key_id is None):
            return None
        if secret is not None:
            return self.accounts.find_key(secret, KeyKind.BEARER)
        return self.accounts.find_key(key_id or "", KeyKind.HMAC)

    async def proven(self, request: Request) -> tuple[ApiKey, Request]:
        """Find the key that a request has.

        Returns:
            The key, and the request to go on with: its body can be read from the start.

        Raises:
            ApiFault: It names no key, or its time, signature or nonce is not right.
            Disconnected: The client went away before the end of a signed body.
        """
        key = self.claimed(request.scope)
        if key is None:
            raise invalid_key()
        if key.kind is KeyKind.BEARER:
            return key, request
        body = await _whole_body(request)
        self._check(request, key, body)
        return key, replace(request, receive=_again(body, request.receive))

    def proven_at_once(self, request: Request) -> ApiKey:
        """Find the key that a request without a body has; see `proven`."""
        key = self.claimed(request.scope)
        if key is None:
            raise invalid_key()
        if key.kind is KeyKind.HMAC:
            self._check(request, key, b"")
        return key

    def _check(self, request: Request, key: ApiKey, body: bytes) -> None:
        timestamp = single_header(request.scope, TIMESTAMP_HEADER) or ""
        nonce = single_header(request.scope, NONCE_HEADER)
        signature = single_header(request.scope, SIGNATURE_HEADER) or ""
        now_ms = self.clock() * 1000
        if not _NUMBER.fullmatch(timestamp) or abs(int(timestamp) - now_ms) > WINDOW_MS:
            raise ApiFault(401, "invalid_timestamp", "the timestamp is not within 30 seconds")
        if key.wants_nonce and not _NUMBER.fullmatch(nonce or ""):
            raise invalid_nonce()
        signed = string_to_sign(
            timestamp, nonce, request.method, request.raw_path, request.query_text, body
        )
        right = hmac.digest(self.accounts.secret_of(key).reveal(), signed, "sha256").hex()
        if not hmac.compare_digest(right.encode(), signature.encode("latin-1")):
            raise ApiFault(401, "invalid_signature", "the signature is not that of the request")
        if key.wants_nonce and not self.accounts.take_nonce(key, int(nonce or "")):
            raise invalid_nonce()


def invalid_key() -> ApiFault:
    """What a wrong key is told."""
    return ApiFault(401, "invalid_key", "a valid key is required")


def invalid_nonce() -> ApiFault:
    """What a nonce that is missing, or not the highest, is told."""
    return ApiFault(401, "invalid_nonce", "the nonce must be higher than the last one")


def string_to_sign(
    timestamp: str, nonce: str | None, method: str, path: str, query: str, body: bytes
) -> bytes:
    """What a request's signature covers, as the module says.

    Args:
        timestamp: The value of its header.
        nonce: The value of its header, or `None` where it has none.
        method: In capitals.
        path: As it is sent, from the first slash.
        query: As it is sent, without the question mark.
        body: All of it.
    """
    first = (timestamp,) if nonce is None else (timestamp, nonce)
    digest = hashlib.sha256(body).hexdigest()
    return "\n".join((*first, method, path, query, digest)).encode("latin-1")


async def _whole_body(request: Request) -> bytes:
    body = bytearray()
    async for piece in request.body():
        body += piece
        if len(body) > MAX_SIGNED_BYTES:
            raise ApiFault(413, "body_too_large", "a signed body is larger than 1 MiB")
    return bytes(body)


def _again(body: bytes, rest: Receive) -> Receive:
    """Give a body that was read once more, and then what comes after it."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return waiting.pop() if waiting else await rest()

    return receive
