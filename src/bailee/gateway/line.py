"""What all calls of a worker share."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from bailee.egress.pool import Pool
from bailee.egress.resolve import Resolver
from bailee.egress.tls import PinnedStream
from bailee.errors import BaileeError
from bailee.gateway.authorize import Authorized
from bailee.gateway.budgets import Budgets
from bailee.gateway.limits import CallLimits
from bailee.gateway.nonces import NonceLeases
from bailee.gateway.once import OnceKeys
from bailee.gateway.opening import CallVault
from bailee.gateway.outbox import Outbox
from bailee.journal.writer import Journal
from bailee.model import Bodies


class UnderWay(Protocol):
    """A call under way, as those see it who may have to end it."""

    authorized: Authorized
    method: str
    valid_until: float
    """When its permission expires, Unix seconds."""

    @property
    def peer(self) -> str:
        """The address of its client."""
        ...

    @property
    def unsent(self) -> bool:
        """Whether nothing of it has been sent yet, so that it can still be called off."""
        ...

    def hold_to(self, bodies: Bodies) -> BaileeError | None:
        """Hold it to the rules about its body that are there now; None when it may go on."""
        ...

    def revoke(self, error: BaileeError) -> None:
        """End it: what allowed it is gone."""
        ...


@dataclass(slots=True)
class Line:
    """What all calls of a worker share."""

    vault: CallVault
    pool: Pool[PinnedStream]
    resolver: Resolver
    journal: Journal
    tasks: asyncio.TaskGroup
    outbox: Outbox
    calls: set[UnderWay]
    clock: Callable[[], float]
    """Seconds that never go back: the loop's."""
    limits: CallLimits
    nonces: NonceLeases
    once: OnceKeys
    budgets: Budgets
    scheme: str = "http"
    """How clients reach this worker: `https` where it speaks TLS itself. No header decides it."""
