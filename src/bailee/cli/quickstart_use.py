"""Step 8 of `bailee quickstart`: what a program needs to call the API from now on."""

import shlex
from typing import Any

from bailee.cli.output import Form, show_row
from bailee.cli.quickstart_call import Called, door_of, target_of
from bailee.cli.quickstart_key import Connected
from bailee.cli.quickstart_run import Run
from bailee.model import Place, Provider, ProviderRequest

_ANY = ProviderRequest("GET", "/...")


def show_use(
    run: Run, provider: Provider, connected: Connected, called: Called | None, form: Form
) -> None:
    """Print the base URL, where the token goes, and a call to copy."""
    run.guide.step("Use it")
    asked = called.request if called is not None else _ANY
    row: dict[str, Any] = {
        "base_url": f"{run.calls}/{connected.id}",
        "token_goes_into": _place(provider),
        "dummy_secret": provider.dummy_secret,
        "curl": _curl(run, provider, connected, asked),
    }
    run.told |= row
    if form == "json":
        return
    run.guide.note(
        "an SDK gets this as its base URL (with the API's own path after it, if it has one), and "
        "the token as its key:"
    )
    show_row(form, row, tuple(name for name, value in row.items() if value is not None))


def _place(provider: Provider) -> str:
    place = provider.caller_token
    if place is None:
        return "header Authorization, as in 'Bearer TOKEN'"
    if place.place is Place.BASIC:
        return f"Basic, as the {place.name}"
    return f"{place.place} {place.name}"


def _curl(run: Run, provider: Provider, connected: Connected, asked: ProviderRequest) -> str:
    url = f"{run.calls}/{door_of(provider, connected, asked)}{target_of(asked)}"
    words = ["curl"]
    if asked.method == "HEAD":
        words.append("--head")
    elif asked.method != "GET":
        words += ["-X", asked.method]
    words += ["-H", '"Authorization: Bearer $TOKEN"']
    if asked.content_type:
        words += ["-H", shlex.quote(f"Content-Type: {asked.content_type}")]
    if asked.body:
        words += ["-d", shlex.quote(asked.body)]
    return " ".join([*words, shlex.quote(url)])
