"""Step 3 of `bailee quickstart`: which public keys the API's certificates may have."""

from collections.abc import Iterable
from typing import NoReturn

from bailee.cli.learning import Learned, learn_chain
from bailee.cli.output import format_time
from bailee.cli.pin_approval import Wanted, approve_at
from bailee.cli.quickstart_guide import Stop
from bailee.cli.quickstart_run import Run
from bailee.config import EgressEntry
from bailee.errors import BadInput, TrustBroken
from bailee.manage import pins as pin_sets
from bailee.model import PinSet, Provider, SeenCertificate
from bailee.operate.egress_checks import WRITER
from bailee.policy.pin import format_pin, parse_pin

WITHOUT = "danger-no-backup"
"""What somebody types, or gives as an option, to go without a backup."""


def trust_pins(run: Run, provider: Provider, egress: EgressEntry) -> None:
    """Have the pins approved of every origin that is needed now; pins that are there stay.

    Raises:
        BaileeError: The chain could not be seen, or is not valid.
        BadInput: Nobody is there to ask, and no option says what to approve. Nothing was approved.
        TrustBroken: A pin set is not what the authority signed.
        Stop: Somebody said no. Nothing was approved.
    """
    guide = run.guide
    guide.step("The public keys of its certificates", f"bailee pin learn {provider.id}")
    standings = {
        each.origin: each for each in pin_sets.list_all(run.store, run.verifier, provider.id)
    }
    needed = needed_origins(provider)
    for name in needed:
        standing = standings.get(name)
        if standing is None:
            _approve(run, provider, name, egress)
        elif standing.pins is None:
            raise TrustBroken(
                f"the pins of origin {name} are not what the authority signed", WRITER
            )
        else:
            guide.done(f"the pins of {_place(provider, name)} are approved already")
            _note_backup(run, standing.pins)
            run.told["done"].setdefault("pins", "reused")
    for other in provider.origins:
        if other.name not in needed and other.name not in standings:
            guide.note(
                f"origin {other.name} ({other.authority}) has no pins yet, and carries no call: "
                f"bailee pin learn {provider.id} --origin {other.name}"
            )


def needed_origins(provider: Provider) -> tuple[str, ...]:
    """The default origin, and those that a check of the key asks."""
    asked = [provider.report.request] if provider.report else []
    if provider.probe:
        asked += [provider.probe.request, provider.probe.public]
    default = provider.origins[0].name
    return tuple(dict.fromkeys([default, *(each.origin or default for each in asked)]))


def _approve(run: Run, provider: Provider, origin: str, egress: EgressEntry) -> None:
    guide, place = run.guide, _place(provider, origin)
    guide.note(f"the keeper looks at the certificates of {place}, from {egress.bind} ...")
    learned = learn_chain(run.admin, run.verifier, provider.id, origin, egress.name)
    guide.done("two verifiers accept the chain, and the keeper signed what it saw:")
    for certificate in learned.chain:
        until = format_time(certificate.not_after)
        told = f"{certificate.role:<8}{certificate.subject}, {certificate.key}, until {until}"
        guide.exact(told)
        guide.exact(f"{'':<8}{format_pin(certificate.pin)}")
    wanted = _wanted(run, learned)
    approve_at(run.admin, run.desk(), learned, wanted)
    pins = " ".join(map(format_pin, wanted.approve))
    backup = "".join(f" --backup {format_pin(pin)}" for pin in wanted.backup) or f" --{WITHOUT}"
    named = "" if origin == provider.origins[0].name else f" --origin {origin}"
    guide.command(f"bailee pin approve {provider.id} {pins}{backup}{named}")
    guide.done(f"{len(wanted.approve) + len(wanted.backup)} pins of {place} are approved")
    run.did("pins", "approved")


def _wanted(run: Run, learned: Learned) -> Wanted:
    """Which pins to approve: by the options, else as somebody chooses."""
    wishes, guide = run.wishes, run.guide
    approve, backup, without = wishes.approve, wishes.backup, wishes.danger_no_backup
    if not guide.asks:
        guide.require_yes()
        approve = approve or _texts(learned.chain[:2])
    elif not approve:
        approve = _chosen(run, learned)
    elif not guide.confirm(f"approve {', '.join(approve)}?"):
        _refuse(run)
    if guide.asks and not backup and not without:
        backup, without = _ask_backup(run, learned)
    wanted = Wanted.parse(approve, backup, without)
    assert wanted is not None  # `approve` is not empty
    return wanted


def _chosen(run: Run, learned: Learned) -> tuple[str, ...]:
    leaf, *above = learned.chain
    run.guide.note(
        "compare the pins with what the provider publishes, or with a look from another network; "
        "which of them should count?"
    )
    choices = {}
    if above:
        choices["b"] = (
            f"both leaf and issuer ({above[0].subject}): calls go on when the provider takes a new "
            "key of this CA, or takes this key to another one. A certificate that this CA gives to "
            "the wrong person is not stopped"
        )
    choices["l"] = (
        f"the leaf alone ({leaf.subject}): every other key is stopped, the provider's next one too"
    )
    choices["n"] = "none: nothing is approved"
    letter = run.guide.choose("approve", choices)
    if letter == "n":
        _refuse(run)
    return _texts(learned.chain[: 2 if letter == "b" else 1])


def _ask_backup(run: Run, learned: Learned) -> tuple[tuple[str, ...], bool]:
    """Ask for a backup until there is one, or somebody goes without by name."""
    guide = run.guide
    guide.note(
        "a backup is the pin of a key that is not in use yet, such as another CA's that the "
        "provider may turn to (docs/guides/pins.md). Without one, calls stop on the day on which "
        "all of these keys are replaced, until you approve new ones. One can be added later"
    )
    seen = {certificate.pin for certificate in learned.chain}
    while True:
        typed = guide.ask(f"backup (sha256/..., or {WITHOUT}, or empty to stop)")
        if not typed:
            _refuse(run)
        if typed == WITHOUT:
            return (), True
        try:
            if parse_pin(typed) not in seen:
                return (typed,), False
            guide.trouble("that pin is in the present chain: it is no backup")
        except BadInput as error:
            guide.trouble(f"{error.detail}; {error.hint}")


def _refuse(run: Run) -> NoReturn:
    run.guide.note("no pin was approved: no call goes to this provider")
    raise Stop


def _note_backup(run: Run, pins: PinSet) -> None:
    if pins.danger_no_backup:
        run.guide.note("there is no backup among them: see docs/guides/pins.md")


def _texts(chain: Iterable[SeenCertificate]) -> tuple[str, ...]:
    return tuple(format_pin(certificate.pin) for certificate in chain)


def _place(provider: Provider, origin: str) -> str:
    found = provider.origin(origin)
    return origin if found is None else found.authority
