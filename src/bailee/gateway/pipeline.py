"""The straight way of a call up to its dial: authenticate, authorise, record.

Each step takes what the step before made: `Received` and `Authenticated` become `Authorized`, only
an authorised call is recorded and handed to the relay, and there a `PinnedStream` and what the
vault places for it (`Placed`) become a signed request.
"""

import asyncio
import secrets
import time
from functools import partial
from typing import Final

import structlog

from bailee.errors import (
    BaileeError,
    InternalError,
    JournalUnavailable,
    Overloaded,
    RouteChanged,
    StoreUnavailable,
)
from bailee.gateway.authenticate import renew
from bailee.gateway.authorize import (
    Authorized,
    KnownHead,
    admit,
    authorize,
    recall,
    remember,
)
from bailee.gateway.bodies import too_large
from bailee.gateway.inbound import Inbound
from bailee.gateway.limits import TURN_CALLS, Loads
from bailee.gateway.line import Line, UnderWay
from bailee.gateway.relay import Call
from bailee.gateway.session import Session
from bailee.gateway.snapshot import Snapshot
from bailee.gateway.websocket import WebSocketCall
from bailee.http.calls_domain import CallsDomain
from bailee.http.head import Received
from bailee.model import CallId

_PROCESS_PART: Final = 5
"""Random bytes in a call's id that tell this process from all others."""
_log = structlog.get_logger("gateway")


