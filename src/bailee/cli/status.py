"""`bailee status` and `bailee healthcheck`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bailee.cli.output import Form, output_option, say, show_row
from bailee.cli.surroundings import Surroundings, config_option, tenant_option
from bailee.cli.wire import Place, Unreachable, ask, shown_certificate

if TYPE_CHECKING:
    from bailee.tls.certificate import Certificate

HEALTH_SECONDS = 5.0


@click.command()
@config_option
@tenant_option
@output_option
def status(config: Path | None, form: Form) -> None:
    """Show what there is, and which roles answer.

    Where calls come over TLS, also the pin of the certificate that callers are shown, and its end.
    """
    surroundings = Surroundings.read(config)
    answer = surroundings.admin().read("/v1/status")
    gateway, certificate = _look_at_gateway(surroundings)
    row: dict[str, Any] = {"roles": _roles(surroundings, gateway)}
    if certificate is not None:
        row |= {"calls_pin": certificate.pin_text, "certificate_ends_at": certificate.ends}
    row |= answer
    shown = dict(row)
    if form == "table" and isinstance(answer.get("egress"), list):
        shown["egress"] = [_egress(each) for each in answer["egress"]]
    show_row(form, shown, tuple(shown))


@click.command()
@config_option
@output_option
def healthcheck(config: Path | None, form: Form) -> int:
    """Exit with 0 if the admin API is ready and the gateway takes connections, else with 1."""
    surroundings = Surroundings.read(config)
    try:
        ready = ask(surroundings.admin_place, "GET", "/readyz", {}, seconds=HEALTH_SECONDS)
        admin = "ready" if ready.status == 200 else f"not ready ({ready.status})"
    except Unreachable as error:
        admin = f"unreachable: {error}"
    gateway, _ = _look_at_gateway(surroundings)
    show_row(form, {"admin": admin, "gateway": gateway}, ("admin", "gateway"))
    healthy = admin == "ready" and gateway == "answers"
    if not healthy:
        say("bailee: error: it does not serve")
    return 0 if healthy else 1


def _roles(surroundings: Surroundings, gateway: str) -> dict[str, str]:
    roles = {"gateway": gateway, "admin": _answers(surroundings.admin_place)}
    if surroundings.settings is not None:
        roles["public"] = _answers(Place("http", *surroundings.settings.public.listen))
    return roles


def _look_at_gateway(surroundings: Surroundings) -> tuple[str, "Certificate | None"]:
    """Whether it answers, over TLS by a handshake; and the certificate that it shows.

    While it does not answer, that is the one of the configuration.
    """
    place = surroundings.calls_place
    if place.scheme == "http":
        return _answers(place), None
    from bailee.tls.certificate import describe_der, read_leaf

    try:
        return "answers", describe_der(shown_certificate(place, HEALTH_SECONDS))
    except (Unreachable, ValueError) as error:
        own = None if surroundings.settings is None else surroundings.settings.gateway.tls
        return f"unreachable: {error}", None if own is None else read_leaf(own.certificate)


def _answers(place: Place) -> str:
    from bailee.operate.running import answers

    return "answers" if answers((place.host, place.port)) else "unreachable"


def _egress(each: Any) -> str:
    return f"{each.get('name')} {each.get('public')} ({each.get('state')})"
