"""The reference API as a provider: the file that `bailee provider add` reads.

It names every refusal that the API has, so that a check of allowlists can tell them apart, and a
request for each part of that check: `GET /v1/key`, which needs no permission, and `GET /v1/time`,
which needs no key.
"""

import json
from collections.abc import Iterable
from hashlib import sha256
from typing import Literal

from bailee.reference.accounts import KeyKind
from bailee.reference.quirks import Quirk

_HEAD = """\
id = {id}
name = "Reference API"
category = "reference"

[origin.rest]
url = {url}
"""
_SOCKET = """
[websocket]
origin = "rest"
login = "handshake"
"""
_SOCKET_LOGIN = """
[websocket]
origin = "rest"
login = "frame"

[websocket.frame]
when = { op = "login" }
keep = ["id"]
"""
_BEARER_LOGIN = """message = { op = "login", args = ["{api_key}"] }
"""
_HMAC_LOGIN = """time = "ms"
sign = "{time}\\nLOGIN\\n\\n\\n<nothing>"
message = { op = "login", args = ["{api_key}", "{time}", "{signature}"] }
""".replace("<nothing>", sha256(b"").hexdigest())
_BEARER = """
[auth]
scheme = "place"
header = "Authorization"
value = "Bearer {api_key}"
"""
_HMAC = """
[auth]
scheme = "template"
secret = "api_secret"
time = "ms"
<nonce>message = "{time}\\n<line>{method}\\n{path}\\n{query}\\n{digest}"
algorithm = "hmac-sha256"
secret_as = "text"
signature_as = "hex"

[auth.part.digest]
of = "{body}"
digest = "sha256"
as = "hex"

[[auth.put]]
header = "Reference-Key"
value = "{api_key}"

[[auth.put]]
header = "Reference-Timestamp"
value = "{time}"
<header>
[[auth.put]]
header = "Reference-Signature"
value = "{signature}"

[auth.caller]
token = "header Reference-Key"
dummy_secret = "unused"
"""
_NONCE_HEADER = """
[[auth.put]]
header = "Reference-Nonce"
value = "{nonce}"
"""
_MEANING = """
[allowlisting]
scope = "key"
family = ["ipv4", "ipv6"]
where = "PUT /keys/ID/allowlist"
max = 100
cidr = true

[probe]
request = "GET /v1/key"
success = { present = "id" }
public = "GET /v1/time"
public_success = { present = "time" }
decoy = "ok"

[report]
request = "GET /v1/key"
success = { present = "id" }
addresses = "addresses"
restricted = "restricted"
unrestricted_values = "*"

[report.power]
read = { powers = "read" }
trade = { powers = "trade" }
withdraw = { powers = "withdraw" }

[[refusal]]
means = "address"
equals = { error.code = "address_not_allowed" }

[[refusal]]
means = "<wrong key>"
equals = { error.code = "invalid_key" }

[[refusal]]
means = "credential"
equals = { error.code = ["invalid_signature", "invalid_timestamp"] }

[[refusal]]
means = "permission"
equals = { error.code = "permission_denied" }

[[deny]]
rule = "POST /v1/withdrawals"
"""


def provider_file(
    url: str,
    *,
    id: str = "reference",
    kind: KeyKind = KeyKind.BEARER,
    nonce: bool = False,
    address: str | None = None,
    ca_file: str | None = None,
    private: bool = False,
    socket_login: Literal["handshake", "frame"] = "handshake",
    quirks: Iterable[Quirk] = (),
) -> str:
    """Write the provider's file of a reference API.

    Args:
        url: `https://NAME:PORT`, with a name of its certificate.
        id: What commands call it.
        kind: Which kind of key users bring. A credential is `{"api_key"}`, or `{"api_key",
            "api_secret"}` of an HMAC key.
        nonce: Whether these keys want a nonce.
        address: Dialled instead of asking DNS.
        ca_file: PEM file of its root, where that is not one of the system's.
        private: Whether its address is a private one, loopback included.
        socket_login: Where the key goes when a WebSocket is opened.
        quirks: Those that the file shall know of: whoever writes a provider's file knows that
            `uniform-401` says the same to a wrong key and a foreign address.

    Returns:
        TOML.
    """
    origin = _HEAD.format(id=json.dumps(id), url=json.dumps(url))
    if address is not None:
        origin += f"address = {json.dumps(address)}\n"
    if ca_file is not None:
        origin += f"ca_file = {json.dumps(ca_file)}\n"
    if private:
        origin += "danger_private_addresses = true\n"
    wrong_key = "credential-or-address" if Quirk.UNIFORM_401 in quirks else "credential"
    socket = _SOCKET
    if socket_login == "frame":
        socket = _SOCKET_LOGIN + (_BEARER_LOGIN if kind is KeyKind.BEARER else _HMAC_LOGIN)
    return origin + _auth(kind, nonce) + socket + _MEANING.replace("<wrong key>", wrong_key)


def _auth(kind: KeyKind, nonce: bool) -> str:
    if kind is KeyKind.BEARER:
        return _BEARER
    return (
        _HMAC.replace("<nonce>", 'nonce = "monotonic"\nnonce_unit = "ms"\n' if nonce else "")
        .replace("<line>", "{nonce}\\n" if nonce else "")
        .replace("<header>", _NONCE_HEADER if nonce else "")
    )
