"""The `[auth]` table of a provider's file."""

from collections.abc import Sequence
from typing import Any, Final, Literal, get_args

from bailee.errors import BadInput
from bailee.model import (
    Algorithm,
    AuthScheme,
    Filling,
    Place,
    Placement,
    PlaceScheme,
    Rule,
    SigningKey,
    SigningPart,
    Slot,
    TemplateScheme,
    TokenPlace,
)
from bailee.policy.rules import parse_rule
from bailee.providers import check
from bailee.providers.table import Table
from bailee.signing.place import scheme_of

_SHORT_PLACES: Final = {
    "header": Place.HEADER, "query": Place.QUERY, "path": Place.PATH, "basic": Place.BASIC,
}  # fmt: skip
_SLOTS: Final = {str(slot): slot for slot in Slot}
_Time = Literal["none", "s", "ms", "us", "iso"]
_Nonce = Literal["none", "monotonic", "uuid"]
_NonceUnit = Literal["s", "ms", "us", "ns"]
_SecretAs = Literal["text", "base64", "hex", "pem"]
_SignatureAs = Literal["hex", "base64"]
_Digest = Literal["none", "sha256", "sha384", "sha512", "sign"]
_Encoding = Literal["raw", "hex", "base64"]
_ALGORITHMS: Final = [str(each) for each in Algorithm]


def read_auth(
    file: Table, faults: list[str]
) -> tuple[AuthScheme | None, TokenPlace | None, str | None]:
    """Read the scheme, where SDKs put our token, and the stand-in for their secret."""
    table = file.table("auth")
    if table is None:
        file.fault("auth", "is missing")
        return None, None, None
    kind = table.text("scheme")
    caller = table.table("caller")
    token, dummy = _read_caller(caller, faults) if caller is not None else (None, None)
    if kind not in ("place", "template", None):
        table.fault("scheme", 'must be "place" or "template"')
        return None, token, dummy
    before = len(faults)
    scheme = _read_template(table) if kind == "template" else _read_place(table)
    table.finish()
    if scheme is None or len(faults) > before:
        return None, token, dummy
    scheme_faults = check.scheme_faults(scheme)
    faults += scheme_faults
    return (None if scheme_faults else scheme), token, dummy


def _read_caller(table: Table, faults: list[str]) -> tuple[TokenPlace | None, str | None]:
    token = None
    if (text := table.text("token")) is not None:
        kind, _, name = text.partition(" ")
        # An unknown kind becomes a place that `caller_token_faults` refuses.
        token = TokenPlace(_SHORT_PLACES.get(kind, Place.PATH), name)
        faults += check.caller_token_faults(token)
    dummy = table.optional_text("dummy_secret")
    if dummy is not None:
        faults += check.dummy_secret_faults(dummy)
    table.finish()
    return token, dummy


# --- place ---------------------------------------------------------------------------------------


def _read_place(table: Table) -> PlaceScheme | None:
    parts = table.tables("place") if "place" in table else (table,)
    placements = tuple(p for p in map(_read_placement, parts) if p is not None)
    for part in parts:
        if part is not table:
            part.finish()
    if len(placements) < len(parts):
        return None
    try:
        return scheme_of(placements)
    except BadInput:
        return PlaceScheme(placements, ())


def _read_placement(table: Table) -> Placement | None:
    keys = [key for key in _SHORT_PLACES if key in table]
    if len(keys) != 1:
        table.fault("header, query, path, basic:", "exactly one of them must be there")
        for key in (*keys, "value"):
            table.value(key)
        return None
    place = _SHORT_PLACES[keys[0]]
    first = table.text(keys[0])
    if place in (Place.PATH, Place.BASIC):
        return None if first is None else Placement(place, "", first)
    value = table.text("value")
    return None if first is None or value is None else Placement(place, first, value)


# --- template ------------------------------------------------------------------------------------


def _read_template(table: Table) -> TemplateScheme | None:
    secret, message = table.text("secret"), table.text("message")
    fields = table.texts("fields") if "fields" in table else ("api_key", secret or "secret")
    time = read_word(table, "time", get_args(_Time), "none")
    nonce = read_word(table, "nonce", get_args(_Nonce), "none")
    unit = read_word(table, "nonce_unit", get_args(_NonceUnit), "ms")
    key_tables = table.tables("key") if "key" in table else (table,)
    keys = tuple(map(_read_key, key_tables))
    for each in key_tables:
        if each is not table:
            each.finish()
    parts = tuple(read_part(name, each) for name, each in table.named_tables("part").items())
    fillings = tuple(map(_read_filling, table.tables("put")))
    unsigned = _read_unsigned(table)
    if None in (secret, message, time, nonce, unit, *keys, *parts, *fillings):
        return None
    return TemplateScheme(
        fields=tuple(sorted(fields)),
        secret=secret or "",
        keys=tuple(key for key in keys if key is not None),
        time=time,
        nonce=nonce,
        nonce_unit=unit,
        parts=tuple(part for part in parts if part is not None),
        message=message or "",
        fillings=tuple(filling for filling in fillings if filling is not None),
        unsigned=unsigned,
    )


def _read_key(table: Table) -> SigningKey | None:
    algorithm = read_word(table, "algorithm", _ALGORITHMS)
    pem = algorithm in (Algorithm.ED25519, Algorithm.RSA_SHA256)
    secret_as = read_word(table, "secret_as", get_args(_SecretAs), "pem" if pem else "")
    signature_as = read_word(table, "signature_as", get_args(_SignatureAs))
    if None in (algorithm, secret_as, signature_as):
        return None
    return SigningKey(Algorithm(algorithm), secret_as, signature_as)


def read_part(name: str, table: Table) -> SigningPart | None:
    """Read a piece of what is signed; None, and a fault noted, where it is none."""
    of = table.text("of", default="")
    json = table.table("json")
    members = [] if json is None else json.flattened()
    digest = read_word(table, "digest", get_args(_Digest), "none")
    encoding = read_word(table, "as", get_args(_Encoding))
    table.finish()
    texts = tuple((key, value) for key, value in members if isinstance(value, str))
    if len(texts) < len(members):
        table.fault("json", "must be a table of strings")
    if of is None or digest is None or encoding is None:
        return None
    return SigningPart(name, of, texts, digest, encoding)


def _read_filling(table: Table) -> Filling | None:
    keys = [key for key in _SLOTS if key in table]
    names = [table.text(key) for key in keys]
    value = table.text("value")
    table.finish()
    if len(keys) != 1:
        table.fault("header, query, body, parameter:", "exactly one of them must be there")
        return None
    name = names[0]
    return None if name is None or value is None else Filling(_SLOTS[keys[0]], name, value)


def _read_unsigned(table: Table) -> tuple[Rule, ...]:
    rules = []
    for text in table.texts("unsigned"):
        try:
            rules.append(parse_rule(text))
        except BadInput as fault:
            table.fault("unsigned", f"is refused: {fault.detail}")
    return tuple(rules)


def read_word(table: Table, key: str, words: Sequence[str], default: str = "") -> Any:
    """Take one of some words, or note a fault and return None. Without a default it must be there.

    What is returned is one of a `Literal`, which the type checker can't see.
    """
    text = table.text(key, default=default or None)
    if text is None or text in words:
        return text
    table.fault(key, "must be one of " + ", ".join(words))
    return None
