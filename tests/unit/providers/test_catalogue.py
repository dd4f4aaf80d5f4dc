"""`providers.catalogue`: each preset says what it knows, where from, and reads answers rightly."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from bailee.errors import NotFound
from bailee.model import ALLOW, Budget, Meaning, Provider, Report, Rule
from bailee.policy.rules import ProviderRules, authorize, canonical_path, compile_rules
from bailee.providers.catalogue import list_presets, load_preset, read_preset
from bailee.providers.load import decode_provider, encode_provider
from bailee.providers.refusal import compile_refusals, holds, meaning_of_call, meaning_of_probe
from bailee.providers.report import read_report
from bailee.signing.credential import parse_credential
from bailee.signing.request import Unsigned
from bailee.signing.sign import signer_of

IDS = ("binance", "bybit", "coinbase-exchange", "kraken", "okx")
PRESETS = {id: load_preset(id) for id in IDS}
TABLES = {id: tomllib.loads(read_preset(id)) for id in IDS}
DATA = Path(__file__).parents[2] / "data"
EXAMPLES: dict[str, list[dict[str, Any]]] = json.loads((DATA / "refusals.json").read_text())
ALL_EXAMPLES = [(id, example) for id in IDS for example in EXAMPLES[id]]


def body_of(example: dict[str, Any]) -> bytes:
    body = example["body"]
    return body.encode() if isinstance(body, str) else json.dumps(body).encode()


def test_presets_are_listed() -> None:
    """The catalogue has these, by their ids."""
    assert list_presets() == IDS


@pytest.mark.parametrize("id", ["", "absent", "kraken.toml", "../catalogue/kraken", "__init__"])
def test_nothing_else_is_read(id: str) -> None:
    """A name is one of the list, never a path."""
    with pytest.raises(NotFound):
        read_preset(id)


@pytest.mark.parametrize("id", IDS)
def test_preset_goes_through_the_store(id: str) -> None:
    """It loads under its own id, and comes back from its stored form as it was."""
    preset = PRESETS[id]
    assert preset.id == id
    assert decode_provider(encode_provider(preset)) == preset


@pytest.mark.parametrize("id", IDS)
def test_each_table_has_evidence(id: str) -> None:
    """Every table of facts says where it is from, and no evidence is of a table that is not
    there."""
    tables = TABLES[id]
    named = {each["of"].split()[0] for each in tables["evidence"]}
    facts = tables.keys() - {"id", "name", "category", "default_origin", "evidence", "multiplexed"}
    assert named == facts


@pytest.mark.parametrize("id", IDS)
def test_each_fact_of_allowlisting_has_evidence(id: str) -> None:
    """Its keys are listed one by one: they are what users are told."""
    table, evidence = TABLES[id]["allowlisting"], TABLES[id]["evidence"]
    told = [each["of"] for each in evidence if each["of"].startswith("allowlisting ")]
    named = [key for of in told for key in re.split(r",? ", of)[1:]]
    assert sorted(named) == sorted(table)


@pytest.mark.parametrize("id", IDS)
def test_each_refusal_has_evidence(id: str) -> None:
    """The code or words of every refusal stand in the evidence of refusals, whole and once."""
    told = [each["of"] for each in TABLES[id]["evidence"] if each["of"].startswith("refusal ")]
    for refusal in PRESETS[id].refusals:
        when = refusal.when
        for word in [value for _, value in when.equals] or when.contains or map(str, when.status):
            whole = re.compile(rf"(?<![\w:-]){re.escape(word)}(?![\w:-])", re.IGNORECASE)
            assert sum(len(whole.findall(of)) for of in told) == 1, word


@pytest.mark.parametrize(("id", "example"), ALL_EXAMPLES)
def test_answers_mean_what_they_say(id: str, example: dict[str, Any]) -> None:
    """Every example answer is classified as it should be."""
    means = meaning_of_call(PRESETS[id], example["status"], body_of(example))
    assert means == example["means"]


@pytest.mark.parametrize(("id", "example"), ALL_EXAMPLES)
def test_probe_is_served_by_what_only_the_probe_is_given(id: str, example: dict[str, Any]) -> None:
    """Refusals mean the same to a probe; of answers to calls none but the probe's own serves it."""
    means = meaning_of_probe(PRESETS[id], example["status"], body_of(example))
    if example["means"] != "served":
        assert means == example["means"]
    else:
        success = PRESETS[id].probe.success  # type: ignore[union-attr]  # each preset has one
        served = holds(success, example["status"], body_of(example))
        assert means == (Meaning.SERVED if served else Meaning.UNCLEAR)


