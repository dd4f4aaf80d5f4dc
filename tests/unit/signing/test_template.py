"""`signing.template`: the message is what the scheme says, and the signature is over it."""

import hashlib
import hmac
import json
from base64 import b64decode, b64encode
from dataclasses import replace

import pytest

from bailee.errors import UnsignableRequest
from bailee.model import Rule, TemplateScheme
from bailee.signing.request import SignedRequest, Unsigned
from bailee.signing.template import template_signer
from signing_samples import (
    FORM,
    IN_BODY,
    JSON,
    LINES,
    NOW,
    PAYLOAD,
    SECRET,
    credential_for,
    preset,
    provider_with,
)


def template(auth: str) -> TemplateScheme:
    scheme = provider_with(auth).auth
    assert isinstance(scheme, TemplateScheme)
    return scheme


def header(signed: SignedRequest, name: str) -> bytes:
    lines = dict(line.split(b": ", 1) for line in signed.headers.split(b"\r\n")[:-1])
    return lines[name.encode()]


BINANCE = preset("binance").auth
assert isinstance(BINANCE, TemplateScheme)
PIECES = {
    "{method}": b"POST",
    "{path}": b"/v1/%C3%A9",
    "{query}": b"a=%20b&time=1",
    "{raw_query}": b"a= b&time=1",
    "{target}": b"/v1/%C3%A9?a=%20b&time=1",
    "{body}": b'{"x":1}',
    "{time}": b"1700000000123",
    "{nonce}": b"17",
    "{api_key}": b"dummy-api_key-0001",
    "100%s % {time}%": b"100%s % 1700000000123%",
    "{method}\n{path}|5000": b"POST\n/v1/%C3%A9|5000",
}


@pytest.mark.parametrize(("message", "meant"), PIECES.items())
def test_message_is_made_of_pieces(message: str, meant: bytes) -> None:
    """Each piece stands for the bytes that are sent, literals for themselves."""
    scheme = replace(
        template(LINES.replace('"uuid"', '"monotonic"').replace('"us"', '"ms"')), message=message
    )
    request = Unsigned("POST", b"/v1/%C3%A9", b"a=%20b&time=1", b'{"x":1}', JSON)
    signed = template_signer(scheme).sign(request, credential_for(scheme, secret="00"), NOW, "17")
    expected = b64encode(hmac.digest(b"\0", meant, "sha512"))
    assert b",sig=" + expected + b",nonce=" in signed.headers


def test_target_has_no_question_mark_without_a_query() -> None:
    """`{target}` of a request without a query is its path."""
    scheme = template(IN_BODY.replace('query = "key"', 'header = "Key"'))
    request = Unsigned("GET", b"/v1", b"", b"", b"")
    signed = template_signer(replace(scheme, message="{target}"))
    made = signed.sign(request, credential_for(scheme), NOW, "")
    assert (made.path, made.query) == (b"/v1", b"")


def test_canonical_lines() -> None:
    """A digest of the body, a signed passphrase and the signature, all in one header."""
    scheme = template(LINES)
    credential = credential_for(scheme, secret="00ff", passphrase="open sesame")
    request = Unsigned("GET", b"/v1/x", b"a=%C3%A9", b"", b"")
    signed = template_signer(scheme).sign(request, credential, NOW, "uuid-1")
    digest = hashlib.sha512(b"").hexdigest()
    message = f"1700000000123000\nuuid-1\nGET\n/v1/x\na=é\n{digest}\n".encode()
    signature, phrase = (
        b64encode(hmac.digest(b"\x00\xff", each, "sha512")) for each in (message, b"open sesame")
    )
    assert header(signed, "Authorization") == (
        b"lines id=dummy-api_key-0001,pass=%s,ts=1700000000123000,sig=%s,nonce=uuid-1"
        % (phrase, signature)
    )


def test_json_payload_holds_the_members_of_the_body() -> None:
    """Ours come first; the body's own of the same names do not come again."""
    scheme = template(PAYLOAD)
    body = b'{"nonce": "1", "amount": 1.50, "request": "/evil"}'
    request = Unsigned("POST", b"/v1/balances", b"", body, JSON)
    signed = template_signer(scheme).sign(request, credential_for(scheme), NOW, "17")
    payload = header(signed, "X-Payload")
    assert b64decode(payload) == b'{"request":"/v1/balances","nonce":"17","amount": 1.50}'
    expected = hmac.digest(SECRET.encode(), payload, "sha384").hex().encode()
    assert header(signed, "X-Signature") == expected
    assert signed.body == body