class Pipeline:
    """Begins calls; one for each worker."""

    def __init__(
        self, snapshot: Snapshot, line: Line, calls_domain: CallsDomain | None = None
    ) -> None:
        self._snapshot = snapshot
        self._calls_domain = calls_domain
        self._line = line
        self._loads = Loads(line.limits)
        self._call_soon = asyncio.get_running_loop().call_soon
        self._unrecorded: list[Call] = []
        self._now = 0.0
        self._prefix = secrets.token_hex(_PROCESS_PART)
        self._count = 0
        self._bans = line.budgets.bans
        snapshot.on_change = self._store_changed

    def __repr__(self) -> str:
        return f"Pipeline({self._count} calls begun)"

    def new_id(self) -> CallId:
        """Name the next call, or what is refused before it becomes one."""
        self._count += 1
        return CallId(f"{self._prefix}-{self._count:x}")

    def begin(self, session: Session, inbound: Inbound, call: CallId) -> Call:
        """Begin a call.

        Args:
            session: Whose request it is; the call answers through it.
            inbound: The request; its head is complete.
            call: Its id.

        Raises:
            BaileeError: The call is refused. Nothing was recorded and nothing sent.

        Returns:
            The call. It leaves at the end of this turn of the loop, when its intent and those of
            all others that came in the same turn have been recorded in one write.
        """
        received = inbound.received
        if received is None:
            raise InternalError("a request without a head")
        now = self._turn()
        if inbound.known is not None:
            authorized = inbound.known.authorized
        else:
            authorized = self._admit(received, session, inbound, call, now)
        self._line.vault.require_open()
        self._refuse_too_many(authorized)
        if received.body_length:
            self._refuse_too_large(received, authorized)
        admitted = True
        if authorized.wants or self._bans.any:
            admitted = self._take_tokens(authorized)
        kind = Call if received.opening is None else WebSocketCall
        begun = kind(call, authorized, session, inbound, received, self._line, now)
        if not admitted:
            done = partial(self._tokens_came, begun)
            self._line.budgets.wait(authorized.wants, begun, done)
            return begun
        self._unrecorded.append(begun)
        if len(self._unrecorded) == 1:
            self._call_soon(self._record)
        return begun

    def recall(self, data: bytes, last: KnownHead | None) -> KnownHead | None:
        """Find what was made of the same bytes before; None when they have to be parsed."""
        try:
            self._snapshot.ensure_fresh()
        except StoreUnavailable:
            return None
        return recall(data, last, self._snapshot, self._turn())

    def _turn(self) -> float:
        """The time that all calls of this turn of the loop begin at, Unix seconds."""
        if not self._unrecorded:
            self._now = time.time()
        return self._now

    def _admit(
        self, received: Received, session: Session, inbound: Inbound, call: CallId, now: float
    ) -> Authorized:
        try:
            self._snapshot.ensure_fresh()
            authorized = admit(
                received, self._snapshot, self._loads, session.peer, now, self._calls_domain
            )
        except BaileeError as refused:
            _log.info("call refused", call=call, code=refused.code, detail=refused.detail)
            raise
        if inbound.whole:
            remember(inbound.whole, received, authorized, self._snapshot)
        return authorized

    def _refuse_too_many(self, authorized: Authorized) -> None:
        if len(self._line.calls) >= self._line.limits.calls:
            raise Overloaded("too many calls are under way")
        if len(self._unrecorded) >= TURN_CALLS:
            raise Overloaded("too many calls came at once")
        refused = authorized.loads.refusal()
        if refused is not None:
            raise refused

    def _take_tokens(self, authorized: Authorized) -> bool:
        """Take a token of each budget; False if some have to be waited for."""
        if self._bans.any:
            self._bans.require_admitted(authorized.route)
        return self._line.budgets.take(authorized.wants)

    def _tokens_came(self, call: Call, refused: BaileeError | None) -> None:
        """Let a call go on that has waited for its tokens, if nothing else forbids it by now."""
        try:
            if refused is not None:
                raise refused
            if self._bans.any:
                self._bans.require_admitted(call.authorized.route)
        except BaileeError as error:
            call.refuse(error)
            return
        self._turn()
        self._unrecorded.append(call)
        if len(self._unrecorded) == 1:
            self._call_soon(self._record)

    def _refuse_too_large(self, received: Received, authorized: Authorized) -> None:
        limits = self._line.limits
        limit = limits.held_body_bytes if authorized.must_gather else limits.body_bytes
        if received.body_length > limit:
            raise too_large(limit, held=authorized.must_gather)

    def _record(self) -> None:
        """Write the intents of all calls that began in this turn of the loop; then let them go."""
        self._line.outbox.flush()
        unrecorded, self._unrecorded = self._unrecorded, []
        calls = [call for call in unrecorded if not call.ended]
        if not calls:
            return
        try:
            at = repr(self._now)
            self._line.journal.intend_lines(
                [call.authorized.intent.line(call.id, at) for call in calls]
            )
        except JournalUnavailable as failure:
            for call in calls:
                call.refuse(failure)
            return
        except Exception:  # noqa: BLE001  # whatever it is: nothing recorded, nothing sent
            _log.exception("intents could not be recorded")
            for call in calls:
                call.refuse(InternalError())
            return
        for call in calls:
            try:
                call.start()
            except Exception:  # noqa: BLE001  # one call's fault must not hold up the others
                _log.exception("a call could not start", call=call.id)
                call.refuse(InternalError())

    def _store_changed(self) -> None:
        """Drop what was opened, and end the calls under way that are no longer allowed."""
        self._line.vault.forget()
        now = time.time()
        for call in list(self._line.calls):
            refused = self._still_allowed(call, now)
            if refused is not None:
                call.revoke(refused)

    def end_expired(self) -> None:
        """End the calls under way whose token or grant has expired; called a few times a second."""
        now = time.time()
        for call in [each for each in self._line.calls if now >= each.valid_until]:
            refused = self._still_allowed(call, now)
            if refused is not None:
                call.revoke(refused)

    def _still_allowed(self, call: UnderWay, now: float) -> BaileeError | None:
        """Decide again about a call under way; None when it may go on."""
        asked, route = call.authorized, call.authorized.route
        try:
            authenticated = renew(asked.authenticated, self._snapshot, call.peer, now)
            # By the same door, and of the very path that was matched and is sent.
            renewed = authorize(
                authenticated,
                call.method,
                asked.door,
                asked.target,
                self._snapshot,
                self._loads,
                now,
            )
        except BaileeError as refused:
            return refused
        call.valid_until = renewed.valid_until
        if call.unsent and (renewed.route.key, renewed.route.place) != (route.key, route.place):
            return RouteChanged()
        return call.hold_to(renewed.bodies) if renewed.bodies else None
