"""What must hold for the `[websocket]` of a provider; faults are sentences, as in `check.py`."""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from bailee.errors import BadInput
from bailee.model import (
    AuthScheme,
    LoginFrame,
    Origin,
    SigningPart,
    TemplateScheme,
    WebSocket,
)
from bailee.providers.template_check import MAX_PARTS, TEMPLATE_MAX_CHARS
from bailee.signing.fields import FIELD_NAME, split_names

MESSAGE_MAX_CHARS: Final = 8192
MAX_AHEAD: Final = 3600
MAX_KEPT: Final = 8
_DEPTH: Final = 8
_MEMBER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")


def websocket_faults(
    websocket: WebSocket | None, origins: tuple[Origin, ...], scheme: AuthScheme | None
) -> list[str]:
    """Check the table, whether it comes from a file or out of the database."""
    if websocket is None:
        return []
    names = {origin.name for origin in origins}
    faults = [
        f"websocket.origin: there is no origin {name!r}"
        for name in websocket.origins
        if name not in names
    ]
    if not websocket.origins:
        faults.append("websocket.origin names the origins that have WebSockets, at least one")
    if len(set(websocket.origins)) != len(websocket.origins):
        faults.append("websocket.origin names an origin twice")
    if (websocket.frame is not None) != (websocket.login == "frame"):
        faults.append('websocket.frame goes with login = "frame", and with nothing else')
    elif websocket.frame is not None and scheme is not None:
        faults += _frame_faults(websocket.frame, scheme)
    return faults


def _frame_faults(frame: LoginFrame, scheme: AuthScheme) -> Iterator[str]:
    where = "websocket.frame"
    if not frame.when:
        yield f"{where}.when says nothing: every first message would be taken for a login"
    if not 0 <= frame.ahead <= MAX_AHEAD:
        yield f"{where}.ahead is 0 to {MAX_AHEAD} seconds"
    secret = scheme.secret if isinstance(scheme, TemplateScheme) else None
    if secret is None and (frame.sign or any(part.digest == "sign" for part in frame.parts)):
        yield f"{where} signs, and the scheme has no secret that does"
    known = set(scheme.fields) - {secret}
    if frame.time != "none":
        known.add("time")
    used: set[str] = set()
    yield from _part_faults(frame.parts, known, used)
    known |= {part.name for part in frame.parts}
    yield from _template_faults(f"{where}.sign", frame.sign, known, used)
    texts = dict(_texts(_loaded(frame.message)))
    if not texts or len(frame.message) > MESSAGE_MAX_CHARS:
        yield f"{where}.message has 1 template at least, and {MESSAGE_MAX_CHARS} characters at most"
    known -= {part.name for part in frame.parts if part.encoding == "raw"}
    if frame.sign:
        known.add("signature")
    for path, text in texts.items():
        yield from _template_faults(f"{where}.message {path}", text, known, used)
    for path in frame.numbers:
        if texts.get(path) != "{time}":
            yield f'{where}.numbers: {path} is not the place of a "{{time}}" in the message'
    for name in sorted(known - used - set(scheme.fields)):
        yield f"{where}: {{{name}}} is used nowhere"
    yield from _keep_faults(frame)


def _part_faults(parts: tuple[SigningPart, ...], known: set[str], used: set[str]) -> Iterator[str]:
    if len(parts) > MAX_PARTS:
        yield f"websocket.frame has more than {MAX_PARTS} parts"
    before = set(known)
    for part in parts:
        where = f"websocket.frame.part.{part.name}"
        if not FIELD_NAME.fullmatch(part.name) or part.name in before | {"time", "signature"}:
            yield f"{where} has the name of something else, or no name"
        if part.json or not part.of:
            yield f"{where} is made `of` a template"
        yield from _template_faults(f"{where}.of", part.of, before, used)
        before.add(part.name)


def _template_faults(where: str, template: str, known: set[str], used: set[str]) -> Iterator[str]:
    plain = template.replace("\n", "")
    if not plain.isascii() or (plain and not plain.isprintable()):
        yield f"{where} holds only printable ASCII"
    if len(template) > TEMPLATE_MAX_CHARS:
        yield f"{where} is longer than {TEMPLATE_MAX_CHARS} characters"
    try:
        names = split_names(template)[1::2]
    except BadInput as fault:
        yield f"{where}: {fault.detail}"
        return
    used.update(names)
    for name in dict.fromkeys(names):
        if name not in known:
            yield f"{where} names {{{name}}}, which is not known there: {', '.join(sorted(known))}"


def _keep_faults(frame: LoginFrame) -> Iterator[str]:
    message = _loaded(frame.message)
    if len(frame.keep) > MAX_KEPT or len(set(frame.keep)) != len(frame.keep):
        yield f"websocket.frame.keep has at most {MAX_KEPT} names, each once"
    for name in frame.keep:
        if not _MEMBER.fullmatch(name) or name in message:
            yield f"websocket.frame.keep: {name!r} is no member's name, or the message has it"


def _loaded(message: str) -> dict[str, Any]:
    try:
        read = json.loads(message)
    except (ValueError, RecursionError):
        read = None
    return read if isinstance(read, dict) else {}


def _texts(node: object, path: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    """The texts of a message, each with its place, as in `args.1`."""
    if isinstance(node, str):
        yield path, node
    elif isinstance(node, dict | list) and depth < _DEPTH:
        pairs = node.items() if isinstance(node, dict) else enumerate(node)
        for name, value in pairs:
            yield from _texts(value, f"{path}.{name}" if path else str(name), depth + 1)
