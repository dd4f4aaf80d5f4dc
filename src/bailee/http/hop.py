"""Which headers may pass.

Requests: what is on the standard list or in the provider's `headers`, nothing else (R29); so the
caller sets neither authentication nor Host, nor anything forwarded-for, nor a method override.
Answers: everything but what is for one hop, what leads clients elsewhere, and what is ours.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

STANDARD_REQUEST_HEADERS: Final = frozenset(
    {
        b"accept",
        b"accept-encoding",
        b"accept-language",
        b"cache-control",
        b"content-digest",
        b"content-disposition",
        b"content-encoding",
        b"content-language",
        b"content-type",
        b"idempotency-key",
        b"if-match",
        b"if-modified-since",
        b"if-none-match",
        b"if-range",
        b"if-unmodified-since",
        b"last-event-id",
        b"pragma",
        b"prefer",
        b"range",
        b"repr-digest",
        b"user-agent",
    }
)

HOP_BY_HOP: Final = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authentication-info",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)

NEVER_FORWARDED: Final = HOP_BY_HOP | {
    b"authorization",
    b"content-length",
    b"cookie",
    b"expect",
    b"forwarded",
    b"host",
    b"via",
    b"true-client-ip",
    b"client-ip",
    b"wl-proxy-client-ip",
    b"x-appengine-user-ip",
    b"x-client-ip",
    b"x-cluster-client-ip",
    b"x-envoy-external-address",
    b"x-originating-ip",
    b"x-real-ip",
    b"x-remote-addr",
    b"x-remote-ip",
    b"x-http-method",
    b"x-http-method-override",
    b"x-method-override",
    b"x-original-url",
    b"x-rewrite-url",
    b"x-original-host",
    b"x-host",
}
"""What not even a provider's `headers` may let through; see also `FORBIDDEN_PREFIXES`."""

FORBIDDEN_PREFIXES: Final = (
    b"x-forwarded",
    b"cf-",
    b"bailee-",
    b"proxy-",
    b"fastly-client",
    b"sec-websocket-",
)

_DROPPED_FROM_ANSWERS: Final = HOP_BY_HOP | {
    b"alt-svc",
    b"content-length",
    b"refresh",
    b"set-cookie",
    b"set-cookie2",
}
LOCATING: Final = frozenset({b"location", b"content-location", b"link"})
"""Answer headers that hold URLs; `location.py` rewrites them."""

_NAMES_REMEMBERED: Final = 512


def may_never_pass(name: bytes) -> bool:
    """Tell whether a request header (lower case) is one that no provider's file can let through.

    `_` counts as `-`: behind CGI and WSGI the two can't be told apart.
    """
    name = name.replace(b"_", b"-")
    return name in NEVER_FORWARDED or name.startswith(FORBIDDEN_PREFIXES)


@dataclass(slots=True)
class RequestHeaderPolicy:
    """The headers that one provider is sent. Decisions are remembered for names seen before."""

    exact: frozenset[bytes]
    prefixes: tuple[bytes, ...]
    placed: frozenset[bytes]
    """Headers in which the credential is placed, with `-` for `_`: a caller's own are dropped."""
    _decided: dict[bytes, bool] = field(default_factory=dict)

    @classmethod
    def of(cls, headers: Iterable[str], placed: Iterable[str] = ()) -> "RequestHeaderPolicy":
        """Make the policy of a provider's `headers` (lower case, `*` as a last character)."""
        names = [name.encode() for name in headers]
        return cls(
            STANDARD_REQUEST_HEADERS | {name for name in names if not name.endswith(b"*")},
            tuple(name[:-1] for name in names if name.endswith(b"*")),
            frozenset(name.lower().replace("_", "-").encode() for name in placed),
        )

    def passes(self, name: bytes) -> bool:
        """Tell whether a header (lower case) is sent to the provider."""
        decided = self._decided.get(name)
        if decided is None:
            decided = self._decide(name)
            if len(self._decided) < _NAMES_REMEMBERED:
                self._decided[name] = decided
        return decided

    def _decide(self, name: bytes) -> bool:
        if name.replace(b"_", b"-") in self.placed or may_never_pass(name):
            return False
        # Behind CGI and WSGI `a_b` is `a-b`: only who names it as it is lets it through.
        return name in self.exact or any(
            name.startswith(prefix) and b"_" not in name[len(prefix) :] for prefix in self.prefixes
        )

    def split(self, headers: list[tuple[bytes, bytes, bytes]]) -> tuple[list[bytes], list[bytes]]:
        """Split a request's headers into the lines to send and the names that were dropped."""
        kept: list[bytes] = []
        dropped: list[bytes] = []
        decided = self._decided
        for lower, name, value in headers:
            verdict = decided.get(lower)
            if verdict or (verdict is None and self.passes(lower)):
                kept += (name, b": ", value, b"\r\n")
            elif lower not in HOP_BY_HOP:
                dropped.append(lower)
        return kept, dropped


def answer_header_passes(name: bytes) -> bool:
    """Tell whether an answer's header (lower case) is passed on as it is."""
    return name not in _DROPPED_FROM_ANSWERS and not name.startswith((b"bailee-", b"proxy-"))
