"""`providers.meaning_tables`: what may be restricted, how it is measured, and how it is refused."""

import pytest

from bailee.errors import BadInput
from bailee.model import (
    Allowlisting,
    Condition,
    DecoyPolicy,
    Meaning,
    Probe,
    Provider,
    ProviderRequest,
    Refusal,
    SelfReport,
)
from bailee.providers.load import decode_provider, encode_provider, parse_provider
from providers_samples import MINIMAL, read_ca

ALLOWLISTING = """
[allowlisting]
scope = "key"
family = ["ipv6", "ipv4"]
where = "Settings > API"
max = 20
cidr = false
decays_days = 90
"""
PROBE = """
[probe]
request = "GET /v1/me?fields=id%2Cname"
success = { status = 200, present = ["data.id"], equals = { data.0.code = 0, "x" = true } }
public_success = { present = "time" }
decoy = "never"
[probe.public]
call = "POST /v1/time"
body = "{}"
content_type = "application/json"
origin = "rest"
reads = true
"""
REPORT = """
[report]
request = "GET /v1/key"
success = { present = "key" }
addresses = "key.ips"
restricted = "key.bound"
unrestricted_values = "*"
[report.power]
read = { key.level = [1, 2] }
withdraw = { key.can = "withdraw", key.admin = true }
"""
REFUSALS = """
[[refusal]]
means = "address"
status = [401, 403]
equals = { error.code = [50110, "ip"], ok = false }
[[refusal]]
means = "limited"
contains = ["too many", "slow down"]
"""


def read(*tables: str) -> Provider:
    return parse_provider(MINIMAL + "".join(tables), read_ca)


def test_allowlisting_is_read() -> None:
    """Every key arrives in its place."""
    told = Allowlisting("key", ("ipv6", "ipv4"), "Settings > API", 20, False, 90)
    assert read(ALLOWLISTING).allowlisting == told


def test_allowlisting_has_defaults() -> None:
    """The scope is what a file must say."""
    assert read('[allowlisting]\nscope = "account"').allowlisting == Allowlisting("account")


def test_probe_is_read() -> None:
    """Requests are one text, or a table where they need more."""
    assert read(PROBE).probe == Probe(
        ProviderRequest("GET", "/v1/me", "fields=id%2Cname"),
        Condition((200,), ("data.id",), (("data.0.code", "0"), ("x", "true"))),
        ProviderRequest("POST", "/v1/time", "", "{}", "application/json", "rest"),
        Condition(present=("time",)),
        DecoyPolicy.NEVER,
    )


def test_decoy_is_risky_unless_the_file_says_otherwise() -> None:
    """Whoever says nothing has no evidence."""
    probe = read(PROBE.replace('decoy = "never"', "")).probe
    assert probe is not None and probe.decoy is DecoyPolicy.RISKY


def test_report_is_read() -> None:
    """A list of values of a power means any of them."""
    assert read(REPORT).report == SelfReport(
        ProviderRequest("GET", "/v1/key"),
        Condition(present=("key",)),
        "key.ips",
        "key.bound",
        ("*",),
        (
            ("read", "key.level", "1"), ("read", "key.level", "2"),
            ("withdraw", "key.can", "withdraw"), ("withdraw", "key.admin", "true"),
        ),
    )  # fmt: skip


def test_refusals_are_read_in_their_order() -> None:
    """A list of values makes a refusal of each."""
    ip, ok = ("error.code", "ip"), ("ok", "false")
    assert read(REFUSALS).refusals == (
        Refusal(Meaning.ADDRESS, Condition((401, 403), (), (("error.code", "50110"), ok))),
        Refusal(Meaning.ADDRESS, Condition((401, 403), (), (ip, ok))),
        Refusal(Meaning.LIMITED, Condition(contains=("too many", "slow down"))),
    )


def test_all_four_may_be_missing() -> None:
    """Then nothing is known, and nothing is claimed."""
    bare = read()
    assert (bare.allowlisting, bare.probe, bare.report, bare.refusals) == (None, None, None, ())


def test_all_four_come_back_from_the_store() -> None:
    """Encoding and decoding is the identity."""
    provider = read(ALLOWLISTING, PROBE, REPORT, REFUSALS)
    assert decode_provider(encode_provider(provider)) == provider


def refusal(lines: str) -> str:
    return f"[[refusal]]\n{lines}\n"


