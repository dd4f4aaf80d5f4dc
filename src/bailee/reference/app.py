"""The reference API, put together: public routes, the console, and the keyed routes behind the
allowlist.

Without quirks it refuses as a good API does: a foreign address by 403 `address_not_allowed`, a
wrong key by 401 `invalid_key`, from wherever it comes.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from enum import StrEnum

from bailee.policy.allowlist import Address, Allowlist
from bailee.reference.accounts import Accounts, ApiKey
from bailee.reference.allowlist_middleware import (
    AllowlistMiddleware,
    Message,
    Receive,
    Scope,
    Send,
    refuse_address,
)
from bailee.reference.console import Console
from bailee.reference.keyed import KeyedApi
from bailee.reference.quirks import Quirk
from bailee.reference.signed import (
    KEY_HEADER,
    SIGNATURE_HEADER,
    TIMESTAMP_HEADER,
    KeyCheck,
    invalid_key,
    invalid_nonce,
)
from bailee.reference.wire import ApiFault, Disconnected, Request

_OUTCOME = "bailee.reference.outcome"


class Outcome(StrEnum):
    """How a request ended. Those to `/health` and `/counters` are not counted."""

    SERVED = "served"
    CONSOLE = "console"
    """A request to the console, whatever came of it."""
    PUBLIC = "public"
    """The time was told, to whoever asked."""
    REFUSED_ADDRESS = "refused_address"
    """By the key's allowlist, whatever was answered."""
    REFUSED_FIREWALL = "refused_firewall"
    REFUSED_NONCE = "refused_nonce"
    REFUSED_KEY = "refused_key"
    REFUSED_PERMISSION = "refused_permission"
    REFUSED_REQUEST = "refused_request"
    """The key was right and the request was not."""
    DISCONNECTED = "disconnected"
    """The client went away before its request was whole."""
    FAILED = "failed"
    """A fault of this API, before or after the answer began."""


_OUTCOME_OF_CODE = {
    "invalid_key": Outcome.REFUSED_KEY,
    "invalid_timestamp": Outcome.REFUSED_KEY,
    "invalid_signature": Outcome.REFUSED_KEY,
    "invalid_nonce": Outcome.REFUSED_NONCE,
    "permission_denied": Outcome.REFUSED_PERMISSION,
    "address_not_allowed": Outcome.REFUSED_ADDRESS,
}


