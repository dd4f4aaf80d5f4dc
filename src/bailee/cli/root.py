"""`bailee` itself: which commands there are."""

import click

from bailee import __version__
from bailee.cli.lazy import Lazy, LazyGroup

_COMMANDS = {
    "init": Lazy("bailee.cli.init:init", "Make a vault: config, root key, authority, database."),
    "serve": Lazy("bailee.cli.serve:serve", "Run all roles of a vault."),
    "gateway": Lazy("bailee.cli.serve:gateway", "Run the gateway alone."),
    "keeper": Lazy("bailee.cli.serve:keeper", "Run the keeper alone."),
    "admin": Lazy("bailee.cli.serve:admin", "Run the admin API alone."),
    "public": Lazy("bailee.cli.serve:public", "Run the public pages alone."),
    "demo": Lazy("bailee.cli.demo:demo", "Tell the whole story on this machine."),
    "quickstart": Lazy("bailee.cli.quickstart:quickstart", "Go from a vault to a first call."),
    "status": Lazy("bailee.cli.status:status", "Show what there is and what answers."),
    "doctor": Lazy("bailee.cli.doctor:doctor", "Look whether a vault is in order."),
    "healthcheck": Lazy("bailee.cli.status:healthcheck", "Exit with 0 if it serves."),
    "config": Lazy("bailee.cli.config:config", "Validate or reload a configuration."),
    "provider": Lazy("bailee.cli.provider:provider", "Which APIs may be called."),
    "pin": Lazy("bailee.cli.pin:pin", "Which public keys those APIs have."),
    "connection": Lazy("bailee.cli.connection:connection", "Users' credentials, sealed."),
    "tenant": Lazy("bailee.cli.tenant:tenant", "Applications that are kept apart."),
    "token": Lazy("bailee.cli.token:token", "Who may use the admin API, and short tokens."),
    "caller": Lazy("bailee.cli.caller:caller", "Programs that may ask for calls."),
    "grant": Lazy("bailee.cli.grant:grant", "Which caller may call what."),
    "call": Lazy("bailee.cli.call:call", "Make one call through the gateway."),
    "egress": Lazy("bailee.cli.egress:egress", "Addresses that calls leave from."),
    "lock": Lazy("bailee.cli.lock:lock", "Whether users' allowlists are in force."),
    "exposure": Lazy("bailee.cli.exposure:exposure", "What a thief could use today."),
    "subject": Lazy("bailee.cli.subject:subject", "Users of the application."),
    "key": Lazy("bailee.cli.key:key", "The root key and the tenants' keys."),
    "journal": Lazy("bailee.cli.journal:journal", "Read and verify the journal."),
    "reference-api": Lazy("bailee.cli.reference:reference_api", "Run an API to try it with."),
    "completion": Lazy("bailee.cli.completion:completion", "Let a shell complete commands."),
}


@click.group(
    cls=LazyGroup,
    lazy=_COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, message="%(prog)s %(version)s")
def bailee() -> None:
    """Hold users' API keys sealed and call their APIs from one published address.

    Most commands talk to the admin API: BAILEE_URL and BAILEE_TOKEN say where, or --config (or
    BAILEE_CONFIG) names a vault on this machine.
    """
