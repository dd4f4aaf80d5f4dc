"""What providers told this node to wait for, as one worker knows it.

A worker that is answered 429 or 418, or in the words of the provider's file that it is limited,
keeps calls back at once, and tells the other workers over the node's bus.
"""

import asyncio
import math
from collections.abc import Callable
from typing import Final

import structlog

from bailee.errors import ProviderLimited
from bailee.gateway.answers import Begun
from bailee.gateway.route import Route
from bailee.http.retry_after import told_seconds
from bailee.policy.bans import Ban, Bans
from bailee.policy.leases import Banned

LIMITING: Final = frozenset({418, 429})
"""What says so by its status alone."""
FORGET_SECONDS: Final = 1.0
_log = structlog.get_logger("gateway")


class Limited:
    """The bans of one worker.

    Args:
        clock: Seconds that never go back.
        tell: Tells the supervisor.
    """

    def __init__(self, clock: Callable[[], float], tell: Callable[[Banned], None]) -> None:
        self._clock = clock
        self._tell = tell
        self._loop = asyncio.get_running_loop()
        self._bans = Bans()
        self.any = False
        """Whether any ban is remembered: only then is there one to look for."""

    def __repr__(self) -> str:
        return f"Limited({self._bans})"

    def require_admitted(self, route: Route) -> None:
        """Raise what keeps a call from leaving now; asked only where `any`.

        Raises:
            ProviderLimited: The provider told to wait.
        """
        now = self._clock()
        connection = self._bans.left(connection_key(route), now)
        egress = self._bans.left(egress_key(route), now)
        if connection or egress:
            who = "this address" if egress >= connection else "this connection"
            refused = ProviderLimited(f"the provider told {who} to wait")
            refused.retry_after = max(1, math.ceil(max(connection, egress)))
            raise refused

    def see(self, route: Route, begun: Begun, wall_now: float) -> None:
        """Take note of an answer that limits, and tell all workers of the node.

        Args:
            route: Where its call went.
            begun: Its head.
            wall_now: Unix seconds.
        """
        status, lines = begun.status, begun.head.lines
        provider, now = route.view.provider, self._clock()
        whole = status == 418 or any(budget.per == "egress" for budget in provider.budgets)
        key = egress_key(route) if whole else connection_key(route)
        told = told_seconds(zip(lines[::4], lines[2::4], strict=True), wall_now)
        known = self._bans.left(key, now)
        ban = self._bans.see(key, status, told, now)
        self._remember()
        left = ban.until - now
        if left > known:
            _log.warning("the provider limits", key=key, status=status, seconds=round(left, 1))
            self._tell(Banned(key, left, ban.length))

    def hear(self, banned: Banned) -> None:
        """Take over what another worker saw."""
        now = self._clock()
        self._bans.hear(banned.key, Ban(now + banned.seconds, banned.length), now)
        self._remember()

    def _remember(self) -> None:
        if not self.any:
            self.any = True
            self._loop.call_later(FORGET_SECONDS, self._forget)

    def _forget(self) -> None:
        self._bans.forget_ended(self._clock())
        self.any = False
        if self._bans:
            self._remember()


def connection_key(route: Route) -> str:
    """What the node calls a connection, for budgets and bans."""
    return f"connection:{route.connection}"


def egress_key(route: Route) -> str:
    """What the node calls all that leaves from one address to one provider."""
    return f"egress:{route.view.provider.id}:{route.egress}"
