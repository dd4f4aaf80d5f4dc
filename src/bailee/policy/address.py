"""What kind of address is this? Asked of every address before it is dialled.

The tables are our own copy of the IANA IPv4 and IPv6 Special-Purpose Address Registries (26 and
25 rows), because what Python's `ipaddress` says is wrong in many of them. The most specific row
decides.

What carries an IPv4 address: an IPv4-mapped address *is* that address. NAT64 and ISATAP addresses
are judged by both, and the stricter verdict counts. 6to4, Teredo, IPv4-compatible and local-use
NAT64 addresses are never dialled, whatever they carry.

Left out: a NAT64 prefix that a network chose for itself can't be told from any other prefix.
"""

from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Network, ip_network

from bailee.errors import BadInput
from bailee.policy.allowlist import Address, Network, parse_address


class AddressClass(StrEnum):
    """What an address is for."""

    PUBLIC = "public"
    # Dialled only where the provider's file says `danger_private_addresses`:
    PRIVATE = "private"
    LOOPBACK = "loopback"
    SHARED = "shared (carrier-grade NAT)"
    UNIQUE_LOCAL = "unique-local"
    DOCUMENTATION = "documentation"
    BENCHMARKING = "benchmarking"
    # Never dialled:
    METADATA = "cloud metadata"
    LINK_LOCAL = "link-local"
    UNSPECIFIED = "unspecified (this network)"
    BROADCAST = "broadcast"
    MULTICAST = "multicast"
    TRANSITION = "transition (carries an IPv4 address)"
    SERVICE = "network service"
    RESERVED = "reserved"


_C = AddressClass

PRIVATE_CLASSES = frozenset(
    {_C.PRIVATE, _C.LOOPBACK, _C.SHARED, _C.UNIQUE_LOCAL, _C.DOCUMENTATION, _C.BENCHMARKING}
)
"""Never routed on the internet, and dialled only on request: private networks and labs."""


@dataclass(frozen=True, slots=True)
class SpecialPurpose:
    """One row of a table. `globally_reachable` is the registry's column, `None` for N/A."""

    network: Network
    kind: AddressClass
    globally_reachable: bool | None
    name: str
    source: str


def classify(address: str) -> AddressClass:
    """Say what kind of address it is.

    Args:
        address: One IPv4 or IPv6 address as text, without brackets, port or zone.

    Returns:
        The class; for an address that carries an IPv4 one, the stricter class of the two.

    Raises:
        BadInput: It is not an address, or has a zone.

    Source:
        IANA IPv4 and IPv6 Special-Purpose Address Registries; RFC 6890, RFC 8190.
    """
    parsed = parse_address(address)
    if parsed is None:
        raise BadInput("not an IP address")
    return _strictest(parsed).kind


def refuse(address: str, allow_private: bool) -> str | None:
    """Say why an address must not be dialled.

    Args:
        address: One IPv4 or IPv6 address as text.
        allow_private: Whether private, loopback, shared, unique-local, documentation and
            benchmarking addresses may be dialled. All others that are not public never are.

    Returns:
        The reason, which does not repeat the address; `None` when it may be dialled.
    """
    parsed = parse_address(address)
    if parsed is None:
        return "not an IP address"
    row = _strictest(parsed)
    if row.kind is _C.PUBLIC or (allow_private and row.kind in PRIVATE_CLASSES):
        return None
    return f"{row.kind} address: {row.name}, {row.network}, {row.source}"


def _row(
    network: str, kind: AddressClass, reachable: bool | None, name: str, source: str
) -> SpecialPurpose:
    return SpecialPurpose(ip_network(network), kind, reachable, name, source)


