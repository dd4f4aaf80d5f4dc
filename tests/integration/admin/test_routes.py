"""Every route: it does what it says, refuses what it must, and the journal tells."""

import dataclasses
import json
import time
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Any

import pytest

from admin_client import Admin, statement
from bailee.manage import jobs, tokens
from bailee.manage.ids import new_connection_id, new_id
from bailee.model import (
    DEFAULT_TENANT,
    ConnectionId,
    EgressAddress,
    EgressId,
    EgressState,
    JobId,
    Pin,
    PinSet,
    Provider,
    ProviderId,
    SealContext,
    Signed,
    TenantId,
)
from bailee.providers.load import encode_provider
from bailee.providers.trust import trust_digest
from bailee.reference.pki import World
from bailee.signing.credential import parse_credential
from bailee.vault.sealing import seal
from bailee.vault.statements import (
    sign_egress_address,
    sign_pin_set,
    sign_provider,
    verified_provider,
    verified_tenant_key,
)
from house import build_house, make_provider

CANARY = "canary-Zq7-credential-0123456789"
OTHER = TenantId("other")


def document(provider: Provider) -> Any:
    return json.loads(encode_provider(provider))


def sealed_form(
    admin: Admin,
    provider: Provider,
    *,
    id: str | None = None,
    version: int = 1,
    tenant: TenantId = DEFAULT_TENANT,
) -> dict[str, Any]:
    """Seal as the CLI does, over the API."""
    key_signed = admin.get("/v1/tenant/key").json
    payload, mark = (b64decode(key_signed[name]) for name in ("payload", "signature"))
    key = verified_tenant_key(admin.house.verifier, Signed(payload, mark))
    secret = parse_credential(provider.auth, json.dumps({"api_key": CANARY}).encode())
    connection = ConnectionId(id or new_connection_id())
    context = SealContext(tenant, connection, version, trust_digest(provider))
    sealed = seal(secret, key, context)
    return {
        "id": sealed.connection,
        "provider": provider.id,
        "subject": "u1",
        "version": sealed.version,
        "key_id": sealed.key_id,
        "trust_digest": sealed.trust_digest.hex(),
        "ciphertext": b64encode(sealed.ciphertext).decode(),
    }


def add_connection(admin: Admin, provider: Provider) -> str:
    answer = admin.post("/v1/connections", sealed_form(admin, provider))
    assert answer.status == 201
    return str(answer.json["id"])


def other_operator(admin: Admin) -> str:
    """A token of an operator of another tenant."""
    admin.house.add_tenant(OTHER)
    issued = tokens.issue_operator(admin.house.store, OTHER, "other", time.time())
    return issued.text.reveal().decode()


# --- status ---------------------------------------------------------------------------------------


def test_status_when_something_is_there(admin: Admin, provider: Provider) -> None:
    """Status counts this tenant's rows, and names the egress addresses."""
    add_connection(admin, provider)
    told = admin.get("/v1/status").json
    assert (told["tenant"], told["connections"]["active"]) == ("default", 1)
    assert told["providers"]["approved"] == 1
    assert [each["public"] for each in told["egress"]] == ["127.0.0.2"]


# --- providers ------------------------------------------------------------------------------------


def test_provider_when_proposed_approved_and_changed(admin: Admin, world: World) -> None:
    """A proposal changes nothing until the authority's signature comes."""
    first = make_provider(8443, world.root.pem.decode())
    proposed = admin.post("/v1/providers", {"document": document(first)})
    assert (proposed.status, proposed.json["state"]) == (201, "proposed")
    assert proposed.json["document"] is None
    assert proposed.json["payload"] is None

    signed = sign_provider(admin.house.authority, first, 1)
    approved = admin.post("/v1/providers/api/approval", statement(signed))
    assert (approved.status, approved.json["state"]) == (201, "approved")
    assert approved.json["serial"] == 1
    assert approved.json["document"] == document(first)
    assert approved.json["proposal"] is None

    second = make_provider(9443, world.root.pem.decode())
    changed = admin.post("/v1/providers", {"document": document(second)})
    assert (changed.json["state"], changed.json["document"]) == ("changed", document(first))
    assert changed.json["proposal"] == document(second)

    shown = admin.get("/v1/providers/api").json
    known = Signed(b64decode(shown["payload"]), b64decode(shown["signature"]))
    assert verified_provider(admin.house.verifier, known) == (first, 1)
    (line,) = admin.get("/v1/providers").json["items"]
    assert (line["id"], line["state"], line["serial"]) == ("api", "changed", 1)


