"""Providers and files that the tests of this folder begin with."""

from base64 import b64encode

CA = (
    "-----BEGIN CERTIFICATE-----\n"
    + "\n".join(b64encode(bytes(range(48))).decode() for _ in range(3))
    + "\n-----END CERTIFICATE-----\n"
)

MINIMAL = """
id = "acme"
[origin.rest]
url = "https://api.acme.test"
[auth]
scheme = "place"
header = "Authorization"
value = "Bearer {api_key}"
"""

FULL = """
id = "acme-exchange"
name = "Acme Exchange"
category = "exchange"
headers = ["Api-*", "x-request-id"]
default_origin = "rest"

[origin.futures]
url = "https://FUTURES.acme.test:8443"
tls_minimum = "1.2"

[origin.rest]
url = "https://api.acme.test"
address = "0::1"
ca_file = "ca.pem"
danger_private_addresses = true

[auth]
scheme = "place"

[[auth.place]]
header = "API-Key"
value = "{api_key}"

[[auth.place]]
query = "sig"
value = "v1-{api_secret}"

[auth.caller]
token = "header API-Key"
dummy_secret = "bm90IGEgc2VjcmV0"

[[deny]]
rule = "POST /withdraw/**"

[[multiplexed]]
rule = "POST /everything"

[[evidence]]
of = "auth"
source = "https://docs.acme.test/auth"
seen = 2026-11-24
level = "documented"
"""


def read_ca(path: str) -> str:
    """One CA file is there; every other path is missing."""
    if path != "ca.pem":
        raise FileNotFoundError(path)
    return "# our CA\n" + CA + "\n"
