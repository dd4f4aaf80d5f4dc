"""What holds for every signer, whatever its scheme."""

import json
from dataclasses import dataclass
from urllib.parse import parse_qsl

import pytest

from bailee.errors import CredentialClosed
from bailee.model import AuthScheme, TemplateScheme
from bailee.secret import Secret
from bailee.signing.request import SignedRequest, Unsigned
from bailee.signing.sign import signer_of
from signing_samples import (
    FORM,
    IN_BODY,
    JSON,
    LINES,
    NOW,
    PAYLOAD,
    PLACE_HEADER,
    PLACE_QUERY,
    PRESETS,
    credential_for,
    ed25519_key,
    pem,
    preset,
    provider_with,
    rsa_key,
)

NONCE = "1700000000123"


@dataclass(frozen=True)
class Case:
    """A scheme with a credential of it."""

    scheme: AuthScheme
    credential: Secret

    def sign(self, request: Unsigned, now: float = NOW, nonce: str = NONCE) -> SignedRequest:
        return signer_of(self.scheme).sign(request, self.credential, now, nonce)


def case(scheme: AuthScheme, **fields: str) -> Case:
    return Case(scheme, credential_for(scheme, **fields))


SIGNERS = {name: case(preset(name).auth) for name in PRESETS} | {
    "binance, Ed25519": case(preset("binance").auth, secret=pem(ed25519_key())),
    "binance, RSA": case(preset("binance").auth, secret=pem(rsa_key())),
    "a JSON payload": case(provider_with(PAYLOAD).auth),
    "canonical lines": case(provider_with(LINES).auth, secret="00ff" * 16),
    "in the body": case(provider_with(IN_BODY).auth),
    "a placed header": case(provider_with(PLACE_HEADER).auth),
    "a placed parameter": case(provider_with(PLACE_QUERY).auth, secret="3"),
}
EVERY = pytest.mark.parametrize("signer", SIGNERS.values(), ids=SIGNERS.keys())

REQUESTS = {
    "a read": Unsigned("GET", b"/v1/orders", b"", b"", b""),
    "a read with a query": Unsigned("GET", b"/v1/orders", b"b=2&a=%20x&c", b"", b""),
    "a write without a body": Unsigned("POST", b"/v1/orders", b"", b"", b""),
    "a form": Unsigned("POST", b"/v1/orders", b"q=1", b"b=2&a=x+y", FORM),
    "JSON": Unsigned("PUT", b"/v1/orders", b"", b'{"b":1.00,"a":[1, {"x":"\\u00e9"}]}', JSON),
    "a removal": Unsigned("DELETE", b"/v1/orders/7", b"", b"", b""),
}
# A JSON payload is made of a JSON body; a form is refused, as tests/unit shows.
PAIRS = {
    f"{name}: {what}": (signer, request)
    for name, signer in SIGNERS.items()
    for what, request in REQUESTS.items()
    if (name, what) != ("a JSON payload", "a form")
}
SIGNING_PAIRS = {
    name: pair for name, pair in PAIRS.items() if isinstance(pair[0].scheme, TemplateScheme)
}
EVERY_PAIR = pytest.mark.parametrize(("signer", "request_"), PAIRS.values(), ids=PAIRS.keys())
EVERY_SIGNING_PAIR = pytest.mark.parametrize(
    ("signer", "request_"), SIGNING_PAIRS.values(), ids=SIGNING_PAIRS.keys()
)


def without(encoded: bytes, names: frozenset[str]) -> list[bytes]:
    """The pairs of a query or a form but those of some names."""
    return [p for p in encoded.split(b"&") if p and p.partition(b"=")[0].decode() not in names]


@EVERY_PAIR
def test_same_request_clock_and_nonce_make_the_same(signer: Case, request_: Unsigned) -> None:
    """A signer knows no chance and no clock of its own."""
    assert signer.sign(request_) == signer.sign(request_)


@EVERY_PAIR
def test_fills_what_it_says_and_nothing_else(signer: Case, request_: Unsigned) -> None:
    """The headers and parameters of a signer are those that it declares; each stands there once."""
    declared = signer_of(signer.scheme)
    signed = signer.sign(request_)
    lines = signed.headers.split(b"\r\n")
    assert lines.pop() == b""
    names = [line.partition(b": ")[0].decode().lower() for line in lines]
    assert sorted(names) == sorted(declared.headers)
    before = {name for name, _ in parse_qsl(request_.query.decode(), keep_blank_values=True)}
    after = [name for name, _ in parse_qsl(signed.query.decode(), keep_blank_values=True)]
    assert len(after) == len(set(after)) and set(after) - before <= declared.query_names


