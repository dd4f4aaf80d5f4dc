"""Schemes and credentials that the tests of signing begin with."""

import json
from functools import lru_cache
from importlib.resources import files

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from bailee.model import AuthScheme, Provider
from bailee.providers.load import parse_provider
from bailee.secret import Secret
from bailee.signing.credential import parse_credential

NOW = 1_700_000_000.123
SECRET = "ZHVtbXktc2VjcmV0LWJ5dGVzLTAxMjM0NTY3ODlhYmNkZWYtbm90LXJlYWwtY3JlZGVudGlhbC02NC1ieXRlcw=="
PRESETS = ("binance", "kraken", "bybit", "okx", "coinbase-exchange")
FORM = b"application/x-www-form-urlencoded"
JSON = b"application/json"

# The payload is a JSON object in base64, in a header of its own.
PAYLOAD = """
[auth]
scheme = "template"
nonce = "monotonic"
secret = "secret"
message = "{payload}"
algorithm = "hmac-sha384"
secret_as = "text"
signature_as = "hex"

[auth.part.payload]
json = { request = "{path}", nonce = "{nonce}" }
as = "base64"

[[auth.put]]
header = "X-Key"
value = "{api_key}"
[[auth.put]]
header = "X-Payload"
value = "{payload}"
[[auth.put]]
header = "X-Signature"
value = "{signature}"
"""

# Canonical lines, a digest of the body, a UUID, a signed passphrase, all in one header.
LINES = """
[auth]
scheme = "template"
fields = ["api_key", "passphrase", "secret"]
time = "us"
nonce = "uuid"
secret = "secret"
message = "{time}\\n{nonce}\\n{method}\\n{path}\\n{raw_query}\\n{digest}\\n"
algorithm = "hmac-sha512"
secret_as = "hex"
signature_as = "base64"

[auth.part.digest]
of = "{body}"
digest = "sha512"
as = "hex"

[auth.part.phrase]
of = "{passphrase}"
digest = "sign"
as = "base64"

[[auth.put]]
header = "Authorization"
value = "lines id={api_key},pass={phrase},ts={time},sig={signature},nonce={nonce}"
"""

# The signature stands in the JSON body that it signs, and the key in the query.
IN_BODY = """
[auth]
scheme = "template"
time = "s"
secret = "secret"
message = "{target}|{body}"
algorithm = "hmac-sha256"
secret_as = "text"
signature_as = "hex"

[[auth.put]]
query = "key"
value = "{api_key}"
[[auth.put]]
body = "at"
value = "{time}"
[[auth.put]]
body = "sig"
value = "{signature}"
"""

PLACE_HEADER = """
[auth]
scheme = "place"
header = "Authorization"
value = "Bearer {api_key}"
"""

PLACE_QUERY = """
[auth]
scheme = "place"
[[auth.place]]
query = "key"
value = "{api_key}"
[[auth.place]]
path = "/v{secret}"
"""


def provider_with(auth: str) -> Provider:
    """A provider with some `[auth]` tables."""
    head = 'id = "acme"\n[origin.rest]\nurl = "https://api.acme.test"\n'
    return parse_provider(head + auth, read_ca=str)


@lru_cache
def preset(name: str) -> Provider:
    """A provider of the catalogue."""
    file = files("bailee.providers") / "catalogue" / f"{name}.toml"
    return parse_provider(file.read_text("utf-8"), read_ca=str)


def credential_for(scheme: AuthScheme, **fields: str) -> Secret:
    """A dummy credential; what is not given is made up, the secret one that fits."""
    given = {name: f"dummy-{name}-0001" for name in scheme.fields}
    if "secret" in given:
        given["secret"] = SECRET
    return parse_credential(scheme, json.dumps(given | fields).encode())


@lru_cache
def ed25519_key() -> Ed25519PrivateKey:
    """The same key in a whole run."""
    return Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


@lru_cache
def rsa_key() -> RSAPrivateKey:
    """The same key in a whole run."""
    return generate_private_key(65537, 2048)


def pem(key: Ed25519PrivateKey | RSAPrivateKey) -> str:
    """A private key as users enter it."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
