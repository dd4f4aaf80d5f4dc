"""HTTP for the command line: no proxies, no redirects, no cookies, bounded answers."""

import http.client
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from bailee.cli.trust import OtherKey, Trust, presented, secure_connection
from bailee.errors import BadInput

SECONDS = 15.0
ANSWER_LIMIT = 64 * 1024 * 1024


class Unreachable(Exception):
    """No answer came; the text says why."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a server listens, and over https how it is judged."""

    scheme: str
    host: str
    port: int
    prefix: str = ""
    trust: Trust = field(default_factory=Trust)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.prefix}"


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer. Header names are as they were sent."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str | None:
        """Find a header, without regard to case."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


def parse_place(url: str, variable: str) -> Place:
    """Read an http or https URL; `variable` says in the error where it stands.

    Raises:
        BadInput: It is not one, or has a user, a query or a fragment.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or parts.scheme not in ("http", "https") or set(url) & set("@?# \\"):
        raise BadInput(
            f"{variable} is not an http or https URL", "it looks like http://127.0.0.1:8702"
        )
    default = 443 if parts.scheme == "https" else 80
    return Place(parts.scheme, host, port or default, parts.path.rstrip("/"))


def ask(
    place: Place,
    method: str,
    target: str,
    headers: Mapping[str, str],
    body: bytes | None = None,
    seconds: float = SECONDS,
) -> Answer:
    """Send one request on a connection of its own and read the answer.

    Args:
        place: Where to.
        method: As it is to be sent.
        target: Path and query, already encoded.
        headers: `Host`, `Content-Length` and `Connection` are added.
        body: None for a request without one.
        seconds: For each wait on the socket.

    Raises:
        Unreachable: It can't be connected to, or the answer did not come whole.
        BadInput: The target or a header holds what can't be sent.
    """
    connection = _connection(place, seconds)
    with _told(connection, seconds):
        connection.request(method, place.prefix + target, body, {**headers, "Connection": "close"})
        answer = connection.getresponse()
        content = answer.read(ANSWER_LIMIT + 1)
        if len(content) > ANSWER_LIMIT:
            raise Unreachable(f"the answer is longer than {ANSWER_LIMIT} bytes")
        if answer.length:  # http.client does not miss what a limited read did not get
            raise Unreachable("the answer was cut short")
        return Answer(answer.status, tuple(answer.getheaders()), content)


def shown_certificate(place: Place, seconds: float = SECONDS) -> bytes:
    """Shake hands with an https server, send nothing, and return its own certificate, DER.

    Raises:
        Unreachable: It can't be connected to, or is not the one that it must be.
    """
    connection = _connection(place, seconds)
    assert isinstance(connection, http.client.HTTPSConnection)
    with _told(connection, seconds):
        connection.connect()
        return presented(connection)


@contextmanager
def _told(connection: http.client.HTTPConnection, seconds: float) -> Iterator[None]:
    """Close a connection at the end, and tell what went wrong as `ask` says."""
    try:
        yield
    except TimeoutError:
        raise Unreachable(f"no answer within {seconds:g} seconds") from None
    except OtherKey:
        raise Unreachable(
            "it has another key than the certificate of the configuration: reload it if that is "
            "new, else something else listens there"
        ) from None
    except ssl.SSLError as error:
        raise Unreachable(_tls_reason(error)) from None
    except OSError as error:
        raise Unreachable((error.strerror or str(error)).lower()) from None
    except http.client.InvalidURL:
        raise BadInput("the path holds characters that must be percent-encoded") from None
    except ValueError:
        raise BadInput("a header holds characters that can't be sent") from None
    except http.client.HTTPException as error:
        raise Unreachable(f"the answer is not HTTP ({type(error).__name__})") from None
    finally:
        connection.close()


def _tls_reason(error: ssl.SSLError) -> str:
    reason = (error.reason or "no reason given").lower()
    if "certificate_required" in reason:
        return "it wants a certificate: set BAILEE_CALLS_CERTIFICATE and BAILEE_CALLS_KEY"
    verified = getattr(error, "verify_message", "")
    return f"TLS failed: {reason.replace('_', ' ')}{f' ({verified})' if verified else ''}"


def _connection(place: Place, seconds: float) -> http.client.HTTPConnection:
    if place.scheme == "https":
        return secure_connection(place.host, place.port, place.trust, seconds)
    return http.client.HTTPConnection(place.host, place.port, timeout=seconds)
