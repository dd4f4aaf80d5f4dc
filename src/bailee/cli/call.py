"""`bailee call`: one call through the gateway, as a caller would make it."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import click

from bailee.cli.output import Form, output_option, print_json, printable, say
from bailee.cli.surroundings import Surroundings, config_option
from bailee.cli.wire import Answer, Place, Unreachable, ask
from bailee.errors import BadInput, GatewayUnreachable

SECONDS = 120.0
BODY_LIMIT = 64 * 1024 * 1024
FIRST_REFUSAL = 400


@click.command()
@click.argument("connection")
@click.argument("method")
@click.argument("path")
@click.option("-d", "--data", metavar="@-|@FILE|TEXT", help="The body; @- reads it from stdin.")
@click.option(
    "-H", "--header", "headers", multiple=True, metavar="'NAME: VALUE'", help="One more header."
)
@config_option
@output_option
def call(
    connection: str,
    method: str,
    path: str,
    data: str | None,
    headers: tuple[str, ...],
    config: Path | None,
    form: Form,
) -> int:
    """Call PATH of a connection's provider; the caller's token is in BAILEE_CALLER_TOKEN.

    CONNECTION is an id, or ID.ORIGIN. The answer's body goes to stdout; its status and Bailee's
    headers go to stderr. Exits with 1 when the status is 400 or more.
    """
    token = os.environ.get("BAILEE_CALLER_TOKEN")
    if not token:
        raise BadInput(
            "there is no caller's token", "set BAILEE_CALLER_TOKEN to what 'caller add' printed"
        )
    if not path.startswith("/"):
        raise BadInput("the path begins with a slash, as in /v1/balance")
    place = Surroundings.read(config).calls_place
    body = None if data is None else _body(data)
    sent = dict(map(_header, headers)) | {"Authorization": f"Bearer {token.strip()}"}
    if body is not None and not any(name.lower() == "content-type" for name in sent):
        sent["Content-Type"] = "application/json"
    answer = send_call(place, method.upper(), f"/{connection}{path}", sent, body)
    _show(form, answer)
    return 0 if answer.status < FIRST_REFUSAL else 1


def send_call(
    place: Place, method: str, target: str, headers: Mapping[str, str], body: bytes | None
) -> Answer:
    """Send a call to the gateway and wait for its whole answer.

    Raises:
        GatewayUnreachable: None came.
        BadInput: The target or a header holds what can't be sent.
    """
    try:
        return ask(place, method, target, headers, body, SECONDS)
    except Unreachable as error:
        raise GatewayUnreachable(
            f"the gateway at {place} can't be reached: {error}",
            "start it with 'bailee serve', or set BAILEE_CALLS_URL",
        ) from None


def _show(form: Form, answer: Answer) -> None:
    if form == "json":
        print_json(
            {
                "status": answer.status,
                "headers": [list(pair) for pair in answer.headers],
                "body": answer.body.decode("utf-8", "backslashreplace"),
            }
        )
        return
    say(f"status {answer.status}")
    for name, value in answer.headers:
        if name.lower().startswith("bailee-"):
            say(f"{printable(name)}: {printable(value)}")
    sys.stdout.flush()
    sys.stdout.buffer.write(answer.body)
    sys.stdout.buffer.flush()


def _body(data: str) -> bytes:
    if not data.startswith("@"):
        return data.encode("utf-8", "surrogateescape")
    try:
        if data == "@-":
            body = sys.stdin.buffer.read(BODY_LIMIT + 1)
        else:
            with open(data[1:], "rb") as file:
                body = file.read(BODY_LIMIT + 1)
    except OSError as error:
        raise BadInput(f"the body can't be read: {(error.strerror or '?').lower()}") from None
    if len(body) > BODY_LIMIT:
        raise BadInput(f"this command sends at most {BODY_LIMIT} bytes", "use curl for more")
    return body


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise BadInput("a header is written 'NAME: VALUE'")
    return name.strip(), value.strip()
