"""Turn errors into problem documents (RFC 9457): the one table between our errors and HTTP."""

from typing import Final

import msgspec

from bailee.errors import BaileeError
from bailee.http.framing import status_line

_FIXED: Final = b"Content-Type: application/problem+json\r\nCache-Control: no-store\r\n"


def problem(error: BaileeError, call: str = "") -> dict[str, object]:
    """Describe an error. Strangers learn no more than that a token is required."""
    described: dict[str, object] = {
        "type": f"urn:bailee:error:{error.code}",
        "title": error.title,
        "status": error.status,
        "code": error.code,
    }
    if error.status != 401:
        described |= {
            "detail": error.detail,
            "fault": error.fault.value,
            "reached": error.reached.value,
            "retryable": error.retryable,
        }
        if error.hint:
            described["hint"] = error.hint
        described |= error.members
    if call:
        described["call"] = call
    return described


def problem_answer(
    error: BaileeError, call: str = "", *, close: bool, head_only: bool = False, more: bytes = b""
) -> bytes:
    """Write a whole HTTP/1.1 answer with a problem document.

    Args:
        error: What went wrong.
        call: The call's id, for `Bailee-Call`; empty where no call began.
        close: Whether the connection is closed after it.
        head_only: Whether the request was a HEAD, whose answer has no body.
        more: Complete header lines to add.
    """
    body = msgspec.json.encode(problem(error, call))
    first = error.members.get("first_call")
    wait = error.retry_after
    if wait is None and error.status == 503 and error.retryable:
        wait = 1
    head = [
        status_line(error.status),
        _FIXED,
        b"Content-Length: %d\r\nBailee-Error: %b\r\n" % (len(body), error.code.encode()),
        b"Bailee-Call: %b\r\n" % call.encode() if call else b"",
        f"Bailee-First-Call: {first}\r\n".encode() if first else b"",
        b'WWW-Authenticate: Bearer realm="bailee"\r\n' if error.status == 401 else b"",
        b"Retry-After: %d\r\n" % wait if wait is not None else b"",
        more,
        b"Connection: close\r\n\r\n" if close else b"\r\n",
    ]
    return b"".join(head) + (b"" if head_only else body)
