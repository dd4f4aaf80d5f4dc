"""Sign requests to the reference API by what its documentation says, without its code."""

import hashlib
import hmac
import time
from collections.abc import Mapping


def sign(
    key: Mapping[str, object],
    method: str,
    target: str,
    body: bytes = b"",
    *,
    nonce: int | None = None,
    seconds_off: float = 0.0,
) -> dict[str, str]:
    """The headers of a signed request.

    Args:
        key: What the console answered when the key was made.
        method: In capitals.
        target: Path and query as they are sent.
        body: All of it.
        nonce: For a key that wants one.
        seconds_off: How far the client's clock is ahead.
    """
    path, _, query = target.partition("?")
    timestamp = str(int((time.time() + seconds_off) * 1000))
    lines = [timestamp] if nonce is None else [timestamp, str(nonce)]
    lines += [method, path, query, hashlib.sha256(body).hexdigest()]
    secret, text = str(key["api_secret"]).encode(), "\n".join(lines).encode()
    headers = {
        "Reference-Key": str(key["api_key"]),
        "Reference-Timestamp": timestamp,
        "Reference-Signature": hmac.new(secret, text, hashlib.sha256).hexdigest(),
    }
    return headers if nonce is None else {**headers, "Reference-Nonce": str(nonce)}
