"""`bailee quickstart`: from a vault to a first call, one step after the other."""

import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bailee.cli.output import Form, output_option, print_json
from bailee.cli.surroundings import Surroundings, config_option, tenant_option
from bailee.errors import BadInput, CheckFailed, ConfigInvalid

if TYPE_CHECKING:
    from bailee.cli.quickstart_run import Run, Wishes

SUBJECT = "me"
CALLER = "app"


@click.command()
@click.argument("source", metavar="PROVIDER|FILE")
@click.option("--subject", default=SUBJECT, show_default=True, help="Whose key it is.")
@click.option("--caller", default=CALLER, show_default=True, help="The program that may use it.")
@click.option("--allow", multiple=True, metavar="'METHOD PATH'",
              help="What the program may do; may be repeated. Without it: 'GET /**'.")  # fmt: skip
@click.option("--call", metavar="'METHOD PATH'",
              help="The first call; else the one that the provider's file knows.")  # fmt: skip
@click.option("--egress", help="The egress address that its calls leave from.")
@click.option("--approve", multiple=True, metavar="sha256/...",
              help="Approve this pin, if it is in the chain; may be repeated.")  # fmt: skip
@click.option("--backup", multiple=True, metavar="sha256/...",
              help="A pin of a key that is not in use yet; may be repeated.")  # fmt: skip
@click.option("--danger-no-backup", is_flag=True, help="Go without a backup pin.")
@click.option("--new-key", is_flag=True, help="Put a new key in the place of the one there.")
@click.option("--accept-risky", is_flag=True,
              help="Try the key from a decoy this once, whatever the risk.")  # fmt: skip
@click.option("--yes", is_flag=True,
              help="Do not ask: approve what is shown. Pins need --backup, too.")  # fmt: skip
@config_option
@tenant_option
@output_option
def quickstart(
    source: str,
    subject: str,
    caller: str,
    allow: tuple[str, ...],
    call: str | None,
    egress: str | None,
    approve: tuple[str, ...],
    backup: tuple[str, ...],
    danger_no_backup: bool,
    new_key: bool,
    accept_risky: bool,
    yes: bool,
    config: Path | None,
    form: Form,
) -> int:
    """Go from a vault to a first call of an API: a preset, a provider's FILE, or one approved.

    Each step says what it does, and which command does it alone. What is to be trusted is shown and
    asked for. The key is typed at a prompt that does not show it; where stdin is no terminal, it is
    read there as a JSON object.

    After a failure run it again: what is done already is found and used. Exits with 1 when the
    first call was not served.
    """
    from bailee.cli.quickstart_run import Wishes, parse_call
    from bailee.policy.pin import parse_pin
    from bailee.policy.rules import parse_grant_rule

    for text in (*approve, *backup):
        parse_pin(text)
    if backup and danger_no_backup:
        raise BadInput("--danger-no-backup contradicts --backup")
    wishes = Wishes(
        source=source,
        subject=subject,
        caller=caller,
        allow=tuple(map(parse_grant_rule, allow)),
        call=None if call is None else parse_call(call),
        egress=egress,
        approve=approve,
        backup=backup,
        danger_no_backup=danger_no_backup,
        new_key=new_key,
        accept_risky=accept_risky,
    )
    return _begin(wishes, Surroundings.read(config), form, yes=yes)


def _begin(wishes: "Wishes", surroundings: Surroundings, form: Form, *, yes: bool) -> int:
    from bailee.cli.quickstart_guide import Guide, Stop
    from bailee.cli.quickstart_run import Run
    from bailee.store.engine import Store

    settings = surroundings.settings
    if settings is None:
        raise ConfigInvalid(
            "there is no vault to work with",
            "make one: bailee init DIR --egress ADDRESS; start it: bailee serve --config "
            "DIR/bailee.toml; then name it with --config or BAILEE_CONFIG",
        )
    with ExitStack() as held:
        store = Store.open(settings.store.url)
        held.callback(store.close)
        run = Run(
            wishes=wishes,
            guide=Guide(yes=yes),
            settings=settings,
            admin=surroundings.admin(),
            calls=surroundings.calls_place,
            store=store,
            verifier=surroundings.verifier(),
            held=held,
            told={"done": {}},
        )
        try:
            _go(run, form)
        except Stop:
            return 1
        finally:
            # Whatever happens: a token that was made is shown this once.
            if form == "json" and run.told["done"]:
                print_json(run.told)
    return 0


def _go(run: "Run", form: Form) -> None:
    from bailee.cli.quickstart_call import CHANGE_SECONDS, check_wish, first_call
    from bailee.cli.quickstart_caller import permit
    from bailee.cli.quickstart_ground import check_ground
    from bailee.cli.quickstart_key import take_key
    from bailee.cli.quickstart_lock import check_lock
    from bailee.cli.quickstart_pins import trust_pins
    from bailee.cli.quickstart_provider import trust_provider
    from bailee.cli.quickstart_use import show_use

    egress = check_ground(run)
    provider = trust_provider(run)
    check_wish(run, provider)
    trust_pins(run, provider, egress)
    connected = take_key(run, provider, egress)
    caller = permit(run, provider, connected, form)
    called = first_call(run, provider, connected, caller)
    check_lock(run, provider, connected)
    if called is not None and called.error is not None:
        time.sleep(CHANGE_SECONDS)  # until every gateway knows of the lock
        called = first_call(run, provider, connected, caller)
    show_use(run, provider, connected, called, form)
    if called is not None and not called.good:
        hint = "try another with --call 'GET /path'; all the rest is there, and is used again"
        if called.error is not None:
            hint = (
                "the tenant's gate wants a better lock than this key has: see docs/guides/locks.md"
            )
        raise CheckFailed("the first call was not served", hint)
