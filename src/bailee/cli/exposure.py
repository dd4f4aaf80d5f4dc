"""`bailee exposure`: how many credentials would work for a thief today?"""

from pathlib import Path
from typing import Any

import click

from bailee.cli.output import Form, output_option, print_json, printable, show_rows
from bailee.cli.surroundings import Surroundings, config_option, tenant_option

STATES = ("open", "unchecked", "unproven", "blocked", "declared", "enforced")


@click.command()
@config_option
@tenant_option
@output_option
def exposure(config: Path | None, form: Form) -> None:
    """Count credentials by provider and lock, and name the one step that helps most."""
    told = Surroundings.read(config).admin().read("/v1/exposure")
    if form == "json":
        print_json(told)
        return
    rows = [_row(provider, counts) for provider, counts in told["by_provider"].items()]
    show_rows(form, rows, ("provider", "connections", *STATES))
    click.echo()
    click.echo(
        f"{told['exposed']} of {told['total']} would work for a thief today, "
        f"of {told['unknown']} nobody knows"
    )
    for power, count in told["exposed_powers"].items():
        click.echo(f"  {count} of them may {printable(power)}")
    if step := told["step"]:
        text = f"what helps most, for {step['connections']} of them: {step['text']}"
        click.echo(printable(text + (f" ({step['command']})" if step["command"] else "")))


def _row(provider: str, counts: dict[str, int]) -> dict[str, Any]:
    row: dict[str, Any] = {state: counts.get(state, 0) for state in STATES}
    return {"provider": provider, "connections": sum(counts.values())} | row