class ReferenceApi:
    """An ASGI application.

    Args:
        trusted_proxies: Exact addresses of front proxies, for the allowlist.
        accounts: Users to start with; none by default.
        quirks: Ways of real providers to refuse; see `quirks`.
        known: Addresses and networks that are no strangers, beside those on any key's allowlist.
        clock: Unix time in seconds.

    Raises:
        BadInput: A proxy is not one exact address, or an entry of `known` is neither address nor
            network.
    """

    def __init__(
        self,
        *,
        trusted_proxies: Iterable[str] = (),
        accounts: Accounts | None = None,
        quirks: Iterable[Quirk] = (),
        known: Iterable[str] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._accounts = accounts or Accounts()
        self._quirks = frozenset(quirks)
        self._known = Allowlist.parse(known)
        self._clock = clock
        self._check = KeyCheck(self._accounts, clock)
        self._console = Console(self._accounts)
        self._keyed = KeyedApi(self._accounts, self._check)
        self._guarded = AllowlistMiddleware(
            self._answer_keyed,
            self._find_allowlist,
            trusted_proxies=trusted_proxies,
            on_refusal=_note_refused_address,
            refuse=self._refuse_address,
        )
        self._counts: Counter[Outcome] = Counter({outcome: 0 for outcome in Outcome})

    @property
    def counters(self) -> dict[str, int]:
        """How many requests ended how, since the start."""
        return {outcome.value: count for outcome, count in self._counts.items()}

    def admit_socket(self, scope: Scope) -> ApiKey | None:
        """Check the handshake of a WebSocket.

        Returns:
            The key that it has, or None where it names none: that may log in by a message.

        Raises:
            ApiFault: The key is not right, or not allowed from this address.
        """
        named = {b"authorization", KEY_HEADER.lower().encode()}
        if not any(name in named for name, _ in scope["headers"]):
            return None
        request = Request(scope, _nothing_more, _nowhere)
        try:
            key = self._check.proven_at_once(request)
            self._require_address(scope, key)
        except ApiFault as fault:
            self._counts[_OUTCOME_OF_CODE.get(fault.code, Outcome.REFUSED_REQUEST)] += 1
            raise
        self._counts[Outcome.SERVED] += 1
        return key

    def login_socket(self, scope: Scope, args: list[object]) -> ApiKey:
        """Check a login in a message: what it holds is put where a request would have it.

        Raises:
            ApiFault: As `admit_socket`.
        """
        match args:
            case [str(secret)]:
                headers = [(b"authorization", b"Bearer " + secret.encode())]
            case [str(id), str(timestamp), str(signature)]:
                values = (id, timestamp, signature)
                names = (KEY_HEADER, TIMESTAMP_HEADER, SIGNATURE_HEADER)
                headers = [
                    (name.lower().encode(), value.encode())
                    for name, value in zip(names, values, strict=True)
                ]
            case _:
                raise ApiFault(400, "invalid_request", "a login is a key, or id, time, signature")
        login = {"method": "LOGIN", "raw_path": b"", "query_string": b"", "headers": headers}
        key = self.admit_socket({**scope, **login})
        if key is None:
            raise invalid_key()
        return key

    def note_ambiguous(self) -> None:
        """Count what could have been read in two ways."""
        self._counts[Outcome.REFUSED_REQUEST] += 1

    def _require_address(self, scope: Scope, key: ApiKey) -> None:
        address = self._guarded.address(scope)
        if key.allow is not None and not (address and key.allow.admits(str(address))):
            message = f"address {address} is not on this key's allowlist"
            raise ApiFault(403, "address_not_allowed", message)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise ValueError("the reference API speaks HTTP alone")
        request = Request(scope, receive, send)
        match (request.method, request.path):
            case ("GET", "/health"):
                await request.reply(200, {"status": "ok"})
            case ("GET", "/counters"):
                await request.reply(200, self.counters)
            case _:
                await self._counted(scope, receive, send)

    async def _counted(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count a request when its answer starts: who has the answer sees it counted."""
        counted = False

        async def count_and_send(message: Message) -> None:
            nonlocal counted
            if not counted:
                counted = True
                self._counts[scope[_OUTCOME]] += 1
            await send(message)

        keyed = scope["path"].startswith("/v1/")
        scope[_OUTCOME] = Outcome.SERVED if keyed else Outcome.CONSOLE
        answer = self._answer_api if keyed else self._answer_console
        try:
            await answer(scope, receive, count_and_send)
        except Exception:
            self._counts[Outcome.FAILED] += 1
            raise
        if not counted:
            self._counts[Outcome.DISCONNECTED] += 1

    async def _answer_console(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        try:
            await self._console.answer(request)
        except ApiFault as fault:
            await _reply_fault(request, fault)
        except Disconnected:
            return

    async def _answer_api(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        stranger = bool(self._quirks) and self._is_stranger(self._guarded.address(scope))
        if stranger and Quirk.FIREWALL in self._quirks:
            scope[_OUTCOME] = Outcome.REFUSED_FIREWALL
            await request.reply_blocked()
        elif (request.method, request.path) == ("GET", "/v1/time"):
            scope[_OUTCOME] = Outcome.PUBLIC
            await request.reply(200, {"time": int(self._clock() * 1000)})
        elif (
            stranger
            and Quirk.NONCE_ERROR in self._quirks
            and self._check.claimed(scope) is not None
        ):
            scope[_OUTCOME] = Outcome.REFUSED_NONCE
            await self._reply_keyed_fault(request, invalid_nonce())
        else:
            await self._guarded(scope, receive, send)

    async def _answer_keyed(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        try:
            await self._keyed.answer(request)
        except ApiFault as fault:
            scope[_OUTCOME] = _OUTCOME_OF_CODE.get(fault.code, Outcome.REFUSED_REQUEST)
            await self._reply_keyed_fault(request, fault)
        except Disconnected:
            return

    async def _refuse_address(
        self, scope: Scope, receive: Receive, send: Send, address: Address | None
    ) -> None:
        if Quirk.UNIFORM_401 in self._quirks:
            await self._reply_keyed_fault(Request(scope, receive, send), invalid_key())
        else:
            await refuse_address(scope, receive, self._as_refused(send), address)

    async def _reply_keyed_fault(self, request: Request, fault: ApiFault) -> None:
        await _reply_fault(replace(request, send=self._as_refused(request.send)), fault)

    def _as_refused(self, send: Send) -> Send:
        if Quirk.REFUSAL_INSIDE_200 not in self._quirks:
            return send

        async def send_inside_200(message: Message) -> None:
            await send({**message, "status": 200} if "status" in message else message)

        return send_inside_200

    def _find_allowlist(self, scope: Scope) -> Allowlist | None:
        key = self._check.claimed(scope)
        return None if key is None else key.allow

    def _is_stranger(self, address: Address | None) -> bool:
        text = str(address)
        return not (self._known.admits(text) or self._accounts.is_listed(text))


async def _nothing_more() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _nowhere(_: Message) -> None:
    """Nobody listens."""


def _note_refused_address(scope: Scope) -> None:
    scope[_OUTCOME] = Outcome.REFUSED_ADDRESS


async def _reply_fault(request: Request, fault: ApiFault) -> None:
    error = {"code": fault.code, "message": fault.message}
    await request.reply(fault.status, {"error": error})
