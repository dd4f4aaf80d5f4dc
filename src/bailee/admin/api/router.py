"""Routes that look at who asks before they read what is asked.

Around every route, outermost first: the role, the tenant, the answer to an `Idempotency-Key` that
came before, the precondition of a change, and the `ETag` of what is read.
"""

from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import Final

from anyio import to_thread
from fastapi import APIRouter
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from bailee.admin.api.desk import ACTOR, EVERY_TENANT, Parts
from bailee.admin.api.etags import answer_with_etag, change_if_unchanged
from bailee.admin.api.repetition import answer_once
from bailee.admin.api.roles import TABLE, Access
from bailee.admin.changes import Actor
from bailee.errors import BadInput, Forbidden, NotFound, Unauthenticated
from bailee.manage import tenants
from bailee.model import Role, TenantId

ROUTE: Final = "bailee.route"
"""Where in an ASGI scope the pattern of the route stands, for the metrics."""
_TENANT: Final = "tenant"
"""The query parameter that names the tenant, as `Bailee-Tenant` does."""


def new_router(prefix: str = "") -> APIRouter:
    """Make a router whose routes are all guarded."""
    return APIRouter(prefix=prefix, route_class=GuardedRoute)


def served_by(routers: Iterable[APIRouter]) -> Iterable[tuple[str, str]]:
    """Name method and path of every route.

    Raises:
        RuntimeError: A route is not a guarded one.
    """
    for router in routers:
        for route in router.routes:
            if not isinstance(route, GuardedRoute):
                raise RuntimeError(f"a route is not guarded: {route}")
            for method in route.methods or ():
                yield method, route.path_format


class GuardedRoute(APIRoute):
    """A route that only its roles reach, each with a tenant that it may see."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let in whom the table names. Neither a body nor an id is looked at before."""
        scope[ROUTE] = self.path_format
        method = scope["method"]
        if method not in (self.methods or ()):
            raise HTTPException(405, headers={"Allow": _allowed(self.path_format)})
        access = TABLE.get((method, self.path_format))
        if access is None:
            raise Forbidden()
        if access.roles:
            await self._serve(access, scope, receive, send)
        else:
            await super().handle(scope, receive, send)

    async def _serve(self, access: Access, scope: Scope, receive: Receive, send: Send) -> None:
        parts: Parts = scope["app"].state.parts
        actor = _admitted(scope, access)
        _check_query(scope, {_TENANT, *(each.alias for each in self.dependant.query_params)})
        scope[ACTOR] = await _with_tenant(scope, parts, actor, access)
        if scope["method"] == "GET":
            await answer_with_etag(super().handle, scope, receive, send)
        elif scope["method"] == "POST":
            await answer_once(parts, access.shows_token, self._change, scope, receive, send)
        else:
            await self._change(scope, receive, send)

    async def _change(self, scope: Scope, receive: Receive, send: Send) -> None:
        lock = scope["app"].state.parts.changing
        await change_if_unchanged(super().handle, lock, self.path_format, scope, receive, send)


def _allowed(path: str) -> str:
    return ", ".join(sorted(method for method, known in TABLE if known == path))


def _check_query(scope: Scope, known: Collection[str]) -> None:
    """Refuse what would be passed over: a filter that is misspelt, or one of two values.

    Raises:
        BadInput: A parameter is not known, or comes twice.
    """
    names = [name for name, _ in Request(scope).query_params.multi_items()]
    if len(set(names)) < len(names):
        raise BadInput("a query parameter comes twice")
    if not set(names) <= set(known):
        raise BadInput("a query parameter is not known", f"known are: {', '.join(sorted(known))}")


def _admitted(scope: Scope, access: Access) -> Actor:
    actor = scope.get(ACTOR)
    if not isinstance(actor, Actor):
        raise Unauthenticated()
    if actor.role not in access.roles:
        told = " or ".join(sorted(access.roles))
        raise Forbidden(f"this needs a token of the role {told}")
    return actor


async def _with_tenant(scope: Scope, parts: Parts, actor: Actor, access: Access) -> Actor:
    """Find out about whose things the request is; by default they are the token's tenant's.

    Raises:
        NotFound: There is no such tenant, or it is not this token's to see: the two look the same.
        BadInput: Two are named, or all of them where one is needed.
    """
    request = Request(scope)
    named = {*request.headers.getlist("bailee-tenant"), *request.query_params.getlist(_TENANT)}
    if len(named) > 1:
        raise BadInput("two tenants are named", "send 'Bailee-Tenant' or '?tenant=', once")
    tenant = TenantId(named.pop()) if named else actor.tenant
    if tenant == actor.tenant:
        return actor
    if actor.role is Role.APPLICATION:
        raise NotFound("there is no such tenant")
    if tenant == EVERY_TENANT and not access.all_tenants:
        raise BadInput("this is about one tenant: name it", "send its id in 'Bailee-Tenant'")
    if tenant != EVERY_TENANT:
        found = await to_thread.run_sync(_exists, parts, tenant)
        if not found:
            raise NotFound("there is no such tenant")
    return replace(actor, tenant=tenant)


def _exists(parts: Parts, tenant: TenantId) -> bool:
    try:
        tenants.find(parts.store, tenant)
    except NotFound:
        return False
    return True
