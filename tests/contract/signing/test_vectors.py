"""The five presets make the very bytes that others made, and that the providers published."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from bailee.signing.credential import parse_credential
from bailee.signing.request import Unsigned
from bailee.signing.sign import signer_of
from signing_samples import PRESETS, preset

FILE = Path(__file__).parents[2] / "data" / "signing_vectors.json"
VECTORS = json.loads(FILE.read_text("utf-8"))["vectors"]


def name_of(vector: dict[str, Any]) -> str:
    return f"{vector['provider']}, {vector['generated_by']}"


@pytest.mark.parametrize("vector", VECTORS, ids=name_of)
@pytest.mark.parametrize("stale", [False, True], ids=["from an SDK", "signed by an SDK before"])
def test_signed_request_is_the_published_one(vector: dict[str, Any], stale: bool) -> None:
    """Path, query, body and headers are the expected ones, whether or not an SDK had signed with
    a stand-in of its own."""
    expected = vector["expected"]
    scheme = preset(vector["provider"]).auth
    signer = signer_of(scheme)
    query, body = expected["query"].encode(), (expected["body"] or "").encode()
    if stale:
        moment = str(vector["time_ms"]).encode()
        query, body = (each.replace(moment, b"1").replace(b"signature=", b"signature=00")
                       for each in (query, body))  # fmt: skip
    url = urlsplit(expected["url"])
    headers = {name.lower(): value for name, value in expected["headers"].items()}
    content_type = headers.get("content-type", "").encode()
    signed = signer.sign(
        Unsigned(vector["method"], url.path.encode(), query, body, content_type),
        parse_credential(scheme, json.dumps(vector["credential"]).encode()),
        vector["time_ms"] / 1000,
        vector["nonce"],
    )
    assert signed.path.decode() == url.path
    assert signed.query.decode() == expected["query"]
    assert signed.body.decode() == (expected["body"] or "")
    assert signed.content_type is None
    lines = [line.split(": ", 1) for line in signed.headers.decode().split("\r\n")[:-1]]
    assert {name.lower(): value for name, value in lines} == {
        name: value for name, value in headers.items() if name in signer.headers
    }


def test_every_preset_has_a_vector() -> None:
    """None of the five goes unproved."""
    assert {vector["provider"] for vector in VECTORS} == set(PRESETS)
