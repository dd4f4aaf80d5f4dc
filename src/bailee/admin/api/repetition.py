"""`Idempotency-Key`: a POST that comes again is answered as the first time, and not done again.

A row is reserved before the request is carried out and holds the answer after it; what was refused
may come again. A request that was cut off half-way keeps its row: whether it was done is unknown,
and it is not done twice. Answers are kept for a day. An answer that holds a new token is never
kept: a repetition is told the token's id, so that it can be revoked and made anew.
"""

import re
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from typing import Final

import msgspec
import structlog
from anyio import to_thread
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from bailee.admin.api.desk import ACTOR, BODY, Parts
from bailee.admin.api.problems import problem_response
from bailee.admin.api.reply import Reply
from bailee.admin.changes import Actor
from bailee.errors import BadInput, BaileeError, Conflict, TokenShownOnce
from bailee.manage import replays
from bailee.policy import token as token_form

IDEMPOTENCY_KEY: Final = "idempotency-key"
_KEPT_HEADERS: Final = frozenset({"content-type", "location", "bailee-error"})
_TOKEN: Final = re.compile(
    rb"%b[0-9A-Za-z]{%d}" % (token_form.PREFIX.encode(), token_form.LENGTH - len(token_form.PREFIX))
)
_log = structlog.get_logger("admin")


async def answer_once(
    parts: Parts,
    shows_token: bool,
    app: ASGIApp,
    scope: Scope,
    receive: Receive,
    send: Send,
) -> None:
    """Answer a POST, from what is kept if its key came before.

    Args:
        parts: Of the application. Keys of two tokens, or about two tenants, are different keys.
        shows_token: Whether the answer holds a new token.
        app: Does what is asked.
        scope: The request; the door put its body into it.
        receive: As ASGI has it.
        send: As ASGI has it.

    Raises:
        BadInput: The key is not of the right form, or there are two.
        KeyReused: It came with another request.
        RequestUnderWay: The first request has no answer yet.
        Conflict: Its answer was erased.
    """
    keys = Request(scope).headers.getlist(IDEMPOTENCY_KEY)
    if not keys:
        await app(scope, receive, send)
        return
    if len(keys) > 1:
        raise BadInput("there are two idempotency keys")
    actor: Actor = scope[ACTOR]
    place = (parts.store, actor.tenant, actor.token, keys[0])
    known = await to_thread.run_sync(replays.begin, *place, _digest(scope), parts.clock())
    if known is not None:
        if not known.body:
            raise Conflict("the answer to this key was erased with the subject that it named")
        await _unpacked(known.status, known.body).send(send)
        return
    reply = await Reply.of(app, scope, receive)
    if 200 <= reply.status < 300:
        kept = _without_token(reply, shows_token)
        await _settle(partial(replays.finish, *place, kept.status, _packed(kept)))
    elif reply.status != 500:  # after a fault of ours nobody knows whether it was done
        await _settle(partial(replays.forget, *place))
    await reply.send(send)


async def _settle(settle: Callable[[], None]) -> None:
    """The request is done or refused already: what can't be kept makes a repetition wait."""
    try:
        await to_thread.run_sync(settle)
    except BaileeError as failure:
        _log.error("an answer could not be kept for its repetition", code=failure.code)


def _digest(scope: Scope) -> bytes:
    """What makes two requests the same."""
    parts = (
        scope["method"].encode(),
        scope["path"].encode(),
        scope["query_string"],
        scope[BODY],
    )
    whole = sha256()
    for part in parts:
        whole.update(len(part).to_bytes(8) + part)
    return whole.digest()


def _without_token(reply: Reply, shows_token: bool) -> Reply:
    """The answer itself, or in the place of one that holds a token: what a repetition is told."""
    if not shows_token and not any(
        token_form.digest(found.decode()) for found in _TOKEN.findall(reply.body)
    ):
        return reply
    told = msgspec.json.decode(reply.body)
    id = told.get("token_id", told.get("id")) if isinstance(told, dict) else None
    refusal = problem_response(
        TokenShownOnce(
            f"the first answer to this key held the token {id}, which is shown once",
            f"if it is lost, revoke it with 'DELETE /v1/tokens/{id}' and make another",
        )
    )
    return Reply(refusal.status_code, list(refusal.raw_headers), bytearray(refusal.body))


def _packed(reply: Reply) -> bytes:
    """The headers that belong to an answer in one line of JSON, then its body."""
    headers = {name: it for name, it in reply.headers.items() if name in _KEPT_HEADERS}
    return msgspec.json.encode(headers) + b"\n" + bytes(reply.body)


def _unpacked(status: int, packed: bytes) -> Reply:
    head, _, body = packed.partition(b"\n")
    reply = Reply(status, body=bytearray(body))
    for name, value in msgspec.json.decode(head, type=dict[str, str]).items():
        reply.set_header(name, value)
    reply.set_header("cache-control", "no-store")
    reply.set_header("content-length", str(len(body)))
    reply.set_header("bailee-repeated", "true")
    return reply
