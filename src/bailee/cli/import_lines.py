"""The lines of an import: one JSON object each, read one at a time, and none of them trusted."""

import base64
import codecs
import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Final

from bailee.errors import BadInput
from bailee.manage.forms import SUBJECT_CHARACTERS, parse_subject
from bailee.model import ConnectionId, TenantId
from bailee.secret import Secret
from bailee.signing.fields import CREDENTIAL_MAX_BYTES

LINE_BYTES: Final = CREDENTIAL_MAX_BYTES + 8 * 1024
"""The longest line: the largest credential, and room for the rest."""
MEMBERS: Final = ("provider", "subject", "credential", "ref")
_ID_CHARACTERS: Final = 26
_CHUNK: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Line:
    """A line that names what is to be sealed for whom."""

    number: int
    provider: str
    subject: str
    ref: str | None
    credential: Secret


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that can't be read. `reason` repeats nothing of it."""

    number: int
    reason: str


@dataclass(slots=True)
class Ids:
    """Gives each line the id that it had in every run before.

    The id is made of tenant, provider, subject and `ref`; without a `ref`, of the line's place
    among those of the same provider and subject. So a second run of the same lines adds nothing.
    """

    tenant: TenantId
    _seen: Counter[tuple[str, str]] = field(default_factory=Counter)

    def id_of(self, line: Line) -> ConnectionId:
        """Return the connection's id."""
        if line.ref is not None:
            last = "ref", line.ref
        else:
            last = "place", str(self._seen[line.provider, line.subject])
            self._seen[line.provider, line.subject] += 1
        parts = ("bailee/import/v1", self.tenant, line.provider, line.subject, *last)
        digest = hashlib.sha256()
        for part in parts:
            text = part.encode("utf-8", "surrogatepass")
            digest.update(len(text).to_bytes(8, "big") + text)
        text32 = base64.b32encode(digest.digest()).decode("ascii").lower()
        return ConnectionId(text32[:_ID_CHARACTERS])


def read_lines(stream: BinaryIO, provider: str | None) -> Iterator[Line | BadLine]:
    """Read a file line by line; whatever a line is, the next one is read.

    Args:
        stream: Of bytes, as stdin is.
        provider: Of all lines, which then need not name it; None when each line does.
    """
    number = 0
    while raw := stream.readline(LINE_BYTES + 1):
        number += 1
        if number == 1:
            raw = raw.removeprefix(codecs.BOM_UTF8)
        if len(raw) > LINE_BYTES and not raw.endswith(b"\n"):
            _skip(stream)
            yield BadLine(number, f"it is longer than {LINE_BYTES} bytes")
            continue
        try:
            yield _line(number, raw, provider)
        except BadInput as error:
            yield BadLine(number, error.detail)


def _skip(stream: BinaryIO) -> None:
    while (more := stream.readline(_CHUNK)) and not more.endswith(b"\n"):
        pass


class _Pairs(list[tuple[str, Any]]):
    """A JSON object as it was written: a name that stands in it twice is not lost."""


def _line(number: int, raw: bytes, provider: str | None) -> Line:
    if not raw.strip():
        raise BadInput("it is blank")
    members = _members(raw)
    named = members.get("provider", provider)
    if named is None:
        raise BadInput("provider is missing")
    if provider is not None and named != provider:
        raise BadInput("it names another provider than the command")
    for name in ("subject", "credential"):
        if name not in members:
            raise BadInput(f"{name} is missing")
    subject, ref, credential = members["subject"], members.get("ref"), members["credential"]
    if not isinstance(credential, _Pairs):
        raise BadInput("credential is not an object")
    return Line(
        number=number,
        provider=_text("provider", named),
        subject=parse_subject(_text("subject", subject)),
        ref=None if ref is None else _text("ref", ref),
        credential=Secret(_written(credential).encode("ascii")),
    )


def _members(raw: bytes) -> dict[str, Any]:
    value: object = None
    try:
        value = json.loads(raw.decode("utf-8"), object_pairs_hook=_Pairs)
    except (ValueError, RecursionError):
        # Not chained: the parser's own error quotes its document.
        raise BadInput("it is not JSON in UTF-8") from None
    if not isinstance(value, _Pairs):
        raise BadInput("it is not a JSON object")
    members = dict(value)
    if surplus := members.keys() - set(MEMBERS):
        # Whoever pastes a key where its name belongs should not find it in a report.
        raise BadInput(
            f"it has {len(surplus)} members beside provider, subject, credential and ref"
        )
    if len(members) < len(value):
        raise BadInput("a member stands there twice")
    return members


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise BadInput(f"{name} is not a string")
    if not 1 <= len(value) <= SUBJECT_CHARACTERS or not value.isprintable():
        raise BadInput(f"{name} is not 1 to {SUBJECT_CHARACTERS} printable characters")
    return value


def _written(pairs: _Pairs) -> str:
    """Write an object again as it was read, names that stand there twice included."""
    members = (f"{json.dumps(name)}:{json.dumps(value)}" for name, value in pairs)
    return "{" + ",".join(members) + "}"
