"""Open a stream to a provider: vetted address, promised source, verified chain, approved pin."""

import asyncio
import errno
import ipaddress
import os
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from bailee.egress.chain import VerifiedChain
from bailee.egress.pin import match_pins
from bailee.egress.pool import PoolKey
from bailee.egress.resolve import Resolver, family_of
from bailee.egress.tls import Handshake, PinnedStream, origin_settings
from bailee.errors import BaileeError, EgressAddressMissing, ProviderUnreachable
from bailee.model import Origin, PinSet

CONNECT_SECONDS: Final = 5.0
_ADDRESSES_TRIED: Final = 3
_IP_BIND_ADDRESS_NO_PORT: Final = 24
"""Linux's ip(7): leaves the choice of the port to connect(), so that ports are not used up."""
_RESET: Final = struct.pack("ii", 1, 0)
"""socket(7), SO_LINGER of 0 s: to close is to reset, and what was not sent yet never is."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Door:
    """Where to, and from where: an origin and the address to leave from."""

    origin: Origin
    source: str


async def dial(
    door: Door, pins: PinSet, key: PoolKey, resolver: Resolver, seconds: float = CONNECT_SECONDS
) -> PinnedStream:
    """Open a pinned stream. Nothing of a call has been sent, whatever is raised.

    Args:
        door: Where to and from where.
        pins: The approved pins of the origin.
        key: What the pool will know the stream by.
        resolver: Resolves and vets.
        seconds: For names, TCP and TLS together.

    Returns:
        The stream; the caller gives it to the pool or aborts it.

    Raises:
        NameUnresolved, AddressRefused: No address that may be dialled.
        EgressAddressMissing: The source address is not on this machine.
        ProviderUnreachable: Refused, reset, or not there in time.
        CertificateRefused, PinMismatch: The peer is not who it should be.
    """
    handshake, pinned = await _shake_hands(
        door, lambda chain: match_pins(chain, pins), resolver, seconds, finish=True
    )
    stream = PinnedStream(handshake, pinned, key)
    stream.transport.set_protocol(stream)
    stream.take_over()
    if not stream.alive:
        raise ProviderUnreachable(f"{door.origin.host} closed the connection after the handshake")
    return stream


async def observe_chain(
    door: Door, resolver: Resolver, seconds: float = CONNECT_SECONDS
) -> VerifiedChain:
    """See which chain an origin presents, verified twice, and leave before Finished is sent.

    Raises:
        The same as `dial`, but PinMismatch: there is no pin yet.
    """
    _, chain = await _shake_hands(door, _take, resolver, seconds, finish=False)
    return chain


def _take(chain: VerifiedChain) -> VerifiedChain:
    return chain


async def _shake_hands(
    door: Door,
    judge: Callable[[VerifiedChain], T],
    resolver: Resolver,
    seconds: float,
    *,
    finish: bool,
) -> tuple[Handshake[T], T]:
    origin = door.origin
    try:
        async with asyncio.timeout(seconds):
            addresses = await resolver.resolve(origin, door.source)
            connection = await _connect(addresses[:_ADDRESSES_TRIED], origin, door.source)
            handshake = await _start(connection, origin, judge, finish=finish)
            try:
                return handshake, await handshake.done
            except BaseException:
                handshake.transport.abort()
                raise
    except TimeoutError:
        raise ProviderUnreachable(
            f"{origin.host} was not reached within {seconds:g} seconds"
        ) from None


async def _start(
    connection: socket.socket,
    origin: Origin,
    judge: Callable[[VerifiedChain], T],
    *,
    finish: bool,
) -> Handshake[T]:
    try:
        settings = origin_settings(origin)
        _, handshake = await asyncio.get_running_loop().create_connection(
            lambda: Handshake(settings, origin.host, judge, finish=finish), sock=connection
        )
    except BaseException:
        connection.close()
        raise
    return handshake


async def _connect(addresses: tuple[str, ...], origin: Origin, source: str) -> socket.socket:
    """Connect to the first address that answers, from `source` and from nowhere else."""
    failure: BaileeError | None = None
    for address in addresses:
        connection = socket.socket(family_of(source), socket.SOCK_STREAM)
        try:
            connection.setblocking(False)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            _bind(connection, source)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(connection, (address, origin.port))
            if ipaddress.ip_address(connection.getsockname()[0]) != ipaddress.ip_address(source):
                raise EgressAddressMissing(f"the system did not keep to {source}")
            return connection
        except OSError as refused:
            connection.close()
            # The event loop puts words of its own into strerror.
            reason = os.strerror(refused.errno) if refused.errno else str(refused)
            failure = ProviderUnreachable(
                f"{origin.host} at {address} port {origin.port}, from {source}: {reason.lower()}"
            )
        except BaseException:
            connection.close()
            raise
    raise failure or ProviderUnreachable(f"{origin.host} has no address")


def _bind(connection: socket.socket, source: str) -> None:
    if connection.family == socket.AF_INET:
        connection.setsockopt(socket.IPPROTO_IP, _IP_BIND_ADDRESS_NO_PORT, 1)
    try:
        connection.bind((source, 0))
    except OSError as refused:
        if refused.errno != errno.EADDRNOTAVAIL:
            raise
        raise EgressAddressMissing(
            f"{source} is not an address of this machine",
            f"add it (ip address add {source}/32 dev ...) or correct bind in [[egress]]",
        ) from None
