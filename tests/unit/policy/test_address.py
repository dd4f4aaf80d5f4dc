"""Addresses are classed by our own copy of the special-purpose registries."""

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest

from bailee.errors import BadInput
from bailee.policy.address import (
    IPV4_REGISTRY,
    IPV6_REGISTRY,
    OTHER_RANGES,
    PRIVATE_CLASSES,
    AddressClass,
    SpecialPurpose,
    classify,
    most_specific_row,
    refuse,
)

REGISTRIES = IPV4_REGISTRY + IPV6_REGISTRY
C = AddressClass

# One address inside each row of the two registries, and what it must be.
INSIDE = {
    "0.0.0.0/8": ("0.1.2.3", C.UNSPECIFIED),
    "0.0.0.0/32": ("0.0.0.0", C.UNSPECIFIED),
    "10.0.0.0/8": ("10.1.2.3", C.PRIVATE),
    "100.64.0.0/10": ("100.100.1.1", C.SHARED),
    "127.0.0.0/8": ("127.0.0.2", C.LOOPBACK),
    "169.254.0.0/16": ("169.254.1.1", C.LINK_LOCAL),
    "172.16.0.0/12": ("172.20.0.1", C.PRIVATE),
    "192.0.0.0/24": ("192.0.0.100", C.RESERVED),
    "192.0.0.0/29": ("192.0.0.1", C.RESERVED),
    "192.0.0.8/32": ("192.0.0.8", C.RESERVED),
    "192.0.0.9/32": ("192.0.0.9", C.SERVICE),
    "192.0.0.10/32": ("192.0.0.10", C.SERVICE),
    "192.0.0.170/32": ("192.0.0.170", C.RESERVED),
    "192.0.0.171/32": ("192.0.0.171", C.RESERVED),
    "192.0.2.0/24": ("192.0.2.80", C.DOCUMENTATION),
    "192.31.196.0/24": ("192.31.196.1", C.SERVICE),
    "192.52.193.0/24": ("192.52.193.1", C.SERVICE),
    "192.88.99.0/24": ("192.88.99.1", C.RESERVED),
    "192.88.99.2/32": ("192.88.99.2", C.RESERVED),
    "192.168.0.0/16": ("192.168.1.1", C.PRIVATE),
    "192.175.48.0/24": ("192.175.48.1", C.SERVICE),
    "198.18.0.0/15": ("198.19.0.1", C.BENCHMARKING),
    "198.51.100.0/24": ("198.51.100.7", C.DOCUMENTATION),
    "203.0.113.0/24": ("203.0.113.7", C.DOCUMENTATION),
    "240.0.0.0/4": ("250.1.2.3", C.RESERVED),
    "255.255.255.255/32": ("255.255.255.255", C.BROADCAST),
    "::1/128": ("::1", C.LOOPBACK),
    "::/128": ("::", C.UNSPECIFIED),
    "::ffff:0:0/96": ("::ffff:10.0.0.1", C.PRIVATE),
    "64:ff9b::/96": ("64:ff9b::8.8.8.8", C.PUBLIC),
    "64:ff9b:1::/48": ("64:ff9b:1::8.8.8.8", C.TRANSITION),
    "100::/64": ("100::1", C.RESERVED),
    "100:0:0:1::/64": ("100:0:0:1::1", C.RESERVED),
    "2001::/23": ("2001:1ff::1", C.RESERVED),
    "2001::/32": ("2001:0:808:808::f7f7:f7f7", C.TRANSITION),
    "2001:1::1/128": ("2001:1::1", C.SERVICE),
    "2001:1::2/128": ("2001:1::2", C.SERVICE),
    "2001:1::3/128": ("2001:1::3", C.SERVICE),
    "2001:2::/48": ("2001:2::1", C.BENCHMARKING),
    "2001:3::/32": ("2001:3::1", C.SERVICE),
    "2001:4:112::/48": ("2001:4:112::1", C.SERVICE),
    "2001:10::/28": ("2001:1f::1", C.RESERVED),
    "2001:20::/28": ("2001:2f::1", C.SERVICE),
    "2001:30::/28": ("2001:3f::1", C.SERVICE),
    "2001:db8::/32": ("2001:db8::1", C.DOCUMENTATION),
    "2002::/16": ("2002:808:808::1", C.TRANSITION),
    "2620:4f:8000::/48": ("2620:4f:8000::1", C.SERVICE),
    "3fff::/20": ("3fff:fff::1", C.DOCUMENTATION),
    "5f00::/16": ("5f00::1", C.RESERVED),
    "fc00::/7": ("fd12:3456::1", C.UNIQUE_LOCAL),
    "fe80::/10": ("fe80::1", C.LINK_LOCAL),
    "224.0.0.0/4": ("239.255.255.250", C.MULTICAST),
    "ff00::/8": ("ff02::1", C.MULTICAST),
    "::/96": ("::8.8.8.8", C.TRANSITION),
    "fec0::/10": ("fec0::1", C.RESERVED),
    "2000::/3": ("2606:4700::1111", C.PUBLIC),
    "::/0": ("4000::1", C.RESERVED),
    "0.0.0.0/0": ("8.8.8.8", C.PUBLIC),
}
METADATA = (
    "169.254.169.254",
    "169.254.170.2",
    "169.254.170.23",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "fd00:ec2::254",
    "fd00:ec2::23",
    "fd20:ce::254",
    "fd00:c1::a9fe:a9fe",
)
PUBLIC = (
    *("1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255"),
    *("128.0.0.0", "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.0"),
    *("192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255"),
    *("2001:200::1", "2001:db7:ffff::1", "2001:db9::1", "2003::1", "2606:4700::1111"),
    *("64:ff9b::1.1.1.1", "::ffff:1.1.1.1", "2606:4700::200:5efe:1.1.1.1"),
)


