"""What a form's faults are told as."""

import msgspec
import pytest
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from bailee.admin.api.forms import NewConnection
from bailee.admin.api.problems import _on_bad_form, problem_response
from bailee.errors import BaileeError, Forbidden, StoreUnavailable, Unauthenticated


def told(form: dict[str, object]) -> str:
    with pytest.raises(ValidationError) as caught:
        NewConnection.model_validate(form)
    faults = [{**fault, "loc": ("body", *fault["loc"])} for fault in caught.value.errors()]
    request = Request({"type": "http"})
    answer = _on_bad_form(request, RequestValidationError(faults))
    return str(msgspec.json.decode(bytes(answer.body))["detail"])


def test_place_and_expectation_when_form_is_wrong() -> None:
    """Each fault names its member; values are not repeated."""
    detail = told({"version": "canary", "ciphertext": "canary?", "trust_digest": "canary"})
    assert "version: Input should be a valid integer" in detail
    assert "id: Field required" in detail
    assert "ciphertext: Value error, must be base64" in detail
    assert "canary" not in detail


def test_cut_when_there_are_too_many_faults() -> None:
    """Neither many nor long names make a long answer, and no name can break a line."""
    surplus: dict[str, object] = {f"n{each}\n" + "x" * 500: 1 for each in range(100)}
    detail = told(surplus)
    assert detail.endswith("; and more")
    assert len(detail) < 3000
    assert "\n" not in detail


@pytest.mark.parametrize(
    ("error", "headers"),
    [
        (Unauthenticated(), {"www-authenticate"}),
        (Forbidden(), set()),
        (StoreUnavailable(), {"retry-after"}),
    ],
    ids=lambda each: getattr(each, "code", ""),
)
def test_headers_when_problem_is(error: BaileeError, headers: set[str]) -> None:
    """401 says which scheme, a passing 503 when to come back; nothing is ever cached."""
    answer = problem_response(error)
    assert {"www-authenticate", "retry-after"} & set(answer.headers) == headers
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["bailee-error"] == error.code
