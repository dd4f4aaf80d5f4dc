"""Keep a client that follows a provider's URLs on our side (R53).

`Location`, `Content-Location` and `Link` may name the provider's own address. An SDK that follows
them with our token would walk around us, so URLs into the connection's own origins become ours and
all others are dropped. Where the credential stands in the path or query, it is taken out.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, quote_from_bytes, unquote_plus, urljoin, urlsplit

from bailee.http.calls_domain import door_label
from bailee.model import Origin

_VISIBLE = "".join(chr(code) for code in range(0x21, 0x7F))
_DOUBTFUL = re.compile(r"[\x00-\x1f\x7f\\]")
"""Control characters, which some clients cut out; the backslash, which some take for a slash."""


@dataclass(frozen=True, slots=True)
class Rewriter:
    """Rewrites the URLs of one call's answer.

    Attributes:
        origins: The provider's origins; the first is the default.
        connection: The connection's id.
        base: What clients call us by, as in `http://127.0.0.1:8700`; where the host names the
            door, what follows its label, as in `http://calls.example:8700`.
        path_prefix: A prefix that holds the credential, or empty.
        reserved: Query parameters that hold the credential.
        by_host: Whether the host names the door, and not the path.
    """

    origins: Sequence[Origin]
    connection: str
    base: str
    path_prefix: str
    reserved: frozenset[str]
    by_host: bool = False

    def rewrite(self, value: str, requested: str) -> str | None:
        """Turn a URL reference of the provider into one of ours.

        Args:
            value: An absolute or relative reference, decoded as Latin-1. What is not visible ASCII
                is percent-encoded.
            requested: The absolute URL that was asked of the provider.

        Returns:
            An absolute URL of ours, or None when the reference leads elsewhere.
        """
        if _DOUBTFUL.search(value):
            return None
        reference = quote_from_bytes(value.strip().encode("latin-1", "replace"), _VISIBLE)
        try:
            url = urlsplit(urljoin(requested, reference))
            origin = self._origin_of(url)
        except ValueError:
            return None
        if origin is None or not url.path.startswith(self.path_prefix + "/"):
            return None
        path = url.path[len(self.path_prefix) :]
        query = "&".join(part for part in url.query.split("&") if not self._is_reserved(part))
        fragment = f"#{url.fragment}" if url.fragment else ""
        return f"{self._root_of(origin)}{path}{'?' + query if query else ''}{fragment}"

    def rewrite_link(self, value: str, requested: str) -> str | None:
        """Rewrite every target of a `Link` header (RFC 8288); those that lead elsewhere go.

        A link with an `anchor` goes too: it is a second URL, and nobody pages by it.
        """
        kept = []
        for link in _LINK.finditer(value):
            target = self.rewrite(link["target"], requested)
            parameters = link["parameters"].rstrip()
            if target is not None and not _ANCHOR.search(parameters):
                kept.append(f"<{target}>{parameters}")
        return ", ".join(kept) or None

    def _root_of(self, origin: Origin) -> str:
        """What stands for an origin among our URLs, without a final slash."""
        name = None if origin is self.origins[0] else origin.name
        if self.by_host:
            scheme, _, domain = self.base.partition("://")
            return f"{scheme}://{door_label(self.connection, name)}.{domain}"
        return f"{self.base}/{self.connection}{'' if name is None else '.' + name}"

    def _origin_of(self, url: SplitResult) -> Origin | None:
        if url.scheme != "https" or url.username is not None or url.password is not None:
            return None
        host, port = (url.hostname or "").lower(), url.port or 443
        for origin in self.origins:
            if (origin.host, origin.port) == (host, port):
                return origin
        return None

    def _is_reserved(self, part: str) -> bool:
        return unquote_plus(part.partition("=")[0]) in self.reserved


_LINK = re.compile(
    r"<(?P<target>[^<>]*)>(?P<parameters>(?:\s*;\s*[^\s=;,]+\s*(?:=\s*(?:\"(?:[^\"\\]|\\.)*\"|[^\s;,\"]*))?)*)"
)
_ANCHOR = re.compile(r";\s*anchor\s*\*?\s*=", re.IGNORECASE)
