"""What a grant says about bodies: conditions, and the judgement of a body by them.

A condition is `SELECTOR = VALUE` or `SELECTOR in [VALUE, ...]`. A selector is `$` and the names of
members, `$.params.chain`: no wildcards, no filters, no places in lists (a small part of RFC 9535).
A value is a JSON string, number, boolean or null. They are compared by type and as they stand: the
number 1 is neither "1" nor 1.0.

The conditions of a WebSocket's rules speak of each message, and may name places in lists:
`$.args.0`, a number from 0 to 999, and `$.args.*`, every place of a list that is not empty. A list
in which a rule names places by number has no elements after these: what a rule does not name can't
be asked for beside it.

A server may read a body otherwise than we do; what is known to be read in two ways is denied:

    two members of one name, anywhere             some take the first, some the last
    in an object that a selector passes through:
      a name that differs from the selected one   some compare so: Go's encoding/json, .NET,
        in case, `_`, `-` or spaces alone           cJSON, protobuf
      a name that is not printable ASCII          some cut it at NUL, drop broken surrogates, or
                                                    compare other letters without case
    a byte order mark, NaN, Infinity, a comment,  none of it is JSON (RFC 8259)
      a comma too many, UTF-16, bad UTF-8

A selected member that is not there is denied too: it is not null.

An array is a batch (JSON-RPC, GraphQL): each element is judged as if it had come alone, and all
must be allowed. An empty one is denied, and one with too many elements.
"""

import json
import re
from typing import Final

from bailee.errors import BadInput
from bailee.model import Allow, Bodies, BodyCondition, Deny

CONDITIONS_LIMIT: Final = 16
"""How many conditions a rule has at most."""
DEPTH_LIMIT: Final = 8
"""How many names a selector has at most."""
BATCH_LIMIT: Final = 1000
"""How many elements a batch has at most."""

_EXAMPLE = (
    """conditions have the form '$.method in ["a", "b"]' or '$.chain = 1'; join them by ' and '"""
)
# RFC 9535, 2.5.1.1: a name in shorthand form, of ASCII alone.
_SELECTOR = re.compile(r"\$((?:\.[A-Za-z_][A-Za-z0-9_]*)+)(?: *(=)| +in(?= |\[)) *")
_SELECTOR_WITH_PLACES = re.compile(
    r"\$(\.[A-Za-z_][A-Za-z0-9_]*(?:\.(?:[A-Za-z_][A-Za-z0-9_]*|0|[1-9][0-9]{0,2}|\*))*)"
    r"(?: *(=)| +in(?= |\[)) *"
)
_STRING = r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4}))*"'
_NUMBER = r"(?!-0(?![.0-9]))-?(?:0|[1-9][0-9]*)(?:\.[0-9]*[1-9])?(?![.0-9eE])"
_VALUE = re.compile(rf" *({_STRING}|{_NUMBER}|true(?!\w)|false(?!\w)|null(?!\w))")
_AND = re.compile(r" +and +")
_COMMA_OR_END = re.compile(r" *([,\]])")


def parse_conditions(text: str, *, lists: bool = False) -> tuple[BodyCondition, ...]:
    """Read what follows `body` in a rule: conditions that are joined by ` and `.

    Args:
        text: The conditions.
        lists: Whether selectors may name places in lists.

    Raises:
        BadInput: The form is wrong, a selector stands there twice, or there are too many.
    """
    conditions: list[BodyCondition] = []
    at = 0
    while True:
        condition, at = _parse_condition(text, at, _SELECTOR_WITH_PLACES if lists else _SELECTOR)
        if condition.path in [each.path for each in conditions]:
            raise BadInput(f"the selector {condition.selector} stands there twice", _EXAMPLE)
        conditions.append(condition)
        if len(conditions) > CONDITIONS_LIMIT:
            raise BadInput(f"a rule has more than {CONDITIONS_LIMIT} conditions")
        if at == len(text):
            return tuple(conditions)
        joint = _AND.match(text, at)
        if joint is None:
            raise BadInput(f"{text[at:]!r} does not follow a condition", _EXAMPLE)
        at = joint.end()


def _parse_condition(text: str, at: int, selector: re.Pattern[str]) -> tuple[BodyCondition, int]:
    found = selector.match(text, at)
    if found is None:
        raise BadInput(f"{text[at:]!r} does not start with a selector and '=' or 'in'", _EXAMPLE)
    path = tuple(found[1][1:].split("."))
    if len(path) > DEPTH_LIMIT:
        raise BadInput(f"a selector has more than {DEPTH_LIMIT} names")
    if found[2]:
        value, at = _parse_value(text, found.end())
        return BodyCondition(path, (value,)), at
    values, at = _parse_list(text, found.end())
    return BodyCondition(path, tuple(dict.fromkeys(values))), at


def _parse_list(text: str, at: int) -> tuple[list[str], int]:
    if text[at : at + 1] != "[":
        raise BadInput(f"{text[at:]!r} is not a list in brackets", _EXAMPLE)
    values = []
    at += 1
    while True:
        value, at = _parse_value(text, at)
        values.append(value)
        end = _COMMA_OR_END.match(text, at)
        if end is None:
            raise BadInput(f"{text[at:]!r} does not go on or end a list", _EXAMPLE)
        at = end.end()
        if end[1] == "]":
            return values, at


def _parse_value(text: str, at: int) -> tuple[str, int]:
    found = _VALUE.match(text, at)
    if found is None:
        raise BadInput(
            f"{text[at:]!r} does not start with a JSON string, number, true, false or null",
            "numbers stand in their plain form: no exponent, no 0 at the end of a fraction",
        )
    spelled = found[1]
    return (_spell_text(json.loads(spelled)) if spelled[0] == '"' else spelled), found.end()


