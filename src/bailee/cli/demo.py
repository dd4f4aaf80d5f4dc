"""`bailee demo`."""

from pathlib import Path

import click

from bailee.cli.output import Form, output_option


@click.command()
@click.option("--once", is_flag=True, help="Tell it and leave: 0 if all was as told, 1 if not.")
@click.option(
    "--json",
    "json_file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write what was seen to FILE.",
)
@output_option
def demo(once: bool, json_file: Path | None, form: Form) -> int:
    """Tell the whole story on this machine, with real sockets and a vault of its own."""
    from bailee.demo.story import run

    return run(once=once, json_file=json_file, as_json=form == "json")
