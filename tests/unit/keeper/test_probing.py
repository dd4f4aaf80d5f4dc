"""The bytes of a probe."""

import json
from dataclasses import replace

from bailee.keeper.probing import can_be_wrong, request_bytes, unsigned_of, wrong_credential
from bailee.model import (
    Origin,
    Place,
    Placement,
    PlaceScheme,
    ProviderRequest,
    SigningKey,
    TemplateScheme,
)
from bailee.signing.request import SignedRequest

ORIGIN = Origin("rest", "api.test", 8443)
BEARER = PlaceScheme((Placement(Place.HEADER, "Authorization", "Bearer {api_key}"),), ("api_key",))


def lines(head: bytes) -> list[str]:
    return head.decode().split("\r\n")


def test_request_when_there_is_no_body() -> None:
    """A GET without a body has no length; nothing tells where it comes from."""
    asked = ProviderRequest("GET", "/v1/me", "a=1")
    signed = SignedRequest(b"Authorization: Bearer k\r\n", b"/v1/me", b"a=1", b"", None)
    made = lines(request_bytes(ORIGIN, asked, signed))
    assert made[0] == "GET /v1/me?a=1 HTTP/1.1"
    assert made[1] == "Host: api.test:8443"
    assert made[2].startswith("User-Agent: bailee/")
    assert made[3:] == [
        "Accept: application/json",
        "Accept-Encoding: identity",
        "Connection: close",
        "Authorization: Bearer k",
        "",
        "",
    ]


def test_request_when_the_scheme_makes_the_body() -> None:
    """What was signed is what is sent: its path, query, body and content type."""
    asked = ProviderRequest("POST", "/0/private/Balance")
    signed = SignedRequest(
        b"", b"/0/private/Balance", b"", b"nonce=17", b"application/x-www-form-urlencoded"
    )
    made = lines(request_bytes(ORIGIN, asked, signed))
    assert made[0] == "POST /0/private/Balance HTTP/1.1"
    assert made[-4:] == [
        "Content-Type: application/x-www-form-urlencoded", "Content-Length: 8", "", "nonce=17"
    ]  # fmt: skip


def test_request_when_the_file_has_a_body() -> None:
    """A body of the provider's file goes out as it stands there, with its content type."""
    asked = ProviderRequest("POST", "/", body='{"a": "ä"}', content_type="application/json")
    unsigned = unsigned_of(asked)
    signed = SignedRequest(b"", unsigned.path, unsigned.query, unsigned.body, None)
    head, _, body = request_bytes(ORIGIN, asked, signed).partition(b"\r\n\r\n")
    assert body == '{"a": "ä"}'.encode()
    assert b"Content-Type: application/json\r\nContent-Length: 11" in head


def test_request_when_a_post_is_empty() -> None:
    """A POST without a body says so, as servers want it (RFC 9110, 8.6)."""
    signed = SignedRequest(b"", b"/", b"", b"", None)
    made = request_bytes(ORIGIN, ProviderRequest("POST", "/"), signed)
    assert b"\r\nContent-Length: 0\r\n" in made


def test_wrong_credential_is_of_the_form_and_never_the_same() -> None:
    """Each field is random, and is text, hexadecimal and base64 at once."""
    one, other = (json.loads(wrong_credential(BEARER).reveal()) for _ in range(2))
    assert one.keys() == other.keys() == {"api_key"}
    assert one != other
    assert len(bytes.fromhex(one["api_key"])) == 32
    assert can_be_wrong(BEARER)


def test_no_wrong_credential_when_a_secret_has_another_form() -> None:
    """A private key can't be made up so; with an HMAC secret beside it, that one is."""
    hmac = SigningKey("hmac-sha256", "text", "hex")
    ed25519 = SigningKey("ed25519", "pem", "base64")
    both = TemplateScheme(
        fields=("api_key", "secret"),
        secret="secret",
        keys=(hmac, ed25519),
        time="none",
        nonce="none",
        nonce_unit="ms",
        parts=(),
        message="{path}",
        fillings=(),
        unsigned=(),
    )
    assert can_be_wrong(both)
    assert not can_be_wrong(replace(both, keys=(ed25519,)))
