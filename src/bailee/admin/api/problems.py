"""Errors as answers. Nothing that was sent is repeated: it may have been a credential."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from bailee.errors import BadInput, BaileeError, InternalError, MethodRefused, NotFound
from bailee.http.problem import problem

_FAULTS_TOLD: Final = 16
_PLACE_CHARACTERS: Final = 64


def problem_response(error: BaileeError, headers: Mapping[str, str] | None = None) -> Response:
    """Write an error as a problem document."""
    answer = Response(
        msgspec.json.encode(problem(error)),
        error.status,
        {"Cache-Control": "no-store", "Bailee-Error": error.code} | dict(headers or {}),
        "application/problem+json",
    )
    if error.status == 401:
        answer.headers["WWW-Authenticate"] = 'Bearer realm="bailee"'
    if error.status == 503 and error.retryable:
        answer.headers["Retry-After"] = "1"
    return answer


def answer_with_problems(app: FastAPI) -> None:
    """Let an application answer every error with a problem document."""
    app.add_exception_handler(BaileeError, _on_error)
    app.add_exception_handler(RequestValidationError, _on_bad_form)
    app.add_exception_handler(HTTPException, _on_framework)
    # The framework raises it again behind this, so that the door writes the traceback to the log.
    app.add_exception_handler(Exception, _on_fault)


def _on_error(_: Request, error: Exception) -> Response:
    return problem_response(cast(BaileeError, error))


def _on_fault(_: Request, __: Exception) -> Response:
    return problem_response(InternalError())


def _on_bad_form(_: Request, error: Exception) -> Response:
    return problem_response(BadInput(_told(cast(RequestValidationError, error).errors())))


def _on_framework(_: Request, error: Exception) -> Response:
    refused = cast(HTTPException, error)
    if refused.status_code == 404:
        return problem_response(NotFound("there is no such path"))
    if refused.status_code == 405:
        return problem_response(
            MethodRefused("this path does not take this method"), refused.headers
        )
    return problem_response(BadInput("the request can't be read"))


def _told(faults: Sequence[Any]) -> str:
    """Say where each fault is and what was expected there; never what was found."""
    told = [f"{_place(fault['loc'])}: {fault['msg']}" for fault in faults[:_FAULTS_TOLD]]
    return "; ".join(told) + ("; and more" if len(faults) > _FAULTS_TOLD else "")


def _place(steps: Sequence[int | str]) -> str:
    """The place in a form: the names of members are told, cut and in ASCII."""
    named = [ascii(str(step))[1:-1][:_PLACE_CHARACTERS] for step in steps]
    return ".".join(named[1:] or named)
