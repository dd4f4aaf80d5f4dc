"""The `template` scheme: a message is made of pieces of the request, signed, and put into it.

A template is literal text with `{names}` in it:

| name | stands for |
|---|---|
| a field | what the user gave; the secret stands nowhere |
| `{method}` `{path}` | as they are sent |
| `{query}` | as it is sent, without `?`; `{raw_query}`: with its escapes decoded |
| `{target}` | the path, with `?` and the query where there is one |
| `{body}` | the bytes of the body |
| `{time}` `{nonce}` | this call's |
| a part | what `SigningPart` describes |
| `{signature}` | the signature; only in what is put into the request |

Query and body stand for what is sent: after the caller's own time, nonce and signature were taken
out and ours put in, and before a signature is appended.
"""

import hashlib
import re
from base64 import b64encode
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal
from urllib.parse import unquote_to_bytes

from bailee.errors import CredentialClosed
from bailee.model import Filling, Rule, SigningPart, Slot, TemplateScheme
from bailee.secret import Secret
from bailee.signing.clock import CLOCKS
from bailee.signing.fields import ENTER_AGAIN, decode_fields
from bailee.signing.filling import FillingPlan, Values, compile_template, names_in
from bailee.signing.key import KeyRing
from bailee.signing.parameters import json_text, members
from bailee.signing.request import SignedRequest, Unsigned

KNOWN_EARLY: Final = frozenset({"method", "path", "time", "nonce"})
"""Names that do not depend on query and body."""
PIECES: Final = KNOWN_EARLY | {"query", "raw_query", "target", "body"}
RESERVED_NAMES: Final = PIECES | {"signature"}
"""Neither a field nor a part is called so."""

ENCODERS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "raw": lambda made: made,
    "hex": lambda made: made.hex().encode("ascii"),
    "base64": b64encode,
}
DIGESTS: Final = {"sha256": hashlib.sha256, "sha384": hashlib.sha384, "sha512": hashlib.sha512}


@dataclass(frozen=True, slots=True)
class _Part:
    name: bytes
    of: bytes
    json: tuple[tuple[str, bytes], ...]
    digest: str
    encode: Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class TemplateSigner:
    """A template scheme made ready: its templates are in the form that `%` fills in C."""

    covers_body: bool
    nonce: Literal["none", "monotonic", "uuid"]
    nonce_unit: Literal["s", "ms", "us", "ns"]
    headers: frozenset[str]
    query_names: frozenset[str]
    header_fields: tuple[bytes, ...]
    """Fields that stand in a header: visible ASCII."""
    _fields: tuple[str, ...]
    _secret: str
    _keys: KeyRing
    _clock: Callable[[float], bytes] | None
    _parts: tuple[_Part, ...]
    _message: bytes
    _lines: bytes
    _fillings: FillingPlan
    _bare_lines: bytes
    """The headers of an unsigned request, and its fillings."""
    _bare_fillings: FillingPlan
    _unsigned: frozenset[tuple[str, bytes]]
    _unsigned_pattern: re.Pattern[bytes] | None
    _with_raw_query: bool

    def sign(self, request: Unsigned, credential: Secret, now: float, nonce: str) -> SignedRequest:
        """Sign a request; see `signing.sign.Signer`."""
        fields = decode_fields(credential)
        if len(fields) != len(self._fields) or not all(map(fields.__contains__, self._fields)):
            raise CredentialClosed(
                "the credential's fields are not those of the scheme", ENTER_AGAIN
            )
        secret = fields.pop(self._secret)
        values = {name.encode(): value.encode() for name, value in fields.items()}
        for name in self.header_fields:
            _require_visible(values[name])
        if self._is_unsigned(request):
            return _filled(request, self._bare_fillings, self._bare_lines, values)
        values[b"method"] = request.method.encode()
        values[b"path"] = request.path
        values[b"nonce"] = nonce.encode("ascii")
        if self._clock is not None:
            values[b"time"] = self._clock(now)
        draft = self._fillings.draft(request, values)
        query = values[b"query"] = draft.query
        values[b"body"] = draft.body
        values[b"target"] = request.path + b"?" + query if query else request.path
        if self._with_raw_query:
            values[b"raw_query"] = unquote_to_bytes(query)
        for part in self._parts:
            values[part.name] = self._make(part, values, secret)
        made, key = self._keys.signature(secret, self._message % values)
        values[b"signature"] = ENCODERS[key.signature_as](made)
        query, body = self._fillings.finish(draft, values)
        return SignedRequest(self._lines % values, request.path, query, body, draft.content_type)

    def check_secret(self, secret: str) -> None:
        """Check the secret that a user entered.

        Raises:
            UnfitSecret: With a predicate that holds nothing of it.
        """
        self._keys.check(secret)

    def may_hold_lines(self, secret: str) -> bool:
        """Tell whether the secret is PEM, which has line breaks."""
        return self._keys.takes_pem(secret)

    def _is_unsigned(self, request: Unsigned) -> bool:
        if (request.method, request.path) in self._unsigned:
            return True
        pattern = self._unsigned_pattern
        if pattern is None:
            return False
        return pattern.fullmatch(request.method.encode() + b" " + request.path) is not None

    def _make(self, part: _Part, values: Values, secret: str) -> bytes:
        made = _json_payload(part, values) if part.json else part.of % values
        if part.digest == "sign":
            made = self._keys.signature(secret, made)[0]
        elif part.digest != "none":
            made = DIGESTS[part.digest](made).digest()
        return part.encode(made)


