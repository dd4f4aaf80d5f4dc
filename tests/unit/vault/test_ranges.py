"""`vault.ranges`: the feed as a document, in the shape that clients of AWS's know."""

import json

import pytest

from bailee.model import EgressId, EgressState, Feed, FeedAddress
from bailee.vault.ranges import decode_ranges, encode_ranges, prefix_of

AT = 1_795_560_508.0
FOUR = FeedAddress(EgressId("egr_a"), "203.0.113.7", EgressState.ACTIVE, 1, AT)
SIX = FeedAddress(EgressId("egr_b"), "2001:db8::1", EgressState.ACTIVE, 3, AT, AT + 60)
FEED = Feed(7, AT, AT + 86_400, (FOUR, SIX))


def test_document_has_the_known_shape() -> None:
    """Members that clients of AWS's document read are there, spelled as there."""
    document = json.loads(encode_ranges(FEED))
    assert document["syncToken"] == "7"
    assert document["createDate"] == "2026-11-24-22-48-28"
    assert document["valid_until"] == "2026-11-25T22:48:28Z"
    (four,), (six,) = document["prefixes"], document["ipv6_prefixes"]
    assert four == {
        "id": "egr_a",
        "ip_prefix": "203.0.113.7/32",
        "serial": 1,
        "status": "active",
        "from": "2026-11-24T22:48:28Z",
        "until": None,
    }
    assert (six["ipv6_prefix"], six["until"]) == ("2001:db8::1/128", "2026-11-24T22:49:28Z")


@pytest.mark.parametrize("feed", [FEED, Feed(1, AT, AT + 1, ())], ids=["two", "none"])
def test_document_comes_back(feed: Feed) -> None:
    """What was written is read again, and written again it is the same bytes."""
    assert decode_ranges(encode_ranges(feed)) == feed
    assert encode_ranges(decode_ranges(encode_ranges(feed))) == encode_ranges(feed)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"syncToken":"7"', b'"syncToken":"seven"'),
        (b'"syncToken":"7"', b'"syncToken":7'),
        (b'"203.0.113.7/32"', b'"203.0.113.0/24"'),
        (b'"203.0.113.7/32"', b'"api.test"'),
        (b'"2001:db8::1/128"', b'"2001:db8::/64"'),
        (b'"status":"active"', b'"status":"secret"'),
        (b"2026-11-24T22:48:28Z", b"2026-11-24 22:48:28"),
        (b'"until":null', b'"until":5'),
        (b'"valid_until":', b'"valid":'),
        (b'"createDate":"2026', b'"createDate":"20Z6'),
        (b'{"createDate"', b'["createDate"'),
    ],
)
def test_refused_when_of_another_form(old: bytes, new: bytes) -> None:
    """A document with a member of another form is no feed."""
    payload = encode_ranges(FEED)
    assert old in payload
    with pytest.raises(ValueError):
        decode_ranges(payload.replace(old, new))


@pytest.mark.parametrize(
    ("public", "prefix"),
    [("203.0.113.7", "203.0.113.7/32"), ("2001:DB8::0:1", "2001:db8::1/128")],
)
def test_prefix_of_an_address(public: str, prefix: str) -> None:
    """One address is a network of one."""
    assert prefix_of(public) == prefix


@pytest.mark.parametrize("public", ["203.0.113.0/24", "api.test", ""])
def test_no_prefix_of_what_is_no_address(public: str) -> None:
    """Networks and names are refused."""
    with pytest.raises(ValueError):
        prefix_of(public)