def test_approval_refused_when_signed_by_another(
    admin: Admin, tmp_path: Path, world: World
) -> None:
    """An approval of another authority, another provider or another serial is refused."""
    made = make_provider(8443, world.root.pem.decode())
    admin.post("/v1/providers", {"document": document(made)})
    stranger = build_house(tmp_path / "stranger")
    stranger.store.close()
    forged = statement(sign_provider(stranger.authority, made, 1))
    good = statement(sign_provider(admin.house.authority, made, 1))
    late = statement(sign_provider(admin.house.authority, made, 2))
    cut = good | {"payload": good["payload"][:-4]}
    for path, form, status, code in [
        ("/v1/providers/api/approval", forged, 422, "bad-input"),
        ("/v1/providers/other/approval", good, 422, "bad-input"),
        ("/v1/providers/api/approval", late, 409, "conflict"),
        ("/v1/providers/api/approval", cut, 422, "bad-input"),
        ("/v1/providers/api/approval", {"payload": "?", "signature": "?"}, 422, "bad-input"),
    ]:
        answer = admin.post(path, form)
        assert (answer.status, answer.code) == (status, code)
    assert admin.get("/v1/providers/api").json["state"] == "proposed"


@pytest.mark.parametrize(
    "change", [{"surprise": 1}, {"id": "Not An Id"}, {"origins": []}, {"name": "\ud800"}], ids=str
)
def test_proposal_refused_when_no_file_could_say_it(
    admin: Admin, world: World, change: dict[str, Any]
) -> None:
    """What no provider's file could have held is not proposed."""
    made = document(make_provider(8443, world.root.pem.decode())) | change
    answer = admin.post("/v1/providers", {"document": made})
    assert (answer.status, answer.code) == (422, "bad-input")
    assert admin.get("/v1/providers").json["items"] == []


def test_provider_when_unknown(admin: Admin) -> None:
    """An unknown provider is not found."""
    assert admin.get("/v1/providers/nobody").code == "not-found"


def test_provider_when_its_row_was_altered(admin: Admin, provider: Provider) -> None:
    """A row that the authority did not sign shows as broken, with nothing to believe in it."""
    with admin.house.store.write() as conn:
        conn.exec_driver_sql("UPDATE providers SET payload = replace(payload, '8443', '9443')")
    shown = admin.get("/v1/providers/api").json
    assert (shown["state"], shown["document"], shown["payload"]) == ("broken", None, None)


# --- pins -----------------------------------------------------------------------------------------


def pin_statement(admin: Admin, serial: int, *pins: bytes, provider: str = "api") -> dict[str, str]:
    values = tuple(Pin(pin) for pin in pins)
    pin_set = PinSet(ProviderId(provider), "rest", serial, values, danger_no_backup=len(pins) < 2)
    return statement(sign_pin_set(admin.house.authority, pin_set))


