"""What a grant says about bodies, and that a body which can be read in two ways is denied."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bailee.errors import BadInput
from bailee.model import Allow, Bodies, BodyCondition, Deny
from bailee.policy.body import (
    BATCH_LIMIT,
    CONDITIONS_LIMIT,
    DEPTH_LIMIT,
    judge_body,
    parse_conditions,
)


def bodies(*texts: str) -> Bodies:
    """The conditions of one rule each."""
    return tuple(map(parse_conditions, texts))


RPC = bodies('$.method in ["eth_call", "eth_getBalance"]')

# --- the form of conditions ---

WELL_FORMED = {
    '$.method = "a"': [BodyCondition(("method",), ('"a"',))],
    '$.method="a"': [BodyCondition(("method",), ('"a"',))],
    '$.m in ["a", "b","c" , "a"]': [BodyCondition(("m",), ('"a"', '"b"', '"c"'))],
    '$.m in["a"]': [BodyCondition(("m",), ('"a"',))],
    "$.m in [ 1 ]": [BodyCondition(("m",), ("1",))],
    "$.a.b.c_1 = 0": [BodyCondition(("a", "b", "c_1"), ("0",))],
    "$.in in [true, false, null]": [BodyCondition(("in",), ("true", "false", "null"))],
    "$.n in [-0.5, 12.25, 10, -3]": [BodyCondition(("n",), ("-0.5", "12.25", "10", "-3"))],
    '$.a = "x and $.b = 2" and $.b = 2': [
        BodyCondition(("a",), ('"x and $.b = 2"',)),
        BodyCondition(("b",), ("2",)),
    ],
    '$.a in ["]", ","]  and  $.and = null': [
        BodyCondition(("a",), ('"]"', '","')),
        BodyCondition(("and",), ("null",)),
    ],
    '$.a = "\\u0041\\/\\u00e9é\\""': [BodyCondition(("a",), ('"A/\\u00e9\\u00e9\\""',))],
    '$.a = ""': [BodyCondition(("a",), ('""',))],
}
ILL_FORMED = [
    "", "$", "$.a", "$ = 1", "$. = 1", "a = 1", ".a = 1", "$.a.. = 1", "$.a.*  = 1", "$..a = 1",
    "$[0] = 1", "$.a[0] = 1", "$.a[*] = 1", '$["a"] = 1', "$.1a = 1", "$.é = 1", "$.a-b = 1",
    "$.a == 1", "$.a != 1", "$.a > 1", "$.a =", "$.a in", "$.a in 1", "$.a in []", "$.a in [1,]",
    "$.a in [1", "$.a in [1 2]", "$.a in [[1]]", "$.a = [1]", "$.a = {}", "$.a = x", "$.a = 'x'",
    '$.a = "x', '$.a = "\\x"', '$.a = "\t"', '$.a = "x"y', "$.a = NaN", "$.a = Infinity",
    "$.a = True", "$.a = nullx", "$.a = 01", "$.a = 1.0", "$.a = 1.50", "$.a = 1.", "$.a = .5",
    "$.a = 1e3", "$.a = +1", "$.a = -0", "$.a = -", "$.a = --1", "$.a = 1 $.b = 2", "$.domain [1]",
    "$.a = 1 and", "$.a = 1 and ", "and $.a = 1", "$.a = 1 or $.b = 2", "$.a = 1 AND $.b = 2",
    "$.a = 1and $.b = 2", "$.a = 1, $.b = 2", "$.a = 1 and $.a = 2", "$.a = 1\n", "$.a\n= 1",
]  # fmt: skip


@pytest.mark.parametrize("text", WELL_FORMED)
def test_conditions_are_read(text: str) -> None:
    """A selector of names, and JSON values in one spelling; what it says can be read again."""
    read = parse_conditions(text)
    assert list(read) == WELL_FORMED[text]
    assert parse_conditions(" and ".join(map(str, read))) == read


@pytest.mark.parametrize("text", ILL_FORMED)
def test_conditions_are_refused_when_they_are_of_another_form(text: str) -> None:
    """What is half understood would grant something else than was meant."""
    with pytest.raises(BadInput):
        parse_conditions(text)


def test_conditions_are_bounded() -> None:
    """So many of them, and so deep."""
    for count, fits in ((CONDITIONS_LIMIT, True), (CONDITIONS_LIMIT + 1, False)):
        text = " and ".join(f"$.a{n} = {n}" for n in range(count))
        if fits:
            assert len(parse_conditions(text)) == count
        else:
            with pytest.raises(BadInput):
                parse_conditions(text)
    assert parse_conditions("$" + ".a" * DEPTH_LIMIT + " = 1")
    with pytest.raises(BadInput):
        parse_conditions("$" + ".a" * (DEPTH_LIMIT + 1) + " = 1")


NAME = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)
SCALAR = st.one_of(
    st.text(max_size=8), st.integers(), st.booleans(), st.none(), st.sampled_from([0.5, -12.25])
)


@given(st.dictionaries(NAME, st.lists(SCALAR, min_size=1, max_size=4), min_size=1, max_size=4))
def test_conditions_say_again_what_was_read(wanted: dict[str, list[object]]) -> None:
    """Their text is read as the same, is printable ASCII, and lets through what they name."""
    text = " and ".join(
        f"$.{name} in {json.dumps(values, ensure_ascii=False)}" for name, values in wanted.items()
    )
    read = parse_conditions(text)
    again = " and ".join(map(str, read))
    assert again.isascii()
    assert again.isprintable()
    assert parse_conditions(again) == read
    if len({name.lower().replace("_", "") for name in wanted}) == len(wanted):
        body = json.dumps({name: values[-1] for name, values in wanted.items()})
        assert judge_body((read,), body.encode()) == Allow((read,))


# --- a body ---

ALLOWED = {
    "a call": (RPC, b'{"jsonrpc":"2.0","id":1,"method":"eth_call","params":[{"to":"0x1"}]}'),
    "space around everything": (RPC, b'\r\n { "id" : 1 ,\t"method" : "eth_call" } \n'),
    "a name and value with escapes": (RPC, b'{"m\\u0065thod":"eth\\u005fcall"}'),
    "a batch": (RPC, b'[{"method":"eth_call"}, {"method":"eth_getBalance"}]'),
    "a batch of one": (RPC, b'[{"method":"eth_call"}]'),
    "a second rule": (bodies("$.a = 1", "$.b = 2"), b'{"b":2}'),
    "a batch by two rules": (bodies("$.a = 1", "$.b = 2"), b'[{"b":2},{"a":1}]'),
    "two conditions": (bodies("$.a = 1 and $.b.c = null"), b'{"b":{"c":null},"a":1}'),
    "likely names below": (RPC, b'{"method":"eth_call","params":{"a":1,"A":2,"\xc3\xa9":3}}'),
    "a long number elsewhere": (RPC, b'{"method":"eth_call","id":' + b"9" * 5000 + b"}"),
    "other letters in a value": (bodies('$.a = "\u00e9"'), b'{"a":"\xc3\xa9"}'),
    "a plain number": (bodies("$.a = -12.25"), b'{"a":-12.25}'),
}  # fmt: skip
DENIED = {
    "another value": (RPC, b'{"method":"eth_sendTransaction"}'),
    "another case": (RPC, b'{"method":"ETH_CALL"}'),
    "a value with space": (RPC, b'{"method":"eth_call "}'),
    "a value with NUL": (RPC, b'{"method":"eth_call\\u0000"}'),
    "no member": (RPC, b'{"id":1}'),
    "null": (RPC, b'{"method":null}'),
    "a missing member is not null": (bodies("$.a = null"), b"{}"),
    "a missing step is not null": (bodies("$.a.b = null"), b'{"a":null}'),
    "a list of allowed": (RPC, b'{"method":["eth_call"]}'),
    "an object": (RPC, b'{"method":{"eth_call":1}}'),
    "a step into a list": (bodies("$.a.b = 1"), b'{"a":[{"b":1}]}'),
    "1 is not true": (bodies("$.a = true"), b'{"a":1}'),
    "true is not 1": (bodies("$.a = 1"), b'{"a":true}'),
    "0 is not false": (bodies("$.a = false"), b'{"a":0}'),
    "text is not a number": (bodies("$.a = 1"), b'{"a":"1"}'),
    "a number is not text": (bodies('$.a = "1"'), b'{"a":1}'),
    "text is not null": (bodies("$.a = null"), b'{"a":"null"}'),
    "1.0 is not 1": (bodies("$.a = 1"), b'{"a":1.0}'),
    "1e0 is not 1": (bodies("$.a = 1"), b'{"a":1e0}'),
    "-0 is not 0": (bodies("$.a = 0"), b'{"a":-0}'),
    "one of two conditions": (bodies("$.a = 1 and $.b = 2"), b'{"a":1,"b":3}'),
    "halves of two rules": (bodies("$.a = 1 and $.b = 2", "$.a = 3 and $.b = 4"), b'{"a":1,"b":4}'),
    "no rules": ((), b"{}"),
    # Read in two ways.
    "a name twice": (RPC, b'{"method":"eth_call","method":"eth_call"}'),
    "a name twice, once with escapes": (RPC, b'{"method":"eth_call","m\\u0065thod":"evil"}'),
    "another name twice": (RPC, b'{"method":"eth_call","id":1,"id":2}'),
    "a name twice further down": (RPC, b'{"method":"eth_call","params":[{"a":1,"a":2}]}'),
    "a name in another case": (RPC, b'{"method":"eth_call","Method":"evil"}'),
    "a name in another case alone": (RPC, b'{"METHOD":"eth_call"}'),
    "a name with a joint": (bodies('$.opName = "a"'), b'{"opName":"a","op_name":"b"}'),
    "a name with a space": (RPC, b'{"method":"eth_call","method ":"evil"}'),
    "a selected name with a joint": (bodies("$.chain_id = 1"), b'{"chain_id":1,"chainId":2}'),
    "a name in case on the way": (bodies("$.a.b = 1"), b'{"a":{"b":1},"A":{"b":2}}'),
    "a name in case further on": (bodies("$.a.b = 1"), b'{"a":{"b":1,"B":2}}'),
    "a name in a Unicode case": (bodies('$.task = "a"'), '{"task":"a","tas\u212a":"b"}'.encode()),
    "a name with a long s": (bodies('$.task = "a"'), '{"task":"a","ta\u017fk":"b"}'.encode()),
    "a name with a broken surrogate": (RPC, b'{"method":"eth_call","method\\ud800":"evil"}'),
    "a name with NUL": (RPC, b'{"method":"eth_call","method\\u0000":"evil"}'),
    "a name without width": (RPC, '{"method":"eth_call","met\u200bhod":"evil"}'.encode()),
    # Not JSON.
    "nothing": (RPC, b""),
    "space": (RPC, b" "),
    "a form": (RPC, b"method=eth_call"),
    "two documents": (RPC, b'{"method":"eth_call"}{"method":"evil"}'),
    "two lines": (RPC, b'{"method":"eth_call"}\n{"method":"evil"}'),
    "something after it": (RPC, b'{"method":"eth_call"}\x00'),
    "not whole": (RPC, b'{"method":"eth_call"'),
    "NaN": (RPC, b'{"method":"eth_call","id":NaN}'),
    "Infinity": (RPC, b'{"method":"eth_call","id":-Infinity}'),
    "a number with a zero first": (RPC, b'{"method":"eth_call","id":01}'),
    "a comma too many": (RPC, b'{"method":"eth_call",}'),
    "a comment": (RPC, b'{"method":"eth_call"/*,"method":"evil"*/}'),
    "single quotes": (RPC, b"{'method':'eth_call'}"),
    "a raw control character": (RPC, b'{"method":"eth_call","id":"\n"}'),
    "a byte order mark": (RPC, b'\xef\xbb\xbf{"method":"eth_call"}'),
    "UTF-16": (RPC, '{"method":"eth_call"}'.encode("utf-16")),
    "UTF-16 without mark": (RPC, '{"method":"eth_call"}'.encode("utf-16-le")),
    "bad UTF-8": (RPC, b'{"method":"eth_call","id":"\xff"}'),
    "overlong UTF-8": (RPC, b'{"method":"eth_call","id":"\xc0\xa2"}'),
    "too deep": (RPC, b'{"method":"eth_call","id":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    # No object, and batches.
    "text": (RPC, b'"eth_call"'),
    "null alone": (RPC, b"null"),
    "an empty batch": (RPC, b"[]"),
    "a batch in a batch": (RPC, b'[[{"method":"eth_call"}]]'),
    "a batch with text": (RPC, b'[{"method":"eth_call"},"eth_call"]'),
    "a batch whose last is another": (RPC, b'[{"method":"eth_call"},{"method":"evil"}]'),
    "a batch whose first is another": (RPC, b'[{"method":"evil"},{"method":"eth_call"}]'),
    "a batch with a name twice": (RPC, b'[{"method":"eth_call"},{"method":"eth_call","method":1}]'),
}  # fmt: skip


@pytest.mark.parametrize("case", ALLOWED)
def test_body_is_allowed(case: str) -> None:
    """It is plain JSON, and says what a rule names."""
    rules, body = ALLOWED[case]
    verdict = judge_body(rules, body)
    assert isinstance(verdict, Allow)
    assert verdict.bodies
    assert set(verdict.bodies) <= set(rules)


@pytest.mark.parametrize("case", DENIED)
def test_body_is_denied(case: str) -> None:
    """It says something else, or some server might read something else in it."""
    rules, body = DENIED[case]
    verdict = judge_body(rules, body)
    assert isinstance(verdict, Deny)
    assert "evil" not in verdict.reason


def test_batch_is_bounded() -> None:
    """So many elements, and no more."""
    element = b'{"method":"eth_call"}'
    assert judge_body(RPC, b"[" + b",".join([element] * BATCH_LIMIT) + b"]") == Allow(RPC)
    over = judge_body(RPC, b"[" + b",".join([element] * (BATCH_LIMIT + 1)) + b"]")
    assert isinstance(over, Deny)


def test_verdict_tells_which_rules_were_used() -> None:
    """Should one of them go, what it let through is known."""
    rules = bodies("$.a = 1", "$.b = 2", "$.c = 3")
    assert judge_body(rules, b'[{"c":3},{"a":1},{"c":3}]') == Allow((rules[2], rules[0]))
    assert judge_body(rules, b'{"b":2,"c":3}') == Allow((rules[1],))


def test_element_of_a_batch_is_told() -> None:
    """By its number, as one counts; nothing of the body is repeated."""
    verdict = judge_body(RPC, b'[{"method":"eth_call"},{"method":"evil"}]')
    assert verdict == Deny(
        "element 2 of the batch: no grant of this caller allows what stands in it"
    )


JSON = st.recursive(
    st.one_of(SCALAR, st.floats(allow_nan=False, allow_infinity=False)),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["method", "Method", "id", "a", "m"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(JSON)
def test_only_what_a_plain_reading_allows_is_allowed(content: object) -> None:
    """Whatever JSON comes: if it is let through, each call in it has an allowed method, once."""
    verdict = judge_body(RPC, json.dumps(content).encode())
    calls = content if isinstance(content, list) else [content]
    fits = bool(calls) and all(
        isinstance(call, dict)
        and call.get("method") in ("eth_call", "eth_getBalance")
        and "Method" not in call
        for call in calls
    )
    assert isinstance(verdict, Allow) == fits


@given(st.binary(max_size=64))
def test_any_bytes_get_a_verdict(body: bytes) -> None:
    """No body ends the process."""
    assert isinstance(judge_body(RPC, body), Allow | Deny)