@lru_cache(maxsize=1024)
def template_signer(scheme: TemplateScheme) -> TemplateSigner:
    """Make a scheme ready, once. It was checked before (`providers.template_check`)."""
    in_header = [f for f in scheme.fillings if f.slot is Slot.HEADER]
    bare = tuple(f for f in scheme.fillings if names_in(f.value) <= set(scheme.fields))
    early = KNOWN_EARLY | set(scheme.fields)
    fillings = FillingPlan.of(scheme.fillings, early)
    used = names_in(scheme.message).union(
        *(names_in(part.of) for part in scheme.parts),
        *(names_in(each) for part in scheme.parts for _, each in part.json),
    )
    exact = [rule for rule in scheme.unsigned if "*" not in str(rule)]
    wild = [rule for rule in scheme.unsigned if "*" in str(rule)]
    return TemplateSigner(
        covers_body=(
            "body" in used or fillings.touches_body or any(part.json for part in scheme.parts)
        ),
        nonce=scheme.nonce,
        nonce_unit=scheme.nonce_unit,
        headers=frozenset(f.name.lower() for f in in_header),
        query_names=frozenset(
            f.name for f in scheme.fillings if f.slot in (Slot.QUERY, Slot.PARAMETER)
        ),
        header_fields=tuple(
            sorted({n.encode() for f in in_header for n in names_in(f.value) & set(scheme.fields)})
        ),
        _fields=scheme.fields,
        _secret=scheme.secret,
        _keys=KeyRing.of(scheme.keys),
        _clock=CLOCKS.get(scheme.time),
        _parts=tuple(map(_compile_part, scheme.parts)),
        _message=compile_template(scheme.message),
        _lines=_header_lines(scheme.fillings),
        _fillings=fillings,
        _bare_lines=_header_lines(bare),
        _bare_fillings=FillingPlan.of(bare, early),
        _unsigned=frozenset((m, r.pattern.encode()) for r in exact for m in _methods(r)),
        _unsigned_pattern=re.compile(b"|".join(map(_expression, wild))) if wild else None,
        _with_raw_query="raw_query" in used,
    )


def _compile_part(part: SigningPart) -> _Part:
    listed = tuple((name, compile_template(value)) for name, value in part.json)
    of = compile_template(part.of)
    return _Part(part.name.encode(), of, listed, part.digest, ENCODERS[part.encoding])


def _json_payload(part: _Part, values: Values) -> bytes:
    """A JSON object of the part's members, then of the body's that are none of these."""
    own = dict(part.json)
    written = [f"{json_text(n)}:{json_text((v % values).decode())}" for n, v in part.json]
    written += [text for name, _, text in members(values[b"body"]) if name not in own]
    return ("{" + ",".join(written) + "}").encode("utf-8")


def _filled(
    request: Unsigned, fillings: FillingPlan, lines: bytes, values: Values
) -> SignedRequest:
    draft = fillings.draft(request, values)
    return SignedRequest(lines % values, request.path, draft.query, draft.body, draft.content_type)


def _header_lines(fillings: Iterable[Filling]) -> bytes:
    return b"".join(
        f.name.encode() + b": " + compile_template(f.value) + b"\r\n"
        for f in fillings
        if f.slot is Slot.HEADER
    )


def _require_visible(value: bytes) -> None:
    """What was opened is not trusted to be what was sealed."""
    if not (value and value.isascii() and value.decode("ascii").isprintable()):
        raise CredentialClosed("the credential can't stand in its place", ENTER_AGAIN)


def _methods(rule: Rule) -> tuple[str, ...]:
    return ("GET", "HEAD") if rule.method == "GET" else (rule.method,)


def _expression(rule: Rule) -> bytes:
    """One rule as an expression for `METHOD /path`; see `policy.rules` for what a rule means."""
    method = "[A-Z]+" if rule.method == "*" else "|".join(_methods(rule))
    segments = []
    for segment in rule.pattern.split("/")[1:]:
        if segment == "**":
            segments.append("(?:/.*)?")
        else:
            some = "[^/]+" if segment == "*" else re.escape(segment).replace(r"\*", "[^/]*")
            segments.append("/" + some)
    return f"(?:{method}) {''.join(segments)}".encode("ascii")
