"""The description of the API: served to anyone, whole, with examples that are true."""

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from admin_client import Admin
from bailee.admin.api.app import ROUTES, build_api
from bailee.admin.api.openapi import text
from bailee.admin.api.roles import OPEN_PATHS, TABLE
from bailee.admin.api.router import served_by

DESCRIBED: dict[str, Any] = build_api(None).openapi()
OPERATIONS = {
    f"{method.upper()} {path}": operation
    for path, item in DESCRIBED["paths"].items()
    for method, operation in item.items()
}
WITHOUT_BODY = {"GET /metrics"}
"""What answers no JSON."""


def valid(schema: dict[str, Any], value: object) -> bool:
    whole = {"components": DESCRIBED["components"], **schema}
    return bool(jsonschema_rs.Draft202012Validator(whole).is_valid(value))


def test_served_when_anyone_asks(admin: Admin) -> None:
    """It needs no token, and holds nothing of this installation."""
    answer = admin.get("/openapi.json", token=None)
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json == DESCRIBED
    assert answer.json["openapi"].startswith("3.1.")


def test_every_route_is_described() -> None:
    """Each route of the application but the description itself, with its roles."""
    served = {f"{method} {path}" for method, path in served_by(each.router for each in ROUTES)}
    assert OPERATIONS.keys() == served - {"GET /openapi.json"}
    for name, operation in OPERATIONS.items():
        method, _, path = name.partition(" ")
        assert operation["x-bailee-roles"] == sorted(TABLE[method, path].roles)
        assert operation["description"]
        assert ("security" in operation) == (path in OPEN_PATHS), name
    ids = [operation["operationId"] for operation in OPERATIONS.values()]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("name", OPERATIONS)
def test_examples_fit_their_schemas(name: str) -> None:
    """Each body that is sent and each success has an example, and every example is valid."""
    operation = OPERATIONS[name]
    bodies = [operation["requestBody"]] if "requestBody" in operation else []
    successes = {code: it for code, it in operation["responses"].items() if code < "300"}
    assert len(successes) >= 1
    bodies += successes.values() if name not in WITHOUT_BODY else []
    for body in bodies:
        (content,) = body["content"].values()
        assert content["examples"]
        for example in content["examples"].values():
            assert valid(content["schema"], example["value"]), example
            assert not valid(content["schema"], [example["value"]])


@pytest.mark.parametrize("name", OPERATIONS)
def test_errors_are_problems(name: str) -> None:
    """Each operation says that its errors are problem documents, and no other form of error."""
    responses = OPERATIONS[name]["responses"]
    assert responses["4XX"] == responses["5XX"] == {"$ref": "#/components/responses/Problem"}
    assert "422" not in responses
    assert "HTTPValidationError" not in DESCRIBED["components"]["schemas"]


def test_lists_are_paged_alike() -> None:
    """Each list takes `after` and `limit`, and answers `items` and `next`."""
    lists = [
        name
        for name, operation in OPERATIONS.items()
        if operation["operationId"].startswith("list_")
    ]
    assert len(lists) >= 12
    for name in lists:
        operation = OPERATIONS[name]
        taken = {each["name"]: each["schema"] for each in operation["parameters"]}
        assert {"after", "limit"} <= taken.keys(), name
        assert taken["limit"]["maximum"] == 1000
        assert taken["limit"]["default"] == 100
        (content,) = operation["responses"]["200"]["content"].values()
        reference = content["schema"]["$ref"].rpartition("/")[2]
        page = DESCRIBED["components"]["schemas"][reference]
        assert {"items", "next"} <= page["properties"].keys(), name


def test_posts_take_a_key_and_changes_a_precondition() -> None:
    """Every POST may be repeated; what can be read can be changed as it was read."""
    for name, operation in OPERATIONS.items():
        method, _, path = name.partition(" ")
        names = {each["name"] for each in operation.get("parameters", [])}
        assert ("Idempotency-Key" in names) == (method == "POST"), name
        if method in ("PATCH", "DELETE"):
            assert ("If-Match" in names) == (("GET", path) in TABLE), name


def test_file_is_the_same(tmp_path: Path) -> None:
    """What is written to a file is what is served."""
    written = tmp_path / "openapi.json"
    written.write_text(text(build_api(None)))
    assert json.loads(written.read_text()) == DESCRIBED
