"""What a provider's own report says of an allowlist, compared with the addresses that are ours."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_network

from bailee.model import Report

_MAPPED = IPv6Network("::ffff:0:0/96")


class Word(StrEnum):
    """The provider's word on a credential."""

    OURS = "ours"
    """Restricted to addresses of ours, the one that the credential is used from among them."""
    RESTRICTED = "restricted"
    """Restricted; to which addresses the provider does not tell."""
    FOREIGN = "foreign"
    """Addresses that are not ours are allowed too."""
    LACKING = "lacking"
    """Restricted, and not to the address that the credential is used from."""
    UNRESTRICTED = "unrestricted"
    UNREADABLE = "unreadable"
    """What stands there is neither."""


@dataclass(frozen=True, slots=True)
class Declaration:
    """The provider's word, and how many of the addresses that it names are not ours."""

    word: Word
    foreign: int = 0


def declaration_of(report: Report, own: str, published: Collection[str]) -> Declaration:
    """Compare a report with our addresses.

    Args:
        report: What was read of the provider's answer.
        own: The published address that the credential is used from.
        published: All addresses that are published.

    Returns:
        The provider's word. A network of more than one address always counts as foreign, and so
        does what can't be read as an address.
    """
    if report.restricted is None:
        return Declaration(Word.UNREADABLE)
    if not report.restricted:
        return Declaration(Word.UNRESTRICTED)
    if not report.addresses:
        return Declaration(Word.RESTRICTED)
    ours = {_network(address) for address in (own, *published)}
    listed = [_network(entry) for entry in report.addresses]
    foreign = sum(network is None or network not in ours for network in listed)
    if foreign:
        return Declaration(Word.FOREIGN, foreign)
    return Declaration(Word.OURS if _network(own) in listed else Word.LACKING)


def _network(text: str) -> IPv4Network | IPv6Network | None:
    """One form for each address: an IPv4 address written as IPv6 is that address."""
    try:
        network = ip_network(text.strip(), strict=False)
    except ValueError:
        return None
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        return ip_network(f"{network.network_address.ipv4_mapped}/{network.prefixlen - 96}")
    return network
