"""Step 1 of `bailee quickstart`: is there a vault, an address to call from, and a server?"""

import os

from bailee.cli.quickstart_run import Run
from bailee.config import EgressEntry
from bailee.errors import AdminUnreachable, CheckFailed, GatewayUnreachable, NotFound
from bailee.manage import egress as addresses
from bailee.operate.check import Check, Level
from bailee.operate.egress_checks import look_at_bindings, look_at_published
from bailee.operate.running import answers


def check_ground(run: Run) -> EgressEntry:
    """Look whether calls can be made at all; returns the address that they are to leave from.

    Raises:
        CheckFailed: No address is published and on this machine.
        NotFound: The one that was wished for is not in the configuration.
        AdminUnreachable, GatewayUnreachable: Nothing serves the vault.
        BaileeError: The admin API refuses the token.
    """
    guide, path = run.guide, run.settings.path
    guide.step("The vault, and an address to call from", "bailee doctor", "bailee status")
    guide.done(f"the vault's configuration is {path}")
    if not os.environ.get("BAILEE_CONFIG"):
        guide.note(f"the commands shown here find it after 'export BAILEE_CONFIG={path}'")
    entry = _address(run)
    _require_server(run)
    run.told["egress"] = entry.public
    return entry


def _address(run: Run) -> EgressEntry:
    standings = addresses.list_all(run.store, run.verifier)
    checks = [*look_at_published(run.settings, standings), *look_at_bindings(run.settings)]
    wanted = run.wishes.egress
    if wanted is not None and all(each.name != wanted for each in run.settings.egress):
        raise NotFound(f"{run.settings.path} has no [[egress]] section named {wanted}")
    for entry in run.settings.egress:
        about = [each for each in checks if each.about == f"egress {entry.name}"]
        if wanted in (None, entry.name) and all(each.level is Level.OK for each in about):
            seen = "" if entry.bind == entry.public else f", seen from outside as {entry.public}"
            run.guide.done(
                f"calls leave from {entry.bind}{seen} (egress {entry.name}): it is published, and "
                "on this machine"
            )
            return entry
    for check in checks:
        if check.level is not Level.OK:
            run.guide.trouble(_told(check))
    raise CheckFailed(
        "there is no address that calls could leave from",
        "mend that, and run this again; docs/guides/static-address.md shows how to get one",
    )


def _told(check: Check) -> str:
    return f"{check.about}: {check.found} ({check.advice})"


def _require_server(run: Run) -> None:
    start = f"start it, and leave it running: bailee serve --config {run.settings.path}"
    place = run.admin.place
    if not answers((place.host, place.port)):
        raise AdminUnreachable(f"nothing answers at {place}, the admin API", start)
    if not answers((run.calls.host, run.calls.port)):
        raise GatewayUnreachable(f"nothing answers at {run.calls}, the gateway", start)
    run.admin.read("/v1/status")
    run.guide.done(f"the server answers: admin at {place}, calls at {run.calls}")
