"""Allowlists admit what is inside and nothing else."""

import pytest

from bailee.errors import BadInput
from bailee.policy.allowlist import Allowlist, parse_address

ADMITTED = {
    "an address admits itself": (["192.0.2.1"], "192.0.2.1"),
    "a network admits its first address": (["192.0.2.0/24"], "192.0.2.0"),
    "a network admits its last address": (["192.0.2.0/24"], "192.0.2.255"),
    "the last of several entries counts": (["192.0.2.1", "2001:db8::/32"], "2001:db8:ffff::1"),
    "an IPv6 address in another spelling": (["2001:db8::1"], "2001:0DB8:0:0::0001"),
    "an IPv4 peer on a socket for both families": (["127.0.0.2"], "::ffff:127.0.0.2"),
    "a mapped entry means the IPv4 address": (["::ffff:127.0.0.2"], "127.0.0.2"),
    "a mapped network means the IPv4 network": (["::ffff:10.0.0.0/104"], "10.255.255.255"),
    "the whole mapped range means all of IPv4": (["::ffff:0:0/96"], "8.8.8.8"),
    "all of IPv4": (["0.0.0.0/0"], "255.255.255.255"),
    "all of IPv6": (["::/0"], "2001:db8::1"),
}
NOT_ADMITTED = {
    "an empty allowlist admits nobody": ([], "127.0.0.1"),
    "the address after": (["192.0.2.1"], "192.0.2.2"),
    "just before a network": (["192.0.2.0/24"], "192.0.1.255"),
    "just after a network": (["192.0.2.0/24"], "192.0.3.0"),
    "all of IPv6 admits no IPv4": (["::/0"], "192.0.2.1"),
    "all of IPv6 admits no mapped IPv4": (["::/0"], "::ffff:192.0.2.1"),
    "all of IPv4 admits no IPv6": (["0.0.0.0/0"], "2001:db8::1"),
    "a mapped foreign address": (["127.0.0.2"], "::ffff:127.0.0.3"),
    "IPv4-compatible is not the IPv4 address": (["127.0.0.2"], "::127.0.0.2"),
    "an address with a zone": (["fe80::1"], "fe80::1%eth0"),
    "a mapped address with a zone": (["127.0.0.2"], "::ffff:127.0.0.2%lo"),
    "leading zeros could be octal": (["127.0.0.2"], "127.0.0.02"),
    "a short form": (["127.0.0.2"], "127.2"),
    "a number": (["127.0.0.2"], "2130706434"),
    "spaces around it": (["127.0.0.2"], " 127.0.0.2"),
    "a list": (["127.0.0.2"], "127.0.0.2, 127.0.0.2"),
    "a port": (["127.0.0.2"], "127.0.0.2:80"),
    "nothing": (["0.0.0.0/0", "::/0"], ""),
    "a path": (["0.0.0.0/0", "::/0"], "/run/socket"),
    "digits of another script": (["1.1.1.1"], "١.1.1.1"),
}
REFUSED_ENTRIES = {
    "a name": "api.test",
    "nothing": "",
    "host bits in IPv4": "192.0.2.1/24",
    "host bits in IPv6": "2001:db8::1/32",
    "host bits in a mapped network": "::ffff:10.0.0.1/104",
    "a netmask": "10.0.0.0/255.0.0.0",
    "a host mask": "10.0.0.0/0.255.255.255",
    "no prefix after the slash": "10.0.0.0/",
    "a prefix with a leading zero": "10.0.0.0/08",
    "a prefix that is too long for IPv4": "10.0.0.0/33",
    "a prefix that is too long for IPv6": "::/129",
    "a mapped address with an IPv4 prefix": "::ffff:10.0.0.0/24",
    "a negative prefix": "10.0.0.0/-1",
    "two slashes": "10.0.0.0/8/8",
    "a zone": "fe80::1%eth0",
    "a zone in a network": "fe80::%eth0/64",
    "a space": "127.0.0.2 ",
    "leading zeros": "010.0.0.1",
    "a wildcard": "10.0.0.*",
}


@pytest.mark.parametrize(("entries", "address"), ADMITTED.values(), ids=ADMITTED)
def test_admits_when_inside(entries: list[str], address: str) -> None:
    """What is inside an entry is admitted, in whatever form it arrives."""
    assert Allowlist.parse(entries).admits(address)


@pytest.mark.parametrize(("entries", "address"), NOT_ADMITTED.values(), ids=NOT_ADMITTED)
def test_admits_not_when_outside_or_not_an_address(entries: list[str], address: str) -> None:
    """What is outside, or is not exactly one address, is not admitted."""
    assert not Allowlist.parse(entries).admits(address)


@pytest.mark.parametrize("entry", REFUSED_ENTRIES.values(), ids=REFUSED_ENTRIES)
def test_parse_refuses_when_an_entry_has_two_meanings_or_none(entry: str) -> None:
    """A wrong entry is refused by name, also when it stands among right ones."""
    with pytest.raises(BadInput) as caught:
        Allowlist.parse(["127.0.0.2", entry])
    assert repr(entry) in caught.value.detail
    assert "127.0.0.2'" not in caught.value.detail.replace(repr(entry), "")


def test_parse_names_all_wrong_entries_at_once() -> None:
    """Whoever typed three wrong entries is told of all three."""
    with pytest.raises(BadInput, match=r"'a' .*'b' .*'c' "):
        Allowlist.parse(["a", "127.0.0.1", "b", "c"])


def test_parse_repeats_no_more_than_a_part_of_a_long_entry() -> None:
    """An error stays short whatever was typed."""
    with pytest.raises(BadInput) as caught:
        Allowlist.parse(["x" * 10_000])
    assert len(caught.value.detail) < 200


def test_parse_refuses_when_given_one_text_for_a_list() -> None:
    """A text in place of a list is read letter by letter, and so refused."""
    with pytest.raises(BadInput):
        Allowlist.parse("127.0.0.2")


def test_entries_have_one_form_each() -> None:
    """Entries come back folded and without repeats, and read as the same allowlist."""
    allowlist = Allowlist.parse(
        ["::ffff:10.0.0.0/104", "10.0.0.0/8", "127.0.0.2/32", "2001:DB8::1"]
    )
    assert allowlist.entries == ("10.0.0.0/8", "127.0.0.2", "2001:db8::1")
    assert Allowlist.parse(allowlist.entries) == allowlist
    assert allowlist
    assert not Allowlist()


def test_parse_address_folds_mapped_only() -> None:
    """Only an IPv4-mapped address is the IPv4 address."""
    assert str(parse_address("::ffff:1.2.3.4")) == "1.2.3.4"
    assert str(parse_address("64:ff9b::1.2.3.4")) == "64:ff9b::102:304"
