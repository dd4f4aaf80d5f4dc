"""`providers.refusal`: an answer means what the file says, and never more."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bailee.model import Condition, Meaning, Probe, Provider, ProviderRequest, Refusal
from bailee.providers.answer import BODY_MAX_BYTES
from bailee.providers.load import parse_provider
from bailee.providers.refusal import compile_refusals, holds, meaning_of_call, meaning_of_probe
from providers_samples import MINIMAL, read_ca

BODY = b"""{"code": -2015, "big": 1.5, "ok": true, "no": false, "nil": null, "empty": "",
"list": [{"id": "x"}], "none": [], "bare": {}, "zero": 0, "msg": "Your IP is not listed",
"0": "name", "deep": {"a": {"b": "c"}}, "text": "true"}"""

HOLDS: dict[str, Condition] = {
    "no condition": Condition(),
    "the status": Condition(status=(401,)),
    "one of several statuses": Condition(status=(400, 401)),
    "a number": Condition(equals=(("code", "-2015"),)),
    "a fraction": Condition(equals=(("big", "1.5"),)),
    "true": Condition(equals=(("ok", "true"),)),
    "false": Condition(equals=(("no", "false"),)),
    "a text": Condition(equals=(("deep.a.b", "c"),)),
    "an empty text": Condition(equals=(("empty", ""),)),
    "a text that reads like a boolean": Condition(equals=(("text", "true"),)),
    "a place in a list": Condition(equals=(("list.0.id", "x"),)),
    "a name that is a number": Condition(equals=(("0", "name"),)),
    "something": Condition(present=("list", "list.0", "deep.a", "msg")),
    "zero is something": Condition(present=("zero",)),
    "false is something": Condition(present=("no",)),
    "a text in the body": Condition(contains=("not listed",)),
    "a text in other letters": Condition(contains=("your ip IS",)),
    "one of several texts": Condition(contains=("absent", "listed")),
    "everything at once": Condition((401,), ("msg",), (("code", "-2015"),), ("IP",)),
}
FAILS: dict[str, Condition] = {
    "another status": Condition(status=(200,)),
    "another number": Condition(equals=(("code", "-201"),)),
    "a longer number": Condition(equals=(("code", "-20150"),)),
    "another spelling of a number": Condition(equals=(("code", "-2015.0"),)),
    "a boolean in capitals": Condition(equals=(("ok", "True"),)),
    "null": Condition(equals=(("nil", "null"),)),
    "null as nothing": Condition(equals=(("nil", ""),)),
    "a list": Condition(equals=(("none", "[]"),)),
    "text in other letters": Condition(equals=(("deep.a.b", "C"),)),
    "a path that leads nowhere": Condition(equals=(("deep.a.x", "c"),)),
    "a path through a text": Condition(equals=(("msg.0", "Y"),)),
    "a place beyond a list": Condition(present=("list.1",)),
    "a place before a list": Condition(present=("list.-1",)),
    "a name in a list": Condition(present=("list.id",)),
    "a huge place": Condition(present=("list.99999999999999999999",)),
    "a place of other digits": Condition(present=("list.\u0660",)),
    "null as something": Condition(present=("nil",)),
    "an empty text as something": Condition(present=("empty",)),
    "an empty list as something": Condition(present=("none",)),
    "an empty object as something": Condition(present=("bare",)),
    "nothing as something": Condition(present=("absent",)),
    "one of two paths": Condition(present=("msg", "absent")),
    "one of two values": Condition(equals=(("ok", "true"), ("no", "true"))),
    "no text": Condition(contains=("absent",)),
    "all but the status": Condition((200,), ("msg",), (("code", "-2015"),), ("IP",)),
    "all but a path": Condition((401,), ("absent",), (("code", "-2015"),), ("IP",)),
    "all but a value": Condition((401,), ("msg",), (("code", "-2"),), ("IP",)),
    "all but a text": Condition((401,), ("msg",), (("code", "-2015"),), ("absent",)),
}


@pytest.mark.parametrize("condition", HOLDS.values(), ids=HOLDS.keys())
def test_condition_holds(condition: Condition) -> None:
    """All parts that are given must hold; an empty one does."""
    assert holds(condition, 401, BODY)


@pytest.mark.parametrize("condition", FAILS.values(), ids=FAILS.keys())
def test_condition_fails(condition: Condition) -> None:
    """One part that does not hold is enough."""
    assert not holds(condition, 401, BODY)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b"{",
        b'{"code": -2015',
        b"[" * 5000,
        b"null",
        b"1" * 5000,
        b'"code"',
        b"<html>",
    ],
)
def test_bodies_that_are_no_json_object_hold_nothing(body: bytes) -> None:
    """Paths lead nowhere in them, and nothing breaks."""
    assert not holds(Condition(equals=(("code", "-2015"),)), 200, body)
    assert not holds(Condition(present=("code",)), 200, body)
    assert holds(Condition(status=(200,)), 200, body)


def test_numbers_of_any_length_are_compared() -> None:
    """A number that no integer type holds is a number still, and breaks nothing."""
    for digits in (30, 400, 5000):
        assert not holds(Condition(equals=(("n", "1"),)), 200, b'{"n": ' + b"9" * digits + b"}")


def test_text_body_is_searched_as_it_is() -> None:
    """`contains` needs no JSON; what is not UTF-8 does not hide the rest."""
    assert holds(Condition(contains=("not allowed",)), 403, b"\xff\xfe IP Not Allowed here")


def test_body_counts_up_to_its_bound() -> None:
    """What stands beyond 64 KiB is not seen, and JSON that is cut is no JSON."""
    words = Condition(contains=("needle",))
    assert holds(words, 200, b" " * (BODY_MAX_BYTES - 6) + b"needle")
    assert not holds(words, 200, b" " * (BODY_MAX_BYTES - 5) + b"needle")
    whole = b'{"a": "' + b"x" * (BODY_MAX_BYTES - 9) + b'"}'
    assert holds(Condition(present=("a",)), 200, whole)
    assert not holds(Condition(present=("a",)), 200, whole.replace(b'"}', b' "}'))


ADDRESS = Refusal(Meaning.ADDRESS, Condition(equals=(("error.code", "ip"),)))
EITHER = Refusal(Meaning.CREDENTIAL_OR_ADDRESS, Condition(status=(401,)))
CROWDED = Refusal(Meaning.LIMITED, Condition(contains=("slow down",)))
PROVIDER = replace(
    parse_provider(MINIMAL, read_ca),
    refusals=(ADDRESS, EITHER, CROWDED),
    probe=Probe(
        ProviderRequest("GET", "/me"),
        Condition(present=("user.id",)),
        ProviderRequest("GET", "/time"),
        Condition(present=("time",)),
    ),
)
SERVED = b'{"user": {"id": 7}}'

# (status, body): what it means to a call, and to the probe.
MEANINGS: dict[str, tuple[int, bytes, Meaning, Meaning]] = {
    "the first refusal": (401, b'{"error": {"code": "ip"}}', Meaning.ADDRESS, Meaning.ADDRESS),
    "a refusal inside a 200": (200, b'{"error": {"code": "ip"}}', Meaning.ADDRESS, Meaning.ADDRESS),
    "a later refusal": (401, b"{}", *[Meaning.CREDENTIAL_OR_ADDRESS] * 2),
    "a refusal beside a success": (
        200, b'{"user": {"id": 7}, "note": "Slow down"}', Meaning.LIMITED, Meaning.LIMITED,
    ),
    "too many requests": (429, b"", Meaning.LIMITED, Meaning.LIMITED),
    "a ban": (418, b"", Meaning.LIMITED, Meaning.LIMITED),
    "the probe's own answer": (200, SERVED, Meaning.SERVED, Meaning.SERVED),
    "another 200": (200, b"{}", Meaning.SERVED, Meaning.UNCLEAR),
    "a 200 of somebody else": (200, b"<html>Log in</html>", Meaning.SERVED, Meaning.UNCLEAR),
    "a 204": (204, b"", Meaning.SERVED, Meaning.UNCLEAR),
    "a redirect": (302, b"", Meaning.UNCLEAR, Meaning.UNCLEAR),
    "an unknown 403": (403, b'{"error": {"code": "x"}}', Meaning.UNCLEAR, Meaning.UNCLEAR),
    "a fault of the provider": (500, b"", Meaning.UNCLEAR, Meaning.UNCLEAR),
}  # fmt: skip


@pytest.mark.parametrize("case", MEANINGS.values(), ids=MEANINGS.keys())
def test_meaning_of_an_answer(case: tuple[int, bytes, Meaning, Meaning]) -> None:
    """Refusals come first and in their order; a status alone never serves a probe."""
    status, body, call, probe = case
    assert meaning_of_call(PROVIDER, status, body) is call
    assert meaning_of_probe(PROVIDER, status, body) is probe


def test_order_of_refusals_counts() -> None:
    """The first that fits decides, not the most special one."""
    turned = replace(PROVIDER, refusals=PROVIDER.refusals[::-1])
    answer = 401, b'{"error": {"code": "ip"}}'
    assert meaning_of_call(turned, *answer) is Meaning.CREDENTIAL_OR_ADDRESS
    assert meaning_of_probe(turned, *answer) is Meaning.CREDENTIAL_OR_ADDRESS


def test_provider_without_a_probe_serves_none() -> None:
    """Nothing says what only an accepted credential is given."""
    bare: Provider = replace(PROVIDER, probe=None)
    assert meaning_of_probe(bare, 200, SERVED) is Meaning.UNCLEAR


def test_body_is_needed_where_a_refusal_could_be_in_it() -> None:
    """A refusal of one status spares the bodies of all others."""
    refused = Refusal(Meaning.ADDRESS, Condition((403,), contains=("address",)))
    assert compile_refusals([refused]).needs_body(403)
    assert not compile_refusals([refused]).needs_body(200)
    assert compile_refusals([refused, ADDRESS]).needs_body(200)
    assert not compile_refusals([]).needs_body(403)


def test_escapes_hide_no_refusal() -> None:
    """JSON spells a letter in more ways than one: a refusal is found in each of them."""
    refusals = compile_refusals([ADDRESS])
    assert refusals.of_call(200, b'{"error": {"code": "\\u0069p"}}') is Meaning.ADDRESS
    assert refusals.of_call(200, b'{"error": {"code": "i\\u0070"}}') is Meaning.ADDRESS
    slashed = Refusal(Meaning.ADDRESS, Condition(equals=(("code", "a/b"),)))
    assert compile_refusals([slashed]).of_call(200, b'{"code": "a\\/b"}') is Meaning.ADDRESS
    number = Refusal(Meaning.ADDRESS, Condition(equals=(("code", "1.5"),)))
    assert compile_refusals([number]).of_call(200, b'{"code": 15e-1}') is Meaning.ADDRESS


VALUES = st.sampled_from(
    ["ip", "1", "-1", "true", "1.5", "a/b", "\u00e9", "a b", "", "EAPI:Bad key"]
)
NESTED = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), VALUES),
    lambda below: (
        st.lists(below, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b", "0"]), below, max_size=3)
    ),
    max_leaves=8,
)
CONDITIONS = st.builds(
    Condition,
    status=st.sampled_from([(), (200,), (200, 401)]),
    present=st.sampled_from([(), ("a",), ("a.0",)]),
    equals=st.lists(st.tuples(st.sampled_from(["a", "a.b", "b.0"]), VALUES), max_size=2).map(tuple),
    contains=st.sampled_from([(), ("ip",), ("bad KEY", "1")]),
)
REFUSALS = st.lists(
    st.builds(Refusal, st.sampled_from([Meaning.ADDRESS, Meaning.CREDENTIAL]), CONDITIONS),
    max_size=4,
)


@given(REFUSALS, st.sampled_from([200, 401, 429, 500]), NESTED, st.booleans())
def test_compiled_refusals_mean_the_same(
    refusals: list[Refusal], status: int, content: object, ascii_only: bool
) -> None:
    """What is looked for before a body is parsed never changes what an answer means."""
    body = json.dumps(content, ensure_ascii=ascii_only).encode()
    fitting = [each.means for each in refusals if holds(each.when, status, body)]
    means = compile_refusals(refusals).of_call(status, body)
    defaults = {200: Meaning.SERVED, 429: Meaning.LIMITED}
    assert means is (fitting[0] if fitting else defaults.get(status, Meaning.UNCLEAR))