def test_published_payload_comes_out() -> None:
    """The vector of a provider with such a payload: `{"request": ..., "nonce": ...}`."""
    scheme = template(PAYLOAD)
    credential = credential_for(
        scheme, api_key="account-dummykey0001", secret="dummy-secret-0001-not-a-real-credential"
    )
    request = Unsigned("POST", b"/v1/balances", b"", b"{}", JSON)
    signed = template_signer(scheme).sign(request, credential, NOW, "1700000000123")
    assert header(signed, "X-Payload") == (
        b"eyJyZXF1ZXN0IjoiL3YxL2JhbGFuY2VzIiwibm9uY2UiOiIxNzAwMDAwMDAwMTIzIn0="
    )
    assert header(signed, "X-Signature") == (
        b"9ceb3e2e26540c924141f1cc0590163fe45d9129c8b106a85c451a195ffa6a31"
        b"a27808730bf83a7da944855c3cf8cdb8"
    )


@pytest.mark.parametrize("body", [b"a=1", b"[]", b"{"])
def test_json_payload_of_no_object_is_refused(body: bytes) -> None:
    """What can't be put into the payload would be sent unsigned."""
    scheme = template(PAYLOAD)
    request = Unsigned("POST", b"/v1/balances", b"", body, FORM)
    with pytest.raises(UnsignableRequest):
        template_signer(scheme).sign(request, credential_for(scheme), NOW, "17")


def test_signature_in_the_body_is_over_the_body_before_it() -> None:
    """An early filling is signed, a late one is not part of what it signs."""
    scheme = template(IN_BODY)
    request = Unsigned("POST", b"/v1", b"a=1", b'{"sig":"x","a":1}', JSON)
    signed = template_signer(scheme).sign(request, credential_for(scheme), NOW, "")
    query = b"a=1&key=dummy-api_key-0001"
    message = b"/v1?" + query + b'|{"a":1,"at":"1700000000"}'
    assert signed.query == query
    assert json.loads(signed.body) == {
        "a": 1, "at": "1700000000", "sig": hmac.digest(SECRET.encode(), message, "sha256").hex(),
    }  # fmt: skip


UNSIGNED = {
    "as listed": ("GET", b"/api/v3/ping", True),
    "HEAD goes with GET": ("HEAD", b"/api/v3/ping", True),
    "another method": ("POST", b"/api/v3/ping", False),
    "a longer path": ("GET", b"/api/v3/ping/x", False),
    "another case": ("GET", b"/api/v3/Ping", False),
    "any method": ("PUT", b"/api/v3/userDataStream", True),
    "within a segment": ("GET", b"/api/v3/ticker/24hr", True),
    "not over segments": ("GET", b"/api/v3/ticker/24hr/x", False),
}


@pytest.mark.parametrize(("method", "path", "bare"), UNSIGNED.values(), ids=UNSIGNED.keys())
def test_unsigned_requests_get_the_key_alone(method: str, path: bytes, bare: bool) -> None:
    """APIs refuse parameters that they do not know; what a rule names gets none."""
    signed = template_signer(BINANCE).sign(
        Unsigned(method, path, b"symbol=X&timestamp=1", b"", b""), credential_for(BINANCE), NOW, ""
    )
    assert header(signed, "X-MBX-APIKEY") == b"dummy-api_key-0001"
    assert (signed.query == b"symbol=X&timestamp=1") is bare
    assert (b"&signature=" in signed.query) is not bare


def test_unsigned_rules_cover_segments() -> None:
    """`**` is any number of segments, and a dot is only a dot."""
    scheme = replace(BINANCE, unsigned=(Rule("GET", "/a.b/**"), Rule("GET", "/x/**/z")))
    for path, bare in {
        b"/a.b": True, b"/a.b/c/d": True, b"/a-b/c": False, b"/x/z": True, b"/x/y/y/z": True,
        b"/x/yz": False,
    }.items():  # fmt: skip
        signed = template_signer(scheme).sign(
            Unsigned("GET", path, b"", b"", b""), credential_for(scheme), NOW, ""
        )
        assert (signed.query == b"") is bare, path


def test_covers_the_body_only_where_it_is_touched() -> None:
    """Only such a call has to be buffered."""
    scheme = replace(template(IN_BODY.replace('body = "', 'query = "')), message="{target}")
    assert not template_signer(scheme).covers_body
    assert template_signer(replace(scheme, message="{body}")).covers_body
    assert all(template_signer(template(each)).covers_body for each in (PAYLOAD, LINES, IN_BODY))