class _Unread(Exception):
    """A body can't be read, or not in one way."""


_MISSING: Final = object()


def judge_body(bodies: Bodies, body: bytes) -> Allow | Deny:
    """Judge a body by the rules of which one must let it through, or each element of a batch.

    Args:
        bodies: The conditions of each rule; all of a rule's must hold.
        body: All of it, as it will be sent.

    Returns:
        An `Allow` with those of `bodies` that let it, or a part of it, through.
    """
    try:
        content = _read(body)
    except _Unread as fault:
        return Deny(str(fault))
    try:
        return _judge(_Reading(), bodies, content)
    except _Unread as fault:
        return Deny(str(fault))


def members_where(conditions: tuple[BodyCondition, ...], body: bytes) -> dict[str, object] | None:
    """Read a JSON object for which conditions hold.

    Returns:
        Its members, numbers as bytes as they were spelled; None where the conditions don't hold,
        or it is no object, or can be read in two ways.
    """
    try:
        content = _read(body)
        if isinstance(content, dict) and isinstance(
            _find_rule(_Reading(), (conditions,), content), tuple
        ):
            return content
    except _Unread:
        pass
    return None


def _judge(reading: "_Reading", bodies: Bodies, content: object) -> Allow | Deny:
    if not isinstance(content, list):
        found = _find_rule(reading, bodies, content)
        return found if isinstance(found, Deny) else Allow((found,))
    if not 1 <= len(content) <= BATCH_LIMIT:
        return Deny(f"a batch has 1 to {BATCH_LIMIT} elements")
    used = []
    for number, element in enumerate(content, 1):
        found = _find_rule(reading, bodies, element)
        if isinstance(found, Deny):
            return Deny(f"element {number} of the batch: {found.reason}")
        if found not in used:
            used.append(found)
    return Allow(tuple(used))


def _find_rule(
    reading: "_Reading", bodies: Bodies, content: object
) -> tuple[BodyCondition, ...] | Deny:
    """Find the first rule whose conditions all hold."""
    if not isinstance(content, dict):
        return Deny("what is no JSON object has nothing that a grant could name")
    for conditions in bodies:
        if all(reading.holds(content, each, conditions) for each in conditions):
            return conditions
    return Deny("no grant of this caller allows what stands in it")


class _Reading:
    """Selects in one body, which outlives it; the names of each object are looked at once."""

    def __init__(self) -> None:
        self._folded: dict[int, dict[str, int]] = {}

    def holds(
        self,
        content: object,
        condition: BodyCondition,
        conditions: tuple[BodyCondition, ...],
        start: int = 0,
    ) -> bool:
        """Tell whether one of a rule's conditions holds; `start` names of its path are behind."""
        path = condition.path
        for at in range(start, len(path)):
            name = path[at]
            if name == "*":
                return (
                    isinstance(content, list)
                    and 1 <= len(content) <= BATCH_LIMIT
                    and all(self.holds(each, condition, conditions, at + 1) for each in content)
                )
            if name.isdigit():
                named = _places(conditions, path[:at])
                if not isinstance(content, list) or len(content) != named:
                    return False
                content = content[int(name)]
            elif isinstance(content, dict):
                content = self.member(content, name)
            else:
                return False
        return self._spell(content) in condition.values

    def member(self, content: dict[str, object], name: str) -> object:
        """Find a member that no server takes for another; `_MISSING` where there is none."""
        if self._fold(content).get(_folded(name), 0) > (name in content):
            raise _Unread(f"a member of the body is named almost like {name}")
        return content.get(name, _MISSING)

    def _spell(self, content: object) -> str | None:
        """Spell a value as a rule does; None where there is none, or a container."""
        match content:
            case str():
                return _spell_text(content)
            case bytes():
                return content.decode()
            case True:
                return "true"
            case False:
                return "false"
            case None:
                return "null"
        return None

    def _fold(self, members: dict[str, object]) -> dict[str, int]:
        """Count the names that some servers can't tell apart."""
        counted = self._folded.get(id(members))
        if counted is None:
            counted = self._folded[id(members)] = {}
            for name in members:
                if not (name.isascii() and name.isprintable()):
                    raise _Unread("a member of the body has a name that is not printable ASCII")
                folded = _folded(name)
                counted[folded] = counted.get(folded, 0) + 1
        return counted


def _places(conditions: tuple[BodyCondition, ...], path: tuple[str, ...]) -> int:
    """How many elements the list at a path has, as the conditions of a rule name its places."""
    depth = len(path)
    return 1 + max(
        int(each.path[depth])
        for each in conditions
        if each.path[:depth] == path and len(each.path) > depth and each.path[depth].isdigit()
    )


def _folded(name: str) -> str:
    return name.lower().translate(_JOINTS)


_JOINTS: Final = str.maketrans("", "", "_- ")


def _spell_text(text: str) -> str:
    return json.dumps(text, ensure_ascii=True)


def _read(body: bytes) -> object:
    try:
        text = body.decode("utf-8")
        return json.loads(
            text,
            parse_int=str.encode,  # as they stand; nothing else in JSON becomes bytes
            parse_float=str.encode,
            parse_constant=_refuse_constant,
            object_pairs_hook=_members,
        )
    except UnicodeDecodeError:
        raise _Unread("the body is not UTF-8") from None
    except (ValueError, RecursionError):
        # What was wrong would quote the body.
        raise _Unread("the body is not JSON") from None


def _members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _Unread("a name stands twice in an object of the body")
    return members


def _refuse_constant(_name: str) -> object:
    raise _Unread("the body is not JSON")
