"""What a grant says of a WebSocket, and of the messages that a client sends on it."""

import pytest

from bailee.errors import BadInput
from bailee.model import ALLOW, Allow, BodyCondition, BodyRule, Deny, Rule
from bailee.policy.body import judge_body, members_where, parse_conditions
from bailee.policy.rules import (
    ProviderRules,
    authorize,
    compile_rules,
    parse_grant_rule,
    parse_rule,
)

NOTHING = ProviderRules.of((), ())
RULES = {
    "WEBSOCKET /ws/**": Rule("WEBSOCKET", "/ws/**"),
    'websocket /ws frame $.op in ["ping", "subscribe"] and $.args.* = "a"': BodyRule(
        "WEBSOCKET",
        "/ws",
        (
            BodyCondition(("op",), ('"ping"', '"subscribe"')),
            BodyCondition(("args", "*"), ('"a"',)),
        ),
    ),
    "WEBSOCKET /ws frame $.args.0.b = 1 and $.args.10 = 2": BodyRule(
        "WEBSOCKET",
        "/ws",
        (BodyCondition(("args", "0", "b"), ("1",)), BodyCondition(("args", "10"), ("2",))),
    ),
}
ILL_FORMED = [
    "WEBSOCKET /ws frame", "WEBSOCKET /ws body $.op = 1", "GET /ws frame $.op = 1",
    "* /ws frame $.op = 1", "POST /ws frame $.op = 1", "WEBSOCKET ws", "WEBSOCKETS /ws",
    "WEBSOCKET /ws frame $.0 = 1", "WEBSOCKET /ws frame $.* = 1", "WEBSOCKET /ws frame $.a.01 = 1",
    "WEBSOCKET /ws frame $.a.1000 = 1", "WEBSOCKET /ws frame $.a.-1 = 1",
    "WEBSOCKET /ws frame $.a[0] = 1", "WEBSOCKET /ws frame $.a.** = 1",
    "POST /rpc body $.a.0 = 1", "POST /rpc body $.a.* = 1",
]  # fmt: skip


@pytest.mark.parametrize("text", RULES)
def test_rule_is_read(text: str) -> None:
    """And what it says can be read again."""
    rule = parse_grant_rule(text)
    assert rule == RULES[text]
    assert parse_grant_rule(str(rule)) == rule


@pytest.mark.parametrize("text", ILL_FORMED)
def test_rule_is_refused_when_it_is_of_another_form(text: str) -> None:
    """What is half understood would grant something else than was meant."""
    with pytest.raises(BadInput):
        parse_grant_rule(text)


def test_rule_about_messages_is_a_grants_alone() -> None:
    """A provider's rule is about doors."""
    with pytest.raises(BadInput):
        parse_rule("WEBSOCKET /ws frame $.op = 1")
    assert parse_rule("WEBSOCKET /ws") == Rule("WEBSOCKET", "/ws")


@pytest.mark.parametrize(
    ("rules", "allowed"),
    [
        (["* /**"], False),
        (["GET /**"], False),
        (["GET /ws", "POST /ws", "* /ws"], False),
        (["WEBSOCKET /other"], False),
        (["WEBSOCKET /ws"], True),
        (["WEBSOCKET /**"], True),
    ],
)
def test_websocket_is_granted_by_its_own_word_alone(rules: list[str], allowed: bool) -> None:
    """Whoever was granted everything before there were WebSockets, was not granted them."""
    granted = compile_rules(map(parse_grant_rule, rules))
    assert (authorize(granted, NOTHING, "WEBSOCKET", "/ws") == ALLOW) is allowed


def test_rule_of_a_websocket_grants_no_other_call() -> None:
    """Not even the GET that opens it."""
    granted = compile_rules([parse_grant_rule("WEBSOCKET /**")])
    for method in ("GET", "HEAD", "POST", "OPTIONS"):
        assert isinstance(authorize(granted, NOTHING, method, "/ws"), Deny)


@pytest.mark.parametrize(
    ("rule", "denied"),
    [("* /WS/", True), ("WEBSOCKET /**", True), ("GET /ws", False), ("WEBSOCKET /x", False)],
)
def test_provider_denies_websockets_by_both_words(rule: str, denied: bool) -> None:
    """Its `*` means everything; its `GET` a call."""
    granted = compile_rules([parse_grant_rule("WEBSOCKET /**")])
    provider = ProviderRules.of([parse_rule(rule)], ())
    assert isinstance(authorize(granted, provider, "WEBSOCKET", "/ws"), Deny) is denied


