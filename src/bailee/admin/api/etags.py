"""`ETag`, `If-None-Match` and `If-Match` (RFC 9110, section 13): what was read, and still is so.

An `ETag` is strong: it is made of the very bytes of an answer. A change that sends one back in
`If-Match` is made only while a read would still give these bytes. One lock is held around the
comparison and the change, so that of two operators who saw the same, the second one is told.
"""

import asyncio
from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import Final

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bailee.admin.api.desk import ACTOR
from bailee.admin.api.reply import Reply
from bailee.admin.api.roles import TABLE
from bailee.errors import PreconditionFailed

CACHING: Final = "private, no-cache"
"""Whoever keeps an answer asks again, with its `ETag`, before using it."""
PARENTS: Final = frozenset(
    {"/v1/providers/{provider}/approval", "/v1/connections/{connection}/versions"}
)
"""POSTs that change the one thing above them."""


def etag_of(body: bytes | bytearray) -> str:
    """Make the `ETag` of a representation."""
    return f'"{urlsafe_b64encode(sha256(body).digest()[:16]).rstrip(b"=").decode()}"'


async def answer_with_etag(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a GET, with 304 and no body when the client has these bytes already."""
    reply = await Reply.of(app, scope, receive)
    if reply.status == 200:
        etag = etag_of(reply.body)
        reply.set_header("etag", etag)
        reply.set_header("cache-control", CACHING)
        if _names(Request(scope).headers.getlist("if-none-match"), etag):
            kept = (b"etag", b"cache-control")
            headers = [each for each in reply.raw_headers if each[0] in kept]
            reply = Reply(304, headers)
    await reply.send(send)


async def change_if_unchanged(
    app: ASGIApp, lock: asyncio.Lock, route: str, scope: Scope, receive: Receive, send: Send
) -> None:
    """Make a change, if the thing is what `If-Match` says, where that is sent.

    Raises:
        PreconditionFailed: It is not, or what is changed is not one thing that can be read.
    """
    wanted = Request(scope).headers.getlist("if-match")
    path, pattern = scope["path"], route
    if route in PARENTS:
        path, pattern = path.rpartition("/")[0], route.rpartition("/")[0]
    if ("GET", pattern) not in TABLE or (scope["method"] == "POST" and route not in PARENTS):
        if wanted:
            raise PreconditionFailed("this changes no one thing that has an ETag")
        await app(scope, receive, send)
        return
    async with lock:
        if wanted:
            seen = await Reply.of(scope["app"], _reading(scope, path), _no_body)
            if seen.status == 200 and not _names(wanted, etag_of(seen.body)):
                raise PreconditionFailed()
        reply = await Reply.of(app, scope, receive)
    if scope["method"] == "PATCH" and reply.status == 200:
        reply.set_header("etag", etag_of(reply.body))
    await reply.send(send)


def _names(values: list[str], etag: str) -> bool:
    """Whether a list of entity tags names this one; a weak one counts as its strong one."""
    listed = [each.strip().removeprefix("W/") for value in values for each in value.split(",")]
    return etag in listed or listed == ["*"]


def _reading(scope: Scope, path: str) -> Scope:
    """The same client's request to read what it is about to change."""
    kept = ("type", "asgi", "http_version", "server", "client", "scheme", "root_path", ACTOR)
    return {
        **{name: scope[name] for name in kept if name in scope},
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [],
    }


async def _no_body() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}