@pytest.mark.parametrize(("id", "held"), {
    "binance": False, "bybit": True, "coinbase-exchange": False, "kraken": True, "okx": True,
}.items())  # fmt: skip
def test_body_of_a_200_is_waited_for_where_refusals_are_in_it(id: str, held: bool) -> None:
    """A provider that refuses by its status has its other answers passed on as they come."""
    refusals = compile_refusals(PRESETS[id].refusals)
    assert refusals.needs_body(200) is held
    assert refusals.needs_body(401)


@pytest.mark.parametrize("id", IDS)
def test_each_refusal_decides_an_example(id: str) -> None:
    """No refusal is without an answer that it decides, and one that it leaves alone; and the probe
    has an example that serves it."""
    preset, undecided = PRESETS[id], []
    answers = [(each["status"], body_of(each)) for each in EXAMPLES[id]]
    fitting = [[holds(refusal.when, *answer) for refusal in preset.refusals] for answer in answers]
    for place, refusal in enumerate(preset.refusals):
        decides = [fits[place] and True not in fits[:place] for fits in fitting]
        leaves = [not fits[place] for fits in fitting]
        if not any(decides) or not any(leaves):
            undecided.append(refusal)
    assert undecided == []
    assert any(meaning_of_probe(preset, *answer) is Meaning.SERVED for answer in answers)


@pytest.mark.parametrize("id", IDS)
def test_empty_and_cut_answers_are_never_served_or_an_address(id: str) -> None:
    """What is not the whole answer proves nothing to a probe."""
    for example in EXAMPLES[id]:
        for body in (b"", b"{}", b"[]", b"null", body_of(example)[:-1]):
            means = meaning_of_probe(PRESETS[id], 200, body)
            assert means not in (Meaning.SERVED, Meaning.ADDRESS) or example["means"] == means
            assert means is not Meaning.SERVED


REQUESTS: dict[str, dict[str, list[str]]] = json.loads((DATA / "requests.json").read_text())
EVERYTHING = compile_rules([Rule("*", "/**")])


def is_allowed(provider: Provider, request: str) -> bool:
    method, _, raw = request.partition(" ")
    path = canonical_path(raw.encode())
    assert isinstance(path, str)
    rules = ProviderRules.of(provider.deny, provider.multiplexed)
    return authorize(EVERYTHING, rules, method, path) == ALLOW


@pytest.mark.parametrize(
    ("id", "request_"), [(id, each) for id in IDS for each in REQUESTS[id]["denied"]]
)
def test_dangerous_requests_are_denied(id: str, request_: str) -> None:
    """Nothing takes money out, moves it between accounts or makes keys, whatever a grant says."""
    assert not is_allowed(PRESETS[id], request_)


@pytest.mark.parametrize(
    ("id", "request_"), [(id, each) for id in IDS for each in REQUESTS[id]["allowed"]]
)
def test_reading_and_trading_is_let_through(id: str, request_: str) -> None:
    """Reading is never denied, also about withdrawals; trading is the grant's to allow."""
    assert is_allowed(PRESETS[id], request_)


@pytest.mark.parametrize("id", IDS)
def test_each_deny_rule_denies_something(id: str) -> None:
    """No rule is there without a request that it alone denies, or shares with others."""
    idle = []
    for rule in PRESETS[id].deny:
        alone = ProviderRules.of([rule], [])
        requests = [each.partition(" ") for each in REQUESTS[id]["denied"]]
        if all(
            authorize(EVERYTHING, alone, method, str(canonical_path(raw.encode()))) == ALLOW
            for method, _, raw in requests
        ):
            idle.append(str(rule))
    assert set(idle) <= UNSEEN


UNSEEN = {
    "POST /sapi/*/fiat/**", "PUT /sapi/*/sub-account/**", "PUT /sapi/*/broker/**",
    "POST /sapi/*/margin/apiKey/**", "DELETE /sapi/*/margin/apiKey/**", "POST /v5/p2p/**",
    "POST /v5/asset/deposit/**", "POST /v5/ins-loan/**", "DELETE /profiles/**",
    "POST /transfers/**", "PUT /address-book/**", "POST /users/**", "PUT /users/**",
}  # fmt: skip
"""Precautions: no request is known that they deny."""