# SERVICE rows are globally reachable by the registry, but lead to the nearest network's own
# equipment (anycast), to DNS sinks, or are identifiers. No API lives there.
# fmt: off
IPV4_REGISTRY = (
    _row("0.0.0.0/8",          _C.UNSPECIFIED,   False, "this network",              "RFC 791"),
    _row("0.0.0.0/32",         _C.UNSPECIFIED,   False, "this host",                 "RFC 1122"),
    _row("10.0.0.0/8",         _C.PRIVATE,       False, "private use",               "RFC 1918"),
    _row("100.64.0.0/10",      _C.SHARED,        False, "shared address space",      "RFC 6598"),
    _row("127.0.0.0/8",        _C.LOOPBACK,      False, "loopback",                  "RFC 1122"),
    _row("169.254.0.0/16",     _C.LINK_LOCAL,    False, "link-local",                "RFC 3927"),
    _row("172.16.0.0/12",      _C.PRIVATE,       False, "private use",               "RFC 1918"),
    _row("192.0.0.0/24",       _C.RESERVED,      False, "IETF protocol assignments", "RFC 6890"),
    _row("192.0.0.0/29",       _C.RESERVED,      False, "IPv4 service continuity",   "RFC 7335"),
    _row("192.0.0.8/32",       _C.RESERVED,      False, "IPv4 dummy address",        "RFC 7600"),
    _row("192.0.0.9/32",       _C.SERVICE,       True,  "Port Control anycast",      "RFC 7723"),
    _row("192.0.0.10/32",      _C.SERVICE,       True,  "TURN anycast",              "RFC 8155"),
    _row("192.0.0.170/32",     _C.RESERVED,      False, "NAT64/DNS64 discovery",     "RFC 8880"),
    _row("192.0.0.171/32",     _C.RESERVED,      False, "NAT64/DNS64 discovery",     "RFC 8880"),
    _row("192.0.2.0/24",       _C.DOCUMENTATION, False, "TEST-NET-1",                "RFC 5737"),
    _row("192.31.196.0/24",    _C.SERVICE,       True,  "AS112-v4",                  "RFC 7535"),
    _row("192.52.193.0/24",    _C.SERVICE,       True,  "AMT",                       "RFC 7450"),
    _row("192.88.99.0/24",     _C.RESERVED,      None,  "6to4 relay anycast (old)",  "RFC 7526"),
    _row("192.88.99.2/32",     _C.RESERVED,      False, "6a44 relay anycast",        "RFC 6751"),
    _row("192.168.0.0/16",     _C.PRIVATE,       False, "private use",               "RFC 1918"),
    _row("192.175.48.0/24",    _C.SERVICE,       True,  "AS112 direct delegation",   "RFC 7534"),
    _row("198.18.0.0/15",      _C.BENCHMARKING,  False, "benchmarking",              "RFC 2544"),
    _row("198.51.100.0/24",    _C.DOCUMENTATION, False, "TEST-NET-2",                "RFC 5737"),
    _row("203.0.113.0/24",     _C.DOCUMENTATION, False, "TEST-NET-3",                "RFC 5737"),
    _row("240.0.0.0/4",        _C.RESERVED,      False, "reserved",                  "RFC 1112"),
    _row("255.255.255.255/32", _C.BROADCAST,     False, "limited broadcast",         "RFC 8190"),
)
IPV6_REGISTRY = (
    _row("::1/128",            _C.LOOPBACK,      False, "loopback",                  "RFC 4291"),
    _row("::/128",             _C.UNSPECIFIED,   False, "unspecified",               "RFC 4291"),
    _row("::ffff:0:0/96",      _C.TRANSITION,    False, "IPv4-mapped",               "RFC 4291"),
    _row("64:ff9b::/96",       _C.PUBLIC,        True,  "NAT64",                     "RFC 6052"),
    _row("64:ff9b:1::/48",     _C.TRANSITION,    False, "local-use NAT64",           "RFC 8215"),
    _row("100::/64",           _C.RESERVED,      False, "discard-only",              "RFC 6666"),
    _row("100:0:0:1::/64",     _C.RESERVED,      False, "dummy prefix",              "RFC 9780"),
    _row("2001::/23",          _C.RESERVED,      False, "IETF protocol assignments", "RFC 2928"),
    _row("2001::/32",          _C.TRANSITION,    None,  "Teredo",                    "RFC 4380"),
    _row("2001:1::1/128",      _C.SERVICE,       True,  "Port Control anycast",      "RFC 7723"),
    _row("2001:1::2/128",      _C.SERVICE,       True,  "TURN anycast",              "RFC 8155"),
    _row("2001:1::3/128",      _C.SERVICE,       True,  "DNS-SD SRP anycast",        "RFC 9665"),
    _row("2001:2::/48",        _C.BENCHMARKING,  False, "benchmarking",              "RFC 5180"),
    _row("2001:3::/32",        _C.SERVICE,       True,  "AMT",                       "RFC 7450"),
    _row("2001:4:112::/48",    _C.SERVICE,       True,  "AS112-v6",                  "RFC 7535"),
    _row("2001:10::/28",       _C.RESERVED,      None,  "ORCHID (old)",              "RFC 4843"),
    _row("2001:20::/28",       _C.SERVICE,       True,  "ORCHIDv2",                  "RFC 7343"),
    _row("2001:30::/28",       _C.SERVICE,       True,  "drone remote ID",           "RFC 9374"),
    _row("2001:db8::/32",      _C.DOCUMENTATION, False, "documentation",             "RFC 3849"),
    _row("2002::/16",          _C.TRANSITION,    None,  "6to4",                      "RFC 3056"),
    _row("2620:4f:8000::/48",  _C.SERVICE,       True,  "AS112 direct delegation",   "RFC 7534"),
    _row("3fff::/20",          _C.DOCUMENTATION, False, "documentation",             "RFC 9637"),
    _row("5f00::/16",          _C.RESERVED,      False, "segment routing SIDs",      "RFC 9602"),
    _row("fc00::/7",           _C.UNIQUE_LOCAL,  False, "unique-local",              "RFC 4193"),
    _row("fe80::/10",          _C.LINK_LOCAL,    False, "link-local",                "RFC 4291"),
)
# Not in those two registries, and not to be dialled either.
OTHER_RANGES = (
    _row("224.0.0.0/4",        _C.MULTICAST,     None,  "multicast",                 "RFC 5771"),
    _row("ff00::/8",           _C.MULTICAST,     None,  "multicast",                 "RFC 4291"),
    _row("::/96",              _C.TRANSITION,    None,  "IPv4-compatible (old)",     "RFC 4291"),
    _row("fec0::/10",          _C.RESERVED,      None,  "site-local (old)",          "RFC 3879"),
    _row("2000::/3",           _C.PUBLIC,        None,  "global unicast",            "RFC 4291"),
    _row("::/0",               _C.RESERVED,      None,  "not global unicast",        "RFC 4291"),
    _row("0.0.0.0/0",          _C.PUBLIC,        None,  "unicast",                   "RFC 791"),
)
# Addresses where clouds hand out credentials of the machine. Some look private, one looks public.
METADATA_SERVICES = (
    _row("169.254.169.254/32", _C.METADATA,      None,  "most clouds",               "its manual"),
    _row("169.254.170.2/32",   _C.METADATA,      None,  "AWS ECS",                   "its manual"),
    _row("169.254.170.23/32",  _C.METADATA,      None,  "AWS EKS",                   "its manual"),
    _row("100.100.100.200/32", _C.METADATA,      None,  "Alibaba Cloud",             "its manual"),
    _row("168.63.129.16/32",   _C.METADATA,      None,  "Azure platform",            "its manual"),
    _row("192.0.0.192/32",     _C.METADATA,      None,  "Oracle Cloud Classic",      "its manual"),
    _row("fd00:ec2::254/128",  _C.METADATA,      None,  "AWS EC2",                   "its manual"),
    _row("fd00:ec2::23/128",   _C.METADATA,      None,  "AWS EKS",                   "its manual"),
    _row("fd20:ce::254/128",   _C.METADATA,      None,  "Google Cloud",              "its manual"),
    _row("fd00:c1::a9fe:a9fe/128", _C.METADATA,  None,  "Oracle Cloud",              "its manual"),
)
# fmt: on

