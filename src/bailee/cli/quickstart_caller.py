"""Step 5 of `bailee quickstart`: a program that may use the key, and for what."""

import shlex
import time
from collections.abc import Sequence
from typing import Any

import click

from bailee.cli.admin_api import segment
from bailee.cli.caller import TOKEN_DAYS
from bailee.cli.quickstart_key import Connected
from bailee.cli.quickstart_run import Run
from bailee.errors import NotFound
from bailee.model import Provider, ProviderRequest, Rule
from bailee.policy.rules import compile_rules

DEFAULT_RULE = Rule("GET", "/**")


def rules_for(wished: tuple[Rule, ...], provider: Provider) -> tuple[Rule, ...]:
    """What the caller may do: what was wished, else to read, and the preset's own probe.

    A probe only reads, even where its method is POST.
    """
    if wished:
        return wished
    if provider.probe is None or covers((DEFAULT_RULE,), provider.probe.request):
        return (DEFAULT_RULE,)
    probe = provider.probe.request
    return DEFAULT_RULE, Rule(probe.method, probe.path)


def covers(rules: Sequence[Rule], asked: ProviderRequest) -> bool:
    """Whether a grant of these rules lets a request through."""
    return compile_rules(rules).find(asked.method, asked.path) is not None


def permit(run: Run, provider: Provider, connected: Connected, form: str) -> str:
    """Add the caller and its grant, unless they are there; returns the caller's id."""
    name, rules = run.wishes.caller, rules_for(run.wishes.allow, provider)
    allowed = " ".join(f"--allow {shlex.quote(str(rule))}" for rule in rules)
    run.guide.step(
        "A program that may use it",
        f"bailee caller add {shlex.quote(name)}",
        f"bailee grant add {shlex.quote(name)} {connected.id} {allowed}",
    )
    caller = _caller(run, name, form)
    _grant(run, caller, provider, connected, rules)
    return caller


def _caller(run: Run, name: str, form: str) -> str:
    run.told |= {"caller": name, "token": None}
    try:
        known: dict[str, Any] = run.admin.read(f"/v1/callers/{segment(name)}")
    except NotFound:
        pass
    else:
        run.did("caller", "reused")
        run.guide.done(f"caller {name} is there; its token was shown when it was made")
        run.guide.note(
            f"if that is lost: 'bailee caller revoke {name}', then run this again for a new one"
        )
        return str(known["id"])
    added = run.admin.send(
        "/v1/callers", {"name": name, "allow_from": [], "token_days": TOKEN_DAYS}
    )
    run.told["token"] = added["token"]
    run.did("caller", "added")
    run.guide.done(f"caller {name} is added, with a token that is good for {TOKEN_DAYS} days")
    if form == "table":
        click.echo(f"token  {added['token']}")
        run.guide.note("it is stored as a digest: keep it now, it is not shown again")
    return str(added["id"])


def _grant(
    run: Run, caller: str, provider: Provider, connected: Connected, rules: Sequence[Rule]
) -> None:
    granted = {
        text
        for grant in run.admin.pages("/v1/grants", caller=caller)
        if _is_over(grant, provider, connected, run.wishes.subject)
        for text in grant["allow"]
    }
    missing = [text for text in map(str, rules) if text not in granted]
    if not missing:
        run.did("grant", "reused")
        run.guide.done(f"its grant is there: {', '.join(map(str, rules))}")
        return
    document = {"caller": caller, "connection": connected.id, "allow": missing}
    run.admin.send("/v1/grants", {**document, "expires_at": None})
    run.did("grant", "added")
    run.guide.done(f"it may do this over connection {connected.id}: {', '.join(missing)}")


def _is_over(grant: dict[str, Any], provider: Provider, connected: Connected, subject: str) -> bool:
    if grant["revoked_at"] is not None:
        return False
    if grant["expires_at"] is not None and float(grant["expires_at"]) <= time.time():
        return False
    over = (grant.get("connection"), grant.get("provider"), grant.get("subject"))
    return over in ((connected.id, None, None), (None, provider.id, None), (None, None, subject))
