"""`Idempotency-Key`: a request of the admin API that comes again is not done again."""

import re
from dataclasses import dataclass, field
from typing import Final

from bailee.errors import BadInput, KeyReused, RequestUnderWay
from bailee.model import TenantId
from bailee.store import replays as rows
from bailee.store.engine import Store

KEPT_SECONDS: Final = 86_400.0
_KEY: Final = re.compile(r"[!-~](?:[ -~]{0,126}[!-~])?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Answered:
    """How a request was answered the first time. `body` is None where it was not kept."""

    status: int
    body: bytes | None = field(repr=False)


def begin(
    store: Store, tenant: TenantId, actor: str, key: str, digest: bytes, now: float
) -> Answered | None:
    """Begin a request, or find how it was answered.

    Of two that come at once, one begins. Whoever begins says how it ends: `finish` or `forget`.

    Args:
        store: The database.
        tenant: Whose things the request is about.
        actor: Who asks: keys of two actors are different keys.
        key: What the actor sent, 1 to 128 printable ASCII characters.
        digest: SHA-256 of all that makes the request what it is: 32 bytes.
        now: Unix seconds.

    Returns:
        None for the first time.

    Raises:
        BadInput: The key is not of the right form.
        KeyReused: It came with another request, within the last day.
        RequestUnderWay: The first request has no answer yet, and if its process died it never will.
    """
    if not _KEY.fullmatch(key):
        raise BadInput("an idempotency key is 1 to 128 printable ASCII characters")
    with store.write() as conn:
        if rows.reserve(conn, tenant, actor, key, digest, now):
            return None
        found = rows.find(conn, tenant, actor, key)
        if found is not None and found.created_at <= now - KEPT_SECONDS:
            rows.renew(conn, tenant, actor, key, digest, now)
            return None
    if found is None or found.digest != digest:
        raise KeyReused()
    if found.status is None:
        raise RequestUnderWay()
    return Answered(found.status, found.body)


def finish(
    store: Store, tenant: TenantId, actor: str, key: str, status: int, body: bytes | None
) -> None:
    """Keep the answer of a request for a day; `body` must hold no token and no credential."""
    with store.write() as conn:
        rows.answer(conn, tenant, actor, key, status, body)


def forget(store: Store, tenant: TenantId, actor: str, key: str) -> None:
    """Let a request that was refused, and so changed nothing, come again."""
    with store.write() as conn:
        rows.drop(conn, tenant, actor, key)
