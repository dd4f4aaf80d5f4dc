"""The description of the API (OpenAPI 3.1), made of the routes, their models and the roles.

`document` is what stands in `docs/openapi.json` and what `/openapi.json` serves: nothing of an
installation is in it.
"""

import json
from collections.abc import Iterator
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from bailee import __version__
from bailee.admin.api.answers.base import Answer, Problem
from bailee.admin.api.etags import PARENTS
from bailee.admin.api.forms import Form
from bailee.admin.api.prose import ABOUT
from bailee.admin.api.roles import TABLE, Access

Json = dict[str, Any]
_METHODS: Final = ("get", "post", "put", "patch", "delete")
_PROBLEM: Final = {"$ref": "#/components/responses/Problem"}
_TENANT: Final = {
    "name": "Bailee-Tenant",
    "in": "header",
    "required": False,
    "description": "Whose things; by default those of the token's tenant.",
    "schema": {"type": "string"},
}
_KEY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The same request with the same key is answered again, and not done again.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 128},
}
_IF_MATCH: Final = {
    "name": "If-Match",
    "in": "header",
    "required": False,
    "description": "The `ETag` of what was read: the change is made only if it still is so.",
    "schema": {"type": "string"},
}
_IF_NONE_MATCH: Final = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "The `ETag` of what is known: answered with 304 if it still is so.",
    "schema": {"type": "string"},
}
_ETAG: Final = {"ETag": {"description": "Of this answer.", "schema": {"type": "string"}}}
_LOCATION: Final = {"Location": {"description": "What to poll.", "schema": {"type": "string"}}}


def document(api: FastAPI) -> Json:
    """Describe the API.

    Args:
        api: As `build_api` made it.

    Returns:
        An OpenAPI 3.1 document.
    """
    made = get_openapi(
        title="Bailee admin API",
        version=__version__,
        description=ABOUT,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        routes=api.routes,
        separate_input_output_schemas=False,
    )
    schemas: Json = made["components"]["schemas"]
    for gone in ("HTTPValidationError", "ValidationError"):
        schemas.pop(gone, None)
    schemas["Problem"] = Problem.model_json_schema()
    for model in (*_below(Answer), *_below(Form)):
        if model.__name__ in schemas and "examples" in schemas[model.__name__]:
            # The framework leaves nulls out of what it was given.
            schemas[model.__name__]["examples"] = model.model_json_schema()["examples"]
    made["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    made["components"]["responses"] = {"Problem": _problem_response()}
    made["security"] = [{"token": []}]
    for method, path, operation in _operations(made):
        _finish(method, path, operation, TABLE[method.upper(), path], schemas)
    return made


def text(api: FastAPI) -> str:
    """Write the description as a file: indented, in a fixed order."""
    return json.dumps(document(api), indent=1, ensure_ascii=False) + "\n"


def _below(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for each in model.__subclasses__():
        yield each
        yield from _below(each)


def _operations(made: Json) -> Iterator[tuple[str, str, Json]]:
    for path, item in made["paths"].items():
        for method in _METHODS:
            if method in item:
                yield method, path, item[method]


def _problem_response() -> Json:
    example = Problem.model_json_schema()["examples"][0]
    return {
        "description": "A problem document (RFC 9457).",
        "headers": {"Bailee-Error": {"schema": {"type": "string"}}},
        "content": {
            "application/problem+json": {
                "schema": {"$ref": "#/components/schemas/Problem"},
                "examples": {"problem": {"value": example}},
            }
        },
    }


def _finish(method: str, path: str, operation: Json, access: Access, schemas: Json) -> None:
    """Add what the routes do not say of themselves."""
    operation["tags"] = [path.removeprefix("/v1/").split("/")[0].strip("/")]
    operation["x-bailee-roles"] = sorted(access.roles)
    if access.roles:
        told = ", ".join(f"`{role}`" for role in sorted(access.roles))
        operation["description"] = f"{operation['description']}\n\nRoles: {told}."
        operation.setdefault("parameters", []).extend(_headers(method, path))
    else:
        operation["security"] = []
    responses: Json = operation["responses"]
    responses.pop("422", None)
    for status, response in responses.items():
        _add_headers(method, status, response, access)
        _add_examples(response.get("content", {}), schemas)
    responses |= {"4XX": _PROBLEM, "5XX": _PROBLEM}
    if method == "get" and access.roles:
        responses["304"] = {"description": "It is as the client knows it."}
    _add_examples(operation.get("requestBody", {}).get("content", {}), schemas)


def _headers(method: str, path: str) -> Iterator[Json]:
    yield _TENANT
    if method == "get":
        yield _IF_NONE_MATCH
    if method == "post":
        yield _KEY
    readable = ("GET", path) in TABLE and method in ("patch", "delete")
    if readable or path in PARENTS:
        yield _IF_MATCH


def _add_headers(method: str, status: str, response: Json, access: Access) -> None:
    if status == "200" and access.roles and method in ("get", "patch"):
        response["headers"] = _ETAG
    if status == "202":
        response["headers"] = _LOCATION


def _add_examples(content: Json, schemas: Json) -> None:
    """Give each body the examples of its model."""
    for body in content.values():
        found = list(_examples(body.get("schema", {}), schemas))
        if found:
            body["examples"] = {
                f"example{number or ''}": {"value": value} for number, value in enumerate(found)
            }


def _examples(schema: Json, schemas: Json) -> Iterator[Any]:
    if "$ref" in schema:
        schema = schemas[schema["$ref"].rpartition("/")[2]]
    if "examples" in schema:
        yield from schema["examples"]
        return
    items = schema.get("properties", {}).get("items", {}).get("items")
    if items is not None:
        yield {"items": list(_examples(items, schemas)), "next": None}
