"""The straight way of a call up to its dial: authenticate, authorise, record.

Each step takes what the step before made: `Received` becomes `Authenticated`, that `Authorized`, and
only an `Authorized` call is recorded and handed to the relay, where a `PinnedStream` and an `Opened`
credential become a signed request.
"""

import secrets
import time
from typing import Final

import structlog

from bailee.errors import BaileeError, Unauthenticated
from bailee.gateway.authenticate import Authenticated, authenticate
from bailee.gateway.authorize import Authorized, authorize, split_target
from bailee.gateway.relay import Call, Line
from bailee.gateway.session import Inbound, Session
from bailee.gateway.snapshot import Snapshot
from bailee.http.head import Received
from bailee.journal.entry import Intent
from bailee.model import CallId

_PROCESS_PART: Final = 5
"""Random bytes in a call's id that tell this process from all others."""
_log = structlog.get_logger("gateway")


class Pipeline:
    """Begins calls; one for each worker."""

    def __init__(self, snapshot: Snapshot, line: Line) -> None:
        self._snapshot = snapshot
        self._line = line
        self._prefix = secrets.token_hex(_PROCESS_PART)
        self._count = 0
        snapshot.on_change = self._store_changed

    def __repr__(self) -> str:
        return f"Pipeline({self._count} calls begun)"

    def begin(self, session: Session, inbound: Inbound) -> Call:
        """Begin a call.

        Args:
            session: Whose request it is; the call answers through it.
            inbound: The request; its `received` is there.

        Raises:
            BaileeError: The call is refused. Nothing was recorded and nothing sent.
        """
        received = inbound.received
        assert received is not None  # noqa: S101  # the session hands on complete heads only
        now = time.time()
        self._snapshot.ensure_fresh()
        try:
            authorized = self._decide(received, session.peer, now)
        except BaileeError as refused:
            _log.info("call refused", code=refused.code, detail=refused.detail, peer=session.peer)
            raise
        self._line.vault.require_open()
        call = CallId(f"{self._prefix}-{self._count:x}")
        self._count += 1
        self._line.journal.intend(_intent(call, authorized, now))
        begun = Call(call, authorized, session, inbound, self._line, now)
        begun.start()
        return begun

    def _decide(self, received: Received, peer: str, now: float) -> Authorized:
        door, rest = split_target(received.path)
        authenticated = authenticate(received, door, self._snapshot, peer, now)
        return authorize(authenticated, door, rest, self._snapshot, now)

    def _store_changed(self) -> None:
        """Drop what was opened, and end the calls under way that are no longer allowed."""
        self._line.vault.forget()
        now = time.time()
        for call in list(self._line.calls):
            refused = self._still_allowed(call.authorized, now)
            if refused is not None:
                call.revoke(refused)

    def _still_allowed(self, authorized: Authorized, now: float) -> BaileeError | None:
        authenticated: Authenticated = authorized.authenticated
        try:
            row = self._snapshot.token(authenticated.token_digest)
            if row is None or row.revoked_at is not None or now >= row.expires_at:
                return Unauthenticated("the token or its caller was revoked")
            door, _ = split_target(authenticated.received.path)
            access = self._snapshot.access(
                authenticated.caller, authenticated.tenant, door, now
            )
        except BaileeError as refused:
            return refused
        return access.refusal


def _intent(call: CallId, authorized: Authorized, now: float) -> Intent:
    authenticated, route = authorized.authenticated, authorized.route
    return Intent(
        call=call,
        at=now,
        tenant=authenticated.tenant,
        caller=authenticated.caller,
        token=authenticated.token,
        connection=route.connection,
        version=route.sealed.version,
        provider=route.view.provider.id,
        origin=route.origin.name,
        subject=route.subject,
        method=authenticated.received.method,
        path=authorized.path,
        egress=route.egress,
    )
