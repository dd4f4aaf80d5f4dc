"""The `[websocket]` table of a provider's file: where WebSockets are, and how one logs in there."""

import json
from typing import Literal, get_args

from bailee.errors import BadInput
from bailee.model import BodyCondition, LoginFrame, WebSocket
from bailee.policy.body import parse_conditions
from bailee.providers.scheme import read_part, read_word
from bailee.providers.table import Table

_Login = Literal["handshake", "frame", "none"]
_Time = Literal["none", "s", "ms", "us", "iso"]


def read_websocket(file: Table) -> WebSocket | None:
    """Read the table, which may be missing."""
    table = file.table("websocket")
    if table is None:
        return None
    origins = table.texts("origin", or_one=True)
    login = read_word(table, "login", get_args(_Login), "handshake")
    own = table.table("frame")
    frame = None if own is None else _read_frame(own)
    table.finish()
    if login is None or (own is not None and frame is None):
        return None
    return WebSocket(origins, login, frame)


def _read_frame(table: Table) -> LoginFrame | None:
    when = _read_when(table)
    message = table.value("message")
    time = read_word(table, "time", get_args(_Time), "none")
    ahead = table.optional_number("ahead")
    sign = table.text("sign", default="")
    parts = [read_part(name, each) for name, each in table.named_tables("part").items()]
    numbers, keep = table.texts("numbers"), table.texts("keep")
    table.finish()
    if not isinstance(message, dict):
        table.fault("message", "must be a table: the message as TOML, with templates as its texts")
        return None
    try:
        text = json.dumps(message)
    except (TypeError, RecursionError):
        table.fault("message", "holds what is not JSON, such as a date")
        return None
    if when is None or time is None or sign is None or None in parts:
        return None
    made = tuple(part for part in parts if part is not None)
    return LoginFrame(when, text, numbers, keep, time, ahead or 0, sign, made)


def _read_when(table: Table) -> tuple[BodyCondition, ...] | None:
    own = table.table("when")
    if own is None:
        table.fault("when", "is missing: which of the client's messages is its login")
        return None
    conditions: list[BodyCondition] = []
    for path, value in own.flattened():
        listed = value if isinstance(value, list) else [value]
        try:
            text = f"$.{path} in {json.dumps(listed)}"
            conditions += parse_conditions(text)
        except (BadInput, TypeError):
            table.fault("when", f"{path}: is not a member and a text, a number or a boolean")
            return None
    return tuple(conditions)
