"""What an application needs in order to pin the keys of the operator's own server.

Each form pins on top of validation, and never in its place. None of them is perfect: curl compares
the leaf's key alone, Android stops looking on the day of the expiration, iOS takes no IP address.
"""

import base64
import json
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Literal, get_args

from bailee.errors import BadInput
from bailee.model import Pin
from bailee.policy.pin import format_pin

Kind = Literal["curl", "python", "android", "ios"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class OwnPins:
    """What is to be pinned: `host` and `port` of the server, and its pins, the present one first.

    `issuer` says that the present pin is of the CA that issued the leaf. `ca_file` is the CA's file
    where the system's roots do not know it. `expires` is the day on which Android stops looking.
    """

    host: str
    port: int
    pins: tuple[Pin, ...]
    issuer: bool
    ca_file: str | None
    expires: date

    @property
    def location(self) -> str:
        """The server as it stands in a URL."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == 443 else f"{host}:{self.port}"


def check(kind: Kind, *, issuer: bool, is_address: bool) -> None:
    """Check that a client can pin in this way at all.

    Raises:
        BadInput: It can't.
    """
    if kind == "curl" and issuer:
        raise BadInput("curl compares the key of the leaf alone", "leave --issuer out")
    if kind in ("android", "ios") and is_address:
        raise BadInput(f"{kind} pins names, and no IP addresses", "give the server's name")


def snippet(kind: Kind, own: OwnPins) -> str:
    """Write what goes into the application."""
    return _WRITERS[kind](own)


def _curl(own: OwnPins) -> str:
    pins = ";".join("sha256//" + _base64(pin) for pin in own.pins)
    ca = f" --cacert {shlex.quote(own.ca_file)}" if own.ca_file else ""
    return f"curl{ca} --pinnedpubkey '{pins}' https://{own.location}/\n"


def _python(own: OwnPins) -> str:
    listed = "".join(f"    {json.dumps(format_pin(pin))},\n" for pin in own.pins)
    certificates = _PYTHON_CHAIN if own.issuer else _PYTHON_LEAF
    return _PYTHON.format(
        host=json.dumps(own.host),
        port=own.port,
        pins=listed,
        ca_file=None if own.ca_file is None else json.dumps(own.ca_file),
        certificates=certificates,
    )


def _android(own: OwnPins) -> str:
    pins = "".join(f'            <pin digest="SHA-256">{_base64(pin)}</pin>\n' for pin in own.pins)
    anchors = _ANDROID_CA if own.ca_file else ""
    expires = own.expires.isoformat()
    return _ANDROID.format(host=own.host, pins=pins, anchors=anchors, expires=expires)


def _ios(own: OwnPins) -> str:
    pins = "".join(_IOS_PIN.format(pin=_base64(pin)) for pin in own.pins)
    which = "NSPinnedCAIdentities" if own.issuer else "NSPinnedLeafIdentities"
    return _IOS.format(host=own.host, which=which, pins=pins)


def _base64(pin: Pin) -> str:
    return base64.b64encode(pin).decode("ascii")


_WRITERS: dict[Kind, Callable[[OwnPins], str]] = {
    "curl": _curl,
    "python": _python,
    "android": _android,
    "ios": _ios,
}
_PYTHON_LEAF = '''\
def certificates(sock):
    """The certificate that the server has proved to own."""
    return [sock.getpeercert(binary_form=True)]
'''
_PYTHON_CHAIN = '''\
def certificates(sock):
    """The chain that was verified, and not what was merely presented."""
    if hasattr(sock, "get_verified_chain"):  # Python 3.13 and later
        return sock.get_verified_chain()
    return [each.public_bytes(2) for each in sock._sslobj.get_verified_chain()]
'''
_PYTHON = '''\
"""HTTPS to one server, only while its key is one of PINS. Python 3.10 or later, no packages."""

import base64
import hashlib
import http.client
import ssl

HOST, PORT = {host}, {port}
CA_FILE = {ca_file}
PINS = {{
{pins}}}


class PinnedConnection(http.client.HTTPSConnection):
    """A connection that is closed before a byte of a request when no pin fits."""

    def __init__(self, timeout=10.0):
        context = ssl.create_default_context(cafile=CA_FILE)
        super().__init__(HOST, PORT, timeout=timeout, context=context)

    def connect(self):
        super().connect()  # verifies the chain and the name
        if not any(pin(each) in PINS for each in certificates(self.sock)):
            self.close()
            raise ssl.SSLError(f"no pin fits the key of {{HOST}}")


{certificates}

def pin(certificate):
    """SHA-256 of the public key as the certificate (DER) holds it."""
    digest = hashlib.sha256(public_key(certificate)).digest()
    return "sha256/" + base64.b64encode(digest).decode()


def public_key(der):
    """Find SubjectPublicKeyInfo: the seventh part of what is signed, or the sixth."""

    def inside(at):
        start, length = at + 2, der[at + 1]
        if length > 0x7F:
            size = length & 0x7F
            length = int.from_bytes(der[start : start + size], "big")
            start += size
        return start, start + length

    at = inside(inside(0)[0])[0]
    parts = 6 if der[at] == 0xA0 else 5  # version, serial, algorithm, issuer, validity, subject
    for _ in range(parts):
        at = inside(at)[1]
    return der[at : inside(at)[1]]


if __name__ == "__main__":
    connection = PinnedConnection()
    connection.request("GET", "/")
    print(connection.getresponse().status)
'''
_ANDROID = """\
<?xml version="1.0" encoding="utf-8"?>
<!-- res/xml/network_security_config.xml; in the manifest:
     <application android:networkSecurityConfig="@xml/network_security_config"> -->
<network-security-config>
    <domain-config cleartextTrafficPermitted="false">
        <domain includeSubdomains="false">{host}</domain>
{anchors}        <pin-set expiration="{expires}">
{pins}        </pin-set>
    </domain-config>
</network-security-config>
"""
_ANDROID_CA = """\
        <trust-anchors>
            <certificates src="@raw/ca" />
        </trust-anchors>
"""
_IOS = """\
<key>NSAppTransportSecurity</key>
<dict>
    <key>NSPinnedDomains</key>
    <dict>
        <key>{host}</key>
        <dict>
            <key>NSIncludesSubdomains</key>
            <false/>
            <key>{which}</key>
            <array>
{pins}            </array>
        </dict>
    </dict>
</dict>
"""
_IOS_PIN = """\
                <dict>
                    <key>SPKI-SHA256-BASE64</key>
                    <string>{pin}</string>
                </dict>
"""
