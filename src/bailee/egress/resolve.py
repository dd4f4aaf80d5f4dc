"""Turn an origin's name into addresses that may be dialled.

Names are resolved in threads of our own, bounded, so that dead DNS holds up neither the event loop
nor anyone's thread pool nor another name. Every address is classed, and the caller dials the very
address that was classed, never the name again.
"""

import asyncio
import ipaddress
import socket
import time
from collections.abc import Callable
from functools import partial
from typing import Final

from bailee.egress.threads import DaemonThreads
from bailee.errors import AddressRefused, NameUnresolved
from bailee.model import Origin
from bailee.policy.address import refuse

WAITING_LIMIT: Final = 64
"""Names that may be waited for at once. Each has a thread of its own: a name whose DNS is dead
holds up no other one."""
REMEMBERED_SECONDS: Final = 30.0
STALE_SECONDS: Final = 3600.0
"""So long an old answer is good while DNS does not give a new one (RFC 8767)."""
PATIENCE_SECONDS: Final = 1.0
"""How long a new answer is waited for where there is an old one."""
REMEMBERED_LIMIT: Final = 4096
LookUp = Callable[[str, int], tuple[str, ...]]


class Resolver:
    """Resolves and vets; remembers answers for half a minute, and longer where DNS gives no other.

    Args:
        look_up: Blocks until a name's addresses of a family are there, or raises OSError.
    """

    def __init__(self, look_up: LookUp | None = None) -> None:
        self._look_up = look_up or ask_system
        self._threads: DaemonThreads[tuple[str, ...]] = DaemonThreads(WAITING_LIMIT, "resolve")
        self._waiting: dict[tuple[str, int], asyncio.Future[tuple[str, ...]]] = {}
        self._remembered: dict[tuple[str, int], tuple[float, tuple[str, ...]]] = {}

    async def resolve(self, origin: Origin, source: str) -> tuple[str, ...]:
        """List the addresses of an origin that may be dialled from `source`, in DNS's order.

        Args:
            origin: Where to; its `address`, where given, is taken instead of asking DNS.
            source: The egress address; only addresses of its family are returned.

        Raises:
            NameUnresolved: DNS has no address of this family, or does not answer.
            AddressRefused: An address is special-purpose. One is enough to refuse them all: a
                mixed answer is what DNS rebinding looks like.
        """
        family = family_of(source)
        addresses = (origin.address,) if origin.address else await self._ask(origin.host, family)
        for address in addresses:
            reason = refuse(address, origin.danger_private_addresses)
            if reason is not None:
                raise AddressRefused(
                    f"{origin.host} leads to {address}: {reason}",
                    "for an API on a private network say danger_private_addresses = true "
                    "in its origin",
                )
        usable = tuple(address for address in addresses if family_of(address) == family)
        if not usable:
            version = 4 if family == socket.AF_INET else 6
            raise NameUnresolved(f"{origin.host} has no IPv{version} address, which {source} needs")
        return usable

    def close(self) -> None:
        """Let go of the threads without waiting for names that never come."""
        self._threads.close()

    async def _ask(self, host: str, family: int) -> tuple[str, ...]:
        key = (host, family)
        seen, addresses = self._remembered.get(key, (0.0, ()))
        age = time.monotonic() - seen
        if addresses and age < REMEMBERED_SECONDS:
            return addresses
        if not addresses or age > STALE_SECONDS:
            return await self._ask_anew(key)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return await self._ask_anew(key)
        except (TimeoutError, NameUnresolved):
            return addresses

    async def _ask_anew(self, key: tuple[str, int]) -> tuple[str, ...]:
        host, family = key
        waiting = self._waiting.get(key)
        if waiting is None:
            if len(self._waiting) >= WAITING_LIMIT:
                raise NameUnresolved(f"too many names are waited for to ask for {host}")
            waiting = self._threads.run(partial(self._look_up, host, family))
            self._waiting[key] = waiting
            waiting.add_done_callback(lambda _: self._waiting.pop(key, None))
        try:
            addresses = await asyncio.shield(waiting)
        except (OSError, UnicodeError) as failure:
            reason = failure.strerror if isinstance(failure, OSError) else "not a name"
            raise NameUnresolved(f"{host} has no address: {reason or failure}") from None
        if len(self._remembered) >= REMEMBERED_LIMIT:
            self._remembered.clear()
        self._remembered[key] = (time.monotonic(), addresses)
        return addresses


def family_of(address: str) -> socket.AddressFamily:
    """Tell the family of an address literal."""
    return socket.AF_INET if ipaddress.ip_address(address).version == 4 else socket.AF_INET6


def ask_system(host: str, family: int) -> tuple[str, ...]:
    """Ask the system's resolver, which knows /etc/hosts and DNS."""
    answers = socket.getaddrinfo(host, None, family, socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(answer[4][0]) for answer in answers))
