"""`signing.credential`: what a user enters fits its provider's scheme, or is refused by field."""

import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as ec_key
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateNumbers, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from bailee.errors import BadInput
from bailee.model import Place, Placement, PlaceScheme
from bailee.signing.credential import parse_credential
from bailee.signing.fields import CREDENTIAL_MAX_BYTES, VALUE_MAX_CHARS
from bailee.signing.place import scheme_of
from signing_samples import LINES, SECRET, ed25519_key, pem, preset, provider_with, rsa_key

HEADER = Placement(Place.HEADER, "Authorization", "Bearer {api_key}")
QUERY = Placement(Place.QUERY, "key", "{api_key}")
PATH = Placement(Place.PATH, "", "/bot{token}")
BASIC = Placement(Place.BASIC, "", "{user}:{password}")


def scheme(*placements: Placement) -> PlaceScheme:
    return scheme_of(placements)


def entered(**fields: object) -> bytes:
    return json.dumps(fields, ensure_ascii=False).encode()


def test_parse_credential_is_canonical() -> None:
    """Order and spaces of what was typed do not reach the sealed bytes."""
    of = scheme(BASIC)
    text = b' { "user" : "u",\n "password":"p" } '
    assert parse_credential(of, text).reveal() == b'{"password":"p","user":"u"}'


REFUSED_ENTRIES = {
    "no JSON": (HEADER, b"sk_live_1"),
    "two objects": (HEADER, b'{"api_key":"x"}{}'),
    "a list": (HEADER, b'["x"]'),
    "a string": (HEADER, b'"x"'),
    "not UTF-8": (HEADER, b'{"api_key":"\xff"}'),
    "UTF-16": (HEADER, '{"api_key":"x"}'.encode("utf-16")),
    "nested too deeply": (HEADER, b'{"api_key":' + b"[" * 20_000 + b"]" * 20_000 + b"}"),
    "missing": (HEADER, b"{}"),
    "surplus": (HEADER, b'{"api_key":"x","api_secret":"y"}'),
    "another name": (HEADER, b'{"key":"x"}'),
    "a name in other case": (HEADER, b'{"API_KEY":"x"}'),
    "twice": (HEADER, b'{"api_key":"x","api_key":"y"}'),
    "a number": (HEADER, b'{"api_key":1}'),
    "null": (HEADER, b'{"api_key":null}'),
    "an object": (HEADER, b'{"api_key":{"api_key":"x"}}'),
    "empty": (HEADER, b'{"api_key":""}'),
    "too long": (HEADER, entered(api_key="x" * (VALUE_MAX_CHARS + 1))),
    "too large": (HEADER, b'{"api_key":"x"}' + b" " * CREDENTIAL_MAX_BYTES),
    "a line break at the end": (HEADER, entered(api_key="x\n")),
    "a header injected": (HEADER, entered(api_key="x\r\nHost: evil")),
    "a tab": (HEADER, entered(api_key="x\ty")),
    "a null byte": (HEADER, entered(api_key="x\0")),
    "DEL": (HEADER, entered(api_key="x\x7f")),
    "C1": (QUERY, entered(api_key="x\x85")),
    "a lone surrogate": (QUERY, b'{"api_key":"\\ud800"}'),
    "not ASCII in a header": (HEADER, entered(api_key="schlüssel")),
    "a space at the end in a header": (HEADER, entered(api_key="x ")),
    "a control character in a query": (QUERY, entered(api_key="x\n")),
    "a control character in basic": (BASIC, entered(user="u", password="p\n")),
    "a colon in the user of basic": (BASIC, entered(user="u:v", password="p")),
    "a slash in a path": (PATH, entered(token="1/../admin")),
    "a backslash in a path": (PATH, entered(token="1\\2")),
    "an escape in a path": (PATH, entered(token="1%2f2")),
    "a query in a path": (PATH, entered(token="1?x=y")),
    "a fragment in a path": (PATH, entered(token="1#x")),
    "a path parameter in a path": (PATH, entered(token="1;x")),
    "dots that are a whole segment": (Placement(Place.PATH, "", "/{token}"), entered(token="..")),
    "one dot that is a whole segment": (
        Placement(Place.PATH, "", "/x/{token}/y"),
        entered(token="."),
    ),
}


@pytest.mark.parametrize("case", REFUSED_ENTRIES.values(), ids=REFUSED_ENTRIES.keys())
def test_parse_credential_refuses(case: tuple[Placement, bytes]) -> None:
    """What does not fit is refused when it is entered."""
    placement, text = case
    with pytest.raises(BadInput):
        parse_credential(scheme(placement), text)


def test_parse_credential_names_all_faults_and_no_value() -> None:
    """All faults come at once, by field; no value and no strange name is repeated."""
    of = scheme(HEADER, BASIC)
    text = entered(api_key="sk-secret\n", user="geheim:1", surplus="s3cr3t", **{"sk_LIVE-9": "x"})
    with pytest.raises(BadInput) as caught:
        parse_credential(of, text)
    said = f"{caught.value.detail} {caught.value.hint}"
    for name in (
        "password is missing",
        "surplus is not",
        "api_key holds",
        "user holds",
        "1 surplus",
    ):
        assert name in said
    for value in ("sk-secret", "geheim", "s3cr3t", "sk_LIVE-9"):
        assert value not in said