_ROWS = sorted(
    IPV4_REGISTRY + IPV6_REGISTRY + OTHER_RANGES + METADATA_SERVICES,
    key=lambda row: row.network.prefixlen,
    reverse=True,
)
_NAT64 = IPv6Network("64:ff9b::/96")
_ISATAP_TAGS = (0x0000_5EFE, 0x0200_5EFE)
"""The upper half of an interface identifier that ends in an IPv4 address (RFC 5214, 6.1)."""


def most_specific_row(address: Address) -> SpecialPurpose:
    """Find the row with the longest prefix that an address is inside; there always is one."""
    return next(row for row in _ROWS if address in row.network)


def _strictest(address: Address) -> SpecialPurpose:
    rows = [most_specific_row(inner) for inner in (address, *_embedded(address))]
    return max(rows, key=_severity)


def _severity(row: SpecialPurpose) -> int:
    if row.kind is _C.PUBLIC:
        return 0
    return 1 if row.kind in PRIVATE_CLASSES else 2


def _embedded(address: Address) -> tuple[IPv4Address, ...]:
    """The IPv4 address that a dialled IPv6 address carries (a mapped one was folded before)."""
    if isinstance(address, IPv4Address):
        return ()
    is_isatap = int(address) >> 32 & 0xFFFF_FFFF in _ISATAP_TAGS
    return (IPv4Address(int(address) & 0xFFFF_FFFF),) if is_isatap or address in _NAT64 else ()
