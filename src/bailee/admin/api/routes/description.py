"""The description of this API, which holds nothing of this installation."""

import msgspec
from fastapi import Request, Response

from bailee.admin.api.router import new_router

router = new_router()


@router.get("/openapi.json", include_in_schema=False)
def openapi(request: Request) -> Response:
    """Describe every route (OpenAPI 3.1)."""
    return Response(msgspec.json.encode(request.app.openapi()), media_type="application/json")
