"""What an application brings, and what an operator does for it: tenants, tokens, imports, locks,
and the incident button."""

import time
from base64 import b64encode
from collections.abc import Iterator
from itertools import cycle, islice
from typing import Any

import pytest

from admin_client import Admin, run_admin, statement
from bailee.manage import grants, locks, tenants
from bailee.manage.ids import new_connection_id
from bailee.model import ConnectionId, LockState, Pin, Provider, Role, SealContext, TenantId
from bailee.providers.trust import trust_digest
from bailee.reference.pki import World
from bailee.signing.credential import parse_credential
from bailee.store.locks import StoredLock
from bailee.vault.sealing import seal
from bailee.vault.statements import sign_tenant_key, verified_tenant_key
from house import build_house, make_provider
from tenants import OURS, THEIRS, make_things, role_token

CANARY = "canary-Zq7-credential-0123456789"


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory, world: World) -> Iterator[Admin]:
    """An admin API with some of everything, for tests that change nothing."""
    house = build_house(tmp_path_factory.mktemp("settled") / "vault")
    provider = make_provider(8443, world.root.pem.decode())
    house.approve_provider(provider)
    house.approve_pins(provider.id, [Pin(b"1" * 32), Pin(b"2" * 32)])
    house.add_tenant(THEIRS)
    for number in range(3):
        house.add_egress(f"e{number}", f"127.0.1.{number}")
    with run_admin(house) as running:
        for _ in range(3):
            make_things(running, provider, OURS)
        yield running
    house.store.close()


def new_tenant(admin: Admin, id: str, **more: str) -> dict[str, Any]:
    """What `bailee tenant add` sends."""
    key, wrapped = admin.house.keyring.new_tenant_key(TenantId(id))
    signed = sign_tenant_key(admin.house.authority, key)
    wrapped_private = {"wrapped_private": b64encode(wrapped).decode()}
    return {"id": id, "name": id, **statement(signed), **wrapped_private, **more}


def seal_many(admin: Admin, provider: Provider, number: int) -> list[dict[str, Any]]:
    """Items of a batch, as `bailee connection import` sends them."""
    key = verified_tenant_key(admin.house.verifier, tenants.current_key(admin.house.store, OURS))
    secret = parse_credential(provider.auth, b'{"api_key": "%b"}' % CANARY.encode())
    items = []
    for place in range(number):
        id = new_connection_id()
        sealed = seal(secret, key, SealContext(OURS, id, 1, trust_digest(provider)))
        items.append(
            {
                "id": id,
                "provider": provider.id,
                "subject": f"user-{place // 2}",
                "version": 1,
                "key_id": sealed.key_id,
                "trust_digest": sealed.trust_digest.hex(),
                "ciphertext": b64encode(sealed.ciphertext).decode(),
            }
        )
    return items


# --- tenants and tokens ---------------------------------------------------------------------------


def test_tenant_when_added_and_changed(admin: Admin) -> None:
    """A tenant comes with a key that the authority signed, and its policy can be changed."""
    added = admin.post("/v1/tenants", new_tenant(admin, "tax-app", gate="declared"))
    assert added.status == 201
    assert (added.json["gate"], added.json["probing"]) == ("declared", "none")
    assert [each["id"] for each in admin.get("/v1/tenants").json["items"]] == [OURS, "tax-app"]
    changed = admin.ask("PATCH", "/v1/tenants/tax-app", {"probing": "ok"})
    assert (changed.json["gate"], changed.json["probing"]) == ("declared", "ok")
    assert admin.get("/v1/tenants/tax-app").json == changed.json
    key = admin.get("/v1/tenant/key", headers={"Bailee-Tenant": "tax-app"}).json
    assert key["payload"] == new_key_payload(admin, "tax-app")


def new_key_payload(admin: Admin, tenant: str) -> str:
    payload = tenants.current_key(admin.house.store, TenantId(tenant)).payload
    return b64encode(payload).decode()


def test_tenant_refused_when_key_is_not_its_own(admin: Admin) -> None:
    """A key that was signed for another tenant, or not signed, makes no tenant."""
    good = new_tenant(admin, "b")
    for form, code in [
        (good | {"id": "c"}, "bad-input"),
        (good | {"signature": b64encode(bytes(64)).decode()}, "bad-input"),
        (good | {"id": "Not A Label"}, "bad-input"),
        (new_tenant(admin, OURS), "conflict"),
    ]:
        assert admin.post("/v1/tenants", form).code == code
    assert admin.ask("PATCH", "/v1/tenants/b", {"gate": "none"}).code == "not-found"
    assert admin.ask("PATCH", f"/v1/tenants/{OURS}", {"gate": "open"}).code == "bad-input"
    assert len(admin.get("/v1/tenants").json["items"]) == 1


