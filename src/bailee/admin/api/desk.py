"""What a route works with: the store, the authority's public half, the journal, and who asks."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Request

from bailee.admin.changes import Change, Changes, Operator
from bailee.errors import Unauthenticated
from bailee.model import TenantId
from bailee.store.engine import Store
from bailee.vault.authority import AuthorityVerifier

OPERATOR = "bailee.operator"
"""Where in an ASGI scope the door puts the authenticated operator."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What all requests share. `draining` is set when the process is about to leave."""

    store: Store
    verifier: AuthorityVerifier
    changes: Changes
    clock: Callable[[], float]
    draining: asyncio.Event


@dataclass(frozen=True, slots=True)
class Desk:
    """The parts as one request of one operator sees them."""

    parts: Parts
    operator: Operator

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
        """Whose things this request may see."""
        return self.operator.tenant

    @property
    def now(self) -> float:
        """Unix seconds."""
        return self.parts.clock()

    def change(self, kind: str, target: str = "", **detail: str) -> AbstractContextManager[Change]:
        """Record a change around its making; see `Changes.change`."""
        return self.parts.changes.change(self.operator, kind, target, **detail)


async def parts_of(request: Request) -> Parts:
    """The parts that `build_api` was given."""
    return cast(Parts, request.app.state.parts)


async def desk_of(request: Request) -> Desk:
    """The desk of the operator whom the door let in.

    Raises:
        Unauthenticated: Nobody did: the route was reached around the door.
    """
    operator = request.scope.get(OPERATOR)
    if not isinstance(operator, Operator):
        raise Unauthenticated()
    return Desk(await parts_of(request), operator)


AtParts = Annotated[Parts, Depends(parts_of)]
AtDesk = Annotated[Desk, Depends(desk_of)]
