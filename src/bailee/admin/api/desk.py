"""What a route works with: the store, the authority's public half, the journal, and who asks."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Annotated, Final, cast

from fastapi import Depends, Request

from bailee.admin.api.metrics import Metrics
from bailee.admin.changes import Actor, Change, Changes
from bailee.errors import BadInput, Unauthenticated
from bailee.model import Role, TenantId
from bailee.store.engine import Store
from bailee.store.scope import ALL_TENANTS, Scope
from bailee.vault.authority import AuthorityVerifier

ACTOR: Final = "bailee.actor"
"""Where in an ASGI scope the door puts who asks."""
BODY: Final = "bailee.body"
"""Where in an ASGI scope the door puts the whole body."""
EVERY_TENANT: Final = TenantId("*")
"""What operators and auditors write for all tenants at once, where a route takes it."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What all requests share. `draining` is set when the process is about to leave."""

    store: Store
    verifier: AuthorityVerifier
    changes: Changes
    clock: Callable[[], float]
    draining: asyncio.Event
    metrics: Metrics
    changing: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held around a change of one thing and the comparison before it."""


@dataclass(frozen=True, slots=True)
class Desk:
    """The parts as one request sees them."""

    parts: Parts
    actor: Actor

    @property
    def store(self) -> Store:
        """The database."""
        return self.parts.store

    @property
    def verifier(self) -> AuthorityVerifier:
        """Of the authority of the config."""
        return self.parts.verifier

    @property
    def tenant(self) -> TenantId:
        """Whose things this request may see.

        Raises:
            BadInput: All tenants were named, and this route is about one.
        """
        if self.actor.tenant == EVERY_TENANT:
            raise BadInput("this is about one tenant: name it", "send its id in 'Bailee-Tenant'")
        return self.actor.tenant

    @property
    def scope(self) -> Scope:
        """Whose things this request may see, where it may be all tenants'."""
        return ALL_TENANTS if self.actor.tenant == EVERY_TENANT else self.actor.tenant

    @property
    def role(self) -> Role:
        """The role of the token."""
        return self.actor.role

    @property
    def now(self) -> float:
        """Unix seconds."""
        return self.parts.clock()

    def change(self, kind: str, target: str = "", **detail: str) -> AbstractContextManager[Change]:
        """Record a change around its making; see `Changes.change`."""
        return self.parts.changes.change(self.actor, kind, target, **detail)


async def parts_of(request: Request) -> Parts:
    """The parts that `build_api` was given."""
    return cast(Parts, request.app.state.parts)


async def desk_of(request: Request) -> Desk:
    """The desk of whom the door let in.

    Raises:
        Unauthenticated: Nobody did: the route was reached around the door.
    """
    actor = request.scope.get(ACTOR)
    if not isinstance(actor, Actor):
        raise Unauthenticated()
    return Desk(await parts_of(request), actor)


AtParts = Annotated[Parts, Depends(parts_of)]
AtDesk = Annotated[Desk, Depends(desk_of)]
