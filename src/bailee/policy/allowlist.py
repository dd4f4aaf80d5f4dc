"""Allowlists of addresses and networks.

An IPv4 address that arrives as IPv6 (`::ffff:192.0.2.1`, RFC 4291 section 2.5.5.2) is the same
address: entries and peers are folded to IPv4 before they are compared. So `::/0` admits every
IPv6 address and no IPv4 one; an allowlist for both says `0.0.0.0/0` and `::/0`.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import (
    AddressValueError,
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Self

from bailee.errors import BadInput

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

MAPPED = IPv6Network("::ffff:0:0/96")
NAMED_CHARACTERS = 64
"""How much of a wrong entry an error repeats."""

# A prefix length only. `ipaddress` would also take netmasks and host masks, which differ by a typo.
_PREFIX = re.compile(r"0|[1-9][0-9]{0,2}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Allowlist:
    """Networks that a peer must be inside one of. An empty one admits nobody."""

    networks: tuple[Network, ...] = ()

    @classmethod
    def parse(cls, entries: Iterable[str]) -> Self:
        """Read addresses (`192.0.2.1`, `2001:db8::1`) and networks (`192.0.2.0/24`).

        Args:
            entries: Addresses and networks as text, without spaces, zones or netmasks. IPv4-mapped
                ones are folded to IPv4; repeated ones count once.

        Returns:
            The allowlist, in the order of `entries`.

        Raises:
            BadInput: Some entries are neither, or are networks with host bits set. All are named.
        """
        networks: dict[Network, None] = {}
        faults: list[str] = []
        for entry in entries:
            try:
                networks[_parse_network(entry)] = None
            except ValueError as fault:
                faults.append(f"{entry[:NAMED_CHARACTERS]!r} {fault}")
        if faults:
            raise BadInput("; ".join(faults), "write an address or a network such as 192.0.2.0/24")
        return cls(tuple(networks))

    def admits(self, address: str) -> bool:
        """Say whether an address is inside.

        Args:
            address: An address as text. What is not an address, or has a zone, is not admitted.
        """
        parsed = parse_address(address)
        return parsed is not None and any(parsed in network for network in self.networks)

    @property
    def entries(self) -> tuple[str, ...]:
        """The networks as text, in one form each; a network of one address is that address."""
        return tuple(
            str(network.network_address) if network.num_addresses == 1 else str(network)
            for network in self.networks
        )

    def __bool__(self) -> bool:
        return bool(self.networks)


@lru_cache(maxsize=4096)
def parse_address(text: str) -> Address | None:
    """Read one address and fold an IPv4-mapped one to IPv4.

    Returns:
        The address; `None` for whatever is not one, or has a zone (`fe80::1%eth0`).
    """
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv4Address):
        return address
    return None if address.scope_id is not None else address.ipv4_mapped or address


def _parse_network(entry: str) -> Network:
    text, slash, prefix = entry.partition("/")
    address = parse_address(text)
    if address is None:
        raise ValueError("is not an IP address or network")
    if not slash:
        return ip_network(address)
    if not _PREFIX.fullmatch(prefix):
        raise ValueError("has no prefix length in decimal after the slash")
    try:
        network = ip_network(entry)
    except AddressValueError as fault:
        raise ValueError("is not an IP address or network") from fault
    except ValueError as fault:
        largest = 32 if ":" not in text else 128
        if int(prefix) > largest:
            raise ValueError(f"has a prefix longer than {largest}") from fault
        raise ValueError("has host bits set: its address is not the first one") from fault
    if isinstance(network, IPv6Network) and network.subnet_of(MAPPED):
        folded = network.network_address.ipv4_mapped
        return ip_network(f"{folded}/{network.prefixlen - 96}")
    return network