LIKE_REFUSAL = 'means = "limited"\n'
FAULTY: dict[str, tuple[str, str]] = {
    "no scope": ("[allowlisting]\n", "allowlisting.scope is missing"),
    "an unknown scope": (ALLOWLISTING.replace('"key"', '"user"'), "scope must be one of"),
    "an unknown family": (ALLOWLISTING.replace('"ipv6"', '"ipv5"'), "family must be"),
    "no family": (ALLOWLISTING.replace('"ipv6", "ipv4"', ""), "family must be"),
    "max as a text": (ALLOWLISTING.replace("20", '"20"'), "max must be a whole number"),
    "max as a boolean": (ALLOWLISTING.replace("20", "true"), "max must be a whole number"),
    "no place in max": (ALLOWLISTING.replace("20", "0"), "max must be 1 to"),
    "decay in no time": (ALLOWLISTING.replace("90", "0"), "decays_days must be 1 to"),
    "cidr as a text": (ALLOWLISTING.replace("cidr = false", 'cidr = "no"'), "true or false"),
    "a line break in where": (ALLOWLISTING.replace(" > ", "\\n"), "where must be"),
    "an unknown key": (ALLOWLISTING + "x = 1", "allowlisting.x is not a known key"),
    "an unknown key in probe": (PROBE.replace("decoy =", "x ="), "probe.x is not a known key"),
    "an unknown key in a request": (PROBE + "x = 1", "public.x is not"),
    "an unknown key in a condition": (PROBE.replace("status =", "x ="), "success.x is not"),
    "an unknown key in report": (REPORT.replace("restricted =", "x ="), "report.x"),
    "an unknown key in refusal": (REFUSALS + "x = 1", "x is not a known key"),
    "no request": (PROBE.replace("request =", "# "), "probe.request is missing"),
    "a request of another type": (REPORT.replace('"GET /v1/key"', "7"), "must be a table"),
    "no success": (PROBE.replace("\nsuccess =", "\n# "), "probe.success is missing"),
    "success as a text": (REPORT.replace('{ present = "key" }', '"key"'), "must be a table"),
    "success by status alone": (
        PROBE.replace('{ present = "time" }', "{ status = 200 }"), "a status alone proves nothing",
    ),
    "success by a word alone": (
        PROBE.replace('{ present = "time" }', '{ contains = "time" }'), "needs present or equals",
    ),
    "success of several values": (
        PROBE.replace("data.0.code = 0", "data.0.code = [0, 1]"), "several values",
    ),
    "an unknown decoy": (PROBE.replace("never", "maybe"), "decoy must be one of"),
    "an unknown origin": (PROBE.replace('origin = "rest"', 'origin = "ws"'), "names no origin"),
    "a request without a path": (PROBE.replace("GET /v1/me?fields=id%2Cname", "GET"), "no path"),
    "a path of two meanings": (PROBE.replace("GET /v1/me", "GET /v1/../me"), "no path, or one"),
    "a query with a space": (PROBE.replace("id%2Cname", "id name"), "percent-encoded"),
    "a query with a bad escape": (PROBE.replace("id%2Cname", "id%2name"), "percent-encoded"),
    "a query with a fragment": (PROBE.replace("id%2Cname", "id#name"), "percent-encoded"),
    "a POST that does not say that it reads": (PROBE.replace("reads = true", ""), "reads must"),
    "a POST in one text": (REPORT.replace("GET /v1/key", "POST /v1/key"), "reads must be true"),
    "a method that writes": (REPORT.replace("GET /v1/key", "DELETE /v1/key"), "must be a GET"),
    "a method in small letters": (REPORT.replace("GET /v1/key", "get /v1/key"), "must be a GET"),
    "a body without a type": (PROBE.replace("content_type =", "#"), "content_type"),
    "a type without a body": (PROBE.replace("body =", "#"), "content_type and no body"),
    "an odd type": (PROBE.replace("application/json", "json\\r\\nX: y"), "content_type"),
    "a body on a GET": (PROBE.replace("POST /v1/time", "GET /v1/time"), "a POST alone has one"),
    "the same request with and without a credential": (
        PROBE.partition("[probe.public]")[0] + "public = 'GET /v1/me?fields=id%2Cname'",
        "one is for everybody",
    ),
    "a report of nothing": (
        "[report]\nrequest = 'GET /k'\nsuccess = { present = 'a' }", "neither addresses nor",
    ),
    "a report's odd path": (REPORT.replace("key.ips", "key..ips"), "addresses is not a path"),
    "an unknown power": (REPORT.replace("withdraw = {", "fly = {"), "power.fly is none of"),
    "a power that is no table": (REPORT.replace("{ key.level = [1, 2] }", "1"), "power"),
    "a value that is a table of a list": (REPORT.replace("[1, 2]", "[[1]]"), "must be a text, a"),
    "a list among values": (REPORT.replace("[1, 2]", "[1, [2]]"), "must be a text, a number"),
    "an empty list of values": (REPORT.replace("[1, 2]", "[]"), "must be a text, a number"),
    "a refusal without a meaning": (refusal("status = 401"), "means is missing"),
    "an unknown meaning": (refusal('means = "no"\nstatus = 401'), "means must be one of"),
    "a refusal that serves": (refusal('means = "served"\nstatus = 401'), "means must be one of"),
    "a refusal of everything": (refusal(LIKE_REFUSAL), "fit every answer"),
    "an address by status alone": (refusal('means = "address"\nstatus = 403'), "says so"),
    "an address by what is there": (
        refusal('means = "address"\nstatus = 403\npresent = "error"'), "says so",
    ),
    "a status that is none": (refusal(LIKE_REFUSAL + "status = 99"), "100 to 599"),
    "a status as a text": (refusal(LIKE_REFUSAL + 'status = "429"'), "must be a whole number"),
    "a status as a boolean": (refusal(LIKE_REFUSAL + "status = [true]"), "must be a whole number"),
    "a value that is too long": (
        refusal(LIKE_REFUSAL + f'equals = {{ code = "{"x" * 257}" }}'), "more than 256",
    ),
    "a word that is too short": (refusal(LIKE_REFUSAL + 'contains = "ip"'), "3 to 256"),
    "a word with a line break": (refusal(LIKE_REFUSAL + 'contains = "a\\nbc"'), "printable"),
    "a path with a space": (refusal(LIKE_REFUSAL + 'present = "a b"'), "is not a path"),
    "too many words": (
        refusal(LIKE_REFUSAL + f"contains = {[f'word {i}' for i in range(33)]}"), "more than 32",
    ),
    "too many refusals": (
        refusal(LIKE_REFUSAL + f"equals = {{ code = {list(range(129))} }}"), "more than 128",
    ),
    "the same conditions twice": (
        refusal('means = "limited"\nstatus = 403') + refusal('means = "unclear"\nstatus = 403'),
        "refusal 2 has the conditions of one before it",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", FAULTY.values(), ids=FAULTY.keys())
def test_faults_are_named(case: tuple[str, str]) -> None:
    """A fault is told, with the key that it is about."""
    text, said = case
    with pytest.raises(BadInput) as caught:
        read(text)
    assert said in caught.value.detail
