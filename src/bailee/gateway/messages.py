"""What of a client's messages goes on to the provider, and what in their place."""

import time
from collections.abc import Callable
from typing import Final, NamedTuple

from bailee.errors import Denied
from bailee.gateway.opening import Needles
from bailee.gateway.route import ProviderView
from bailee.http.websocket import TEXT
from bailee.model import Bodies, BodyCondition, Deny
from bailee.policy.body import judge_body, members_where
from bailee.secret import Secret
from bailee.signing.login import LoginWriter, login_writer

_LATE: Final = "a login is the first message of a WebSocket, or none"


class Login(NamedTuple):
    """How the credential gets into the first message."""

    when: tuple[BodyCondition, ...]
    writer: LoginWriter
    open: Callable[[], tuple[Secret, Needles]]
    """Opens the credential for the stream that the message goes to."""


class ClientMessages:
    """Judges the messages of one client, and replaces its login.

    Args:
        bodies: If there are any, a message passes only if it is one of these.
        login: Where the provider takes the credential in a message.
    """

    def __init__(self, bodies: Bodies, login: Login | None) -> None:
        self.bodies = bodies
        self.needles: Needles = ()
        """What must not stand in the provider's messages, once the credential was opened."""
        self._login = login
        self._first = True

    def __repr__(self) -> str:
        return f"ClientMessages(judges={bool(self.bodies)}, login_due={self.login_due})"

    @property
    def needs_whole(self) -> bool:
        """Whether messages have to be whole before anything of them is sent."""
        return bool(self.bodies) or self._login is not None

    @property
    def login_due(self) -> bool:
        """Whether the credential may still be opened."""
        return self._first and self._login is not None

    def pass_on(self, opcode: int, message: bytes) -> bytes:
        """Take a whole message, and give what is sent.

        Raises:
            Denied: No grant lets it through, or it is a login that comes too late.
            BaileeError: The credential does not open.
        """
        first, self._first = self._first, False
        if self.bodies:
            if opcode != TEXT:
                raise Denied("a grant is about these messages, and this one is not text")
            verdict = judge_body(self.bodies, message)
            if isinstance(verdict, Deny):
                raise Denied(verdict.reason)
        login = self._login
        if login is None or opcode != TEXT:
            return message
        own = members_where(login.when, message)
        if own is None:
            return message
        if not first:
            raise Denied(_LATE)
        credential, self.needles = login.open()
        return login.writer.write(credential, time.time(), own)


def login_of(view: ProviderView, open: Callable[[], tuple[Secret, Needles]]) -> Login | None:
    """Say how one logs in by a message; None where the credential is elsewhere, or nowhere."""
    websocket = view.provider.websocket
    if websocket is None or websocket.frame is None:
        return None
    frame = websocket.frame
    return Login(frame.when, login_writer(frame, view.provider.auth), open)
