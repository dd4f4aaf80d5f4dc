"""The address feed as everyone reads it: exactly what was signed, or nothing."""

import base64
import json
from collections.abc import Callable

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from bailee.model import Feed, Signed
from bailee.secret import Secret
from bailee.vault.authority import Authority, Label
from bailee.vault.keyring import Keyring
from bailee.vault.statements import sign_feed
from house import House
from integration.public.staging import DAY, FOUR, SIX, START, Stage

JSON = "/egress/ranges.json"
TEXT = "/egress/ranges.txt"


def rogue() -> Authority:
    """Somebody else's authority."""
    return Keyring(Secret(bytes(32))).new_authority()[0]


def test_shown_as_it_was_signed(stage: Stage) -> None:
    """The body is the signed bytes, and the shape is AWS's with status, from and until."""
    signed = stage.sign()
    stage.put(signed)
    answer = stage.get(JSON)
    assert (answer.status, answer.body) == (200, signed.payload)
    assert answer.headers["content-type"] == "application/json"
    (four,), (six,) = answer.json["prefixes"], answer.json["ipv6_prefixes"]
    assert (four["ip_prefix"], four["status"], four["until"]) == ("203.0.113.7/32", "active", None)
    assert (six["ipv6_prefix"], six["from"]) == ("2001:db8::7/128", "2026-11-24T22:48:28Z")


def test_verified_by_whoever_reads_it(stage: Stage) -> None:
    """With the headers, the bytes and the authority's public half alone a reader can verify."""
    stage.put(stage.sign())
    answer = stage.get(JSON)
    assert answer.headers["bailee-authority"] == stage.house.authority.public
    public = base64.b64decode(answer.headers["bailee-authority"].removeprefix("ed25519/"))
    label = answer.headers["bailee-signature-label"].encode()
    mark = base64.b64decode(answer.headers["bailee-signature"])
    key = Ed25519PublicKey.from_public_bytes(public)

    def signed_bytes(body: bytes) -> bytes:
        return len(label).to_bytes(8, "big") + label + len(body).to_bytes(8, "big") + body

    key.verify(mark, signed_bytes(answer.body))
    with pytest.raises(InvalidSignature):
        key.verify(mark, signed_bytes(answer.body.replace(b"203", b"204")))


def test_text_has_one_network_a_line(stage: Stage) -> None:
    """Comments tell serial and end; all other lines are networks."""
    stage.put(stage.sign(serial=7))
    answer = stage.get(TEXT)
    assert answer.headers["content-type"].startswith("text/plain")
    lines = answer.body.decode("ascii").splitlines()
    assert [line for line in lines if not line.startswith("#")] == [
        "203.0.113.7/32",
        "2001:db8::7/128",
    ]
    assert "# serial 7" in lines
    assert "# valid until 2026-12-24T22:48:28Z" in lines


def test_text_when_there_is_no_address(stage: Stage) -> None:
    """An empty feed is a feed."""
    stage.put(sign_feed(stage.house.authority, Feed(1, START, START + DAY, ())))
    lines = stage.get(TEXT).body.decode().splitlines()
    assert lines
    assert all(line.startswith("#") for line in lines)
    assert stage.get(JSON).json["prefixes"] == []


@pytest.mark.parametrize("target", [JSON, TEXT])
@pytest.mark.parametrize(
    ("asked", "status"),
    [("{tag}", 304), ("W/{tag}", 304), ('"other", {tag}', 304), ("*", 304), ('"other"', 200)],
)
def test_nothing_sent_again_when_unchanged(
    stage: Stage, target: str, asked: str, status: int
) -> None:
    """Whoever has the feed is told so without it; a new feed has a new tag."""
    stage.put(stage.sign())
    first = stage.get(target)
    tag = first.headers["etag"]
    again = stage.get(target, If_None_Match=asked.format(tag=tag))
    assert again.status == status
    assert again.headers["etag"] == tag
    assert again.headers["cache-control"] == "public, max-age=300"
    assert again.body == (b"" if status == 304 else first.body)
    stage.put(stage.sign(FOUR, serial=2), serial=2)
    assert stage.get(target, If_None_Match=tag).status == 200


@pytest.mark.parametrize("target", [JSON, TEXT])
def test_head_is_answered(stage: Stage, target: str) -> None:
    """HEAD has the headers of GET and no body."""
    stage.put(stage.sign())
    got, head = stage.get(target), stage.get(target, "HEAD")
    assert (head.status, head.body) == (200, b"")
    for name in ("etag", "content-length", "content-type", "cache-control"):
        assert head.headers[name] == got.headers[name]


