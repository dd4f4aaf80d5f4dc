"""The reference API's console: where users make keys, as on a provider's web site.

A key is asked for as `{"label": TEXT, "allow": [ADDRESS OR NETWORK, ...] or null for any,
"permissions": ["read", "trade", "withdraw"]}`, with `"kind": "hmac"` for one whose requests are
signed, and `"nonce": true` if each of them shall have a nonce.

It is not subject to a key's allowlist, since a user signs in from anywhere.
"""

from collections.abc import Iterable

from bailee.errors import BadInput, Conflict, NotFound
from bailee.policy.allowlist import Allowlist
from bailee.reference.accounts import (
    Accounts,
    ApiKey,
    KeyKind,
    KeyWish,
    Permission,
    User,
)
from bailee.reference.wire import ApiFault, Request, bearer

MAX_TEXT = 100
MAX_ALLOWLIST = 100


class Console:
    """`POST /users`; with a session: `GET|POST /keys`, `PUT /keys/{id}/allowlist`,
    `DELETE /keys/{id}`."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts

    async def answer(self, request: Request) -> None:
        """Answer one request.

        Raises:
            ApiFault: It is refused.
        """
        try:
            match (request.method, request.path.strip("/").split("/")):
                case ("POST", ["users"]):
                    await self._create_user(request)
                case ("GET", ["keys"]):
                    keys = self._accounts.keys(self._user(request))
                    await request.reply(200, {"keys": [_shown(key) for key in keys]})
                case ("POST", ["keys"]):
                    await self._create_key(request)
                case ("PUT", ["keys", key_id, "allowlist"]):
                    await self._replace_allowlist(request, key_id)
                case ("DELETE", ["keys", key_id]):
                    self._accounts.delete_key(self._user(request), key_id)
                    await request.reply(200, {"deleted": key_id})
                case _:
                    raise ApiFault(404, "not_found", "no such route")
        except NotFound as fault:
            raise ApiFault(404, "not_found", fault.detail) from fault
        except Conflict as fault:
            raise ApiFault(409, "limit_reached", fault.detail) from fault

    async def _create_user(self, request: Request) -> None:
        user, session = self._accounts.create_user(_text(await request.json(), "name"))
        await request.reply(201, {"user": user.id, "session": session})

    async def _create_key(self, request: Request) -> None:
        user, asked = self._user(request), await request.json()
        new = self._accounts.create_key(user, _wish(asked))
        await request.reply(201, {**_shown(new.key), **new.shown})

    async def _replace_allowlist(self, request: Request, key_id: str) -> None:
        user, asked = self._user(request), await request.json()
        key = self._accounts.replace_allowlist(user, key_id, _allowlist(asked))
        await request.reply(200, _shown(key))

    def _user(self, request: Request) -> User:
        session = bearer(request.scope)
        user = self._accounts.find_session(session) if session else None
        if user is None:
            raise ApiFault(401, "invalid_session", "a valid session is required")
        return user


def _shown(key: ApiKey) -> dict[str, object]:
    allow = None if key.allow is None else list(key.allow.entries)
    permissions = sorted(key.permissions)
    shown = {"id": key.id, "label": key.label, "allow": allow, "permissions": permissions}
    return {**shown, "kind": key.kind, "nonce": key.wants_nonce}


def _wish(asked: dict[str, object]) -> KeyWish:
    kind, nonce = asked.get("kind", KeyKind.BEARER), asked.get("nonce", False)
    if kind not in tuple(KeyKind):
        raise ApiFault(400, "invalid_request", f"kind must be one of: {', '.join(KeyKind)}")
    if not isinstance(nonce, bool) or (nonce and kind != KeyKind.HMAC):
        raise ApiFault(
            400, "invalid_request", "nonce must be true or false, and true for hmac only"
        )
    text = _text(asked, "label")
    return KeyWish(text, _allowlist(asked), _permissions(asked), KeyKind(str(kind)), nonce)


def _text(asked: dict[str, object], name: str) -> str:
    value = asked.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= MAX_TEXT:
        raise ApiFault(400, "invalid_request", f"{name} must be a text of 1 to {MAX_TEXT}")
    return value


def _texts(asked: dict[str, object], name: str) -> list[str]:
    values = asked.get(name)
    if not isinstance(values, list) or len(values) > MAX_ALLOWLIST:
        raise ApiFault(400, "invalid_request", f"{name} must be a list of texts")
    texts = [value for value in values if isinstance(value, str)]
    if len(texts) != len(values):
        raise ApiFault(400, "invalid_request", f"{name} must be a list of texts")
    return texts


def _allowlist(asked: dict[str, object]) -> Allowlist | None:
    """`null` opens a key to any address, and has to be said; an empty list closes it to all."""
    if "allow" in asked and asked["allow"] is None:
        return None
    try:
        return Allowlist.parse(_texts(asked, "allow"))
    except BadInput as fault:
        raise ApiFault(400, "invalid_allowlist", fault.detail) from fault


def _permissions(asked: dict[str, object]) -> frozenset[Permission]:
    names: Iterable[str] = _texts(asked, "permissions")
    try:
        return frozenset(Permission(name) for name in names)
    except ValueError as fault:
        known = ", ".join(Permission)
        raise ApiFault(400, "invalid_request", f"permissions must be of: {known}") from fault
