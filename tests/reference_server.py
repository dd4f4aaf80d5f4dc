"""A real reference API with real TLS on loopback: in a process of its own, or in a thread."""

import http.client
import json
import os
import socket
import ssl
import subprocess
import sys
import threading
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn

import bailee
from bailee.reference.app import ReferenceApi
from bailee.reference.pki import World, WorldFiles
from bailee.reference.socket import SocketDoor

PROXY = "127.0.0.9"
SERVE = """
import sys
from pathlib import Path
from bailee.reference.server import serve
host, port, certificate, key, *proxies = sys.argv[1:]
serve(
    (host, int(port)),
    Path(certificate),
    Path(key),
    trusted_proxies=proxies,
    announce=lambda url: print(url, flush=True),
)
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class ApiPlace:
    """Where a reference API runs."""

    host: str
    port: int
    files: WorldFiles

    def connect(self, source: str) -> http.client.HTTPSConnection:
        """A verified connection from a local address; whoever calls closes it."""
        trust = ssl.create_default_context(cafile=str(self.files.ca))
        trust.verify_flags |= ssl.VERIFY_X509_STRICT
        return http.client.HTTPSConnection(
            self.host, self.port, source_address=(source, 0), context=trust, timeout=30
        )

    def ask(
        self,
        method: str,
        path: str,
        secret: str | None = None,
        value: object = None,
        *,
        source: str = "127.0.0.2",
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Send one request on a connection of its own."""
        connection = self.connect(source)
        sent = dict(headers or {})
        if secret is not None:
            sent["Authorization"] = f"Bearer {secret}"
        try:
            connection.request(method, path, None if value is None else json.dumps(value), sent)
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.headers), answer.read())
        finally:
            connection.close()

    def make_key(self, allow: list[str] | None) -> str:
        """Make a user and a bearer key with all permissions."""
        return str(self.make_any_key(allow)["api_key"])

    def make_any_key(self, allow: list[str] | None, **asked: object) -> dict[str, Any]:
        """Make a user and a key with all permissions, from an address that is on no allowlist.

        Returns:
            What the console answers.
        """
        console = "::1" if ":" in self.host else "127.0.0.77"
        session = self.ask("POST", "/users", value={"name": "ann"}, source=console).json["session"]
        asked = {
            "label": "k",
            "allow": allow,
            "permissions": ["read", "trade", "withdraw"],
            **asked,
        }
        made = self.ask("POST", "/keys", session, asked, source=console)
        assert made.status == 201
        return dict(made.json)


@dataclass(frozen=True, slots=True)
class Api(ApiPlace):
    """A running reference API in a process of its own."""

    process: subprocess.Popen[str]


def environment() -> dict[str, str]:
    """This process's environment, with the very package that is under test."""
    return {**os.environ, "PYTHONPATH": str(Path(bailee.__file__).parents[1])}


@contextmanager
def start_api(
    directory: Path, host: str = "127.0.0.1", proxies: tuple[str, ...] = ()
) -> Iterator[Api]:
    """Start a reference API and stop it with SIGTERM; it must leave with 0 and log nothing."""
    files = World.create(["api.test", "127.0.0.1", "::1"]).write(directory)
    errors = directory / "stderr"
    server = [str(files.certificate), str(files.key), *proxies]
    command = [sys.executable, "-c", SERVE, host, "0", *server]
    with (
        errors.open("w") as stderr,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=stderr, text=True, env=environment()
        ) as process,
    ):
        try:
            assert process.stdout is not None
            url = urllib.parse.urlsplit(process.stdout.readline().strip())
            assert url.hostname is not None
            assert url.port is not None
            yield Api(url.hostname, url.port, files, process)
            process.terminate()
            assert process.wait(10) == 0
        finally:
            process.kill()
    assert errors.read_text() == ""


@contextmanager
def serve_here(api: ReferenceApi, files: WorldFiles) -> Iterator[ApiPlace]:
    """Serve a reference API in a thread of this process, on 127.0.0.1."""
    config = uvicorn.Config(
        api,
        ws=SocketDoor,
        lifespan="off",
        log_level="error",
        access_log=False,
        proxy_headers=False,
        ssl_certfile=files.certificate,
        ssl_keyfile=files.key,
    )
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        # What arrives before the server accepts waits in the socket's queue.
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield ApiPlace("127.0.0.1", listener.getsockname()[1], files)
        finally:
            server.should_exit = True
            thread.join(10)
    assert not thread.is_alive()
