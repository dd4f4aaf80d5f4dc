"""The address feed as everyone may read it: the signed bytes, and the same as plain text."""

import base64
import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bailee.errors import FeedUnavailable, TrustBroken
from bailee.model import Feed, Signed
from bailee.store import feeds
from bailee.store.engine import Store
from bailee.vault.authority import AuthorityVerifier, Label
from bailee.vault.ranges import format_instant, prefix_of
from bailee.vault.statements import verified_feed

CACHE_SECONDS: Final = 300
"""For how long whoever asked may keep the answer; never beyond the feed's own end."""


@dataclass(frozen=True, slots=True)
class Edition:
    """A feed that was verified, and the bytes that were."""

    feed: Feed
    signed: Signed


class PublishedFeed:
    """Shows the newest feed, and none that could not be verified just now.

    Args:
        store: Where the keeper puts feeds.
        verifier: Of the authority of the config.
        clock: Unix seconds.
    """

    def __init__(
        self, store: Store, verifier: AuthorityVerifier, clock: Callable[[], float] = time.time
    ) -> None:
        self._store = store
        self._verifier = verifier
        self._clock = clock
        self._last: Edition | None = None

    def __repr__(self) -> str:
        return f"PublishedFeed(serial={0 if self._last is None else self._last.feed.serial})"

    @property
    def authority(self) -> str:
        """The public half that the feed was verified with."""
        return self._verifier.public

    def current(self) -> tuple[Edition, int]:
        """Return the feed, and for how many seconds it is valid from now.

        Raises:
            FeedUnavailable: There is none, or its time is over.
            TrustBroken: The authority did not sign it, or it is older than one that was shown.
            StoreUnavailable: The database does not answer.
        """
        with self._store.read() as conn:
            newest = feeds.newest(conn)
        if newest is None:
            raise FeedUnavailable("no address feed has been signed yet")
        edition = Edition(verified_feed(self._verifier, newest.signed), newest.signed)
        if self._last is not None and edition.feed.serial < self._last.feed.serial:
            raise TrustBroken("an older address feed was put back")
        self._last = edition
        left = int(edition.feed.valid_until - self._clock())
        if left <= 0:
            raise FeedUnavailable("the address feed has expired")
        return edition, left


def feed_routes(published: PublishedFeed) -> list[Route]:
    """Make the routes `/egress/ranges.json` and `/egress/ranges.txt`."""

    def ranges_json(request: Request) -> Response:
        edition, left = published.current()
        label = {
            "Bailee-Signature": base64.b64encode(edition.signed.signature).decode("ascii"),
            "Bailee-Signature-Label": Label.FEED,
            "Bailee-Authority": published.authority,
        }
        return _answer(request, edition.signed.payload, "application/json", left, label)

    def ranges_txt(request: Request) -> Response:
        edition, left = published.current()
        text = "".join(f"{line}\n" for line in text_lines(edition.feed)).encode("ascii")
        return _answer(request, text, "text/plain; charset=us-ascii", left, {})

    return [
        Route("/egress/ranges.json", ranges_json, methods=["GET"]),
        Route("/egress/ranges.txt", ranges_txt, methods=["GET"]),
    ]


def text_lines(feed: Feed) -> Iterator[str]:
    """Write a feed for `grep -v '^#'`: one network a line."""
    yield f"# serial {feed.serial}"
    yield f"# created {format_instant(feed.created_at)}"
    yield f"# valid until {format_instant(feed.valid_until)}"
    yield "# the same with the authority's signature: /egress/ranges.json"
    for address in feed.addresses:
        yield prefix_of(address.public)


def _answer(request: Request, body: bytes, kind: str, left: int, more: dict[str, str]) -> Response:
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {
        "ETag": tag,
        "Cache-Control": f"public, max-age={min(CACHE_SECONDS, left)}",
        "X-Content-Type-Options": "nosniff",
        **more,
    }
    if _has(request.headers.getlist("if-none-match"), tag):
        return Response(None, 304, headers)
    return Response(body, 200, headers, kind)


def _has(asked: list[str], tag: str) -> bool:
    """Whether `If-None-Match` names this answer; a weak tag counts, as RFC 9110 says."""
    names = [name.strip().removeprefix("W/") for each in asked for name in each.split(",")]
    return tag in names or "*" in names
