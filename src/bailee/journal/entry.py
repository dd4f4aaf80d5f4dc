"""What stands in the journal.

Entries hold names, times and counts, never a credential, a token or a body. A subject stands in
them only as a keyed hash, so that erasing its key erases it from every copy of the journal.
Times are Unix seconds; `at` is when the thing happened, not when it was written.
"""

import hmac
import json
from collections.abc import Sequence
from typing import TypeAlias

import msgspec

from bailee.errors import Reached
from bailee.model import CallerId, CallId, ConnectionId, EgressId, ProviderId, TenantId, TokenId


class Intent(msgspec.Struct, frozen=True, tag_field="type", tag="intent"):
    """A call is about to leave: written before one byte of it is sent."""

    call: CallId
    at: float
    tenant: TenantId
    caller: CallerId
    token: TokenId
    connection: ConnectionId
    version: int
    provider: ProviderId
    origin: str
    subject: str
    """The keyed hash of `subject_hash`, never the subject."""
    method: str
    path: str
    """The path as it is sent, without the query."""
    egress: EgressId


class Outcome(msgspec.Struct, frozen=True, tag_field="type", tag="outcome"):
    """How a call ended. `status` is the provider's, `error` the code of our own problem."""

    call: CallId
    at: float
    status: int | None
    error: str | None
    reached: Reached | None
    """What had reached the provider when `error` was raised; None without an error."""
    sent: int
    """Bytes of the request's body that went to the provider."""
    received: int
    """Bytes of the answer's body that came from the provider."""
    seconds: float


class Event(msgspec.Struct, frozen=True, tag_field="type", tag="event"):
    """Something else that is worth keeping: a pin learned, a root key loaded, a grant made."""

    kind: str
    at: float
    actor: str
    """Who did it: a token's id, a role, or `cli`."""
    tenant: TenantId
    target: str
    detail: dict[str, str]


class Start(msgspec.Struct, frozen=True, tag_field="type", tag="start"):
    """The first line of every chain. `host` is the machine's name."""

    chain: str
    at: float
    role: str
    host: str
    version: str


class End(msgspec.Struct, frozen=True, tag_field="type", tag="end"):
    """The last line of a chain that was closed in order: `closed`, or `rotated` when full."""

    at: float
    reason: str


Entry: TypeAlias = Intent | Outcome | Event | Start | End

_ENCODER = msgspec.json.Encoder()
_DECODER: msgspec.json.Decoder[Entry] = msgspec.json.Decoder(Entry)


def encode(entry: Entry) -> bytes:
    """Encode an entry as one JSON object in printable ASCII, whatever its strings hold.

    No string can end the line, move a terminal's cursor or pass for another line: control
    characters and everything beyond ASCII are escaped. A lone surrogate (how Python carries bytes
    that are not UTF-8) becomes the visible text `\\udcff`.

    Returns:
        `{"type": ...}` without a line end.
    """
    try:
        text = _ENCODER.encode(entry)
    except UnicodeEncodeError:
        return _escape(entry)
    return text if text.isascii() and b"\x7f" not in text else _escape(entry)


def encode_lines(entries: Sequence[Entry]) -> bytes:
    """Encode entries as `encode` does, one a line: less than half the cost when there are many.

    Returns:
        A line for each entry, each with its line feed.
    """
    try:
        lines = _ENCODER.encode_lines(entries)
    except UnicodeEncodeError:
        lines = b"\x7f"
    if lines.isascii() and b"\x7f" not in lines:
        return lines
    return b"".join([encode(entry) + b"\n" for entry in entries])


class IntentForm:
    """An intent whose call and time are still open: what many calls share is encoded once.

    Args:
        intent: The intent; its `call` and `at` are not looked at.
    """

    __slots__ = ("_rest",)

    def __init__(self, intent: Intent) -> None:
        open_ended = msgspec.structs.replace(intent, call=CallId(""), at=0.0)
        self._rest = encode(open_ended).removeprefix(_OPEN_INTENT) + b"\n"

    def __repr__(self) -> str:
        return f"IntentForm({self._rest!r})"

    def line(self, call: CallId, at: str) -> bytes:
        """Fill the form in: the same line, line feed included, as `encode_lines` makes.

        Args:
            call: The call's id: letters, digits and hyphens.
            at: Unix seconds as `repr` writes them; calls of one turn of the loop share them.
        """
        head = f'{{"type":"intent","call":"{call}","at":{at},'
        return head.encode("ascii") + self._rest


_OPEN_INTENT = b'{"type":"intent","call":"","at":0.0,'


def decode(text: bytes) -> Entry:
    """Decode an entry; members that are not the entry's (`seq`, `hash`) are passed over.

    Raises:
        msgspec.DecodeError: It is not JSON, or not one of the entries.
    """
    return _DECODER.decode(text)


def subject_hash(journal_key: bytes, subject: str) -> str:
    """Compute what stands in the journal for a subject.

    Args:
        journal_key: The subject's own random key; without it the hash can't be made again.
        subject: The opaque id that the application chose.

    Returns:
        The first 128 bits of HMAC-SHA256, 32 hexadecimal digits.
    """
    return hmac.digest(journal_key, subject.encode("utf-8", "surrogatepass"), "sha256").hex()[:32]


def _escape(entry: Entry) -> bytes:
    plain = _without_surrogates(msgspec.to_builtins(entry))
    text = json.dumps(plain, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("\x7f", "\\u007f").encode("ascii")


def _without_surrogates(value: object) -> object:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
    return value
