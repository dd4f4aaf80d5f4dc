"""Calls: through Bailee, around it, and by those who may not."""

import secrets
from collections.abc import Iterator

from bailee.demo.play import EGRESS, STRANGER, THIEF, Play
from bailee.demo.telling import Check
from bailee.demo.wire import Answer
from bailee.policy.token import RANDOM_BYTES, format_token


def call(play: Play) -> Iterator[Check]:
    """The call is served, comes from the promised address, and carries the key alone."""
    balance, echo = play.call("/v1/balance"), play.call("/v1/echo")
    amount = balance.json.get("balances", {}).get("EUR")
    yield Check(
        "served",
        f"the API answers: 200, a balance of {amount} EUR",
        balance.status == 200 and amount is not None,
        seen(balance),
    )
    peer = echo.json.get("peer")
    yield Check(
        "source",
        f"the API saw the call come from {peer}",
        peer == EGRESS,
        {"peer": peer, **seen(echo)},
    )
    placed, token_gone = echo.json.get("key") == play.key_id, play.token not in echo.body.decode()
    yield Check(
        "key-placed",
        "the API got the user's key, and not the application's token",
        echo.status == 200 and placed and token_gone,
        {"key_placed": placed, "token_gone": token_gone},
    )
    shown = [text for name, text in echo.json.get("headers", []) if name == "authorization"]
    masked = shown == [f"Bearer {'*' * len(play.api_key)}"]
    yield Check(
        "key-masked",
        "the API repeats the key in its answer: the application sees asterisks",
        masked and play.api_key not in echo.body.decode(),
        {"masked": masked},
    )


def thief(play: Play) -> Iterator[Check]:
    """The same key, with the same client, from two addresses."""
    stolen, allowed = play.use_key_from(THIEF), play.use_key_from(EGRESS)
    code = stolen.json.get("error", {}).get("code")
    yield Check(
        "thief-refused",
        f"from {THIEF} the API refuses it: {stolen.status} {code}",
        (stolen.status, code) == (403, "address_not_allowed"),
        {"status": stolen.status, "code": code},
    )
    yield Check(
        "address-decides",
        f"from {EGRESS} the same client is served: the address alone decides",
        allowed.status == 200,
        {"status": allowed.status},
    )


def refusals(play: Play) -> Iterator[Check]:
    """No grant, no such token, no such path: refused, and nothing reached the API."""
    before = play.api_counters()
    stranger = play.call("/v1/balance", token=play.stranger_token)
    forged = play.call("/v1/balance", token=format_token(secrets.token_bytes(RANDOM_BYTES)))
    denied = play.call("/v1/withdrawals", method="POST")
    after = play.api_counters()
    yield _refused("no-grant", f"the caller {STRANGER!r} has no grant", stranger, 404)
    yield _refused("wrong-token", "a token that was never issued", forged, 401)
    yield _refused("denied-path", "POST /v1/withdrawals is not in the grant", denied, 403)
    reached = sum(after.values()) - sum(before.values())
    yield Check(
        "none-reached",
        f"the API counted {reached} requests of these three",
        reached == 0,
        {"requests": reached},
    )


def seen(answer: Answer) -> dict[str, str | int | float | bool | None]:
    """What of an answer may be told: its status and Bailee's error code."""
    return {"status": answer.status, "error": answer.error or None}


def _refused(name: str, what: str, answer: Answer, status: int) -> Check:
    codes = {401: "unauthenticated", 403: "denied", 404: "connection-not-found"}
    return Check(
        name,
        f"{what}: {answer.status} {answer.error}",
        (answer.status, answer.error) == (status, codes[status]),
        seen(answer),
    )