def test_pins_when_approved_and_retired(admin: Admin, provider: Provider) -> None:
    """The newest set that the authority signed is what is listed."""
    assert admin.get("/v1/pins").json["items"] == []
    first = admin.post("/v1/providers/api/pins", pin_statement(admin, 1, b"a" * 32, b"b" * 32))
    assert first.status == 201
    second = admin.post("/v1/providers/api/pins", pin_statement(admin, 2, b"b" * 32))
    assert (second.status, second.json["danger_no_backup"]) == (201, True)
    (listed,) = admin.get("/v1/pins?provider=api").json["items"]
    assert listed == second.json
    assert listed["pins"] == ["sha256/" + b64encode(b"b" * 32).decode()]
    assert admin.get("/v1/pins?provider=other").json["items"] == []


def test_pins_refused_when_not_due(admin: Admin, provider: Provider) -> None:
    """A set of another serial, another provider or without a signature changes nothing."""
    good = pin_statement(admin, 1, b"a" * 32)
    for path, form, code in [
        ("api", pin_statement(admin, 2, b"a" * 32), "conflict"),
        ("other", good, "bad-input"),
        ("nobody", pin_statement(admin, 1, b"a" * 32, provider="nobody"), "not-found"),
        ("api", good | {"signature": b64encode(bytes(64)).decode()}, "bad-input"),
    ]:
        assert admin.post(f"/v1/providers/{path}/pins", form).code == code
    assert admin.get("/v1/pins").json["items"] == []


# --- jobs -----------------------------------------------------------------------------------------

ORDER = {"kind": "learn_pin", "arguments": {"provider": "api"}}


def test_job_when_ordered_and_done(admin: Admin, provider: Provider) -> None:
    """A job is accepted at once; whoever waits sees its end."""
    ordered = admin.post("/v1/jobs", ORDER)
    assert (ordered.status, ordered.json["state"]) == (202, "waiting")
    assert ordered.json["arguments"] == {"provider": "api", "origin": "rest"}
    place = ordered.headers["location"]
    assert admin.get(place).json == ordered.json

    store, id = admin.house.store, JobId(ordered.json["id"])
    taken = jobs.take(store, ["learn_pin"], ["a"], "k", time.time())
    assert taken is not None
    jobs.finish(store, id, "k", {"chain": []}, b"mark", time.time())
    began = time.monotonic()
    done = admin.get(place + "?wait=30").json
    assert time.monotonic() - began < 5
    assert (done["state"], done["result"]) == ("done", {"chain": []})
    assert b64decode(done["result_signature"]) == b"mark"


def test_job_when_waited_for_in_vain(admin: Admin, provider: Provider) -> None:
    """A wait that is over tells where the job stands."""
    place = admin.post("/v1/jobs", ORDER).headers["location"]
    began = time.monotonic()
    assert admin.get(place + "?wait=0.3").json["state"] == "waiting"
    assert 0.3 <= time.monotonic() - began < 5


def test_job_when_process_drains(admin: Admin, provider: Provider) -> None:
    """A drain does not wait for those who wait."""
    place = admin.post("/v1/jobs", ORDER).headers["location"]
    admin.loop.call_soon_threadsafe(lambda: admin.loop.call_later(0.2, admin.draining.set))
    began = time.monotonic()
    assert admin.get(place + "?wait=30").json["state"] == "waiting"
    assert time.monotonic() - began < 5


def test_job_refused_when_it_can_not_be_done(admin: Admin, provider: Provider) -> None:
    """Unknown kinds, providers, origins and egress addresses, and long waits, are refused."""
    for form, code in [
        (ORDER | {"kind": "open_credential"}, "bad-input"),
        (ORDER | {"arguments": {"provider": "nobody"}}, "not-found"),
        (ORDER | {"arguments": {"provider": "api", "origin": "ws"}}, "not-found"),
        (ORDER | {"egress": "z"}, "no-egress-address"),
    ]:
        assert admin.post("/v1/jobs", form).code == code
    assert admin.get("/v1/jobs/job_none").code == "not-found"
    assert admin.get("/v1/jobs/job_none?wait=31").code == "bad-input"
    assert admin.get("/v1/jobs/job_none?wait=nan").code == "bad-input"