@pytest.mark.parametrize(("id", "budgets"), {
    "binance": (Budget("egress", 300, 60.0, 60),),
    "bybit": (Budget("egress", 550, 5.0, 100),),
    "coinbase-exchange": (Budget("connection", 10, 1.0, 2),),
    "kraken": (),
    "okx": (),
}.items())  # fmt: skip
def test_budgets_are_what_is_known(id: str, budgets: tuple[Budget, ...]) -> None:
    """Below the documented limits: of 6,000 weights a minute, 600 calls in 5 s, 10 calls a second.
    Where no limit of all calls is documented there is none."""
    assert PRESETS[id].budgets == budgets


@pytest.mark.parametrize("id", IDS)
def test_no_user_is_probed_from_a_decoy_without_being_asked(id: str) -> None:
    """There is no evidence of what a provider does to a key that is seen at a decoy."""
    probe = PRESETS[id].probe
    assert probe is not None and probe.decoy == "risky"


@pytest.mark.parametrize("id", IDS)
def test_probe_and_report_can_be_signed(id: str) -> None:
    """The scheme of the same preset signs its requests, and puts every part of it in."""
    preset = PRESETS[id]
    assert preset.probe is not None
    signer = signer_of(preset.auth)
    text = json.dumps({name: "c" * 64 for name in preset.auth.fields})
    credential = parse_credential(preset.auth, text.encode())
    for asked in [preset.probe.request, *([preset.report.request] if preset.report else [])]:
        request = Unsigned(asked.method, asked.path.encode(), asked.query.encode(), b"", b"")
        signed = signer.sign(request, credential, 1764000000.0, "1764000000000")
        headers = {line.partition(b":")[0].lower() for line in signed.headers.splitlines()}
        assert {name.encode() for name in signer.headers} <= headers
        assert signed.path == request.path and signed.query.startswith(request.query)


REPORTS: dict[str, tuple[str, dict[str, Any], Report]] = {
    "binance, restricted": (
        "binance",
        {"ipRestrict": True, "enableReading": True, "enableWithdrawals": False,
         "enableFutures": True},
        Report((), True, ("read", "trade")),
    ),
    "binance, open": (
        "binance",
        {"ipRestrict": False, "enableReading": True, "enableWithdrawals": True},
        Report((), False, ("read", "withdraw")),
    ),
    "bybit, restricted": (
        "bybit",
        {"retCode": 0, "result": {
            "apiKey": "CANARY", "secret": "CANARY", "ips": ["203.0.113.7"], "readOnly": 0,
            "permissions": {"Wallet": ["AccountTransfer", "Withdraw"], "Spot": ["SpotTrade"]}}},
        Report(("203.0.113.7",), True, ("read", "trade", "withdraw")),
    ),
    "bybit, open": (
        "bybit",
        {"retCode": 0, "result": {"apiKey": "CANARY", "ips": ["*"], "readOnly": 1,
                                  "permissions": {"Wallet": []}}},
        Report((), False, ("read",)),
    ),
    "kraken, restricted": (
        "kraken",
        {"error": [], "result": {
            "apiKey": "CANARY", "ipAllowlist": ["203.0.113.0/24", "2001:DB8::1"],
            "permissions": ["query-funds", "modify-trades"]}},
        Report(("203.0.113.0/24", "2001:db8::1"), True, ("read", "trade")),
    ),
    "kraken, open": (
        "kraken",
        {"error": [], "result": {"apiKey": "CANARY", "ipAllowlist": [],
                                 "permissions": ["withdraw-funds"]}},
        Report((), False, ("withdraw",)),
    ),
    "kraken, an account without such a report": (
        "kraken", {"error": ["EGeneral:Unknown method"]}, Report(),
    ),
    "okx, restricted": (
        "okx",
        {"code": "0", "data": [{"ip": "203.0.113.7,203.0.113.8", "perm": "read_only,trade"}]},
        Report(("203.0.113.7", "203.0.113.8"), True, ("read", "trade")),
    ),
    "okx, open": (
        "okx",
        {"code": "0", "data": [{"ip": "", "perm": "read_only"}]},
        Report((), False, ("read",)),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("id", "body", "report"), REPORTS.values(), ids=REPORTS.keys())
def test_reports_are_read(id: str, body: dict[str, Any], report: Report) -> None:
    """What the provider says of a key comes out as addresses, a boolean and powers."""
    assert read_report(PRESETS[id], json.dumps(body).encode()) == report
