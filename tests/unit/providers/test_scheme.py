"""`providers.scheme`: `[auth]` of a template scheme, read strictly."""

import tomllib
from typing import Any

import pytest

from bailee.model import (
    Algorithm,
    Filling,
    Rule,
    SigningKey,
    SigningPart,
    Slot,
    TemplateScheme,
    TokenPlace,
)
from bailee.providers import check
from bailee.providers.load import inspect_provider, parse_provider
from signing_samples import LINES, PAYLOAD, PRESETS, preset

HEAD = """
id = "acme"
[origin.rest]
url = "https://api.acme.test"
"""
AUTH = """
[auth]
scheme = "template"
fields = ["secret", "api_key"]
time = "ms"
nonce = "monotonic"
nonce_unit = "us"
secret = "secret"
message = "{time}{inner}{method}{target}"
unsigned = ["GET /v1/time"]

[auth.part.inner]
of = "{nonce}{body}"
digest = "sha256"
as = "raw"

[[auth.key]]
algorithm = "hmac-sha512"
secret_as = "base64"
signature_as = "base64"
[[auth.key]]
algorithm = "ed25519"
signature_as = "hex"

[[auth.put]]
header = "X-Key"
value = "{api_key}"
[[auth.put]]
parameter = "time"
value = "{time}"
[[auth.put]]
body = "nonce"
value = "{nonce}"
[[auth.put]]
query = "signature"
value = "v1={signature}"

[auth.caller]
token = "header X-Key"
dummy_secret = "unused"
"""


def faults_of(auth: str) -> str:
    provider, faults = inspect_provider(HEAD + auth, str)
    assert (provider is None) == bool(faults)
    return "; ".join(faults)


def test_every_key_is_read() -> None:
    """The whole scheme, as the file says it; fields are sorted."""
    provider = parse_provider(HEAD + AUTH, str)
    assert provider.auth == TemplateScheme(
        fields=("api_key", "secret"),
        secret="secret",
        keys=(
            SigningKey(Algorithm.HMAC_SHA512, "base64", "base64"),
            SigningKey(Algorithm.ED25519, "pem", "hex"),
        ),
        time="ms",
        nonce="monotonic",
        nonce_unit="us",
        parts=(SigningPart("inner", "{nonce}{body}", (), "sha256", "raw"),),
        message="{time}{inner}{method}{target}",
        fillings=(
            Filling(Slot.HEADER, "X-Key", "{api_key}"),
            Filling(Slot.PARAMETER, "time", "{time}"),
            Filling(Slot.BODY, "nonce", "{nonce}"),
            Filling(Slot.QUERY, "signature", "v1={signature}"),
        ),
        unsigned=(Rule("GET", "/v1/time"),),
    )
    assert provider.caller_token == TokenPlace(check.Place.HEADER, "X-Key")
    assert provider.dummy_secret == "unused"


def test_defaults_and_the_short_form_of_one_key() -> None:
    """Fields are `api_key` and the secret; there is no clock and no rule."""
    scheme = parse_provider(HEAD + PAYLOAD, str).auth
    assert isinstance(scheme, TemplateScheme)
    assert (scheme.fields, scheme.time, scheme.unsigned) == (("api_key", "secret"), "none", ())
    assert scheme.keys == (SigningKey(Algorithm.HMAC_SHA384, "text", "hex"),)
    members = (("request", "{path}"), ("nonce", "{nonce}"))
    assert scheme.parts == (SigningPart("payload", "", members, "none", "base64"),)


@pytest.mark.parametrize("name", PRESETS)
def test_presets_sign(name: str) -> None:
    """The five are templates, and their SDKs' place of the key is a header that they fill."""
    provider = preset(name)
    assert isinstance(provider.auth, TemplateScheme)
    assert provider.caller_token is not None and provider.dummy_secret
    filled = {f.name for f in provider.auth.fillings if f.slot is Slot.HEADER}
    assert provider.caller_token.name in filled


