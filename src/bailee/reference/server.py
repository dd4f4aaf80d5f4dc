"""Serve the reference API over TLS 1.3."""

import signal
import socket
import ssl
from collections.abc import Callable, Iterable
from pathlib import Path
from types import FrameType

import uvicorn

from bailee.errors import StartRefused
from bailee.policy.allowlist import parse_address
from bailee.reference.app import ReferenceApi
from bailee.reference.quirks import parse_quirks
from bailee.reference.socket import SocketDoor

BACKLOG = 2048
KEEP_ALIVE_SECONDS = 75
DRAIN_SECONDS = 5


def serve(
    listen: tuple[str, int],
    certificate: Path,
    key: Path,
    *,
    trusted_proxies: Iterable[str] = (),
    quirks: Iterable[str] = (),
    known: Iterable[str] = (),
    announce: Callable[[str], None],
) -> None:
    """Serve until SIGTERM or SIGINT, give running answers 5 seconds, and leave with status 0.

    To be called once, in the main thread of a process of its own.

    Requests are not logged: their heads hold keys.

    Args:
        listen: Address and port; port 0 takes a free one.
        certificate: The server's certificate and its issuers, PEM.
        key: The certificate's private key, PEM.
        trusted_proxies: Exact addresses of front proxies; see `allowlist_middleware`.
        quirks: Names of ways in which it refuses; see `quirks`.
        known: Addresses and networks that are no strangers to it, beside those on any key's list.
        announce: Called with `https://ADDRESS:PORT` once connections are accepted.

    Raises:
        BadInput: There is no such quirk, or an address is none.
        StartRefused: The address can't be listened on, or certificate and key don't fit.
    """
    app = ReferenceApi(trusted_proxies=trusted_proxies, quirks=parse_quirks(quirks), known=known)
    config = uvicorn.Config(
        app,
        http="httptools",
        ws=SocketDoor,
        lifespan="off",
        log_level="error",
        access_log=False,
        server_header=False,
        # Not even a peer on 127.0.0.1 may say that it is another.
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=DRAIN_SECONDS,
        ssl_certfile=certificate,
        ssl_keyfile=key,
    )
    try:
        config.load()
    except (OSError, ssl.SSLError) as fault:
        raise StartRefused(f"certificate and key can't be used: {fault}") from fault
    assert config.ssl is not None
    config.ssl.minimum_version = ssl.TLSVersion.TLSv1_3
    config.ssl.set_alpn_protocols(["http/1.1"])
    # uvicorn drains on both signals and then raises them again.
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, _leave)
    _AnnouncingServer(config, announce).run(sockets=[_listen(*listen)])


def _leave(_: int, __: FrameType | None) -> None:
    raise SystemExit(0)


class _AnnouncingServer(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, announce: Callable[[str], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for each in sockets or ():
            host, port = each.getsockname()[:2]
            host = f"[{host}]" if ":" in host else host
            self._announce(f"https://{host}:{port}")


def _listen(host: str, port: int) -> socket.socket:
    address = parse_address(host)
    if address is None:
        raise StartRefused("the address to listen on is not an IP address")
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((str(address), port))
    except OSError as fault:
        listener.close()
        raise StartRefused(f"can't listen on {address} port {port}: {fault.strerror}") from fault
    return listener
