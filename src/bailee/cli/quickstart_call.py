"""Step 6 of `bailee quickstart`: a first call, and what its answer means."""

import json
import shlex
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from bailee.cli.call import FIRST_REFUSAL, send_call
from bailee.cli.quickstart_caller import covers, rules_for
from bailee.cli.quickstart_key import Connected, replace_key
from bailee.cli.quickstart_run import Run, parse_call
from bailee.cli.wire import Answer
from bailee.errors import BadInput, CheckFailed, LockRequired
from bailee.model import Meaning, Provider, ProviderRequest
from bailee.secret import Secret

TOKEN_SECONDS: Final = 60
CHANGE_SECONDS: Final = 1.0
_SHOWN_CHARACTERS: Final = 300
_ABOUT_KEY: Final = {Meaning.ADDRESS, Meaning.CREDENTIAL, Meaning.CREDENTIAL_OR_ADDRESS}
_TOLD: Final[Mapping[Meaning, str]] = {
    Meaning.SERVED: "{name} served it: the key works from {address}",
    Meaning.ADDRESS: "{name} refused the address: the key's allowlist does not have {address}",
    Meaning.CREDENTIAL: "{name} refused the key: it is unknown there, mistyped, expired or revoked",
    Meaning.CREDENTIAL_OR_ADDRESS: "{name} refused the key or its address, in words that it uses "
    "for both: the key is wrong, or its allowlist does not have {address}",
    Meaning.PERMISSION: "{name} knows the key and lets {address} in; the key may not do this",
    Meaning.LIMITED: "{name} answered that there were too many calls: try again later",
    Meaning.UNCLEAR: "{name} answered something else, which its file does not explain",
}
_MEND: Final[Mapping[Meaning, str]] = {
    Meaning.ADDRESS: "allow {address} in the key's settings at {name}, then run this again",
    Meaning.CREDENTIAL: "run this again with --new-key",
    Meaning.CREDENTIAL_OR_ADDRESS: "look at the key's settings at {name}, then run this "
    "again, with --new-key if the key was wrong",
}


@dataclass(frozen=True, slots=True)
class Called:
    """A call and its answer, without the body."""

    request: ProviderRequest
    status: int
    verdict: Meaning | None
    """What the provider's answer means, as far as its file tells."""
    error: str | None
    """The code of what Bailee itself answered."""

    @property
    def good(self) -> bool:
        """Whether the key was let in."""
        if self.error is not None:
            return False
        if self.verdict is None:
            return self.status < FIRST_REFUSAL
        return self.verdict in (Meaning.SERVED, Meaning.PERMISSION)

    @property
    def about_key(self) -> bool:
        """Whether another key, or another allowlist, may be let in."""
        if self.error is not None:
            return False
        return self.verdict in _ABOUT_KEY or (self.verdict is None and self.status in (401, 403))


def check_wish(run: Run, provider: Provider) -> None:
    """Refuse a call that the grant would not allow, before anything is made.

    Raises:
        BadInput: It is not in what the caller may do.
    """
    asked = run.wishes.call
    if asked is not None and not covers(rules_for(run.wishes.allow, provider), asked):
        rule = f"{asked.method} {asked.path}"
        raise BadInput(
            f"'{rule}' is not in what the caller would be allowed", f"give --allow '{rule}', too"
        )


def first_call(run: Run, provider: Provider, connected: Connected, caller: str) -> Called | None:
    """Make a call as the caller would, and say what its answer means.

    Where the key or its address was refused, whoever sits at the terminal may mend it and try
    again.

    Returns:
        What came; None where no call is known. With the error `lock-required` the tenant wants a
        lock before any call.

    Raises:
        CheckFailed: The key was not let in, or the call did not come so far.
    """
    asked = _request(run, provider)
    command = _command(connected, asked, provider) if asked else "bailee call CONNECTION GET /path"
    run.guide.step("A first call", command)
    asked = asked or _ask_for_one(run, provider)
    if asked is None:
        run.guide.note("no call is known: give --call 'GET /path' to make one")
        return None
    while True:
        time.sleep(wait_seconds(run.told["done"]["connection"], run.changed_at, time.monotonic()))
        called = _call(run, provider, connected, caller, asked)
        if called.good or called.error == LockRequired.code:
            return called
        if not (called.about_key and run.guide.asks):
            break
        choices = {
            "c": "call again, after a change at the provider",
            "k": "type another key",
            "s": "stop",
        }
        letter = run.guide.choose("what now", choices)
        if letter == "s":
            break
        if letter == "k":
            connected = replace_key(run, provider, connected)
    if called.about_key or called.error is not None:
        raise CheckFailed("the first call was not served", _mend(provider, connected, called))
    return called


def wait_seconds(connection: str, changed_at: float, now: float) -> float:
    """How long to wait before a call, so that no gateway goes by what it knew before a change.

    A gateway may do so for a second. It knows nothing of a connection that was just made.

    Args:
        connection: What became of it in this run: `sealed`, `rotated` or `reused`.
        changed_at: When this run changed something last.
        now: By the same clock.
    """
    return 0.0 if connection == "sealed" else max(0.0, changed_at + CHANGE_SECONDS - now)


def door_of(provider: Provider, connected: Connected, asked: ProviderRequest) -> str:
    """The first segment of a call's path."""
    if asked.origin in (None, provider.origins[0].name):
        return connected.id
    return f"{connected.id}.{asked.origin}"


