"""`bailee status` and `bailee healthcheck`."""

from pathlib import Path
from typing import Any

import click

from bailee.cli.output import Form, output_option, say, show_row
from bailee.cli.surroundings import Surroundings, config_option, tenant_option
from bailee.cli.wire import Place, Unreachable, ask

HEALTH_SECONDS = 5.0


@click.command()
@config_option
@tenant_option
@output_option
def status(config: Path | None, form: Form) -> None:
    """Show what there is, and which roles answer."""
    surroundings = Surroundings.read(config)
    answer = surroundings.admin().read("/v1/status")
    row: dict[str, Any] = {"roles": _roles(surroundings), **answer}
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
    gateway = "answers" if _answers(surroundings.calls_place) else "unreachable"
    show_row(form, {"admin": admin, "gateway": gateway}, ("admin", "gateway"))
    healthy = admin == "ready" and gateway == "answers"
    if not healthy:
        say("bailee: error: it does not serve")
    return 0 if healthy else 1


def _roles(surroundings: Surroundings) -> dict[str, str]:
    places = {"gateway": surroundings.calls_place, "admin": surroundings.admin_place}
    if surroundings.settings is not None:
        places["public"] = Place("http", *surroundings.settings.public.listen)
    return {role: "answers" if _answers(place) else "unreachable" for role, place in places.items()}


def _answers(place: Place) -> bool:
    from bailee.operate.running import answers

    return answers((place.host, place.port))


def _egress(each: Any) -> str:
    return f"{each.get('name')} {each.get('public')} ({each.get('state')})"
