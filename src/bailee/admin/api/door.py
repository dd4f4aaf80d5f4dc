"""What stands before every route: who asks, how much, how many at once, and what if it breaks.

It is a plain ASGI application around the routes. A stranger gets no further: no path is looked up
for him and no body is read. Which role may use which route is looked at behind it (`router.py`).
"""

import asyncio
import secrets
import time
from collections.abc import Callable, Iterable
from typing import Final

import structlog
from anyio import to_thread
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bailee.admin.api.desk import ACTOR, BODY
from bailee.admin.api.metrics import UNMATCHED, Metrics
from bailee.admin.api.problems import problem_response
from bailee.admin.api.roles import OPEN_PATHS
from bailee.admin.api.router import ROUTE
from bailee.admin.changes import Actor
from bailee.errors import (
    BaileeError,
    BodyTimeout,
    BodyTooLarge,
    InternalError,
    Overloaded,
)
from bailee.manage import tokens
from bailee.policy.token import RANDOM_BYTES, digest, format_token
from bailee.store.engine import Store

BODY_BYTES: Final = 1024 * 1024
BODY_SECONDS: Final = 30.0
AT_ONCE: Final = 256
"""Requests under way, those that wait for a job included."""
_log = structlog.get_logger("admin")


def actor_of(store: Store, text: str, now: float) -> Actor:
    """Find out whose token this is. A text that can't be a token costs as much as one that can.

    Raises:
        Unauthenticated: It is no live token.
        Forbidden: It is live, and a caller's.
        StoreUnavailable: The database does not answer.
    """
    if digest(text) is None:
        text = _NOBODY
    token = tokens.authenticate(store, text, now)
    return Actor(token.id, token.tenant, token.role)


_NOBODY: Final = format_token(secrets.token_bytes(RANDOM_BYTES))


class Door:
    """Lets in who has a token for the admin API.

    Args:
        app: The routes.
        authenticate: Turns a token's text into who asks, or raises; it is called in a thread.
        metrics: Counts the requests.
        body_seconds: How long a body may take.
        at_once: How many requests may be under way.
    """

    def __init__(
        self,
        app: ASGIApp,
        authenticate: Callable[[str], Actor],
        metrics: Metrics,
        *,
        body_seconds: float = BODY_SECONDS,
        at_once: int = AT_ONCE,
    ) -> None:
        self._app = app
        self._authenticate = authenticate
        self._metrics = metrics
        self._body_seconds = body_seconds
        self._at_once = at_once
        self._inside = 0

    def __repr__(self) -> str:
        return f"Door({self._inside} inside)"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return
        answer = _Answer(send)
        began = time.monotonic()
        self._inside += 1
        try:
            await self._serve(scope, receive, answer)
        except ClientDisconnect:
            return
        except BaileeError as error:
            await self._refuse(error, scope, receive, answer)
        except Exception:  # noqa: BLE001  # no input ends the process; the log has the traceback
            _log.exception("request failed", method=scope["method"])
            await self._refuse(InternalError(), scope, receive, answer)
        finally:
            self._inside -= 1
            seconds = time.monotonic() - began
            route = scope.get(ROUTE, UNMATCHED)
            self._metrics.count(scope["method"], route, answer.status, seconds)

    async def _serve(self, scope: Scope, receive: Receive, answer: "_Answer") -> None:
        if self._inside > self._at_once:
            raise Overloaded()
        if scope["path"] not in OPEN_PATHS:
            text = _bearer(scope["headers"])
            scope[ACTOR] = await to_thread.run_sync(self._authenticate, text)
        try:
            async with asyncio.timeout(self._body_seconds):
                body = await _read_body(scope["headers"], receive)
        except TimeoutError:
            raise BodyTimeout() from None
        scope[BODY] = body
        await self._app(scope, _given_again(body, receive), answer.send)

    async def _refuse(
        self, error: BaileeError, scope: Scope, receive: Receive, answer: "_Answer"
    ) -> None:
        peer = (scope.get("client") or ("",))[0]
        _log.warning("request refused", code=error.code, peer=peer)
        if not answer.begun:
            await problem_response(error)(scope, receive, answer.send)


class _Answer:
    """Knows whether an answer has begun: a second one must not follow it."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.begun = False
        self.status = 0

    async def send(self, message: Message) -> None:
        self.begun = True
        self.status = message.get("status", self.status)
        await self._send(message)


def _bearer(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The token of the one `Authorization: Bearer`; anything else is no token."""
    given = [value for name, value in headers if name == b"authorization"]
    if len(given) != 1:
        return ""
    scheme, _, text = given[0].decode("latin-1").partition(" ")
    return text.strip(" ") if scheme.lower() == "bearer" else ""


async def _read_body(headers: Iterable[tuple[bytes, bytes]], receive: Receive) -> bytes:
    """Read a whole body, if it is not too large."""
    for name, value in headers:
        if name == b"content-length" and int(value) > BODY_BYTES:
            raise _too_large()
    body = bytearray()
    more = True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            raise ClientDisconnect
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > BODY_BYTES:
            raise _too_large()
    return bytes(body)


def _too_large() -> BodyTooLarge:
    return BodyTooLarge(f"the body is larger than {BODY_BYTES} bytes")


def _given_again(body: bytes, receive: Receive) -> Receive:
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