def target_of(asked: ProviderRequest) -> str:
    """Path and query."""
    return asked.path + (f"?{asked.query}" if asked.query else "")


def _request(run: Run, provider: Provider) -> ProviderRequest | None:
    if run.wishes.call is not None:
        return run.wishes.call
    if provider.probe is not None and covers(
        rules_for(run.wishes.allow, provider), provider.probe.request
    ):
        return provider.probe.request
    return None


def _ask_for_one(run: Run, provider: Provider) -> ProviderRequest | None:
    if not run.guide.asks:
        return None
    while typed := run.guide.ask("a path to try, as in /v1/balance (empty: none)"):
        try:
            asked = parse_call(f"GET {typed}")
        except BadInput as error:
            run.guide.trouble(error.detail)
            continue
        if covers(rules_for(run.wishes.allow, provider), asked):
            return asked
        run.guide.trouble("the caller may not do that")
    return None


def _command(connected: Connected, asked: ProviderRequest, provider: Provider) -> str:
    door = door_of(provider, connected, asked)
    data = f" -d {shlex.quote(asked.body)}" if asked.body else ""
    return f"bailee call {door} {asked.method} {shlex.quote(target_of(asked))}{data}"


def _call(
    run: Run, provider: Provider, connected: Connected, caller: str, asked: ProviderRequest
) -> Called:
    token = run.admin.send(
        "/v1/tokens",
        {
            "caller": caller,
            "connection": connected.id,
            "methods": [asked.method],
            "seconds": TOKEN_SECONDS,
        },
    )["token"]
    headers = {"Authorization": f"Bearer {token}"}
    if asked.content_type:
        headers["Content-Type"] = asked.content_type
    body = None if asked.body is None else asked.body.encode("utf-8")
    target = f"/{door_of(provider, connected, asked)}{target_of(asked)}"
    answer = send_call(run.calls, asked.method, target, headers, body)
    verdict = answer.header("Bailee-Verdict")
    called = Called(
        asked,
        answer.status,
        Meaning(verdict) if verdict in list(Meaning) else None,
        answer.header("Bailee-Error"),
    )
    _tell(run, provider, connected, called, answer)
    run.told["call"] = {
        "request": f"{asked.method} {target_of(asked)}",
        "status": called.status,
        "verdict": called.verdict,
        "error": called.error,
        "id": answer.header("Bailee-Call"),
    }
    return called


def _tell(
    run: Run, provider: Provider, connected: Connected, called: Called, answer: Answer
) -> None:
    guide = run.guide
    head = f"{called.request.method} {target_of(called.request)}: {called.status}"
    if called.error is not None:
        guide.trouble(f"{head}, Bailee-Error: {called.error}")
        for line in _problem(answer):
            guide.note(line)
        return
    verdict = f", Bailee-Verdict: {called.verdict}" if called.verdict else ""
    (guide.done if called.good else guide.trouble)(head + verdict)
    guide.note(_meaning(called).format(name=provider.name, address=connected.address))
    if skew := answer.header("Bailee-Clock-Skew"):
        guide.note(f"this machine's clock is {skew} seconds ahead of the provider's: set it")
    if called.verdict is not Meaning.SERVED and not (called.good and called.verdict is None):
        _show_body(run, connected, answer)


def _meaning(called: Called) -> str:
    if called.verdict is not None:
        return _TOLD[called.verdict]
    if called.good:
        return "{name} answered; its file does not say how it refuses, so the status has to do"
    if called.about_key:
        return "{name} refused it; its file does not say whether for the key or for {address}"
    return "{name} answered something else; its file does not say what it means"


def _show_body(run: Run, connected: Connected, answer: Answer) -> None:
    if not answer.body.strip():
        return
    if (text := excerpt(answer.body, connected.typed)) is None:
        run.guide.note("the key may stand in what it answered: 'bailee call' shows it")
    else:
        run.guide.note(f"it answered: {text}")


def excerpt(body: bytes, typed: Secret | None) -> str | None:
    """Return how an answer begins; None if the key stands in it, or nobody knows whether it does.

    Some APIs repeat a key that they refuse.

    Args:
        body: The whole body.
        typed: The credential, a JSON object of texts; None if it was not entered in this run.
    """
    text = body.decode("utf-8", "backslashreplace").strip()
    values = None if typed is None else json.loads(typed.reveal()).values()
    if values is None or any(value in text or json.dumps(value)[1:-1] in text for value in values):
        return None
    return text[:_SHOWN_CHARACTERS] + ("..." if len(text) > _SHOWN_CHARACTERS else "")


def _problem(answer: Answer) -> list[str]:
    """Detail and hint of what Bailee itself answered."""
    try:
        problem = json.loads(answer.body)
    except ValueError:
        return []
    told = [problem.get(name) for name in ("detail", "hint")] if isinstance(problem, dict) else []
    return [str(each) for each in told if each]


def _mend(provider: Provider, connected: Connected, called: Called) -> str:
    if called.error is not None:
        return f"docs/errors.md says what {called.error} is; mend it, then run this again"
    told = _MEND.get(called.verdict or Meaning.CREDENTIAL_OR_ADDRESS, "")
    return told.format(name=provider.name, address=connected.address)
