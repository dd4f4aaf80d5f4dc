"""The pins of a server of the operator's own, for the applications that talk to it.

A look at its chain is a handshake that is left before Finished is sent: nothing secret is spoken,
so that private addresses are looked at as well.
"""

import asyncio
import ipaddress
import os
import re
import socket
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.hashes import SHA256, Hash
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from bailee.egress.chain import VerifiedChain
from bailee.egress.dial import Door, observe_chain
from bailee.egress.pin import compute_pin
from bailee.egress.resolve import Resolver, ask_system, family_of
from bailee.errors import BadInput, BaileeError, Conflict, NameUnresolved, ProviderUnreachable
from bailee.model import Origin, Pin

HTTPS_PORT = 443
_ADDRESSES_TRIED = 4
_PLACE = re.compile(r"(?:\[([0-9a-fA-F:.]+)\]|([a-zA-Z0-9.-]{1,253}))(?::([1-9][0-9]{0,4}))?")
_FILE_BYTES = 4 * 1024 * 1024
"""A bundle of all public CAs is a quarter of a megabyte."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server to look at.

    `host` is a DNS name in lower case or an IP literal; `address` is dialled instead of asking DNS;
    `ca_pem` takes the place of the system's roots.
    """

    host: str
    port: int = HTTPS_PORT
    address: str | None = None
    ca_pem: str | None = None

    @property
    def is_address(self) -> bool:
        """Whether the host is an IP literal."""
        return _is_address(self.host)


@dataclass(frozen=True, slots=True)
class SeenPins:
    """The pins of a verified chain: of the leaf, of what issued it, of all."""

    leaf: Pin
    issuer: Pin | None
    """Of the nearest issuer; None for a chain of one."""
    all: tuple[Pin, ...]


def parse_server(text: str, address: str | None, ca_file: Path | None) -> Server:
    """Read `HOST`, `HOST:PORT` or `[ADDRESS]:PORT`, and the CA's file.

    Raises:
        BadInput: One is not of that form, or the file can't be read.
    """
    found = None if _is_address(text) else _PLACE.fullmatch(text)
    literal, name, digits = found.groups() if found else (text, None, None)
    port = int(digits or HTTPS_PORT)
    if not (name and name.strip(".-")) and not _is_address(literal or "") or port > 65535:
        raise BadInput(
            "this is not the name of a server",
            "it looks like app.example.com or app.example.com:8443",
        )
    if address is not None and not _is_address(address):
        raise BadInput("--address is not an IP address")
    host = name.lower() if name else literal
    return Server(host, port, address, None if ca_file is None else _read_text(ca_file))


def observe(server: Server) -> SeenPins:
    """Look at a server's chain, which both verifiers must accept, from whatever address we have.

    It takes at most 5 seconds for each of at most four addresses.

    Raises:
        NameUnresolved, AddressRefused, ProviderUnreachable: It was not reached.
        CertificateRefused: A verifier refused its chain.
        ConfigInvalid: The CA file holds no certificate.
    """
    chain = asyncio.run(_observe(server))
    pins = tuple(compute_pin(certificate) for certificate in chain.certificates)
    return SeenPins(pins[0], pins[1] if len(pins) > 1 else None, pins)


def pin_of_file(path: Path) -> Pin:
    """Compute the pin of a key in PEM: a public key, a private one, a CSR or a certificate.

    Raises:
        BadInput: The file can't be read, or holds none of them.
    """
    pem = _read_text(path).encode("utf-8")
    with suppress(ValueError, TypeError, UnsupportedAlgorithm):
        return _pin_of_key(_public_key(pem))
    raise BadInput(
        f"{path} holds no key that can be read",
        "it must be PEM: a public key, a request (CSR), a certificate, or a private key without "
        "a passphrase",
    )


def new_backup_key(path: Path) -> Pin:
    """Make an EC P-256 key for the day on which the present one is replaced.

    Args:
        path: A new file of mode 0600, PKCS #8 in PEM.

    Returns:
        Its pin.

    Raises:
        Conflict: The file is there already.
        BadInput: It can't be written.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with open(os.open(path, flags, 0o600), "wb") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        raise Conflict(f"{path} is there already, and was left as it is") from None
    except OSError as error:
        raise BadInput(f"{path} can't be written: {(error.strerror or '?').lower()}") from None
    return _pin_of_key(key.public_key())


async def _observe(server: Server) -> VerifiedChain:
    resolver = Resolver()
    failure: BaileeError | None = None
    try:
        for address in _addresses(server):
            source = _source_towards(address, server.port)
            if source is None:
                continue
            origin = Origin(
                name="own",
                host=server.host,
                port=server.port,
                address=address,
                ca_pem=server.ca_pem,
                danger_private_addresses=True,
                tls_minimum="1.2",
            )
            try:
                return await observe_chain(Door(origin, source), resolver)
            except ProviderUnreachable as error:
                failure = error
    finally:
        resolver.close()
    raise failure or ProviderUnreachable(f"this machine has no way to {server.host}")


def _addresses(server: Server) -> Sequence[str]:
    if server.address is not None or server.is_address:
        return (server.address or server.host,)
    try:
        return ask_system(server.host, socket.AF_UNSPEC)[:_ADDRESSES_TRIED]
    except (OSError, UnicodeError):
        raise NameUnresolved(f"{server.host} has no address") from None


def _source_towards(address: str, port: int) -> str | None:
    """Which address of this machine the system would choose; nothing is sent."""
    with socket.socket(family_of(address), socket.SOCK_DGRAM) as trial:
        try:
            trial.connect((address, port))
        except OSError:
            return None
        return str(trial.getsockname()[0])


def _public_key(pem: bytes) -> PublicKeyTypes:
    if b"-----BEGIN PUBLIC KEY-----" in pem:
        return load_pem_public_key(pem)
    if b"CERTIFICATE REQUEST-----" in pem:
        return x509.load_pem_x509_csr(pem).public_key()
    if b"-----BEGIN CERTIFICATE-----" in pem:
        return x509.load_pem_x509_certificate(pem).public_key()
    return load_pem_private_key(pem, None).public_key()


def _pin_of_key(key: PublicKeyTypes) -> Pin:
    digest = Hash(SHA256())
    digest.update(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    return Pin(digest.finalize())


def _read_text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_FILE_BYTES).decode("utf-8")
    except OSError as error:
        raise BadInput(f"{path} can't be read: {(error.strerror or '?').lower()}") from None
    except UnicodeDecodeError:
        raise BadInput(f"{path} is not PEM") from None


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
