"""Snippets are well-formed, hold every pin once, and refuse what a client can't do.

That curl and Python really stop at another key is seen in `tests/integration/operate`.
"""

import ast
import base64
import plistlib
import re
import shlex
from dataclasses import replace
from datetime import date
from xml.etree import ElementTree

import pytest

from bailee.errors import BadInput
from bailee.model import Pin
from bailee.operate.pin_snippets import KINDS, Kind, OwnPins, check, snippet
from bailee.policy.pin import format_pin

PINS = (Pin(bytes(range(32))), Pin(bytes([251]) * 32))
BASE64 = [base64.b64encode(pin).decode() for pin in PINS]
OWN = OwnPins("app.example.com", 443, PINS, False, None, date(2030, 1, 31))


def test_curl() -> None:
    """One shell line, pins joined by semicolons, and no switch that turns validation off."""
    words = shlex.split(snippet("curl", OWN))
    assert words == [
        "curl",
        "--pinnedpubkey",
        f"sha256//{BASE64[0]};sha256//{BASE64[1]}",
        "https://app.example.com/",
    ]


def test_curl_with_a_ca_of_ones_own() -> None:
    """The file's name is quoted, the port is named."""
    own = replace(OWN, port=8443, ca_file="my ca;rm.pem")
    words = shlex.split(snippet("curl", own))
    assert words[1:3] == ["--cacert", "my ca;rm.pem"]
    assert words[-1] == "https://app.example.com:8443/"


def test_curl_with_an_address() -> None:
    """An IPv6 literal has its brackets in a URL."""
    assert snippet("curl", replace(OWN, host="::1")).endswith(" https://[::1]/\n")


@pytest.mark.parametrize("issuer", [False, True])
@pytest.mark.parametrize("ca_file", [None, 'a "quoted" \\ file'])
def test_python_holds_what_was_given(issuer: bool, ca_file: str | None) -> None:
    """It is Python, and its constants are the pins, the server and the CA's file."""
    text = snippet("python", replace(OWN, issuer=issuer, ca_file=ca_file))
    found = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in ast.parse(text).body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    assert found == {"CA_FILE": ca_file, "PINS": {format_pin(pin) for pin in PINS}}
    assert 'HOST, PORT = "app.example.com", 443' in text
    assert ("get_verified_chain" in text) is issuer
    assert "CERT_NONE" not in text


def test_android() -> None:
    """Two pins, an end, no plain text, and the platform's own CAs."""
    root = ElementTree.fromstring(snippet("android", OWN).encode())
    (domain_config,) = root.findall("domain-config")
    assert domain_config.attrib == {"cleartextTrafficPermitted": "false"}
    assert domain_config.findtext("domain") == "app.example.com"
    pin_set = domain_config.find("pin-set")
    assert pin_set is not None
    assert pin_set.attrib == {"expiration": "2030-01-31"}
    assert [(pin.get("digest"), pin.text) for pin in pin_set] == [("SHA-256", b) for b in BASE64]
    assert domain_config.find("trust-anchors") is None


def test_android_with_a_ca_of_ones_own() -> None:
    """The CA comes from the app's resources."""
    root = ElementTree.fromstring(snippet("android", replace(OWN, ca_file="ca.pem")).encode())
    (anchor,) = root.iter("certificates")
    assert anchor.get("src") == "@raw/ca"


@pytest.mark.parametrize(
    ("issuer", "which"), [(False, "NSPinnedLeafIdentities"), (True, "NSPinnedCAIdentities")]
)
def test_ios(issuer: bool, which: str) -> None:
    """A part of Info.plist with one list: given both lists, iOS would want a match in each."""
    text = snippet("ios", replace(OWN, issuer=issuer))
    head = '<?xml version="1.0"?><plist version="1.0"><dict>'
    read = plistlib.loads(f"{head}{text}</dict></plist>".encode())
    assert read["NSAppTransportSecurity"]["NSPinnedDomains"]["app.example.com"] == {
        "NSIncludesSubdomains": False,
        which: [{"SPKI-SHA256-BASE64": each} for each in BASE64],
    }


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_holds_every_pin_once(kind: Kind) -> None:
    """No pin is lost, and none is written twice."""
    text = snippet(kind, OWN)
    for each in BASE64:
        assert len(re.findall(re.escape(each), text)) == 1


@pytest.mark.parametrize(
    ("kind", "issuer", "is_address", "refused"),
    [
        ("curl", False, True, False),
        ("curl", True, False, True),
        ("python", True, True, False),
        ("android", True, False, False),
        ("android", False, True, True),
        ("ios", True, False, False),
        ("ios", False, True, True),
    ],
)
def test_what_a_client_can_not_do(
    kind: Kind, issuer: bool, is_address: bool, refused: bool
) -> None:
    """curl looks at the leaf alone, phones pin names alone: it is told before the server is."""
    if not refused:
        check(kind, issuer=issuer, is_address=is_address)
        return
    with pytest.raises(BadInput):
        check(kind, issuer=issuer, is_address=is_address)