def test_token_when_made_for_an_application(admin: Admin) -> None:
    """An operator makes a token for a tenant; it is good for that tenant alone until revoked."""
    admin.post("/v1/tenants", new_tenant(admin, THEIRS))
    made = admin.post(
        "/v1/tokens",
        {"role": "application", "label": "backend", "days": 7},
        headers={"Bailee-Tenant": THEIRS},
    )
    assert made.status == 201
    assert (made.json["role"], made.json["tenant"]) == ("application", THEIRS)
    assert made.json["expires_at"] - made.json["created_at"] == 7 * 86_400
    token = made.json["token"]
    assert admin.get("/v1/status", token=token).json["tenant"] == THEIRS
    place = f"/v1/tokens/{made.json['id']}?tenant={THEIRS}"
    listed = admin.get(f"/v1/tokens?tenant={THEIRS}").json["items"]
    assert [each for each in listed if each["id"] == made.json["id"]] == [
        {name: value for name, value in made.json.items() if name != "token"}
    ]
    assert admin.delete(place).json["revoked_at"] is not None
    assert admin.get("/v1/status", token=token).status == 401


def test_token_when_derived_by_an_application(admin: Admin, provider: Provider) -> None:
    """A derived token says for whom it is, and dies with the token that asked for it."""
    things = make_things(admin, provider, OURS)
    own = role_token(admin, Role.APPLICATION, OURS)
    form = {"caller": things.caller, "subject": things.subject, "methods": ["GET"], "seconds": 60}
    made = admin.post("/v1/tokens", form, token=own).json
    assert made["expires_at"] - made["created_at"] == 60
    assert (made["subject"], made["connection"], made["methods"]) == (
        things.subject,
        None,
        ["GET"],
    )
    assert admin.get("/v1/tokens?derived=true", token=own).json["items"]
    admin.delete(f"/v1/tokens/{made['parent']}")
    assert admin.get(f"/v1/tokens/{made['id']}").json["revoked_at"] is not None


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({}, "bad-input"),
        ({"role": "caller"}, "bad-input"),
        ({"role": "auditor", "caller": "x"}, "bad-input"),
        ({"role": "auditor", "seconds": 5}, "bad-input"),
        ({"caller": "x", "subject": "u", "days": 1}, "bad-input"),
        ({"caller": "x", "subject": "u", "seconds": 901}, "bad-input"),
        ({"caller": "x", "subject": "u", "connection": "c"}, "bad-input"),
        ({"caller": "x"}, "bad-input"),
        ({"caller": "", "connection": "c"}, "not-found"),
    ],
    ids=str,
)
def test_token_refused_when_form_is_of_no_kind(
    settled: Admin, form: dict[str, object], code: str
) -> None:
    """A token is of a role or derived, for one subject or one connection, for minutes."""
    before = settled.get("/v1/tokens").json
    assert settled.post("/v1/tokens", form).code == code
    assert settled.get("/v1/tokens").json == before


def test_role_refused_when_an_application_asks_for_one(admin: Admin) -> None:
    """An application makes no token of a role, its own included."""
    own = role_token(admin, Role.APPLICATION, OURS)
    for role in ("operator", "application", "auditor"):
        assert admin.post("/v1/tokens", {"role": role}, token=own).code == "forbidden"


# --- imports --------------------------------------------------------------------------------------


def test_batch_when_some_are_faulty(admin: Admin, provider: Provider) -> None:
    """Each item is judged alone and told in its place; the same batch again adds nothing."""
    items = seal_many(admin, provider, 6)
    items[1] |= {"provider": "nobody"}
    items[3] |= {"trust_digest": "00" * 32}
    items[4] |= {"id": "not-an-id"}
    done = admin.post("/v1/connections/batch", {"items": items})
    assert done.status == 200
    assert (done.json["added"], done.json["existing"], done.json["refused"]) == (3, 0, 3)
    told = [(each["id"], each["outcome"], each["code"]) for each in done.json["items"]]
    assert told == [
        (items[0]["id"], "added", ""),
        (items[1]["id"], "refused", "not-found"),
        (items[2]["id"], "added", ""),
        (items[3]["id"], "refused", "conflict"),
        (items[4]["id"], "refused", "bad-input"),
        (items[5]["id"], "added", ""),
    ]
    again = admin.post("/v1/connections/batch", {"items": items}).json
    assert (again["added"], again["existing"], again["refused"]) == (0, 3, 3)
    assert len(admin.get("/v1/connections").json["items"]) == 3
    assert CANARY.encode() not in done.body


