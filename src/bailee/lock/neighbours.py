"""Addresses so near each other that an allowlist may let both in."""

from ipaddress import ip_address, ip_network
from typing import Final

_PREFIX: Final = {4: 24, 6: 64}


def are_neighbours(one: str, other: str) -> bool:
    """Tell whether two addresses share their /24, or their /64 in IPv6.

    Providers count such neighbours as one user, and allowlists often name their network as a whole:
    that one of them is refused would say little, and that it is served nothing.
    """
    first, second = ip_address(one), ip_address(other)
    if first.version != second.version:
        return False
    return second in ip_network((first, _PREFIX[first.version]), strict=False)