@pytest.mark.parametrize(("left", "seconds"), [(DAY, 300), (60.0, 60), (1.0, 1)])
def test_cached_no_longer_than_it_is_valid(stage: Stage, left: float, seconds: int) -> None:
    """Whoever keeps the answer keeps no feed that is over."""
    stage.put(stage.sign())
    stage.now = START + 30 * DAY - left
    answer = stage.get(JSON)
    assert answer.headers["cache-control"] == f"public, max-age={seconds}"


@pytest.mark.parametrize("target", [JSON, TEXT])
@pytest.mark.parametrize("after", [0.0, 1.0, 365 * DAY])
def test_nothing_when_expired(stage: Stage, target: str, after: float) -> None:
    """A feed whose time is over is not shown, not even as unchanged."""
    stage.put(stage.sign())
    tag = stage.get(target).headers["etag"]
    stage.now = START + 30 * DAY + after
    assert stage.refusal(target) == "feed-unavailable"
    assert stage.get(target, If_None_Match=tag).status == 503


@pytest.mark.parametrize("target", [JSON, TEXT])
def test_nothing_when_there_is_none(stage: Stage, target: str) -> None:
    """Before the keeper has signed one there is none."""
    assert stage.refusal(target) == "feed-unavailable"


def altered_payload(house: House, good: Signed) -> Signed:
    """An address was changed under the signature."""
    return Signed(good.payload.replace(b"203.0.113.7", b"203.0.113.9"), good.signature)


def other_authority(house: House, good: Signed) -> Signed:
    """A whole feed of somebody else."""
    return sign_feed(rogue(), Feed(9, START, START + DAY, (FOUR, SIX)))


def other_label(house: House, good: Signed) -> Signed:
    """The authority signed these bytes as something else."""
    return Signed(good.payload, house.authority.sign(Label.JOB_RESULT, good.payload).signature)


def unsigned(house: House, good: Signed) -> Signed:
    """There is no signature."""
    return Signed(good.payload, b"")


def nonsense(house: House, good: Signed) -> Signed:
    """The authority signed something that is no feed."""
    return house.authority.sign(Label.FEED, b"{}")


FORGED = (altered_payload, other_authority, other_label, unsigned, nonsense)


@pytest.mark.parametrize("target", [JSON, TEXT])
@pytest.mark.parametrize("forge", FORGED, ids=lambda forge: forge.__name__)
def test_nothing_when_rows_are_altered(
    stage: Stage, target: str, forge: Callable[[House, Signed], Signed]
) -> None:
    """Whoever alters the row, or adds one, gets nothing published, and no old answer either."""
    good = stage.sign()
    stage.put(good)
    assert stage.get(target).status == 200
    forged = forge(stage.house, good)
    stage.execute("UPDATE feeds SET payload = ?, signature = ?", forged.payload, forged.signature)
    assert stage.refusal(target) == "trust-broken"
    stage.execute("DELETE FROM feeds")
    stage.put(good)
    stage.put(forged, serial=99)
    assert stage.refusal(target) == "trust-broken"
    stage.execute("DELETE FROM feeds WHERE serial = 99")
    assert stage.get(target).status == 200


def test_nothing_when_an_older_feed_is_put_back(stage: Stage) -> None:
    """A feed that was replaced is not shown again, though it was signed once."""
    old = stage.sign(FOUR, SIX, serial=1)
    stage.put(stage.sign(FOUR, serial=2), serial=2)
    assert stage.get(JSON).json["syncToken"] == "2"
    stage.execute("DELETE FROM feeds")
    stage.put(old)
    assert stage.refusal() == "trust-broken"
    stage.put(stage.sign(FOUR, serial=3), serial=3)
    assert stage.get(JSON).json["syncToken"] == "3"


def test_nothing_when_the_database_does_not_answer(stage: Stage) -> None:
    """Without the database there is no feed, and no old one from memory."""
    stage.put(stage.sign())
    assert stage.get(JSON).status == 200
    stage.execute("DROP TABLE feeds")
    assert stage.refusal() == "store-unavailable"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_refused_when_not_read(stage: Stage, method: str) -> None:
    """The feed can be read, and nothing else."""
    answer = stage.get(JSON, method)
    assert (answer.status, answer.json["code"]) == (405, "method-refused")


def test_other_paths_are_not_found(stage: Stage) -> None:
    """What looks like the feed is not the feed."""
    for path in ("/egress", "/egress/ranges.json/", "/egress/ranges", "/egress//ranges.json"):
        assert stage.get(path).status == 404
    assert json.loads(stage.get("/healthz").body) == {"status": "ok"}
