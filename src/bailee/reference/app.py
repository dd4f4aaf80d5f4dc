"""The reference API, put together: public routes, the console, and the keyed routes behind the
allowlist."""

from collections import Counter
from collections.abc import Iterable
from enum import StrEnum

from bailee.policy.allowlist import Allowlist
from bailee.reference.accounts import Accounts
from bailee.reference.allowlist_middleware import (
    AllowlistMiddleware,
    Message,
    Receive,
    Scope,
    Send,
)
from bailee.reference.console import Console
from bailee.reference.keyed import KeyedApi
from bailee.reference.wire import ApiFault, Disconnected, Request, bearer

_OUTCOME = "bailee.reference.outcome"


class Outcome(StrEnum):
    """How a request ended. Those to `/health` and `/counters` are not counted."""

    SERVED = "served"
    CONSOLE = "console"
    """A request to the console, whatever came of it."""
    REFUSED_ADDRESS = "refused_address"
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
    "permission_denied": Outcome.REFUSED_PERMISSION,
}


class ReferenceApi:
    """An ASGI application.

    Args:
        trusted_proxies: Exact addresses of front proxies, for the allowlist.
        accounts: Users to start with; none by default.
    """

    def __init__(
        self, *, trusted_proxies: Iterable[str] = (), accounts: Accounts | None = None
    ) -> None:
        self._accounts = accounts or Accounts()
        self._console = Console(self._accounts)
        self._keyed = KeyedApi(self._accounts)
        self._guarded = AllowlistMiddleware(
            self._answer_keyed,
            self._find_allowlist,
            trusted_proxies=trusted_proxies,
            on_refusal=_note_refused_address,
        )
        self._counts: Counter[Outcome] = Counter({outcome: 0 for outcome in Outcome})

    @property
    def counters(self) -> dict[str, int]:
        """How many requests ended how, since the start."""
        return {outcome.value: count for outcome, count in self._counts.items()}

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
        answer = self._guarded if keyed else self._answer_console
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

    async def _answer_keyed(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        try:
            await self._keyed.answer(request)
        except ApiFault as fault:
            scope[_OUTCOME] = _OUTCOME_OF_CODE.get(fault.code, Outcome.REFUSED_REQUEST)
            await _reply_fault(request, fault)
        except Disconnected:
            return

    def _find_allowlist(self, scope: Scope) -> Allowlist | None:
        secret = bearer(scope)
        key = self._accounts.find_key(secret) if secret else None
        return None if key is None else key.allow


def _note_refused_address(scope: Scope) -> None:
    scope[_OUTCOME] = Outcome.REFUSED_ADDRESS


async def _reply_fault(request: Request, fault: ApiFault) -> None:
    error = {"code": fault.code, "message": fault.message}
    await request.reply(fault.status, {"error": error})
