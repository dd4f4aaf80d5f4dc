"""The reference API's users, keys, balances and orders, in memory: gone when the process ends.

Sessions, keys and secrets are shown once, when they are made. Sessions and bearer keys are kept as
digests; the secret of an HMAC key has to be kept as it is, for its signatures to be checked.
"""

import hashlib
import secrets
from collections import deque
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum

from bailee.errors import Conflict, NotFound
from bailee.policy.allowlist import Allowlist, parse_address
from bailee.secret import Secret

MAX_USERS = 100_000
MAX_KEYS_PER_USER = 1_000
MAX_ORDERS_KEPT = 1_000
OPENING_BALANCES = {"EUR": Decimal("1000.00"), "BTC": Decimal("0.50000000")}


class Permission(StrEnum):
    """What a key may do."""

    READ = "read"
    TRADE = "trade"
    WITHDRAW = "withdraw"


class KeyKind(StrEnum):
    """How a request shows that it has a key."""

    BEARER = "bearer"
    """The key itself is in the request."""
    HMAC = "hmac"
    """The key's id is in the request, and a signature by its secret; see `signed`."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A user's key, without its secret. `allow` is `None` where any address may use it."""

    id: str
    user: str
    label: str
    allow: Allowlist | None
    permissions: frozenset[Permission]
    kind: KeyKind = KeyKind.BEARER
    wants_nonce: bool = False
    """Of an HMAC key: each request has a nonce, higher than the last one."""


@dataclass(frozen=True, slots=True)
class KeyWish:
    """What a user asks for who makes a key; the fields are those of `ApiKey`."""

    label: str
    allow: Allowlist | None
    permissions: frozenset[Permission]
    kind: KeyKind = KeyKind.BEARER
    wants_nonce: bool = False


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just made, and what is shown of it this once."""

    key: ApiKey
    shown: dict[str, str]
    """`api_key`; for an HMAC key, whose `api_key` is its id, `api_secret` too."""

    def __repr__(self) -> str:
        return f"NewKey({self.key.id})"


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
        self._secrets: dict[str, Secret] = {}
        self._nonces: dict[str, int] = {}

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

    def create_key(self, user: User, wish: KeyWish) -> NewKey:
        """Make a key.

        Raises:
            Conflict: The user has too many keys.
        """
        if len(self._digests[user.id]) >= MAX_KEYS_PER_USER:
            raise Conflict("the user has too many keys")
        key = ApiKey(
            _new_id("key"), user.id, wish.label, wish.allow, wish.permissions, wish.kind,
            wish.wants_nonce,
        )  # fmt: skip
        secret = _new_secret("key")
        if key.kind is KeyKind.BEARER:
            shown = {"api_key": secret}
        else:
            shown = {"api_key": key.id, "api_secret": secret}
            self._secrets[key.id] = Secret(secret.encode())
        digest = _digest(shown["api_key"])
        self._keys[digest] = key
        self._digests[user.id][key.id] = digest
        return NewKey(key, shown)

    def find_key(self, api_key: str, kind: KeyKind) -> ApiKey | None:
        """Find a key of a kind by what a request names it by."""
        key = self._keys.get(_digest(api_key))
        return key if key is not None and key.kind is kind else None

    def secret_of(self, key: ApiKey) -> Secret:
        """The secret of an HMAC key that is known to exist."""
        return self._secrets[key.id]

    def take_nonce(self, key: ApiKey, nonce: int) -> bool:
        """Take a nonce of a signed request; false, and nothing taken, unless it is the highest."""
        if nonce <= self._nonces.get(key.id, -1):
            return False
        self._nonces[key.id] = nonce
        return True

    def is_listed(self, address: str) -> bool:
        """Say whether an address is on any key's allowlist. One that is for all is for nobody."""
        parsed = parse_address(address)
        return parsed is not None and any(
            network.prefixlen > 0 and parsed in network
            for key in self._keys.values()
            if key.allow is not None
            for network in key.allow.networks
        )

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
        self._secrets.pop(key_id, None)
        self._nonces.pop(key_id, None)

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