def _embeddings(inner: str) -> dict[str, str]:
    four = int(IPv4Address(inner))
    turned = four ^ 0xFFFF_FFFF
    return {
        "IPv4-mapped": f"::ffff:{inner}",
        "IPv4-compatible": f"::{inner}",
        "6to4": str(IPv6Address(0x2002 << 112 | four << 80 | 1)),
        "NAT64": f"64:ff9b::{inner}",
        "local-use NAT64": f"64:ff9b:1::{inner}",
        "Teredo client": str(IPv6Address(0x2001_0000 << 96 | 0x0808_0808 << 64 | turned)),
        "Teredo server": str(IPv6Address(0x2001_0000 << 96 | four << 64 | 0xF7F7_F7F7)),
        "ISATAP": f"2606:4700::5efe:{inner}",
        "ISATAP, universal": f"2606:4700::200:5efe:{inner}",
        "ISATAP in a unique-local network": f"fd12::5efe:{inner}",
    }


EMBEDDED = {
    f"{inner} as {form}": address
    for inner in ("127.0.0.1", "10.0.0.1", "169.254.169.254", "0.0.0.0", "224.0.0.1")
    for form, address in _embeddings(inner).items()
}
EMBEDDED_METADATA = _embeddings("169.254.169.254")


def test_tables_have_every_row_of_the_registries() -> None:
    """The registries have 26 and 25 rows, and each row has a test address."""
    assert (len(IPV4_REGISTRY), len(IPV6_REGISTRY)) == (26, 25)
    assert set(INSIDE) == {str(row.network) for row in REGISTRIES + OTHER_RANGES}


@pytest.mark.parametrize(("address", "kind"), INSIDE.values(), ids=INSIDE)
def test_classify_inside_a_row(address: str, kind: AddressClass) -> None:
    """An address inside a row has the row's class, or that of the IPv4 address that it carries."""
    assert classify(address) is kind


@pytest.mark.parametrize("row", REGISTRIES, ids=lambda row: str(row.network))
def test_rows_end_where_the_registry_says(row: SpecialPurpose) -> None:
    """First and last address are inside the row or a row within it; the neighbours are not."""
    first, last = int(row.network[0]), int(row.network[-1])
    make = IPv4Address if row.network.version == 4 else IPv6Address
    for inside in (first, last):
        network = most_specific_row(make(inside)).network
        assert network.version == row.network.version
        assert network.prefixlen >= row.network.prefixlen
        assert network[0] in row.network
    for outside in (first - 1, last + 1):
        if 0 <= outside < 2**row.network.max_prefixlen:
            assert most_specific_row(make(outside)) is not row


@pytest.mark.parametrize("row", REGISTRIES, ids=lambda row: str(row.network))
def test_refuse_when_not_globally_reachable(row: SpecialPurpose) -> None:
    """No row that the registry does not call globally reachable is dialled by default."""
    for address in (row.network[0], row.network[-1]):
        if row.globally_reachable is not True:
            assert refuse(str(address), allow_private=False)


@pytest.mark.parametrize(("address", "kind"), INSIDE.values(), ids=INSIDE)
def test_refuse_opens_private_classes_alone(address: str, kind: AddressClass) -> None:
    """`allow_private` opens the private classes, and no other."""
    assert (refuse(address, allow_private=False) is None) == (kind is C.PUBLIC)
    assert (refuse(address, allow_private=True) is None) == (
        kind is C.PUBLIC or kind in PRIVATE_CLASSES
    )


@pytest.mark.parametrize("address", METADATA)
def test_refuse_metadata_always(address: str) -> None:
    """Where a cloud hands out credentials is never dialled, whatever the range around it is."""
    assert classify(address) is C.METADATA
    assert refuse(address, allow_private=True)


@pytest.mark.parametrize("address", PUBLIC)
def test_accepts_public(address: str) -> None:
    """Public addresses, the neighbours of special ranges among them, are dialled."""
    assert classify(address) is C.PUBLIC
    assert refuse(address, allow_private=False) is None


@pytest.mark.parametrize("address", EMBEDDED.values(), ids=EMBEDDED)
def test_refuse_embedded_special_address(address: str) -> None:
    """A special IPv4 address is refused in whatever IPv6 address it hides."""
    assert refuse(address, allow_private=False)


@pytest.mark.parametrize("address", EMBEDDED_METADATA.values(), ids=EMBEDDED_METADATA)
def test_refuse_embedded_metadata_always(address: str) -> None:
    """Metadata stays refused inside every embedding, private addresses allowed or not."""
    assert refuse(address, allow_private=True)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "api.test",
        "127.0.0.01",
        "0x7f000001",
        "2130706433",
        "[::1]",
        "fe80::1%lo",
        "1.1.1.1:443",
    ],
)
def test_refuse_when_not_an_address(text: str) -> None:
    """What is not exactly one address is refused, never guessed at."""
    assert refuse(text, allow_private=True) == "not an IP address"
    with pytest.raises(BadInput):
        classify(text)


def test_refuse_says_why() -> None:
    """The reason names class, range and document, so that an operator can look it up."""
    assert refuse("127.0.0.1", allow_private=False) == (
        "loopback address: loopback, 127.0.0.0/8, RFC 1122"
    )


def test_every_address_has_a_row() -> None:
    """No address falls out of the tables."""
    for bits in range(0, 2**32, 2**24 - 1):
        assert most_specific_row(IPv4Address(bits))
    for bits in range(0, 2**128, 2**120 - 1):
        assert most_specific_row(ip_address(IPv6Address(bits)))
