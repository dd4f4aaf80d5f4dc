"""The address feed as a document: in the shape of AWS's `ip-ranges.json`, with what we say more."""

import ipaddress
from datetime import UTC, datetime
from typing import Final

import msgspec

from bailee.model import EgressId, EgressState, Feed, FeedAddress

_AWS_TIME: Final = "%Y-%m-%d-%H-%M-%S"
_TIME: Final = "%Y-%m-%dT%H:%M:%SZ"


class _Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What both families say of an address."""

    id: str
    serial: int
    status: EgressState
    since: str = msgspec.field(name="from")
    until: str | None


class _Ipv4Entry(_Entry, frozen=True, kw_only=True):
    ip_prefix: str


class _Ipv6Entry(_Entry, frozen=True, kw_only=True):
    ipv6_prefix: str


class _Ranges(msgspec.Struct, frozen=True, kw_only=True):
    sync_token: str = msgspec.field(name="syncToken")
    """The feed's serial, as text."""
    create_date: str = msgspec.field(name="createDate")
    valid_until: str
    prefixes: tuple[_Ipv4Entry, ...]
    ipv6_prefixes: tuple[_Ipv6Entry, ...]


def prefix_of(public: str) -> str:
    """Write an address as the network that holds it alone, as in `203.0.113.7/32`.

    Raises:
        ValueError: It is not an IP address.
    """
    return str(ipaddress.ip_network(ipaddress.ip_address(public)))


def format_instant(seconds: float) -> str:
    """Write Unix seconds as RFC 3339 in UTC, to the second."""
    return datetime.fromtimestamp(seconds, UTC).strftime(_TIME)


def encode_ranges(feed: Feed) -> bytes:
    """Write a feed as canonical JSON: members sorted, no spaces, each family in its own list."""
    entries = [_entry(address) for address in feed.addresses]
    ranges = _Ranges(
        sync_token=str(feed.serial),
        create_date=datetime.fromtimestamp(feed.created_at, UTC).strftime(_AWS_TIME),
        valid_until=format_instant(feed.valid_until),
        prefixes=tuple(entry for entry in entries if isinstance(entry, _Ipv4Entry)),
        ipv6_prefixes=tuple(entry for entry in entries if isinstance(entry, _Ipv6Entry)),
    )
    return msgspec.json.encode(ranges, order="sorted")


def decode_ranges(payload: bytes) -> Feed:
    """Read what `encode_ranges` wrote; IPv4 addresses come first.

    Raises:
        ValueError: It is not of that form.
    """
    try:
        ranges = msgspec.json.decode(payload, type=_Ranges)
    except msgspec.DecodeError as error:
        raise ValueError("not the document of a feed") from error
    four = [_address(entry, entry.ip_prefix) for entry in ranges.prefixes]
    six = [_address(entry, entry.ipv6_prefix) for entry in ranges.ipv6_prefixes]
    return Feed(
        serial=int(ranges.sync_token),
        created_at=_seconds(ranges.create_date, _AWS_TIME),
        valid_until=_seconds(ranges.valid_until, _TIME),
        addresses=(*four, *six),
    )


def _entry(address: FeedAddress) -> _Ipv4Entry | _Ipv6Entry:
    prefix = prefix_of(address.public)
    since = format_instant(address.since)
    until = None if address.until is None else format_instant(address.until)
    if ":" in prefix:
        return _Ipv6Entry(
            id=address.id,
            serial=address.serial,
            status=address.state,
            since=since,
            until=until,
            ipv6_prefix=prefix,
        )
    return _Ipv4Entry(
        id=address.id,
        serial=address.serial,
        status=address.state,
        since=since,
        until=until,
        ip_prefix=prefix,
    )


def _address(entry: _Entry, prefix: str) -> FeedAddress:
    public = str(ipaddress.ip_network(prefix).network_address)
    if prefix_of(public) != prefix:
        raise ValueError("a prefix of more than one address")
    return FeedAddress(
        id=EgressId(entry.id),
        public=public,
        state=entry.status,
        serial=entry.serial,
        since=_seconds(entry.since, _TIME),
        until=None if entry.until is None else _seconds(entry.until, _TIME),
    )


def _seconds(text: str, form: str) -> float:
    return datetime.strptime(text, form).replace(tzinfo=UTC).timestamp()