# --- connections ----------------------------------------------------------------------------------


def test_connection_when_added_rotated_and_revoked(admin: Admin, provider: Provider) -> None:
    """A connection's life; the credential comes in sealed and is never in an answer."""
    id = add_connection(admin, provider)
    shown = admin.get(f"/v1/connections/{id}")
    assert (shown.json["version"], shown.json["fits_trust"]) == (1, True)
    assert shown.json["egress_public"] == "127.0.0.2"
    assert b"ciphertext" not in shown.body

    form = sealed_form(admin, provider, id=id, version=2)
    version = {n: form[n] for n in ("version", "key_id", "trust_digest", "ciphertext")}
    rotated = admin.post(f"/v1/connections/{id}/versions", version)
    assert (rotated.status, rotated.json["version"]) == (201, 2)

    for _ in range(2):
        revoked = admin.delete(f"/v1/connections/{id}")
        assert (revoked.status, revoked.json["state"]) == (200, "revoked")
    assert admin.post(f"/v1/connections/{id}/versions", version | {"version": 3}).status == 410


def test_connections_when_filtered_and_paged(admin: Admin, provider: Provider) -> None:
    """Filters must all fit; pages follow one another without gap or repetition."""
    ids = sorted(add_connection(admin, provider) for _ in range(3))
    admin.delete(f"/v1/connections/{ids[0]}")
    for query, expected in [
        ("?state=active", ids[1:]),
        ("?state=revoked", ids[:1]),
        ("?provider=api&subject=u1", ids),
        ("?provider=other", []),
        ("?subject=u2", []),
    ]:
        found = admin.get(f"/v1/connections{query}").json["items"]
        assert [each["id"] for each in found] == expected
    page = admin.get("/v1/connections?limit=2").json
    assert ([each["id"] for each in page["items"]], page["next"]) == (ids[:2], ids[1])
    rest = admin.get(f"/v1/connections?limit=2&after={page['next']}").json
    assert ([each["id"] for each in rest["items"]], rest["next"]) == (ids[2:], None)


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x", "state=open"])
def test_connections_refused_when_query_is(admin: Admin, query: str) -> None:
    """A page has 1 to 1000 rows, and states are known."""
    assert admin.get(f"/v1/connections?{query}").code == "bad-input"


def test_connection_refused_when_it_would_not_open(admin: Admin, provider: Provider) -> None:
    """What was sealed to another place, or is no sealed credential, is not stored."""
    good = sealed_form(admin, provider)
    for change, code in [
        ({"version": 2}, "conflict"),
        ({"key_id": "other"}, "conflict"),
        ({"trust_digest": "00" * 32}, "conflict"),
        ({"trust_digest": "00"}, "bad-input"),
        ({"trust_digest": "zz" * 32}, "bad-input"),
        ({"ciphertext": "?"}, "bad-input"),
        ({"ciphertext": ""}, "bad-input"),
        ({"ciphertext": {"api_key": CANARY}}, "bad-input"),
        ({"credential": {"api_key": CANARY}}, "bad-input"),
        ({"id": "short"}, "bad-input"),
        ({"subject": ""}, "bad-input"),
        ({"subject": "a\nb"}, "bad-input"),
        ({"provider": "nobody"}, "not-found"),
        ({"egress": "z"}, "no-egress-address"),
    ]:
        answer = admin.post("/v1/connections", good | change)
        assert answer.code == code, change
        assert CANARY.encode() not in answer.body
    assert admin.post("/v1/connections", good).status == 201
    assert admin.post("/v1/connections", good).code == "conflict"


# --- callers and grants ---------------------------------------------------------------------------