def test_multiplexed_websocket_is_granted_by_rules_about_messages_alone() -> None:
    """As a path with many meanings is (R52)."""
    provider = ProviderRules.of((), [parse_rule("WEBSOCKET /ws")])
    plain = compile_rules([parse_grant_rule("WEBSOCKET /ws")])
    assert isinstance(authorize(plain, provider, "WEBSOCKET", "/ws"), Deny)
    rule = parse_grant_rule("WEBSOCKET /ws frame $.op = 1")
    assert isinstance(rule, BodyRule)
    verdict = authorize(compile_rules([rule]), provider, "WEBSOCKET", "/ws")
    assert verdict == Allow((rule.body,))


# --- messages ---

SUBSCRIBE = '$.op = "subscribe" and '
PASSING = {
    "every place": (SUBSCRIBE + '$.args.* in ["a", "b"]', b'{"op":"subscribe","args":["b","a"]}'),
    "one place": (SUBSCRIBE + '$.args.0 = "a"', b'{"op":"subscribe","args":["a"]}'),
    "all places": ("$.args.0 = 1 and $.args.1 = 2", b'{"args":[1,2]}'),
    "a member of every place": ('$.args.*.c = "t"', b'{"args":[{"c":"t"},{"c":"t","i":"x"}]}'),
    "a place that nothing is said of": ("$.args.1 = 2", b'{"args":[7,2]}'),
    "a list in a list": ("$.a.0.1 = 2", b'{"a":[[1,2]]}'),
    "both ways": ("$.a.* in [1, 2] and $.a.0 = 1", b'{"a":[1]}'),
}
DENIED = {
    "one place of another value": ('$.args.* = "a"', b'{"op":"subscribe","args":["a","x"]}'),
    "an element more than is named": ('$.args.0 = "a"', b'{"args":["a","x"]}'),
    "an element less than is named": ("$.args.1 = 2", b'{"args":[2]}'),
    "an empty list": ('$.args.* = "a"', b'{"args":[]}'),
    "no list": ('$.args.* = "a"', b'{"args":"a"}'),
    "an object with the number as a name": ('$.args.0 = "a"', b'{"args":{"0":"a"}}'),
    "an object with a star as a name": ('$.args.* = "a"', b'{"args":{"*":"a"}}'),
    "no member": ('$.args.0 = "a"', b'{"op":"subscribe"}'),
    "a list in the place": ('$.args.* = "a"', b'{"args":[["a"]]}'),
    "both ways, one element more": ("$.a.* in [1, 2] and $.a.0 = 1", b'{"a":[1,2]}'),
    "a name that is almost the same": ('$.args.0 = "a"', b'{"args":["a"],"Args":["x"]}'),
    "a name twice": ('$.args.0 = "a"', b'{"args":["x"],"args":["a"]}'),
    "no JSON": ('$.args.0 = "a"', b"ping"),
}  # fmt: skip


@pytest.mark.parametrize("case", PASSING)
def test_message_passes(case: str) -> None:
    """When every condition of a rule holds."""
    text, message = PASSING[case]
    rule = parse_conditions(text, lists=True)
    assert judge_body((rule,), message) == Allow((rule,))


@pytest.mark.parametrize("case", DENIED)
def test_message_is_denied(case: str) -> None:
    """Nothing can be asked for beside what a rule names."""
    text, message = DENIED[case]
    assert isinstance(judge_body((parse_conditions(text, lists=True),), message), Deny)


def test_members_are_found_where_conditions_hold() -> None:
    """Of one object that can be read in one way; numbers stay as they were spelled."""
    when = parse_conditions('$.op = "auth"')
    assert members_where(when, b'{"op":"auth","id":1.50,"x":"y"}') == {
        "op": "auth", "id": b"1.50", "x": "y",
    }  # fmt: skip
    for other in (
        b'{"op":"ping"}', b'[{"op":"auth"}]', b'{"op":"auth","op":"auth"}', b'{"op":"auth","OP":1}',
        b"auth", b"", b'"auth"', b"\xff",
    ):  # fmt: skip
        assert members_where(when, other) is None
