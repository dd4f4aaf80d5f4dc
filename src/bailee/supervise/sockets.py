"""The listening sockets. The supervisor opens them, keeps them for life and lends them out."""

import errno
import os
import socket
import time

from bailee.config_keys import Listen
from bailee.errors import StartRefused

BACKLOG = 1024
"""Connections that wait in the kernel while a worker is away (the kernel may allow fewer)."""
FREE_SECONDS = 1.0
"""How long a port may still be held by the roles of a supervisor that was just killed."""


def open_listeners(
    listen: Listen, count: int, setting: str, *, ours: bool = False
) -> list[socket.socket]:
    """Open one listening socket for each worker, all on the same address and port.

    The kernel spreads new connections over them (`SO_REUSEPORT`). That option also lets a second
    server of the same user in on a port that is taken, so a bind without it comes first.

    Args:
        listen: IP address and port.
        count: How many sockets.
        setting: What moves the port, for the error: `gateway.listen`.
        ours: The port is already open in this process, and more sockets are to join it.

    Returns:
        Sockets that are not inherited unless passed on; the caller closes them.

    Raises:
        StartRefused: The port is in use, not this user's to open, or the address is not here.
    """
    try:
        if not ours:
            _wait_until_free(listen)
        return [_bound(listen, share=True, listening=True) for _ in range(count)]
    except OSError as error:
        raise _refusal(error, listen, setting) from error


def _wait_until_free(listen: Listen) -> None:
    deadline = time.monotonic() + FREE_SECONDS
    while True:
        try:
            _bound(listen, share=False, listening=False).close()
            return
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def _bound(listen: Listen, *, share: bool, listening: bool) -> socket.socket:
    family = socket.AF_INET6 if ":" in listen[0] else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if share:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(listen)
        if listening:
            listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def _refusal(error: OSError, listen: Listen, setting: str) -> StartRefused:
    host, port = listen
    section, name = setting.upper().split(".")
    move = f"move it: {setting} in the config, or BAILEE_{section}__{name}"
    if error.errno == errno.EADDRINUSE:
        return StartRefused(f"{setting}: port {port} of {host} is in use", move)
    if error.errno == errno.EADDRNOTAVAIL:
        return StartRefused(f"{setting}: {host} is not an address of this machine", move)
    reason = os.strerror(error.errno) if error.errno else str(error)
    return StartRefused(f"{setting}: {host} port {port} can't be opened: {reason.lower()}", move)