def test_caller_when_added_and_revoked(admin: Admin) -> None:
    """The token is shown once; a revocation by name takes the token with it."""
    form = {"name": "app", "allow_from": ["10.0.0.0/8"], "token_days": 7}
    added = admin.post("/v1/callers", form)
    assert added.status == 201
    assert added.json["token"].startswith("bailee_")
    assert added.json["expires_at"] == pytest.approx(time.time() + 7 * 86_400, abs=60)
    (listed,) = admin.get("/v1/callers").json["items"]
    assert listed["allow_from"] == ["10.0.0.0/8"]
    assert "token" not in listed
    assert admin.get("/v1/callers/app").json == listed
    assert admin.get("/v1/status", token=added.json["token"]).status == 403
    revoked = admin.delete("/v1/callers/app")
    assert (revoked.status, revoked.json["id"]) == (200, added.json["id"])
    assert admin.get("/v1/status", token=added.json["token"]).status == 401


def test_caller_refused_when_form_is_wrong(admin: Admin) -> None:
    """Names, networks and days have bounds, and a live name is taken."""
    assert admin.post("/v1/callers", {"name": "app"}).status == 201
    for form, code in [
        ({"name": "app"}, "conflict"),
        ({"name": "no spaces"}, "bad-input"),
        ({"name": "b", "allow_from": ["10.0.0.1/8"]}, "bad-input"),
        ({"name": "b", "token_days": 0}, "bad-input"),
        ({"name": "b", "token_days": 1826}, "bad-input"),
    ]:
        assert admin.post("/v1/callers", form).code == code
    assert admin.delete("/v1/callers/nobody").code == "not-found"


def test_limits_when_a_caller_is_changed(admin: Admin) -> None:
    """What is left out stays, null is for the config's own; the journal names what was asked."""
    added = admin.post("/v1/callers", {"name": "app", "calls_per_second": 20})
    assert (added.json["calls_per_second"], added.json["concurrent"]) == (20, None)
    read = admin.get("/v1/callers/app")
    assert (read.json["calls_per_second"], read.json["concurrent"]) == (20, None)
    for form, limits in [
        ({"concurrent": 5}, (20, 5)),
        ({}, (20, 5)),
        ({"calls_per_second": None}, (None, 5)),
        ({"calls_per_second": 1, "concurrent": 1_000_000}, (1, 1_000_000)),
    ]:
        changed = admin.ask("PATCH", "/v1/callers/app", form)
        assert (changed.status, changed.json) == (200, admin.get("/v1/callers/app").json)
        assert (changed.json["calls_per_second"], changed.json["concurrent"]) == limits
    last = admin.events()[-1]
    assert (last["kind"], last["target"]) == ("caller.change", added.json["id"])
    wanted = {"calls_per_second": "1", "concurrent": "1000000"}
    assert last["detail"] == {"step": "done"} | wanted
    assert admin.events()[-3]["detail"] == {"step": "done", "calls_per_second": "default"}
    late = admin.ask(
        "PATCH", "/v1/callers/app", {"concurrent": 5}, headers={"If-Match": read.headers["etag"]}
    )
    assert (late.status, late.code) == (412, "precondition-failed")
    now = admin.get("/v1/callers/app").headers["etag"]
    again = admin.ask("PATCH", "/v1/callers/app", {"concurrent": 5}, headers={"If-Match": now})
    assert again.json["concurrent"] == 5
    assert again.headers["etag"] == admin.get("/v1/callers/app").headers["etag"]


@pytest.mark.parametrize("name", ["calls_per_second", "concurrent"])
def test_limits_refused_when_out_of_bounds(admin: Admin, name: str) -> None:
    """Neither 0 nor a text nor half a call is a limit, when a caller is added or later."""
    admin.post("/v1/callers", {"name": "app"})
    for limit in (0, -1, 1_000_001, 1.5, "5", True):
        assert admin.post("/v1/callers", {"name": "b", name: limit}).code == "bad-input"
        assert admin.ask("PATCH", "/v1/callers/app", {name: limit}).code == "bad-input"
    assert admin.ask("PATCH", "/v1/callers/app", {"burst": 5}).code == "bad-input"
    assert admin.ask("PATCH", "/v1/callers/nobody", {name: 5}).code == "not-found"
    assert admin.get("/v1/callers/app").json[name] is None
    revoked = admin.delete("/v1/callers/app").json["id"]
    assert admin.ask("PATCH", f"/v1/callers/{revoked}", {name: 5}).code == "conflict"


