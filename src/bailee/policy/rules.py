"""Which requests a grant and a provider's own rules let through.

A rule is `METHOD /pattern`. In a pattern `*` stands for any characters within a segment, for at
least one where it is the whole segment, and `**`, as a whole segment, for any number of segments,
none included: `/v1/**` matches `/v1`, `/v1/` and `/v1/a/b`. A `GET` rule covers `HEAD`. Grants are
matched exactly as written; what a provider denies is matched without regard to case, to a final
slash, and to percent-encoding, once or several times over, since APIs differ in what they take for
the same path.

A grant's rule may go on with ` body ` and conditions; `body.py` tells of them. A provider's can't.

`WEBSOCKET` is the method of opening a WebSocket. In a grant no other word covers it, `*` neither;
what a provider's rules say of `*` they say of it too. Its rules go on with ` frame `: then the
conditions are for each message of the client.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote, unquote_to_bytes

from bailee.errors import BadInput
from bailee.model import (
    ALLOW,
    GRANTABLE_METHODS,
    WEBSOCKET,
    Allow,
    Bodies,
    BodyRule,
    Deny,
    Rule,
)
from bailee.policy.body import parse_conditions

_SEGMENT = r"[A-Za-z0-9\-._~!$&'()*+,=:@%]+"
_PATTERN = re.compile(rf"/(?:{_SEGMENT}(?:/{_SEGMENT})*/?)?")
BODY_METHODS = frozenset({"POST", "PUT", "PATCH"})
"""Of the others servers ignore the body (RFC 9110, 9.3): what stands in it would say nothing."""


def parse_grant_rule(text: str) -> Rule:
    """Read a rule of a grant: as `parse_rule`, or with conditions after ` body ` or ` frame `.

    Returns:
        A `BodyRule` where there are conditions.

    Raises:
        BadInput: As `parse_rule`, or the conditions are of the wrong form, or the method is one
            whose body says nothing.
    """
    method, _, rest = text.strip().partition(" ")
    pattern, _, more = rest.strip().partition(" ")
    word, _, conditions = more.strip().partition(" ")
    if word not in ("body", "frame"):
        return parse_rule(text)
    rule = parse_rule(f"{method} {pattern}")
    if word == "frame":
        if rule.method != WEBSOCKET:
            raise BadInput(f"a rule about frames can't be for {rule.method}", "it is for WEBSOCKET")
        return BodyRule(WEBSOCKET, rule.pattern, parse_conditions(conditions.strip(), lists=True))
    if rule.method not in BODY_METHODS:
        raise BadInput(
            f"a rule about bodies can't be for {rule.method}",
            "it is for one of " + ", ".join(sorted(BODY_METHODS)),
        )
    return BodyRule(rule.method, rule.pattern, parse_conditions(conditions.strip()))


def parse_rule(text: str) -> Rule:
    """Read a rule such as `GET /v1/**` or `* /orders/*`.

    Raises:
        BadInput: The form is wrong, the method is never relayed, or the pattern can match no path
            that `canonical_path` lets through.
    """
    method, separator, pattern = text.strip().partition(" ")
    method, pattern = method.upper(), pattern.strip()
    example = "a rule has the form 'GET /v1/orders/**'"
    if not separator or (method != "*" and method not in GRANTABLE_METHODS):
        known = ", ".join(sorted(GRANTABLE_METHODS))
        raise BadInput(
            f"rule {text!r} does not start with a method", f"{example}; methods: {known}, *"
        )
    if not _PATTERN.fullmatch(pattern):
        raise BadInput(f"rule {text!r} has a pattern that is not a path", example)
    for segment in pattern.split("/"):
        if segment in {".", ".."}:
            raise BadInput(f"rule {text!r} has a dot segment, which no call can have", example)
        if "**" in segment and segment != "**":
            raise BadInput(f"rule {text!r} mixes ** with other characters in a segment", example)
    if canonical_path(pattern.encode("ascii")) != pattern:
        raise BadInput(
            f"rule {text!r} has an escape that no call can have",
            "letters, digits and -._~ stand as they are, other escapes in capitals, as in %C3%A9",
        )
    return Rule(method, pattern)


@dataclass(frozen=True, slots=True)
class CompiledRules:
    """Rules ready to be matched against many paths: one expression for each method."""

    rules: tuple[Rule, ...]
    _by_method: dict[str, tuple[re.Pattern[str], tuple[Rule, ...]]]
    _of_bodies: dict[str, list[tuple[re.Pattern[str], BodyRule]]]

    def find(self, method: str, path: str) -> Rule | None:
        """Find the first rule that matches, whatever the body, or None."""
        found = self._by_method.get(method)
        if found is None:
            return None
        match = found[0].fullmatch(path)
        return found[1][match.lastindex - 1] if match is not None and match.lastindex else None

    def find_bodies(self, method: str, path: str) -> Bodies:
        """Find the conditions of all rules that match where the body is as they say."""
        found = self._of_bodies.get(method, ())
        matching = (rule.body for pattern, rule in found if pattern.fullmatch(path))
        return tuple(dict.fromkeys(matching))


def compile_rules(rules: Iterable[Rule], *, ignore_case: bool = False) -> CompiledRules:
    """Compile rules in their order; with `ignore_case` case and a final slash do not count."""
    listed = tuple(rules)
    # What a provider refuses it would refuse whatever the body.
    plain = [rule for rule in listed if ignore_case or not isinstance(rule, BodyRule)]
    flags = re.IGNORECASE if ignore_case else 0
    by_method = {}
    for method in GRANTABLE_METHODS:
        covering = {"*", method, "GET"} if method == "HEAD" else {"*", method}
        if method == WEBSOCKET and not ignore_case:
            covering = {WEBSOCKET}
        chosen = tuple(rule for rule in plain if rule.method in covering)
        if chosen:
            expression = "|".join(f"({_expression(rule.pattern, ignore_case)})" for rule in chosen)
            by_method[method] = re.compile(expression, flags), chosen
    of_bodies: dict[str, list[tuple[re.Pattern[str], BodyRule]]] = {}
    for rule in listed:
        if isinstance(rule, BodyRule):
            pattern = re.compile(_expression(rule.pattern, ignore_case), flags)
            of_bodies.setdefault(rule.method, []).append((pattern, rule))
    return CompiledRules(listed, by_method, of_bodies)


@dataclass(frozen=True, slots=True)
class ProviderRules:
    """What a provider's file refuses, whatever a grant says."""

    deny: CompiledRules
    multiplexed: CompiledRules

    @classmethod
    def of(cls, deny: Iterable[Rule], multiplexed: Iterable[Rule]) -> "ProviderRules":
        """Compile the two lists of a provider's file."""
        return cls(
            compile_rules(deny, ignore_case=True), compile_rules(multiplexed, ignore_case=True)
        )


