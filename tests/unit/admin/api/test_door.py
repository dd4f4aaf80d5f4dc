"""The door's own bounds, without a socket."""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from starlette.types import Message, Receive, Scope, Send

from bailee.admin.api.desk import ACTOR
from bailee.admin.api.door import Door
from bailee.admin.api.metrics import Metrics
from bailee.admin.changes import Actor
from bailee.errors import Unauthenticated
from bailee.model import Role, TenantId, TokenId

pytestmark = pytest.mark.anyio
ACTOR_OF_TEST = Actor(TokenId("tok_a"), TenantId("default"), Role.OPERATOR)


def scope(path: str = "/v1/status", *headers: tuple[bytes, bytes]) -> Scope:
    return {"type": "http", "method": "GET", "path": path, "headers": list(headers)}


def authenticate(text: str) -> Actor:
    if text != "good":
        raise Unauthenticated()
    return ACTOR_OF_TEST


GOOD = (b"authorization", b"Bearer good")


async def ask(door: Door, asked: Scope, *messages: Message) -> tuple[int, dict[str, Any]]:
    """Send one request; after its messages the client stays silent."""
    left = list(messages) or [{"type": "http.request", "body": b""}]
    sent: list[Message] = []

    async def receive() -> Message:
        return left.pop(0) if left else await asyncio.Future()

    async def send(message: Message) -> None:
        sent.append(message)

    await door(asked, receive, send)
    if not sent:
        return 0, {}
    body = b"".join(message.get("body", b"") for message in sent[1:])
    return sent[0]["status"], msgspec.json.decode(body) if body else {}


def app_that(act: Callable[[Scope, bytes], None]) -> Any:
    """An application that reads the body, does something, and answers 204."""

    async def app(asked: Scope, receive: Receive, send: Send) -> None:
        act(asked, (await receive())["body"])
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    return app


async def test_served_when_token_is_good() -> None:
    """The routes get the operator and the whole body at once."""
    seen: list[object] = []
    door = Door(
        app_that(lambda asked, body: seen.extend((asked[ACTOR], body))), authenticate, Metrics()
    )
    pieces: list[Message] = [
        {"type": "http.request", "body": b"a", "more_body": True},
        {"type": "http.request", "body": b"b"},
    ]
    assert await ask(door, scope("/v1/status", GOOD), *pieces) == (204, {})
    assert seen == [ACTOR_OF_TEST, b"ab"]


async def test_refused_when_token_is_bad() -> None:
    """The routes are not reached."""
    reached: list[object] = []
    door = Door(app_that(lambda *_: reached.append(1)), authenticate, Metrics())
    status, told = await ask(door, scope())
    assert (status, told["code"], reached) == (401, "unauthenticated", [])


async def test_open_path_when_token_is_bad() -> None:
    """Health is for everyone, and nobody is authenticated for it."""
    seen: list[bool] = []
    door = Door(app_that(lambda asked, _: seen.append(ACTOR in asked)), authenticate, Metrics())
    assert (await ask(door, scope("/healthz")))[0] == 204
    assert seen == [False]


async def test_refused_when_body_takes_too_long() -> None:
    """A client that stops sending is told so at the deadline."""
    door = Door(app_that(lambda *_: None), authenticate, Metrics(), body_seconds=0.01)
    half: Message = {"type": "http.request", "body": b"a", "more_body": True}
    status, told = await ask(door, scope("/v1/status", GOOD), half)
    assert (status, told["code"]) == (408, "body-timeout")


async def test_silent_when_client_hangs_up_in_the_body() -> None:
    """Nobody is there to be answered."""
    reached: list[object] = []
    door = Door(app_that(lambda *_: reached.append(1)), authenticate, Metrics())
    gone: Message = {"type": "http.disconnect"}
    assert await ask(door, scope("/v1/status", GOOD), gone) == (0, {})
    assert reached == []


async def test_refused_when_too_many_are_inside() -> None:
    """One more than the bound is sent away at once; when one leaves, the next one is served."""
    leave = asyncio.Event()

    async def app(asked: Scope, receive: Receive, send: Send) -> None:
        await leave.wait()
        await app_that(lambda *_: None)(asked, receive, send)

    door = Door(app, authenticate, Metrics(), at_once=1)
    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(ask(door, scope("/v1/status", GOOD)))
        await asyncio.sleep(0)
        status, told = await ask(door, scope("/v1/status", GOOD))
        assert (status, told["code"]) == (503, "overloaded")
        leave.set()
    assert first.result()[0] == 204
    assert (await ask(door, scope("/v1/status", GOOD)))[0] == 204


async def test_problem_when_a_route_breaks() -> None:
    """A fault of ours is a problem document without a word of the exception."""

    def broken(*_: object) -> None:
        raise ValueError("canary-secret")

    status, told = await ask(
        Door(app_that(broken), authenticate, Metrics()), scope("/v1/status", GOOD)
    )
    assert (status, told["code"]) == (500, "internal-error")
    assert "canary" not in str(told)


async def test_nothing_more_when_a_route_breaks_in_its_answer() -> None:
    """After an answer has begun, no second one follows it."""

    async def app(_: Scope, __: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise ValueError

    assert await ask(Door(app, authenticate, Metrics()), scope("/v1/status", GOOD)) == (200, {})


@pytest.mark.parametrize(
    "value", [b"Basic good", b"good", b"Bearer", b"Bearer  ", b"Bearer good, Bearer good", b"\xff"]
)
async def test_no_token_when_header_is_other(value: bytes) -> None:
    """Only `Bearer` and one token is a token."""
    door = Door(app_that(lambda *_: None), authenticate, Metrics())
    assert (await ask(door, scope("/v1/status", (b"authorization", value))))[0] == 401


async def test_token_when_scheme_is_written_otherwise() -> None:
    """Schemes have no case (RFC 9110, 11.1)."""
    door = Door(app_that(lambda *_: None), authenticate, Metrics())
    assert (await ask(door, scope("/v1/status", (b"authorization", b"bearer  good"))))[0] == 204