def test_grant_when_added_and_revoked(admin: Admin, provider: Provider) -> None:
    """A grant names a caller by its name or id, and its rules come back as written."""
    id = add_connection(admin, provider)
    caller = admin.post("/v1/callers", {"name": "app"}).json["id"]
    form = {"caller": "app", "connection": id, "allow": ["GET /v1/**"], "expires_at": 4e9}
    added = admin.post("/v1/grants", form)
    assert (added.status, added.json["caller"]) == (201, caller)
    assert added.json["allow"] == ["GET /v1/**"]
    for query in ("", "?caller=app", f"?connection={id}", f"?caller={caller}&connection={id}"):
        assert admin.get(f"/v1/grants{query}").json["items"] == [added.json]
    place = f"/v1/grants/{added.json['id']}"
    assert admin.get(place).json == added.json
    assert admin.delete(place).json["revoked_at"] is not None
    assert admin.delete(place).status == 200


def test_grant_refused_when_form_is_wrong(admin: Admin, provider: Provider) -> None:
    """Rules, callers, connections and ends must be right."""
    id = add_connection(admin, provider)
    admin.post("/v1/callers", {"name": "app"})
    good = {"caller": "app", "connection": id, "allow": ["GET /**"]}
    for change, code in [
        ({"allow": []}, "bad-input"),
        ({"allow": ["nonsense"]}, "bad-input"),
        ({"caller": "nobody"}, "not-found"),
        ({"connection": "a" * 26}, "not-found"),
        ({"expires_at": 1.0}, "bad-input"),
        ({"expires_at": float("inf")}, "bad-input"),
    ]:
        assert admin.post("/v1/grants", good | change).code == code
    assert admin.delete("/v1/grants/grt_none").code == "not-found"
    assert admin.get("/v1/grants").json["items"] == []


# --- egress, key, journal -------------------------------------------------------------------------


def test_egress_when_published_and_retired(admin: Admin) -> None:
    """A first statement publishes (201), the next one retires (200)."""
    address = EgressAddress(EgressId(new_id("egr")), "b", "127.0.0.3", EgressState.ACTIVE, 1)
    authority = admin.house.authority
    added = admin.post("/v1/egress", statement(sign_egress_address(authority, address)))
    assert (added.status, added.json["state"]) == (201, "active")
    retired = dataclasses.replace(address, state=EgressState.RETIRED, serial=2)
    answer = admin.post("/v1/egress", statement(sign_egress_address(authority, retired)))
    assert (answer.status, answer.json["state"], answer.json["serial"]) == (200, "retired", 2)
    listed = admin.get("/v1/egress").json["items"]
    assert [(each["name"], each["state"]) for each in listed] == [("a", "active"), ("b", "retired")]


def test_egress_refused_when_statement_is_wrong(admin: Admin) -> None:
    """An unsigned statement, and one that does not follow, change nothing."""
    authority = admin.house.authority
    address = EgressAddress(EgressId("egr_x"), "b", "127.0.0.3", EgressState.ACTIVE, 1)
    good = statement(sign_egress_address(authority, address))
    gap = dataclasses.replace(address, state=EgressState.RETIRED, serial=3)
    for form, code in [
        (good | {"signature": b64encode(bytes(64)).decode()}, "bad-input"),
        (statement(sign_egress_address(authority, gap)), "not-found"),
        (
            statement(sign_egress_address(authority, dataclasses.replace(address, name="a"))),
            "conflict",
        ),
    ]:
        assert admin.post("/v1/egress", form).code == code
    assert len(admin.get("/v1/egress").json["items"]) == 1


