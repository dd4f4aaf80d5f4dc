"""The login message of a WebSocket, made whole from the provider's file.

A provider that wants its credential in a message gets this one and no other: of what the client
sent as its own login nothing is used but the members that the file keeps, such as a number that the
answer will repeat.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from bailee.errors import CredentialClosed
from bailee.model import AuthScheme, LoginFrame, TemplateScheme
from bailee.secret import Secret
from bailee.signing.clock import CLOCKS
from bailee.signing.fields import ENTER_AGAIN, decode_fields
from bailee.signing.filling import Values, compile_template
from bailee.signing.key import KeyRing
from bailee.signing.template import DIGESTS, ENCODERS

KEPT_CHARS: Final = 64
_KEPT_TEXT: Final = re.compile(rf"[!-~]{{1,{KEPT_CHARS}}}")


@dataclass(frozen=True, slots=True)
class LoginWriter:
    """A login frame made ready: its templates are in the form that `%` fills in C."""

    _fields: tuple[str, ...]
    _secret: str
    """Empty where nothing is signed."""
    _keys: KeyRing | None
    _clock: Callable[[float], bytes] | None
    _ahead: int
    _parts: tuple[tuple[bytes, bytes, str, str], ...]
    """(name, template, digest, encoding) of each."""
    _sign: bytes
    _message: object
    _numbers: frozenset[str]
    _keep: tuple[str, ...]

    def write(self, credential: Secret, now: float, own: Mapping[str, object]) -> bytes:
        """Write the message.

        Args:
            credential: What `parse_credential` returned for the same provider.
            now: Unix seconds.
            own: The members of the client's own login, numbers as bytes as they were spelled.

        Raises:
            CredentialClosed: The credential is not one of this scheme.
        """
        fields = decode_fields(credential)
        if len(fields) != len(self._fields) or not all(map(fields.__contains__, self._fields)):
            raise CredentialClosed(
                "the credential's fields are not those of the scheme", ENTER_AGAIN
            )
        secret = fields.pop(self._secret, "")
        values: Values = {name.encode(): value.encode() for name, value in fields.items()}
        if self._clock is not None:
            values[b"time"] = self._clock(now + self._ahead)
        for name, of, digest, encoding in self._parts:
            made = of % values
            if digest == "sign" and self._keys is not None:
                made = self._keys.signature(secret, made)[0]
            elif digest in DIGESTS:
                made = DIGESTS[digest](made).digest()
            values[name] = ENCODERS[encoding](made)
        if self._sign and self._keys is not None:
            signed, key = self._keys.signature(secret, self._sign % values)
            values[b"signature"] = ENCODERS[key.signature_as](signed)
        written = self._object(self._message, values, own)
        return written.encode("ascii")

    def _object(self, message: object, values: Values, own: Mapping[str, object]) -> str:
        members = dict(message) if isinstance(message, dict) else {}
        written = [f"{json.dumps(n)}:{self._spell(v, values, n)}" for n, v in members.items()]
        for name in self._keep:
            kept = _kept(own.get(name))
            if kept is not None and name not in members:
                written.append(f"{json.dumps(name)}:{kept}")
        return "{" + ",".join(written) + "}"

    def _spell(self, node: object, values: Values, path: str) -> str:
        match node:
            case bytes():
                text = (node % values).decode("utf-8")
                return text if path in self._numbers else json.dumps(text)
            case dict():
                spelled = (
                    f"{json.dumps(n)}:{self._spell(v, values, f'{path}.{n}')}"
                    for n, v in node.items()
                )
                return "{" + ",".join(spelled) + "}"
            case list():
                spelled = (self._spell(v, values, f"{path}.{i}") for i, v in enumerate(node))
                return "[" + ",".join(spelled) + "]"
        return json.dumps(node)


@lru_cache(maxsize=1024)
def login_writer(frame: LoginFrame, scheme: AuthScheme) -> LoginWriter:
    """Make a login frame ready, once. It was checked before (`providers.websocket`)."""
    signs = isinstance(scheme, TemplateScheme)
    return LoginWriter(
        _fields=scheme.fields,
        _secret=scheme.secret if isinstance(scheme, TemplateScheme) else "",
        _keys=KeyRing.of(scheme.keys) if isinstance(scheme, TemplateScheme) else None,
        _clock=CLOCKS.get(frame.time),
        _ahead=frame.ahead,
        _parts=tuple(
            (part.name.encode(), compile_template(part.of), part.digest, part.encoding)
            for part in frame.parts
        ),
        _sign=compile_template(frame.sign) if signs else b"",
        _message=_compiled(json.loads(frame.message)),
        _numbers=frozenset(frame.numbers),
        _keep=frame.keep,
    )


def _compiled(node: Any) -> object:
    match node:
        case str():
            return compile_template(node)
        case dict():
            return {name: _compiled(value) for name, value in node.items()}
        case list():
            return [_compiled(value) for value in node]
    return node


def _kept(value: object) -> str | None:
    """Spell a member that is kept: a number as it stood, or a short text of visible characters."""
    if isinstance(value, bytes) and len(value) <= KEPT_CHARS:
        return value.decode("ascii")
    if isinstance(value, str) and _KEPT_TEXT.fullmatch(value):
        return json.dumps(value)
    return None
