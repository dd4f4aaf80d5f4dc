"""The reference API's keyed routes, `/v1/...`: they stand behind the allowlist."""

import re
from collections.abc import Awaitable, Callable
from decimal import Decimal

from bailee.errors import Conflict
from bailee.reference.accounts import Accounts, ApiKey, Order, Permission
from bailee.reference.signed import KeyCheck
from bailee.reference.streams import pseudo_random_pieces, slow_pieces
from bailee.reference.wire import ApiFault, Request

MAX_COUNT = 16 * 1024**3
MAX_CHUNKS = 1_000_000
MAX_CHUNK_BYTES = 1024**2
MAX_DELAY_MS = 60_000
ECHO_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
SYMBOL, ASSET = re.compile(r"[A-Z]{2,6}-[A-Z]{2,6}"), re.compile(r"[A-Z]{2,6}")
DESTINATION = re.compile(r"[\x21-\x7e]{1,100}")
_AMOUNT = re.compile(r"[0-9]{1,12}(\.[0-9]{1,8})?")

Route = Callable[[Request, ApiKey], Awaitable[None]]


class KeyedApi:
    """Everything that a key is needed for; some routes want a permission of it, too."""

    def __init__(self, accounts: Accounts, check: KeyCheck) -> None:
        self._accounts = accounts
        self._check = check
        self._routes: dict[tuple[str, str], tuple[Permission | None, Route]] = {
            ("GET", "/v1/key"): (None, self._key),
            ("GET", "/v1/balance"): (Permission.READ, self._balance),
            ("GET", "/v1/orders"): (Permission.READ, self._orders),
            ("POST", "/v1/orders"): (Permission.TRADE, self._place_order),
            ("POST", "/v1/withdrawals"): (Permission.WITHDRAW, self._withdraw),
            ("GET", "/v1/stream"): (None, self._stream),
            ("GET", "/v1/bytes"): (None, self._bytes),
            ("POST", "/v1/sink"): (None, self._sink),
            **{(method, "/v1/echo"): (None, self._echo) for method in ECHO_METHODS},
        }

    async def answer(self, request: Request) -> None:
        """Answer one request that the allowlist let through.

        Raises:
            ApiFault: It is refused.
            Disconnected: The client went away before the end of a body that had to be read.
        """
        key, request = await self._check.proven(request)
        found = self._routes.get((request.method, request.path))
        if found is None:
            raise ApiFault(404, "not_found", "no such route")
        permission, route = found
        if permission is not None and permission not in key.permissions:
            message = f"the key lacks the permission {permission}"
            raise ApiFault(403, "permission_denied", message)
        await route(request, key)

    async def _key(self, request: Request, key: ApiKey) -> None:
        """What the key is restricted to: its addresses, `*` for any, and its powers."""
        report: dict[str, object] = {
            "id": key.id,
            "label": key.label,
            "kind": key.kind,
            "restricted": key.allow is not None,
            "addresses": ["*"] if key.allow is None else list(key.allow.entries),
            "powers": sorted(key.permissions),
        }
        await request.reply(200, report)

    async def _balance(self, request: Request, key: ApiKey) -> None:
        balances = self._accounts.user(key.user).balances
        shown = {asset: str(amount) for asset, amount in balances.items()}
        await request.reply(200, {"user": key.user, "balances": shown})

    async def _orders(self, request: Request, key: ApiKey) -> None:
        orders = self._accounts.user(key.user).orders
        await request.reply(200, {"orders": [_shown(order) for order in orders]})

    async def _place_order(self, request: Request, key: ApiKey) -> None:
        asked = await request.json()
        symbol, side = _matching(asked, "symbol", SYMBOL), asked.get("side")
        if side not in ("buy", "sell"):
            raise ApiFault(400, "invalid_request", "side must be buy or sell")
        user = self._accounts.user(key.user)
        order = self._accounts.place_order(user, symbol, str(side), _amount(asked))
        await request.reply(201, _shown(order))

    async def _withdraw(self, request: Request, key: ApiKey) -> None:
        asked = await request.json()
        asset, to = _matching(asked, "asset", ASSET), _matching(asked, "to", DESTINATION)
        amount = _amount(asked)
        try:
            done = self._accounts.withdraw(self._accounts.user(key.user), asset, amount)
        except Conflict as fault:
            raise ApiFault(409, "insufficient_balance", fault.detail) from fault
        await request.reply(201, {"id": done, "asset": asset, "amount": str(amount), "to": to})

    async def _echo(self, request: Request, key: ApiKey) -> None:
        client = request.scope.get("client")
        body = await request.digest()
        echoed: dict[str, object] = {
            "method": request.method,
            "path": request.raw_path,
            "query": request.query_text,
            "headers": request.headers,
            "body": body,
            "peer": client[0] if client else None,
            "key": key.id,
        }
        await request.reply(200, echoed)

    async def _stream(self, request: Request, _: ApiKey) -> None:
        chunks = request.whole_number("chunks", 10, MAX_CHUNKS)
        size = request.whole_number("bytes", 1024, MAX_CHUNK_BYTES)
        delay = request.whole_number("delay", 0, MAX_DELAY_MS) / 1000
        await request.stream(slow_pieces(chunks, size, delay))

    async def _bytes(self, request: Request, _: ApiKey) -> None:
        count = request.whole_number("count", 1024, MAX_COUNT)
        seed = request.whole_number("seed", 0, 2**32)
        await request.stream(pseudo_random_pieces(count, seed), length=count)

    async def _sink(self, request: Request, _: ApiKey) -> None:
        await request.reply(200, await request.digest())


def _shown(order: Order) -> dict[str, object]:
    return {
        "id": order.id,
        "symbol": order.symbol,
        "side": order.side,
        "amount": str(order.amount),
    }


def _matching(asked: dict[str, object], name: str, pattern: re.Pattern[str]) -> str:
    value = asked.get(name)
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise ApiFault(400, "invalid_request", f"{name} must match {pattern.pattern}")
    return value


def _amount(asked: dict[str, object]) -> Decimal:
    amount = Decimal(_matching(asked, "amount", _AMOUNT))
    if amount <= 0:
        raise ApiFault(400, "invalid_request", "amount must be more than 0")
    return amount