def authorize(
    granted: CompiledRules, provider: ProviderRules, method: str, path: str
) -> Allow | Deny:
    """Decide whether a grant lets a request through.

    A path with many meanings is granted by rules about bodies alone.

    Args:
        granted: The rules of the caller's grants for this connection.
        provider: The rules of the provider.
        method: The request's method, upper case.
        path: The path as `canonical_path` returned it.

    Returns:
        An `Allow` may have `bodies`: then the body has to be judged by them before it is sent.
    """
    is_plain = granted.find(method, path) is not None
    bodies = granted.find_bodies(method, path)
    if not is_plain and not bodies:
        return Deny("no grant of this caller allows this method and path")
    for reading in _readings(path):
        if denied := provider.deny.find(method, reading):
            return Deny("the provider's rules deny this method and path", str(denied))
        if many := provider.multiplexed.find(method, reading):
            if not bodies:
                return Deny(
                    "one path with many meanings: a grant has to name what in its body", str(many)
                )
            is_plain = False
    return ALLOW if is_plain else Allow(bodies)


def _readings(path: str) -> Iterator[str]:
    """What servers may read in a path: as it stands, and with its escapes decoded once or again."""
    yield path.rstrip("/") or "/"
    raw = path.encode("ascii")
    while b"%" in raw and (decoded := unquote_to_bytes(raw)) != raw:
        raw = decoded
        yield raw.decode("utf-8", "replace").rstrip("/") or "/"


# What may stand in a path as it is: RFC 3986 pchar without `;`, which some servers cut a path at.
_PLAIN = r"[A-Za-z0-9\-._~!$&'()*+,=:@]"
_ONE_MEANING = re.compile(
    rf"/(?:(?!\.\.?(?:/|$))(?:{_PLAIN}|%[0-9A-F]{{2}})+"
    rf"(?:/(?!\.\.?(?:/|$))(?:{_PLAIN}|%[0-9A-F]{{2}})+)*/?)?"
)
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
# Slash, backslash, semicolon and control characters, and what turns into one of them, or a dot,
# when a server decodes more than once.
_REFUSED_ESCAPES = re.compile(
    r"%(?:2F|5C|3B|[01][0-9A-F]|7F|(?:25)+(?:2[EeFf]|5[Cc]|3[Bb]|0[0AaDd]))"
)


@lru_cache(maxsize=4096)
def canonical_path(raw: bytes) -> str | Deny:
    """Give a path its one meaning, or refuse it.

    Unreserved characters are decoded and the other escapes get upper-case digits (RFC 3986, 6.2.2).
    Dot segments, empty segments, `;`, encoded slashes, encoded control characters and characters
    outside ASCII are refused, not mended. What is returned is what is matched *and* what is sent.

    Args:
        raw: The path without the query, as it came, starting with `/`.
    """
    try:
        text = raw.decode("ascii")
    except UnicodeDecodeError:
        return Deny("the path has characters outside ASCII; percent-encode them")
    if "%" in text:
        if len(_ESCAPE.findall(text)) != text.count("%"):
            return Deny("the path has a % that starts no escape")
        text = _ESCAPE.sub(_decode_unreserved, text)
        if _REFUSED_ESCAPES.search(text):
            return Deny("the path has an encoded slash, semicolon or control character")
    if not _ONE_MEANING.fullmatch(text):
        return Deny("the path has dot segments, empty segments, or characters no path may have")
    return text


def _decode_unreserved(escape: re.Match[str]) -> str:
    character = chr(int(escape.group(1), 16))
    return character if character in _UNRESERVED else escape.group(0).upper()


def _expression(pattern: str, loosely: bool) -> str:
    if not loosely:
        return _matching(pattern, 0)
    pattern = pattern.rstrip("/") or "/"
    times = range(1, 2 + pattern.count("25"))
    return "|".join(dict.fromkeys(_matching(pattern, decoded) for decoded in times))


def _matching(pattern: str, decoded: int) -> str:
    """Write a pattern as an expression, its literals decoded so many times."""
    if pattern == "/":
        return "/"
    parts = []
    for segment in pattern.removeprefix("/").split("/"):
        if segment == "**":
            parts.append(r"(?:/[^/]+)*/?")
            continue
        pieces = segment.split("*")
        for _ in range(decoded):
            pieces = [unquote(piece, errors="replace") for piece in pieces]
        # `DELETE /orders/*` does not allow `DELETE /orders/`.
        some = "[^/]+" if segment == "*" and not decoded else "[^/]*"
        parts.append("/" + some.join(re.escape(piece) for piece in pieces))
    expression = "".join(parts)
    return expression.replace(r"/?/", "/")
