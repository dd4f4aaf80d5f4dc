"""Serving an ASGI application on an inherited socket; for admin and public alone."""

import asyncio
import contextlib
import resource
import socket
from collections.abc import Iterator
from typing import Final

import msgspec
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from bailee.app.head import HEAD_SECONDS, BoundedConfig
from bailee.config_keys import Listen
from bailee.errors import BaileeError, Overloaded, StartRefused
from bailee.http.problem import problem
from bailee.supervise.inheritance import ControlLine, Inherited, listening_socket

KEEP_ALIVE_SECONDS: Final = 75
DRAIN_SECONDS: Final = 20
"""What is under way when the drain begins may take so long; then it is cut."""
BACKLOG: Final = 1024
CONNECTIONS: Final = 1024


def listening(given: Inherited, listen: Listen) -> socket.socket:
    """Take the socket that the supervisor lent, or open one for a role that was started by hand.

    Raises:
        StartRefused: No socket was lent and the port can't be opened.
    """
    if given.listen_fd is not None:
        return listening_socket(given.listen_fd)
    family = socket.AF_INET6 if ":" in listen[0] else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind(listen)
        opened.listen(BACKLOG)
        opened.setblocking(False)
    except OSError as error:
        opened.close()
        raise StartRefused(
            f"{listen[0]} port {listen[1]} can't be opened: {(error.strerror or '').lower()}"
        ) from error
    return opened


async def serve(
    app: ASGIApp, socket: socket.socket, control_fd: int | None, draining: asyncio.Event
) -> None:
    """Serve until asked to drain; returns when every request has been answered, or cut.

    Args:
        app: What is served. It gets no lifespan events.
        socket: Listening, not blocking; closed here.
        control_fd: The line to the supervisor.
        draining: Set when the drain begins, for requests that wait.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    server = make_server(app)
    control = ControlLine(control_fd)
    async with asyncio.TaskGroup() as tasks:
        asked = tasks.create_task(control.drained_asked())
        tasks.create_task(server.serve(sockets=[socket]))
        await server.serving.wait()
        control.ready()
        await asked
        draining.set()
        server.should_exit = True
    control.close()


def make_server(
    app: ASGIApp, head_seconds: float = HEAD_SECONDS, connections: int = CONNECTIONS
) -> "RoleServer":
    """Make a server with the settings of every role that speaks ASGI.

    Args:
        app: What is served.
        head_seconds: How long a head may take.
        connections: How many clients may be connected; each one more is told 503 and cut off.
    """

    async def capped(scope: Scope, receive: Receive, send: Send) -> None:
        if len(server.server_state.connections) > connections:
            await _refuse(Overloaded(), send)
        else:
            await app(scope, receive, send)

    config = BoundedConfig(
        capped,
        head_seconds=head_seconds,
        ws="none",
        lifespan="off",
        # Our own logs are set up; requests are not logged: a query may hold what is nobody's.
        log_config=None,
        access_log=False,
        server_header=False,
        # Whoever asks is who the socket says; no header makes him another.
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )
    server = RoleServer(config)
    return server


async def _refuse(error: BaileeError, send: Send) -> None:
    """Answer with a problem document, and close the connection."""
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"cache-control", b"no-store"),
        (b"bailee-error", error.code.encode()),
        (b"retry-after", b"1"),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": msgspec.json.encode(problem(error))})


class RoleServer(uvicorn.Server):
    """Says when it serves, and leaves the signals to the line to the supervisor."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.serving = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept connections, and say so."""
        await super().startup(sockets)
        self.serving.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take no signal."""
        yield
