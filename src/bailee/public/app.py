"""The application that the public role serves: `GET /healthz`."""

from collections.abc import Mapping

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from bailee.errors import MethodRefused, NotFound
from bailee.http.problem import problem


def create_app() -> ASGIApp:
    """Make the public application."""
    app = Starlette(
        routes=[Route("/healthz", _healthz, methods=["GET"])],
        exception_handlers={HTTPException: _refuse},
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
    headers = {"Bailee-Error": error.code, **(refused.headers or {})}
    return _answer(problem(error), error.status, "application/problem+json", headers)


def _answer(
    document: Mapping[str, object],
    status: int = 200,
    kind: str = "application/json",
    headers: Mapping[str, str] | None = None,
) -> Response:
    every = {"Cache-Control": "no-store"} | dict(headers or {})
    return Response(msgspec.json.encode(document), status, every, kind)
