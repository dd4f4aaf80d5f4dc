"""`bailee pin print`: pins of the operator's own server, for the applications that talk to it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bailee.cli.output import Form, output_option, print_json, say
from bailee.errors import BadInput, CertificateRefused

if TYPE_CHECKING:
    from bailee.model import Pin
    from bailee.operate.pin_snippets import Kind, OwnPins
    from bailee.operate.server_pin import SeenPins, Server

EXPIRES_DAYS = 365
_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command("print")
@click.argument("server", metavar="HOST[:PORT]")
@click.option("--as", "kind", type=click.Choice(["curl", "python", "android", "ios"]),
              required=True, help="For which kind of client.")  # fmt: skip
@click.option("--issuer", is_flag=True, help="Pin the CA that issued the leaf, not the leaf.")
@click.option("--backup", multiple=True, metavar="sha256/...",
              help="A pin of a key that is not in use yet; may be repeated.")  # fmt: skip
@click.option("--backup-key", multiple=True, type=_FILE,
              help="The same of a spare key's file: public or private key, CSR, PEM.")  # fmt: skip
@click.option("--new-backup-key", type=_FILE, help="Make a spare key (EC P-256) in a new file.")
@click.option("--ca-file", type=_FILE, help="The server's CA, in place of the system's roots.")
@click.option("--address", help="Look here instead of asking DNS.")
@click.option("--expires", type=click.DateTime(["%Y-%m-%d"]),
              help="When Android stops looking at pins; by default in a year.")  # fmt: skip
@output_option
def print_(
    server: str,
    kind: "Kind",
    issuer: bool,
    backup: tuple[str, ...],
    backup_key: tuple[Path, ...],
    new_backup_key: Path | None,
    ca_file: Path | None,
    address: str | None,
    expires: datetime | None,
    form: Form,
) -> None:
    """Print the pins of your own server as your own applications hard-code them.

    This is about the way from your app to your server. The pins of providers, which the gateway
    checks, come from 'bailee pin learn'.
    """
    from bailee.operate import pin_snippets, server_pin
    from bailee.policy.pin import parse_pin

    place = server_pin.parse_server(server, address, ca_file)
    pin_snippets.check(kind, issuer=issuer, is_address=place.is_address)
    spare = [parse_pin(text) for text in backup] + list(map(server_pin.pin_of_file, backup_key))
    _require_backup(kind, issuer, bool(spare), bool(backup_key or new_backup_key))
    seen = _look(place)
    present = seen.issuer if issuer else seen.leaf
    if present is None:
        raise BadInput("the leaf is its own issuer", "leave --issuer out")
    _require_unused(seen.all, spare)
    if new_backup_key is not None:
        spare.append(server_pin.new_backup_key(new_backup_key))
    own = pin_snippets.OwnPins(
        host=place.host,
        port=place.port,
        pins=tuple(dict.fromkeys((present, *spare))),
        issuer=issuer,
        ca_file=None if ca_file is None else str(ca_file),
        expires=(expires or datetime.now(UTC) + timedelta(days=EXPIRES_DAYS)).date(),
    )
    _show(form, kind, own, list(_notes(kind, own, new_backup_key)))


def _show(form: Form, kind: "Kind", own: "OwnPins", notes: list[str]) -> None:
    from bailee.operate.pin_snippets import snippet
    from bailee.policy.pin import format_pin

    text, rotation = snippet(kind, own), _rotation(own)
    if form == "json":
        print_json(
            {
                "host": own.host,
                "port": own.port,
                "as": kind,
                "pinned": "issuer" if own.issuer else "leaf",
                "pins": [format_pin(pin) for pin in own.pins],
                "snippet": text,
                "notes": notes,
                "rotation": rotation,
            }
        )
        return
    click.echo(text, nl=False)
    for line in notes:
        say(line)
    say("to rotate:")
    for number, step in enumerate(rotation, start=1):
        say(f"  {number}. {step}")


def _look(server: "Server") -> "SeenPins":
    from bailee.operate.server_pin import observe

    try:
        return observe(server)
    except CertificateRefused as refused:
        hint = "if the server has a CA of your own: --ca-file" if server.ca_pem is None else ""
        raise CertificateRefused(refused.detail, refused.hint or hint) from None


def _require_backup(kind: str, issuer: bool, spare: bool, key: bool) -> None:
    if kind == "ios" and issuer and key:
        raise BadInput(
            "beside the pin of an issuer iOS wants the pin of another CA",
            "give --backup sha256/... of a CA that you may turn to",
        )
    if not (spare or key):
        raise BadInput(
            "a backup pin is missing: an app with one pin is cut off when the key is replaced",
            "--new-backup-key FILE makes a spare key; or --backup-key FILE, or --backup sha256/...",
        )


def _require_unused(present: "tuple[Pin, ...]", spare: "list[Pin]") -> None:
    from bailee.policy.pin import format_pin

    for pin in spare:
        if pin in present:
            raise BadInput(
                f"{format_pin(pin)} is in the server's present chain: it is no backup",
                "a backup is the pin of a key that is not in use yet",
            )


def _notes(kind: str, own: "OwnPins", new_key: Path | None) -> Iterator[str]:
    """Say what to know of this kind of client."""
    if new_key is not None:
        yield f"{new_key} is the spare key: keep it apart from the server, and never in the app"
    if kind == "curl":
        yield "curl leaves with 90 when no pin fits; -k would switch the chain's validation off"
    if kind == "android":
        yield f"from {own.expires.isoformat()} on Android ignores these pins: ship new ones before"
        if own.ca_file:
            yield f"put {own.ca_file} into the app as res/raw/ca.pem"
    if kind == "ios":
        yield "this belongs into Info.plist; iOS 14 and later look at it"


def _rotation(own: "OwnPins") -> tuple[str, ...]:
    """Say how to change a key without cutting an app off."""
    if own.issuer:
        return (
            "before the server turns to another CA or key, ship an app that has its pin too",
            "when no older app is in use, turn to it, and print again",
        )
    return (
        "get a certificate for the spare key and put both on the server: these apps go on",
        "make another spare key, print again, and ship an app with the new pins",
        "do not use that spare key before the older apps are gone",
    )