def test_parse_credential_does_not_chain_the_parser_error() -> None:
    """The JSON parser's error holds the whole document; it must not hang on ours."""
    with pytest.raises(BadInput) as caught:
        parse_credential(scheme(HEADER), b'{"api_key": "sk-secret"')
    assert caught.value.__context__ is None and caught.value.__cause__ is None


# --- schemes that sign ---------------------------------------------------------------------------

TRADITIONAL = rsa_key().private_bytes(
    Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()
)

TAKEN = {
    "text": ("binance", "any text: it is the key of an HMAC"),
    "an Ed25519 key": ("binance", pem(ed25519_key())),
    "an RSA key": ("binance", pem(rsa_key())),
    "an RSA key in the older form": ("binance", TRADITIONAL.decode()),
    "lines that end as on Windows": ("binance", pem(ed25519_key()).replace("\n", "\r\n")),
    "RSA alone": ("bybit", pem(rsa_key())),
    "base64": ("kraken", SECRET),
}


@pytest.mark.parametrize(("provider", "secret"), TAKEN.values(), ids=TAKEN.keys())
def test_parse_credential_takes_every_form_of_the_provider(provider: str, secret: str) -> None:
    """A provider with several kinds of keys takes each of them, and keeps it as it was entered."""
    kept = parse_credential(preset(provider).auth, entered(api_key="k", secret=secret))
    assert json.loads(kept.reveal()) == {"api_key": "k", "secret": secret}


ENCRYPTED = ed25519_key().private_bytes(
    Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"phrase")
)
PUBLIC = ed25519_key().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
EC = ec_key(SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
SHORT = generate_private_key(65537, 1024).private_bytes(
    Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
)

NUMBERS = rsa_key().private_numbers()
WRONG_FACTORS = (
    RSAPrivateNumbers(
        p=NUMBERS.p, q=NUMBERS.q, d=NUMBERS.d + 2, dmp1=NUMBERS.dmp1, dmq1=NUMBERS.dmq1,
        iqmp=NUMBERS.iqmp, public_numbers=NUMBERS.public_numbers,
    )
    .private_key(unsafe_skip_rsa_key_validation=True)
    .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
)  # fmt: skip

REFUSED_SECRETS = {
    "not base64": ("kraken", "not*base64", "secret is not base64"),
    "base64 for URLs": ("kraken", "a-_=", "secret is not base64"),
    "base64 with a space": ("kraken", SECRET + " ", "secret is not base64"),
    "base64 of nothing": ("kraken", "====", "secret is not base64"),
    "PEM where only base64 is taken": ("kraken", "-----BEGIN PRIVATE KEY-----", "is not base64"),
    "lines in text": ("okx", "line\nline", "holds a control character"),
    "a line break at the end of text": ("binance", "text\n", "holds a control character"),
    "PEM with a null byte": ("binance", pem(ed25519_key()) + "\0", "holds a control character"),
    "PEM cut off": ("binance", pem(ed25519_key())[:60], "secret is not a well-formed PEM"),
    "PEM with its lines lost": (
        "binance", pem(ed25519_key()).replace("\n", "\\n"), "secret is not a well-formed PEM",
    ),
    "PEM of something else": (
        "binance", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        "secret is not a well-formed PEM",
    ),
    "an encrypted key": ("binance", ENCRYPTED.decode(), "secret is encrypted with a passphrase"),
    "a public key": ("binance", PUBLIC.decode(), "secret holds a public key"),
    "a key of another kind": ("binance", EC.decode(), "of a kind that this provider"),
    "Ed25519 where RSA is taken": ("bybit", pem(ed25519_key()), "of a kind that this provider"),
    "an RSA key that does not fit together": (
        "binance", WRONG_FACTORS.decode(), "secret is not a well-formed PEM",
    ),
    "a short RSA key": ("binance", SHORT.decode(), "secret is an RSA key of 1024 bits"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("provider", "secret", "said"), REFUSED_SECRETS.values(), ids=REFUSED_SECRETS.keys()
)
def test_parse_credential_refuses_a_secret_that_can_not_sign(
    provider: str, secret: str, said: str
) -> None:
    """The user is told which field and why, at once; nothing of the secret is repeated."""
    scheme = preset(provider).auth
    fields = dict.fromkeys(scheme.fields, "k") | {"secret": secret}
    with pytest.raises(BadInput) as caught:
        parse_credential(scheme, entered(**fields))
    assert said in caught.value.detail
    assert caught.value.__cause__ is None and caught.value.__context__ is None
    body = [line for line in secret.splitlines() if not line.startswith("-----") and len(line) > 4]
    assert not any(line in str(caught.value) + caught.value.hint for line in body)


def test_parse_credential_checks_what_stands_in_a_signed_header() -> None:
    """Key and passphrase go into headers as they are; the secret does not."""
    okx = preset("okx").auth
    assert parse_credential(okx, entered(api_key="k", passphrase="p", secret="schlüssel"))
    for name in ("api_key", "passphrase"):
        with pytest.raises(BadInput, match=f"{name} holds a character that is not ASCII"):
            fields = {"api_key": "k", "passphrase": "p", "secret": "s"} | {name: "é"}
            parse_credential(okx, entered(**fields))


def test_parse_credential_reads_hex() -> None:
    """A secret in hex has an even number of digits."""
    of = provider_with(LINES).auth
    assert parse_credential(of, entered(api_key="k", passphrase="p", secret="00ff"))
    for wrong in ("00f", "0x00", "zz", "é0"):
        with pytest.raises(BadInput, match="secret is not hex"):
            parse_credential(of, entered(api_key="k", passphrase="p", secret=wrong))
