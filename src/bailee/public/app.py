"""The application that the public role serves: `GET /healthz`, and the address feed."""

from collections.abc import Mapping

import msgspec
import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from bailee.errors import BaileeError, MethodRefused, NotFound
from bailee.http.problem import problem
from bailee.public.feed import PublishedFeed, feed_routes

_log = structlog.get_logger("public")


def create_app(feed: PublishedFeed) -> ASGIApp:
    """Make the public application."""
    app = Starlette(
        routes=[Route("/healthz", _healthz, methods=["GET"]), *feed_routes(feed)],
        exception_handlers={HTTPException: _refuse, BaileeError: _fail},
    )
    app.router.redirect_slashes = False
    return app


async def _healthz(_: Request) -> Response:
    return _answer({"status": "ok"})


async def _refuse(_: Request, refused: Exception) -> Response:
    """Tell of a path or a method that is not served here."""
    assert isinstance(refused, HTTPException)
    if refused.status_code == 405:
        error: NotFound | MethodRefused = MethodRefused("this path does not take this method")
    else:
        error = NotFound("there is no such path")
    return _problem(error, refused.headers or {})


async def _fail(_: Request, failed: Exception) -> Response:
    """Tell that something can't be shown, and why."""
    assert isinstance(failed, BaileeError)
    _log.error("not shown", code=failed.code, detail=failed.detail)
    return _problem(failed, {"Retry-After": "60"} if failed.status == 503 else {})


def _problem(error: BaileeError, more: Mapping[str, str]) -> Response:
    headers = {"Bailee-Error": error.code, **more}
    return _answer(problem(error), error.status, "application/problem+json", headers)


def _answer(
    document: Mapping[str, object],
    status: int = 200,
    kind: str = "application/json",
    headers: Mapping[str, str] | None = None,
) -> Response:
    every = {"Cache-Control": "no-store"} | dict(headers or {})
    return Response(msgspec.json.encode(document), status, every, kind)