REFUSED = {
    "an unknown scheme": ("scheme = \"template\"", 'scheme = "hmac"', "auth.scheme must be"),
    "an unknown algorithm": ("hmac-sha512", "hmac-md5", "auth.key[0].algorithm must be one of"),
    "an unknown form of a secret": ('secret_as = "base64"', 'secret_as = "b64"', "secret_as must"),
    "a form missing": ('secret_as = "base64"\n', "", "secret_as is missing"),
    "an unknown form of a signature": ('as = "hex"', 'as = "oct"', "signature_as must be one of"),
    "text for a private key": (
        'algorithm = "ed25519"', 'algorithm = "ed25519"\nsecret_as = "text"', "can't be given as",
    ),
    "PEM for an HMAC": ('secret_as = "base64"', 'secret_as = "pem"', "can't be given as pem"),
    "two HMAC keys": (
        '"ed25519"', '"hmac-sha256"\nsecret_as = "hex"', "two HMAC keys",
    ),
    "an unknown clock": ('"ms"', '"minutes"', "auth.time must be one of"),
    "an unknown nonce": ('"monotonic"', '"random"', "auth.nonce must be one of"),
    "an unknown unit": ('nonce_unit = "us"', 'nonce_unit = "iso"', "nonce_unit must be one of"),
    "no message": ('message = "{time}{inner}{method}{target}"\n', "", "auth.message is missing"),
    "no secret": ('secret = "secret"\n', "", "auth.secret is missing"),
    "a secret that is no field": ('secret = "secret"', 'secret = "key"', "not one of auth.fields"),
    "an unknown piece": ("{target}", "{url}", "auth.message names {url}, which is not known"),
    "the secret in the message": ("{target}", "{secret}", "the secret signs, and stands nowhere"),
    "the secret put somewhere": ('"{api_key}"', '"{secret}"', "the secret signs"),
    "the signature in the message": ("{target}", "{signature}", "names {signature}"),
    "braces": ("{target}", "{target", "braces stand only around"),
    "a part that comes later": (
        "[auth.part.inner]", '[auth.part.a]\nof = "{inner}"\nas = "hex"\n[auth.part.inner]',
        "part.a.of names {inner}",
    ),
    "a part called as a piece": ("part.inner", "part.body", "has the name of something else"),
    "a part called as a field": ("part.inner", "part.api_key", "has the name of something else"),
    "an unknown digest": ('digest = "sha256"', 'digest = "md5"', "part.inner.digest must be one"),
    "an unknown encoding": ('as = "raw"', 'as = "base32"', "part.inner.as must be one of"),
    "a part of nothing": ('of = "{nonce}{body}"\n', "", "either of or json"),
    "a part of two things": ('as = "raw"', 'as = "raw"\njson = {a = "b"}', "either of or json"),
    "a JSON part with a number": ('as = "raw"', 'as = "raw"\njson = {a = 1}', "table of strings"),
    "a raw part in a header": ('"{api_key}"', '"{api_key}{inner}"', "names {inner}"),
    "the body in a header": ('"{api_key}"', '"{api_key}{body}"', "names {body}"),
    "time that is not there": ('time = "ms"\n', "", "auth.message names {time}"),
    "a field that is not used": (
        '["secret", "api_key"]', '["secret", "api_key", "phrase"]', "phrase is used nowhere",
    ),
    "a field called as a piece": ('"api_key"]', '"api_key", "nonce"]', "name of a piece"),
    "a field twice": ('"api_key"]', '"api_key", "api_key"]', "a name twice"),
    "no signature": ('"v1={signature}"', '"v1"', "auth puts {signature} nowhere"),
    "a put without a place": ('header = "X-Key"\n', "", "exactly one of them must be there"),
    "a put with two places": (
        'header = "X-Key"', 'header = "X-Key"\nquery = "k"', "exactly one of them must be there",
    ),
    "a header twice": ('parameter = "time"', 'header = "x-key"', "fills the header x-key twice"),
    "a parameter twice": ('query = "signature"', 'query = "time"', "the parameter time twice"),
    "a member twice": ('body = "nonce"', 'body = "time"', "fills the member time twice"),
    "a header that is never placed": ('header = "X-Key"', 'header = "Host"', "ever placed in Host"),
    "a header's name": ('header = "X-Key"', 'header = "X Key"', "auth.header is not a header name"),
    "a parameter's name": ('query = "signature"', 'query = "a&b"', "query is not a parameter name"),
    "a line break in a header": ('"{api_key}"', '"{api_key}\\n"', "printable ASCII"),
    "characters outside ASCII": ("{target}", "é{target}", "message holds only printable ASCII"),
    "a bad rule": ('"GET /v1/time"', '"FETCH /v1/time"', "auth.unsigned is refused"),
    "an unknown key": ('time = "ms"', 'time = "ms"\nclock = 1', "auth.clock is not a known key"),
    "an unknown key of a key": ('as = "hex"', 'as = "hex"\nx = 1', "key[1].x is not a known key"),
    "an unknown key of a part": ('as = "raw"', 'as = "raw"\nx = 1', "part.inner.x is not a known"),
    "an unknown key of a put": (
        'header = "X-Key"', 'header = "X-Key"\nx = 1', "auth.put[0].x is not a known key",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("old", "new", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_faults_are_told_by_their_key(old: str, new: str, said: str) -> None:
    """Each fault says which key it is about."""
    assert old in AUTH and faults_of(AUTH) == ""
    assert said in faults_of(AUTH.replace(old, new, 1))


def test_all_faults_come_at_once() -> None:
    """A file's author sees them together."""
    wrong = AUTH.replace('"ms"', '"h"').replace('"sha256"', '"md5"').replace("X-Key", "X Key")
    told = faults_of(wrong)
    assert all(each in told for each in ("auth.time", "part.inner.digest", "auth.caller.token"))


def test_what_is_not_used_is_a_fault() -> None:
    """It was meant to be signed."""
    assert "{time} is used nowhere" in faults_of(AUTH.replace("{time}", "x"))
    assert "{nonce} is used nowhere" in faults_of(PAYLOAD.replace("{nonce}", "x"))
    assert "part.phrase is used nowhere" in faults_of(LINES.replace(",pass={phrase}", ""))
    assert "passphrase is used nowhere" in faults_of(LINES.replace("{passphrase}", "x"))


def test_bounds() -> None:
    """Nothing of a scheme is without end."""
    put = '[[auth.put]]\nheader = "X-{}"\nvalue = "x"\n'
    many = AUTH + "".join(put.format(n) for n in range(20))
    assert "1 to 16 [[auth.put]]" in faults_of(many)
    assert "longer than 1024" in faults_of(AUTH.replace("{target}", "{target}" + "x" * 1024))
    part = '[auth.part.p{}]\nof = "x"\nas = "hex"\n'
    assert "more than 8 parts" in faults_of(AUTH + "".join(part.format(n) for n in range(9)))


def test_toml_of_the_samples_is_what_it_seems() -> None:
    """The samples are replaced as texts: each replacement above must hit its table."""
    auth: Any = tomllib.loads(AUTH)["auth"]
    assert [len(auth[key]) for key in ("key", "put", "part")] == [2, 4, 1]
