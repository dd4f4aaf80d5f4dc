"""Plain clients: what a thief, a user or an application would use. They know nothing of pins."""

import http.client
import json
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bailee.demo.telling import NotTold

SECONDS = 15.0
ANSWER_LIMIT = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON; an empty object when it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return {}

    @property
    def error(self) -> str:
        """Bailee's own error code, or an empty text."""
        return self.headers.get("bailee-error", "")


@dataclass(frozen=True, slots=True)
class HttpsPlace:
    """A server that is dialled at an address and has to have a certificate for a name."""

    address: str
    port: int
    name: str
    roots: Path

    def connect(self, source: str) -> http.client.HTTPConnection:
        """A connection from a local address, its chain and name verified; the caller closes it."""
        trust = ssl.create_default_context(cafile=str(self.roots))
        trust.set_alpn_protocols(["http/1.1"])
        plain = socket.create_connection((self.address, self.port), SECONDS, (source, 0))
        connection = http.client.HTTPConnection(self.name, self.port, timeout=SECONDS)
        try:
            connection.sock = trust.wrap_socket(plain, server_hostname=self.name)
        except BaseException:
            plain.close()
            raise
        return connection


def ask_https(
    place: HttpsPlace,
    source: str,
    method: str,
    path: str,
    bearer: str = "",
    value: object = None,
) -> Answer:
    """Send one request over TLS from a local address.

    Raises:
        NotTold: No whole answer came.
    """
    try:
        return _ask(place.connect(source), method, path, bearer, value)
    except (OSError, http.client.HTTPException) as error:
        raise NotTold(f"{place.name} did not answer {method} {path}: {_reason(error)}") from None


def ask_http(port: int, method: str, path: str, bearer: str = "", value: object = None) -> Answer:
    """Send one request to a server on 127.0.0.1.

    Raises:
        NotTold: No whole answer came.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    try:
        return _ask(connection, method, path, bearer, value)
    except (OSError, http.client.HTTPException) as error:
        raise NotTold(f"port {port} did not answer {method}: {_reason(error)}") from None


def _ask(
    connection: http.client.HTTPConnection, method: str, path: str, bearer: str, value: object
) -> Answer:
    headers = {"Connection": "close"}
    if bearer:
        headers["Authorization"] = f"Bearer {bearer}"
    body = None
    if value is not None:
        headers["Content-Type"] = "application/json"
        body = json.dumps(value)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        names = {name.lower(): text for name, text in answer.getheaders()}
        return Answer(answer.status, names, answer.read(ANSWER_LIMIT))
    finally:
        connection.close()


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or type(error).__name__