def test_batch_when_it_is_as_large_as_can_be(admin: Admin, provider: Provider) -> None:
    """500 at once, and the journal tells the counts; one more is refused as a whole."""
    items = seal_many(admin, provider, 3)
    many = [{**each, "id": new_connection_id()} for each in islice(cycle(items), 500)]
    assert admin.post("/v1/connections/batch", {"items": many}).json["added"] == 500
    assert admin.events()[-1]["detail"] == {
        "step": "done",
        "items": "500",
        "added": "500",
        "exists": "0",
        "refused": "0",
    }
    for wrong in ([*many, many[0]], []):
        refused = admin.post("/v1/connections/batch", {"items": wrong})
        assert (refused.status, refused.code) == (422, "bad-input")


# --- locks ----------------------------------------------------------------------------------------


def put_lock(admin: Admin, connection: str, state: LockState) -> None:
    lock = StoredLock(
        ConnectionId(connection),
        OURS,
        state,
        1,
        reason="as measured",
        checked_at=time.time(),
        report={"addresses": ["127.0.0.2"], "powers": ["trade"]},
        observations=[{"cause": "", "probe": "E+"}],
    )
    assert locks.put(admin.house.store, lock)


def test_locks_when_some_were_measured(admin: Admin, provider: Provider) -> None:
    """Locks are listed by state, shown with their grounds, and counted for the exposure."""
    open_, unchecked = (make_things(admin, provider, OURS).connection for _ in range(2))
    put_lock(admin, open_, LockState.OPEN)
    listed = {each["connection"]: each for each in admin.get("/v1/locks").json["items"]}
    assert listed.keys() == {open_, unchecked}
    assert listed[open_]["state"] == "open"
    assert (listed[unchecked]["state"], listed[unchecked]["checked_at"]) == ("unchecked", None)
    (only,) = admin.get("/v1/locks?state=open&provider=api").json["items"]
    assert only == listed[open_]
    shown = admin.get(f"/v1/locks/{open_}").json
    assert shown.items() > only.items()
    assert shown["observations"] == [{"cause": "", "probe": "E+"}]
    told = admin.get("/v1/exposure").json
    assert (told["total"], told["exposed"], told["unknown"]) == (2, 1, 1)
    assert told["by_provider"] == {"api": {"open": 1, "unchecked": 1}}
    assert told["step"]["connections"] == 1


def test_lock_check_when_ordered(admin: Admin, provider: Provider) -> None:
    """A check is a job for the keeper: 202, where to look, and what was accepted."""
    things = make_things(admin, provider, OURS)
    path = f"/v1/connections/{things.connection}/lock-checks"
    ordered = admin.post(path, {})
    assert (ordered.status, ordered.json["kind"]) == (202, "check_lock")
    assert ordered.json["arguments"] == {"connection": things.connection}
    assert ordered.json["egress"] == "a"
    assert admin.get(ordered.headers["location"]).json == ordered.json
    risky = admin.post(path, {"accept_risky": True}).json
    assert risky["arguments"]["accept"] == "risky"
    admin.delete(f"/v1/connections/{things.connection}")
    assert admin.post(path, {}).code == "connection-revoked"


# --- the incident button --------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["all", "provider", "subject"])
def test_revocation_when_many_are_revoked(admin: Admin, provider: Provider, what: str) -> None:
    """All that is named is revoked at once; whom to tell is in the answer, and page by page."""
    items = seal_many(admin, provider, 4)
    admin.post("/v1/connections/batch", {"items": items})
    form = {"all": {"all": True}, "provider": {"provider": "api"}, "subject": {"subject": "user-1"}}
    done = admin.post("/v1/revocations", form[what])
    expected = {each["id"] for each in items if what != "subject" or each["subject"] == "user-1"}
    assert done.status == 200
    assert (done.json["connections"], done.json["subjects"]) == (
        len(expected),
        1 if what == "subject" else 2,
    )
    assert {each["connection"] for each in done.json["items"]} == expected
    assert done.json["next"] is None
    export = done.headers["location"]
    assert export == done.json["export"]
    paged, after = [], ""
    while True:
        page = admin.get(f"{export}&limit=1{after}").json
        paged += page["items"]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert paged == done.json["items"]
    again = admin.post("/v1/revocations", form[what]).json
    assert (again["connections"], again["items"]) == (0, [])
    left = admin.get("/v1/connections?state=active").json["items"]
    assert {each["id"] for each in left} == {each["id"] for each in items} - expected
    last = [event for event in admin.events() if event["kind"] == "connection.revoke-many"][1]
    assert last["detail"]["connections"] == str(len(expected))
    assert "user-1" not in str(admin.events())


