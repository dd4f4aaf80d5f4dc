"""Step 7 of `bailee quickstart`: is the key's allowlist in force?"""

from typing import Any

from bailee.cli.admin_api import segment
from bailee.cli.lock_check import ADVICE, check_one
from bailee.cli.output import format_time
from bailee.cli.quickstart_key import Connected
from bailee.cli.quickstart_run import Run
from bailee.errors import BaileeError, TrustBroken
from bailee.model import DecoyPolicy, LockState, Probe, Probing, Provider

_GOOD = (LockState.ENFORCED, LockState.DECLARED)
_BAD = (LockState.OPEN, LockState.BLOCKED)
_KEPT = ("state", "reason", "decoy")
_NO_DECOY, _NOT_CONSENTED = "no-decoy", "not-consented"


def check_lock(run: Run, provider: Provider, connected: Connected) -> None:
    """Have the lock measured as far as it can be, and say what is missing for more.

    A decoy is used only where the tenant consented, or whoever runs this does so for this once.

    Raises:
        TrustBroken: The result is not what the keeper signed.
    """
    guide, probe = run.guide, provider.probe
    guide.step("Is the key's allowlist in force?", f"bailee lock check {connected.id}")
    if probe is None:
        guide.note(
            "this can't be measured: the provider's file has no [probe] (docs/provider-file.md)"
        )
        return
    known = run.admin.read(f"/v1/locks/{segment(connected.id)}")
    if known["state"] == LockState.ENFORCED:
        guide.done(f"enforced already, measured at {format_time(known['checked_at'])}")
        _keep(run, known)
        return
    accepted = _accepted(run, provider, probe)
    try:
        row = check_one(run.admin, run.verifier, connected.id, accepted)
    except TrustBroken:
        raise
    except BaileeError as refused:
        guide.trouble(refused.detail)
        if refused.hint:
            guide.note(refused.hint)
    else:
        _tell(run, row)
    if not run.settings.decoy and probe.decoy is not DecoyPolicy.NEVER:
        _say_how_to_get_a_decoy(run, connected)


def _accepted(run: Run, provider: Provider, probe: Probe) -> bool:
    """Whether somebody accepts for this once that the key is tried from a decoy."""
    if run.wishes.accept_risky or not run.settings.decoy or probe.decoy is DecoyPolicy.NEVER:
        return run.wishes.accept_risky
    tenant = str(run.admin.read("/v1/status")["tenant"])
    consent = run.admin.read(f"/v1/tenants/{tenant}")["probing"]
    if consent == Probing.RISKY or (probe.decoy is DecoyPolicy.OK and consent == Probing.OK):
        return False
    if not run.guide.asks:
        return False
    risk = "does no harm"
    if probe.decoy is DecoyPolicy.RISKY:
        risk = "may lock the key or alarm its user"
    decoys = ", ".join(f"{each.name} ({each.public})" for each in run.settings.decoy)
    run.guide.note(
        f"the proof is to try the key from a decoy, {decoys}, where it must be refused. By what is "
        f"known of {provider.name} that {risk}"
    )
    return run.guide.confirm("try it from there, this once?")


def _tell(run: Run, row: dict[str, Any]) -> None:
    guide, state = run.guide, row["state"]
    _keep(run, row)
    text = f"{state}: {row['reason']}"
    if state in _GOOD:
        guide.done(text)
    elif state in _BAD:
        guide.trouble(text)
    else:
        guide.note(text)
    cause = str(row["cause"])
    if cause == _NOT_CONSENTED:
        guide.note(
            "to have it proven, once the key's user agrees to a trial from a decoy: run this again "
            "with --accept-risky, or 'bailee tenant set ID --probing ok'"
        )
    elif cause == _NO_DECOY and run.settings.decoy:
        guide.note("the server does not know of the decoy yet: 'bailee config reload'")
    elif cause != _NO_DECOY and cause in ADVICE:
        guide.note(ADVICE[cause])


def _keep(run: Run, row: dict[str, Any]) -> None:
    run.told["lock"] = {name: row[name] for name in _KEPT}


def _say_how_to_get_a_decoy(run: Run, connected: Connected) -> None:
    near = "/64" if ":" in connected.address else "/24"
    run.guide.note(
        f"a proof needs a decoy: one more address of this machine, in another {near} than "
        f"{connected.address}, which nobody is ever told to allow (docs/guides/static-address.md "
        f"says how to get one). In {run.settings.path}:"
    )
    for line in ("[[decoy]]", 'name = "d"', 'bind = "..."'):
        run.guide.exact(line)
    run.guide.note("then 'bailee config reload', and run this again")