def test_chains_when_listed(admin: Admin) -> None:
    """The chains of the journal are told with their heads."""
    (chain,) = admin.get("/v1/journal/chains").json["items"]
    assert chain["role"] == "admin"
    assert chain["head_seq"] >= 1
    assert len(chain["head_hash"]) == 64


def test_everything_hidden_when_tenant_is_another(admin: Admin, provider: Provider) -> None:
    """An operator of another tenant finds nothing of this one, and can't tell it from nothing."""
    id = add_connection(admin, provider)
    admin.post("/v1/callers", {"name": "app"})
    grant = admin.post("/v1/grants", {"caller": "app", "connection": id, "allow": ["GET /**"]})
    job = admin.post("/v1/jobs", ORDER).headers["location"]
    stranger = other_operator(admin)
    for target in ("/v1/connections", "/v1/callers", "/v1/grants"):
        assert admin.get(target, token=stranger).json["items"] == []
    for target in (
        f"/v1/connections/{id}",
        "/v1/callers/app",
        f"/v1/grants/{grant.json['id']}",
    ):
        for method in ("GET", "DELETE"):
            answer = admin.ask(method, target, token=stranger)
            assert (answer.status, answer.code) == (404, "not-found")
    assert admin.get(job, token=stranger).code == "not-found"
    version = {
        name: value
        for name, value in sealed_form(admin, provider, id=id, version=2).items()
        if name not in ("id", "provider", "subject")
    }
    for path in (f"/v1/connections/{id}/versions", f"/v1/connections/{'a' * 26}/versions"):
        assert admin.post(path, version, token=stranger).code == "not-found"
    own = admin.post("/v1/callers", {"name": "app"}, token=stranger)
    assert own.status == 201
    form = {"caller": own.json["id"], "connection": id, "allow": ["GET /**"]}
    assert admin.post("/v1/grants", form, token=stranger).code == "not-found"
    assert admin.get(f"/v1/connections/{id}").json["state"] == "active"


# --- the journal ----------------------------------------------------------------------------------


def test_journal_when_changes_are_made(admin: Admin, provider: Provider) -> None:
    """Each change stands in the journal twice, with the token's id; no secret and no subject do."""
    id = add_connection(admin, provider)
    token = admin.post("/v1/callers", {"name": "app"}).json["token"]
    admin.delete(f"/v1/connections/{id}")
    admin.delete(f"/v1/callers/{token}")
    told = [(e["kind"], e["target"], e["detail"]["step"]) for e in admin.events()]
    caller = admin.get("/v1/callers/app").json["id"]
    assert told == [
        ("connection.add", id, "asked"),
        ("connection.add", id, "done"),
        ("caller.add", "app", "asked"),
        ("caller.add", caller, "done"),
        ("connection.revoke", id, "asked"),
        ("connection.revoke", id, "done"),
        ("caller.revoke", "", "asked"),
        ("caller.revoke", "", "refused"),
    ]
    assert {event["actor"] for event in admin.events()} == {tokens_of(admin)}
    (file,) = (admin.house.directory / "journal").glob("admin-*")
    text = file.read_text()
    for secret in (admin.token, token, CANARY, '"u1"'):
        assert secret not in text


def tokens_of(admin: Admin) -> str:
    """The id of the operator's token."""
    found = tokens.page(admin.house.store, DEFAULT_TENANT)
    (operator,) = (each.id for each in found if each.role == "operator")
    return operator


def test_change_refused_when_journal_can_not_be_written(admin: Admin) -> None:
    """What can't be recorded is not changed; what changes nothing is still served."""
    admin.journal.close()
    answer = admin.post("/v1/callers", {"name": "app"})
    assert (answer.status, answer.code) == (503, "journal-unavailable")
    assert answer.headers["retry-after"] == "1"
    assert admin.get("/v1/callers").json["items"] == []