@pytest.mark.parametrize(
    "form",
    [{}, {"all": False}, {"all": True, "provider": "api"}, {"provider": "a", "subject": "b"}],
    ids=str,
)
def test_revocation_refused_when_it_does_not_name_one(settled: Admin, form: object) -> None:
    """Nothing is revoked by a form that says nothing, or two things."""
    assert settled.post("/v1/revocations", form).code == "bad-input"


def test_revocation_when_all_tenants_are_named(admin: Admin, provider: Provider) -> None:
    """An operator revokes in all tenants at once; an application only in its own."""
    admin.post("/v1/tenants", new_tenant(admin, THEIRS))
    ours, theirs = (make_things(admin, provider, each) for each in (OURS, THEIRS))
    own = role_token(admin, Role.APPLICATION, OURS)
    first = admin.post("/v1/revocations", {"all": True}, token=own).json["items"]
    assert [each["connection"] for each in first] == [ours.connection]
    every = {"Bailee-Tenant": "*"}
    both = admin.post("/v1/revocations", {"all": True}, headers=every)
    assert [each["tenant"] for each in both.json["items"]] == [THEIRS]
    exported = admin.get("/v1/revocations", headers=every).json["items"]
    assert {each["connection"] for each in exported} == {ours.connection, theirs.connection}


def test_subject_when_erased(admin: Admin, provider: Provider) -> None:
    """Nothing is left of a subject, whatever characters its name has; again it is not there."""
    name = "user/17 ä%"
    connection = admin.house.add_connection(provider, {"api_key": CANARY}, name)
    path = "/v1/subjects/user%2F17%20%C3%A4%25"
    erased = admin.delete(path)
    assert (erased.status, erased.json["connections"]) == (200, [connection])
    assert admin.get(f"/v1/connections/{connection}").code == "not-found"
    assert admin.delete(path).code == "not-found"
    assert name not in str(admin.events())


def test_grant_when_over_a_provider_or_a_subject(admin: Admin, provider: Provider) -> None:
    """A grant names one of connection, provider and subject, and is found by it."""
    things = make_things(admin, provider, OURS)
    for over in ("connection", "provider", "subject"):
        value = "api" if over == "provider" else getattr(things, over)
        form = {"caller": things.caller, over: value, "allow": ["GET /v1/**"]}
        added = admin.post("/v1/grants", form).json
        assert added[over] == value
        found = admin.get(f"/v1/grants?{over}={value}").json["items"]
        assert added["id"] in {each["id"] for each in found}
    two = {"caller": things.caller, "provider": "api", "subject": things.subject, "allow": ["* /"]}
    assert admin.post("/v1/grants", two).code == "bad-input"
    assert len(grants.page(admin.house.store, OURS, caller=things.caller)) == 4


# --- lists ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "target",
    ["callers", "grants", "connections", "tokens", "jobs", "locks", "tenants", "egress", "pins"],
)
def test_list_when_read_page_by_page(settled: Admin, target: str) -> None:
    """Pages of one item hold, together, what one page of all holds, each item once."""
    whole = settled.get(f"/v1/{target}?limit=1000").json
    assert whole["next"] is None
    assert len(whole["items"]) >= (1 if target == "pins" else 2)
    read, query = [], ""
    while True:
        page = settled.get(f"/v1/{target}?limit=1{query}").json
        read += page["items"]
        assert len(page["items"]) <= 1
        if page["next"] is None:
            break
        query = f"&after={page['next']}"
    assert read == whole["items"]


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=1001", "limit=x", "limit=1&limit=2", "Limit=1"]
)
def test_list_refused_when_query_is_wrong(settled: Admin, query: str) -> None:
    """A bound that is none, one that comes twice, and one that is misspelt are refused."""
    answer = settled.get(f"/v1/callers?{query}")
    assert (answer.status, answer.code) == (422, "bad-input")
