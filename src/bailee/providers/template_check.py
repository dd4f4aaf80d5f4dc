"""What must hold for a template scheme; faults are sentences, as in `check.py`."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from bailee.errors import BadInput
from bailee.model import Algorithm, Filling, SigningKey, SigningPart, Slot, TemplateScheme
from bailee.signing.fields import FIELD_NAME, split_names
from bailee.signing.template import KNOWN_EARLY, PIECES, RESERVED_NAMES

MAX_FIELDS: Final = 16
MAX_PARTS: Final = 8
MAX_FILLINGS: Final = 16
TEMPLATE_MAX_CHARS: Final = 1024

_ASYMMETRIC: Final = frozenset({Algorithm.ED25519, Algorithm.RSA_SHA256})


def template_faults(scheme: TemplateScheme) -> list[str]:
    """Check a scheme, but for the forms of header and parameter names (`check.py`)."""
    faults = list(_field_faults(scheme))
    faults += _key_faults(scheme.keys)
    faults += _part_faults(scheme)
    parts = {part.name for part in scheme.parts}
    faults += _Names.of(scheme, PIECES | parts).faults("message", scheme.message, lines=True)
    faults += _filling_faults(scheme)
    return faults or list(_unused(scheme))


@dataclass(frozen=True, slots=True)
class _Names:
    """The names that one template may use."""

    allowed: frozenset[str]
    secret: str

    @classmethod
    def of(cls, scheme: TemplateScheme, names: Iterable[str]) -> "_Names":
        """Add the fields but the secret, and leave out what the scheme does not have."""
        missing = {n for n, v in (("time", scheme.time), ("nonce", scheme.nonce)) if v == "none"}
        known = (set(names) | set(scheme.fields)) - missing - {scheme.secret}
        return cls(frozenset(known), scheme.secret)

    def faults(self, key: str, template: str, *, lines: bool = False) -> list[str]:
        """Check one template; with `lines` it may hold line breaks."""
        where = f"auth.{key}"
        text = template.replace("\n", "") if lines else template
        if not text.isascii() or (text and not text.isprintable()):
            return [f"{where} holds only printable ASCII"]
        if len(template) > TEMPLATE_MAX_CHARS:
            return [f"{where} is longer than {TEMPLATE_MAX_CHARS} characters"]
        try:
            names = split_names(template)[1::2]
        except BadInput as fault:
            return [f"{where}: {fault.detail}"]
        return [self._unknown(where, n) for n in dict.fromkeys(names) if n not in self.allowed]

    def _unknown(self, where: str, name: str) -> str:
        if name == self.secret:
            return f"{where} names {{{name}}}: the secret signs, and stands nowhere"
        known = ", ".join(sorted(self.allowed))
        return f"{where} names {{{name}}}, which is not known there; known are: {known}"


def _field_faults(scheme: TemplateScheme) -> Iterator[str]:
    if not 1 <= len(scheme.fields) <= MAX_FIELDS:
        yield f"auth.fields has 1 to {MAX_FIELDS} names"
    if list(scheme.fields) != sorted(set(scheme.fields)):
        yield "auth.fields has a name twice, or is not sorted"
    for name in scheme.fields:
        if not FIELD_NAME.fullmatch(name):
            yield "auth.fields: a name is a small letter, then up to 39 small letters, digits and _"
        elif name in RESERVED_NAMES:
            yield f"auth.fields: {name} is the name of a piece of the request"
    if scheme.secret not in scheme.fields:
        yield "auth.secret is not one of auth.fields"


def _key_faults(keys: tuple[SigningKey, ...]) -> Iterator[str]:
    if not keys:
        yield "auth has no key: algorithm, secret_as and signature_as, or [[auth.key]] tables"
    for key in keys:
        if (key.algorithm in _ASYMMETRIC) != (key.secret_as == "pem"):
            yield f"auth: a secret of {key.algorithm} can't be given as {key.secret_as}"
    if sum(key.algorithm not in _ASYMMETRIC for key in keys) > 1:
        yield "auth has two HMAC keys: nothing tells their secrets apart"
    for algorithm, count in Counter(key.algorithm for key in keys).items():
        if count > 1 and algorithm in _ASYMMETRIC:
            yield f"auth has two keys of {algorithm}"


def _part_faults(scheme: TemplateScheme) -> Iterator[str]:
    if len(scheme.parts) > MAX_PARTS:
        yield f"auth has more than {MAX_PARTS} parts"
    before: set[str] = set()
    for part in scheme.parts:
        where = f"part.{part.name}"
        if not FIELD_NAME.fullmatch(part.name):
            yield "auth.part: a name is a small letter, then small letters, digits and _"
            continue
        if part.name in RESERVED_NAMES | before or part.name in scheme.fields:
            yield f"auth.{where} has the name of something else"
        if bool(part.of) == bool(part.json):
            yield f"auth.{where} has either of or json"
        names = _Names.of(scheme, PIECES | before)
        yield from names.faults(f"{where}.of", part.of, lines=True)
        for member, value in part.json:
            if not (member and member.isprintable()) or len(member) > 64:
                yield f"auth.{where}.json has a member without a printable name"
            yield from names.faults(f"{where}.json", value)
        before.add(part.name)


def _filling_faults(scheme: TemplateScheme) -> Iterator[str]:
    if not 1 <= len(scheme.fillings) <= MAX_FILLINGS:
        yield f"auth has 1 to {MAX_FILLINGS} [[auth.put]] tables"
    readable = {part.name for part in scheme.parts if part.encoding != "raw"}
    in_header = _Names.of(scheme, readable | {"time", "nonce", "signature"})
    elsewhere = _Names.of(scheme, readable | KNOWN_EARLY | {"signature"})
    for each in scheme.fillings:
        names = in_header if each.slot is Slot.HEADER else elsewhere
        yield from names.faults(f"put {each.slot} {each.name}", each.value)
        if not each.value or each.value != each.value.strip(" "):
            yield "auth.put: a value is not empty, and neither begins nor ends with a space"
    for name, count in Counter(s for each in scheme.fillings for s in _slots(each)).items():
        if count > 1:
            yield f"auth fills {name} twice"
    if not any("{signature}" in each.value for each in scheme.fillings):
        yield "auth puts {signature} nowhere"


def _slots(filling: Filling) -> tuple[str, ...]:
    """Name what can be filled only once; a parameter may stand in two places."""
    if filling.slot is Slot.HEADER:
        return (f"the header {filling.name.lower()}",)
    in_query, in_body = f"the parameter {filling.name}", f"the member {filling.name}"
    match filling.slot:
        case Slot.QUERY:
            return (in_query,)
        case Slot.BODY:
            return (in_body,)
    return in_query, in_body


def _unused(scheme: TemplateScheme) -> Iterator[str]:
    """What stands in the file and does nothing is a mistake: perhaps it was meant to be signed."""
    templates = [scheme.message, *(each.value for each in scheme.fillings)]
    templates += [each for part in scheme.parts for each in _templates(part)]
    used = {name for each in templates for name in split_names(each)[1::2]}
    for name in scheme.fields:
        if name != scheme.secret and name not in used:
            yield f"auth.fields: {name} is used nowhere"
    for part in scheme.parts:
        if part.name not in used:
            yield f"auth.part.{part.name} is used nowhere"
    for name, value in (("time", scheme.time), ("nonce", scheme.nonce)):
        if value != "none" and name not in used:
            yield f"auth.{name}: {{{name}}} is used nowhere"


def _templates(part: SigningPart) -> list[str]:
    return [part.of, *(value for _, value in part.json)]
