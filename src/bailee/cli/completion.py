"""`bailee completion`: the script that lets a shell complete commands and options."""

import click
from click.shell_completion import get_completion_class

VARIABLE = "_BAILEE_COMPLETE"
"""What click looks for; the shell sets it when it asks for completions."""


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print a script for SHELL: eval "$(bailee completion bash)"."""
    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(ctx.find_root().command, {}, "bailee", VARIABLE).source())