@EVERY_PAIR
def test_what_is_not_its_own_keeps_bytes_and_order(signer: Case, request_: Unsigned) -> None:
    """A provider reads the same parameters and the same body as the caller wrote."""
    declared = signer_of(signer.scheme)
    signed = signer.sign(request_)
    assert without(signed.query, declared.query_names) == without(request_.query, frozenset())
    if not declared.covers_body:
        assert (signed.body, signed.content_type) == (request_.body, None)
    elif request_.content_type == JSON:
        assert request_.body[1:-1] in signed.body
    else:
        own = declared.query_names | {"nonce", "at", "sig"}
        assert without(signed.body, own) == without(request_.body, frozenset())


@EVERY_SIGNING_PAIR
def test_what_another_signed_before_is_replaced(signer: Case, request_: Unsigned) -> None:
    """Signing a request that was signed with another secret, time and nonce gives the same."""
    stand_in = Case(signer.scheme, credential_for(signer.scheme, secret="00" * 12))
    first = stand_in.sign(request_, NOW - 60, "1600000000000")
    content_type = first.content_type or request_.content_type
    again = Unsigned(request_.method, first.path, first.query, first.body, content_type)
    straight, twice = signer.sign(request_), signer.sign(again)
    assert twice._replace(content_type=None) == straight._replace(content_type=None)


@EVERY_SIGNING_PAIR
def test_secret_is_nowhere_in_what_is_sent(signer: Case, request_: Unsigned) -> None:
    """A secret that signs is not sent, in whole or in its lines."""
    secret = json.loads(signer.credential.reveal())["secret"]
    sent = b"|".join(bytes(part or b"") for part in signer.sign(request_))
    assert all(line.encode() not in sent for line in secret.splitlines())


@EVERY
@pytest.mark.parametrize(
    "opened",
    [b"", b"x", b"[]", b"{}", b'{"other":"k"}', b'{"api_key":"k","secret":1}', b"\xff",
     b'{"api_key":"k","secret":"s","passphrase":"p","more":"x"}'],
)  # fmt: skip
def test_credential_of_another_form_is_refused(signer: Case, opened: bytes) -> None:
    """What was opened is not trusted to be what was sealed."""
    with pytest.raises(CredentialClosed):
        Case(signer.scheme, Secret(opened)).sign(REQUESTS["a read"])


@EVERY
def test_no_line_break_gets_into_a_header(signer: Case) -> None:
    """Whatever was sealed: complete lines, or CredentialClosed."""
    for name in set(signer.scheme.fields) - {"secret"}:
        fields = json.loads(signer.credential.reveal()) | {name: "x\r\nHost: evil"}
        evil = Case(signer.scheme, Secret(json.dumps(fields).encode()))
        try:
            signed = evil.sign(REQUESTS["a read"])
        except CredentialClosed:
            continue
        assert b"evil" not in signed.headers


@EVERY
def test_signed_request_prints_as_nothing(signer: Case) -> None:
    """A log line with a signed request in it has no credential in it."""
    shown = repr(signer.sign(REQUESTS["a read"])) + repr(signer.credential)
    assert shown == "SignedRequest(...)Secret(...)"


COVERED = {
    "binance": ["query", "body"],
    "binance, Ed25519": ["query", "body"],
    "binance, RSA": ["query", "body"],
    "kraken": ["path", "body"],
    "bybit": ["query", "body"],
    "okx": ["method", "path", "query", "body"],
    "coinbase-exchange": ["method", "path", "query", "body"],
    "canonical lines": ["method", "path", "query", "body"],
}
OTHER = {"method": "PUT", "path": b"/v1/other", "query": b"q=2", "body": b"b=3"}


@pytest.mark.parametrize(
    ("name", "part"), [(name, part) for name, parts in COVERED.items() for part in parts]
)
def test_signature_covers_the_request(name: str, part: str) -> None:
    """Another method, path, query or body has another signature, where the scheme covers them."""
    plain = Unsigned("POST", b"/v1/orders", b"q=1", b"b=2", FORM)
    made = [SIGNERS[name].sign(each) for each in (plain, plain._replace(**{part: OTHER[part]}))]
    signatures = {m.headers + m.body.rpartition(b"signature=")[2] for m in made}
    assert len(signatures) == 2
