"""The reference API's users, keys, balances and orders, in memory: gone when the process ends.

Sessions and keys are kept as digests; each is shown once, when it is made.
"""

import hashlib
import secrets
from collections import deque
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum

from bailee.errors import Conflict, NotFound
from bailee.policy.allowlist import Allowlist

MAX_USERS = 100_000
MAX_KEYS_PER_USER = 1_000
MAX_ORDERS_KEPT = 1_000
OPENING_BALANCES = {"EUR": Decimal("1000.00"), "BTC": Decimal("0.50000000")}


class Permission(StrEnum):
    """What a key may do."""

    READ = "read"
    TRADE = "trade"
    WITHDRAW = "withdraw"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A user's key, without its secret. `allow` is `None` where any address may use it."""

    id: str
    user: str
    label: str
    allow: Allowlist | None
    permissions: frozenset[Permission]


@dataclass(frozen=True, slots=True)
class Order:
    """An accepted order. `amount` is of the symbol's first asset."""

    id: str
    symbol: str
    side: str
    amount: Decimal


@dataclass(slots=True)
class User:
    """A user, and what it owns. Mutable: its balances and orders change."""

    id: str
    name: str
    balances: dict[str, Decimal] = field(default_factory=lambda: dict(OPENING_BALANCES))
    orders: deque[Order] = field(default_factory=lambda: deque(maxlen=MAX_ORDERS_KEPT))


class Accounts:
    """Every user and key of one reference API."""

    def __init__(self) -> None:
        self._users: dict[str, User] = {}
        self._sessions: dict[bytes, str] = {}
        self._keys: dict[bytes, ApiKey] = {}
        self._digests: dict[str, dict[str, bytes]] = {}

    def __repr__(self) -> str:
        return f"Accounts(users={len(self._users)}, keys={len(self._keys)})"

    def create_user(self, name: str) -> tuple[User, str]:
        """Make a user with opening balances; returns it and its session.

        Raises:
            Conflict: There are too many users.
        """
        if len(self._users) >= MAX_USERS:
            raise Conflict("there are too many users")
        user = User(_new_id("user"), name)
        session = _new_secret("session")
        self._users[user.id] = user
        self._digests[user.id] = {}
        self._sessions[_digest(session)] = user.id
        return user, session

    def user(self, user_id: str) -> User:
        """Find a user that is known to exist."""
        return self._users[user_id]

    def find_session(self, session: str) -> User | None:
        """Find whose session it is."""
        user_id = self._sessions.get(_digest(session))
        return None if user_id is None else self._users[user_id]

    def create_key(
        self, user: User, label: str, allow: Allowlist | None, permissions: frozenset[Permission]
    ) -> tuple[ApiKey, str]:
        """Make a key; returns it and its secret.

        Raises:
            Conflict: The user has too many keys.
        """
        if len(self._digests[user.id]) >= MAX_KEYS_PER_USER:
            raise Conflict("the user has too many keys")
        key = ApiKey(_new_id("key"), user.id, label, allow, permissions)
        secret = _new_secret("key")
        self._keys[_digest(secret)] = key
        self._digests[user.id][key.id] = _digest(secret)
        return key, secret

    def find_key(self, secret: str) -> ApiKey | None:
        """Find a key by its secret."""
        return self._keys.get(_digest(secret))

    def keys(self, user: User) -> list[ApiKey]:
        """List a user's keys, oldest first."""
        return [self._keys[digest] for digest in self._digests[user.id].values()]

    def replace_allowlist(self, user: User, key_id: str, allow: Allowlist | None) -> ApiKey:
        """Give a key another allowlist; it holds from the next request.

        Raises:
            NotFound: The user has no such key.
        """
        digest = self._digest_of(user, key_id)
        self._keys[digest] = replace(self._keys[digest], allow=allow)
        return self._keys[digest]

    def delete_key(self, user: User, key_id: str) -> None:
        """Delete a key; it is unknown from the next request.

        Raises:
            NotFound: The user has no such key.
        """
        del self._keys[self._digest_of(user, key_id)]
        del self._digests[user.id][key_id]

    def place_order(self, user: User, symbol: str, side: str, amount: Decimal) -> Order:
        """Accept an order. It is never carried out, and moves no balance."""
        order = Order(_new_id("order"), symbol, side, amount)
        user.orders.append(order)
        return order

    def withdraw(self, user: User, asset: str, amount: Decimal) -> str:
        """Take an amount from a balance; returns the withdrawal's id.

        Raises:
            Conflict: The balance is smaller, or there is none of the asset.
        """
        if user.balances.get(asset, Decimal(0)) < amount:
            raise Conflict("the balance is too small")
        user.balances[asset] -= amount
        return _new_id("withdrawal")

    def _digest_of(self, user: User, key_id: str) -> bytes:
        digest = self._digests[user.id].get(key_id)
        if digest is None:
            raise NotFound("no such key")
        return digest


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def _new_id(kind: str) -> str:
    return f"{kind}_{secrets.token_hex(8)}"


def _new_secret(kind: str) -> str:
    return f"reference_{kind}_{secrets.token_urlsafe(32)}"
