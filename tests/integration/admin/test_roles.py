"""Two tenants, every role, every route: who may do what, and what a stranger can tell (R51).

The routes are those of the application itself: one that is new and has no row here fails.
"""

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from fastapi import FastAPI

from admin_client import Admin, Answer, run_admin
from bailee.admin.api.app import ROUTES, build_api
from bailee.admin.api.roles import TABLE, check_table
from bailee.admin.api.router import new_router, served_by
from bailee.model import Provider, Role
from bailee.reference.pki import World
from house import build_house, make_provider
from tenants import OURS, THEIRS, Things, make_things, role_token, same, unknown_things

Body = Callable[[Things], object]
READ = {Role.OPERATOR, Role.APPLICATION, Role.AUDITOR}
WRITE = {Role.OPERATOR, Role.APPLICATION}
WATCH = {Role.OPERATOR, Role.AUDITOR}
ALONE = {Role.OPERATOR}
STATEMENT = {"payload": "eA==", "signature": "eA=="}
SEALED = {"version": 2, "key_id": "k", "trust_digest": "9f" * 32, "ciphertext": "eHh4" * 20}


@dataclass(frozen=True, slots=True)
class Row:
    """What is true of a route."""

    roles: set[Role] | None
    """Who may; None for everyone."""
    status: int
    """What becomes of a request with the tenant's own ids."""
    body: Body = lambda _: None


def new_connection(things: Things) -> dict[str, Any]:
    own = {"id": things.connection, "provider": "api", "subject": things.subject}
    return SEALED | {"version": 1} | own


ROWS: dict[str, Row] = {
    "GET /healthz": Row(None, 200),
    "GET /readyz": Row(None, 200),
    "GET /openapi.json": Row(None, 200),
    "GET /metrics": Row(WATCH, 200),
    "GET /v1/status": Row(READ, 200),
    "GET /v1/journal/chains": Row(WATCH, 200),
    "GET /v1/providers": Row(READ, 200),
    "POST /v1/providers": Row(ALONE, 422, lambda _: {"document": {}}),
    "GET /v1/providers/api": Row(READ, 200),
    "POST /v1/providers/api/approval": Row(ALONE, 422, lambda _: STATEMENT),
    "POST /v1/providers/api/pins": Row(ALONE, 422, lambda _: STATEMENT),
    "GET /v1/pins": Row(READ, 200),
    "GET /v1/egress": Row(READ, 200),
    "POST /v1/egress": Row(ALONE, 422, lambda _: STATEMENT),
    "GET /v1/tenants": Row(WATCH, 200),
    "POST /v1/tenants": Row(
        ALONE, 422, lambda _: STATEMENT | {"id": "new", "name": "new", "wrapped_private": "eA=="}
    ),
    "GET /v1/tenants/{tenant}": Row(READ, 200),
    "PATCH /v1/tenants/{tenant}": Row(ALONE, 200, lambda _: {"gate": "none"}),
    "GET /v1/tenant/key": Row(READ, 200),
    "GET /v1/jobs": Row(READ, 200),
    "POST /v1/jobs": Row(
        ALONE, 202, lambda _: {"kind": "learn_pin", "arguments": {"provider": "api"}}
    ),
    "GET /v1/jobs/{job}": Row(READ, 200),
    "GET /v1/tokens": Row(READ, 200),
    "POST /v1/tokens": Row(
        WRITE, 201, lambda own: {"caller": own.caller, "connection": own.connection}
    ),
    "GET /v1/tokens/{token}": Row(READ, 200),
    "DELETE /v1/tokens/{token}": Row(WRITE, 200),
    "GET /v1/callers": Row(READ, 200),
    "POST /v1/callers": Row(WRITE, 201, lambda own: {"name": f"n-{own.connection}"}),
    "GET /v1/callers/{caller}": Row(READ, 200),
    "PATCH /v1/callers/{caller}": Row(WRITE, 200, lambda _: {"concurrent": 5}),
    "DELETE /v1/callers/{caller}": Row(WRITE, 200),
    "GET /v1/grants": Row(READ, 200),
    "POST /v1/grants": Row(
        WRITE,
        201,
        lambda own: {"caller": own.caller, "connection": own.connection, "allow": ["GET /**"]},
    ),
    "GET /v1/grants/{grant}": Row(READ, 200),
    "DELETE /v1/grants/{grant}": Row(WRITE, 200),
    "GET /v1/connections": Row(READ, 200),
    "POST /v1/connections": Row(WRITE, 409, new_connection),
    "POST /v1/connections/batch": Row(WRITE, 200, lambda own: {"items": [new_connection(own)]}),
    "GET /v1/connections/{connection}": Row(READ, 200),
    "DELETE /v1/connections/{connection}": Row(WRITE, 200),
    "POST /v1/connections/{connection}/versions": Row(WRITE, 409, lambda _: SEALED),
    "POST /v1/connections/{connection}/lock-checks": Row(WRITE, 202, lambda _: {}),
    "GET /v1/locks": Row(READ, 200),
    "GET /v1/locks/{connection}": Row(READ, 200),
    "GET /v1/exposure": Row(READ, 200),
    "GET /v1/revocations": Row(READ, 200),
    "POST /v1/revocations": Row(WRITE, 200, lambda own: {"subject": own.subject}),
    "DELETE /v1/subjects/{subject}": Row(WRITE, 200),
}
IDS = [name for name in ROWS if "{" in name]
"""Routes whose path names one thing of a tenant."""
NAMED_IN_BODY = ["POST /v1/tokens", "POST /v1/grants"]


@pytest.fixture(scope="module")
def provider() -> Provider:
    """Approved in the vault of all of these tests."""
    return make_provider(8443, World.create(["api.test"]).root.pem.decode())


@pytest.fixture(scope="module")
def admin(tmp_path_factory: pytest.TempPathFactory, provider: Provider) -> Iterator[Admin]:
    """One vault with two tenants."""
    house = build_house(tmp_path_factory.mktemp("roles") / "vault")
    house.add_tenant(THEIRS)
    house.approve_provider(provider)
    with run_admin(house) as running:
        yield running
    house.store.close()


@pytest.fixture(scope="module")
def askers(admin: Admin) -> dict[Role, str]:
    """A token of our tenant for each role of the admin API."""
    return {role: role_token(admin, role, OURS) for role in sorted(READ)}


@pytest.fixture(scope="module")
def ours(admin: Admin, provider: Provider) -> Things:
    """What our tenant has; nothing of it is changed."""
    return make_things(admin, provider, OURS)


@pytest.fixture(scope="module")
def theirs(admin: Admin, provider: Provider) -> Things:
    """What the other tenant has; nobody of ours can change it."""
    return make_things(admin, provider, THEIRS)


def ask(admin: Admin, name: str, things: Things, token: str | None, **more: Any) -> Answer:
    """Send the request of a row about these things."""
    method, _, path = name.partition(" ")
    body = ROWS[name].body(things)
    place = path.format(**dataclasses.asdict(things))
    return admin.ask(method, place, body, token=token, **more)


def test_rows_are_those_of_the_application() -> None:
    """Every route of the application has a row here, and says the same as the table of roles."""
    served = set(served_by(each.router for each in ROUTES))
    assert served == set(TABLE)
    assert len(served) == len(ROWS)
    for name, row in ROWS.items():
        method, _, path = name.partition(" ")
        fitting = [known for known in served if known[0] == method and _fits(path, known[1])]
        assert len(fitting) == 1, name
        assert TABLE[fitting[0]].roles == (row.roles or set()), name


def _fits(path: str, pattern: str) -> bool:
    pairs = list(zip(path.split("/"), pattern.split("/"), strict=False))
    same_length = path.count("/") == pattern.count("/")
    return same_length and all(there.startswith("{") or here == there for here, there in pairs)


@pytest.mark.parametrize("name", ROWS)
def test_route_when_role_is(
    admin: Admin, askers: dict[Role, str], provider: Provider, ours: Things, name: str
) -> None:
    """The roles of the row get what they ask for; all others are refused, and nothing is done."""
    row = ROWS[name]
    for role, token in askers.items():
        if row.roles is None or role in row.roles:
            things = ours if name.startswith("GET") else make_things(admin, provider, OURS)
            answer = ask(admin, name, things, token)
            assert answer.status == row.status, (role, answer.body)
        else:
            answer = ask(admin, name, ours, token)
            assert (answer.status, answer.code) == (403, "forbidden"), role
    for stranger, status in ((ours.caller_token, 403), (None, 401)):
        answer = ask(admin, name, ours, stranger)
        assert answer.status == (status if row.roles is not None else row.status)
    assert admin.get(f"/v1/connections/{ours.connection}").json["state"] == "active"


@pytest.mark.parametrize("name", IDS)
def test_unknown_when_thing_is_another_tenants(
    admin: Admin, theirs: Things, askers: dict[Role, str], name: str
) -> None:
    """What is another tenant's can't be told from what is not there, by any role, in one byte."""
    nobodys = unknown_things()
    for role in ROWS[name].roles or ():
        if "{tenant}" in name and role is not Role.APPLICATION:
            continue  # operators and auditors see all tenants
        foreign = ask(admin, name, theirs, askers[role])
        unknown = ask(admin, name, nobodys, askers[role])
        assert (foreign.status, foreign.code) == (404, "not-found"), role
        assert same(foreign, unknown), role
    untouched = admin.get(f"/v1/connections/{theirs.connection}?tenant={THEIRS}")
    assert untouched.json["state"] == "active"


@pytest.mark.parametrize("name", NAMED_IN_BODY)
def test_unknown_when_body_names_another_tenants(
    admin: Admin, ours: Things, theirs: Things, askers: dict[Role, str], name: str
) -> None:
    """Neither does a form say that another tenant's caller, connection or subject is there."""
    nobodys = unknown_things()
    for field in ("caller", "connection"):
        foreign, unknown = (
            ask(
                admin,
                name,
                dataclasses.replace(ours, **{field: getattr(each, field)}),
                askers[Role.APPLICATION],
            )
            for each in (theirs, nobodys)
        )
        assert (foreign.status, foreign.code) == (404, "not-found")
        assert same(foreign, unknown)


@pytest.mark.parametrize("way", ["header", "query"])
@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if row.roles])
def test_unknown_when_tenant_is_another(
    admin: Admin, askers: dict[Role, str], name: str, way: str
) -> None:
    """An application that names another tenant is answered as if it did not exist."""
    if Role.APPLICATION not in (ROWS[name].roles or ()):
        assert ask(admin, name, unknown_things(), askers[Role.APPLICATION]).status == 403
        return
    told = []
    for tenant in (THEIRS, "nobody", "*"):
        method, _, path = name.partition(" ")
        things = unknown_things()
        place = path.format(**dataclasses.asdict(things))
        headers = {"Bailee-Tenant": tenant} if way == "header" else {}
        query = "" if way == "header" else f"?tenant={tenant}"
        token = askers[Role.APPLICATION]
        body = ROWS[name].body(things)
        told.append(admin.ask(method, place + query, body, token=token, headers=headers))
    assert told[0].code == "not-found"
    assert same(told[0], told[1])
    assert same(told[0], told[2])


@pytest.mark.parametrize("role", sorted(WATCH))
def test_another_tenant_when_operator_or_auditor_names_it(
    admin: Admin, theirs: Things, askers: dict[Role, str], role: Role
) -> None:
    """Operators and auditors choose a tenant; without a choice they see their token's."""
    place, token = f"/v1/connections/{theirs.connection}", askers[role]
    assert admin.get(place, token=token).status == 404
    assert admin.get(place, token=token, headers={"Bailee-Tenant": THEIRS}).status == 200
    assert admin.get(f"{place}?tenant={THEIRS}", token=token).status == 200
    unknown = admin.get(place, token=token, headers={"Bailee-Tenant": "nobody"})
    assert (unknown.status, unknown.code) == (404, "not-found")
    two = admin.get(f"{place}?tenant={OURS}", token=token, headers={"Bailee-Tenant": THEIRS})
    assert (two.status, two.code) == (422, "bad-input")


def test_all_tenants_when_a_route_takes_them(
    admin: Admin, ours: Things, theirs: Things, askers: dict[Role, str]
) -> None:
    """`*` is all tenants for locks, exposure and revocations, and refused elsewhere."""
    both = {ours.connection, theirs.connection}
    every = {"Bailee-Tenant": "*"}
    token = askers[Role.AUDITOR]
    listed = admin.get("/v1/locks?limit=1000", token=token, headers=every).json["items"]
    assert both <= {each["connection"] for each in listed}
    assert admin.get("/v1/exposure", token=token, headers=every).json["total"] == len(listed)
    for target in ("/v1/connections", "/v1/status", "/v1/callers", "/v1/providers"):
        refused = admin.get(target, token=token, headers=every)
        assert (refused.status, refused.code) == (422, "bad-input")


def test_tokens_when_an_application_lists_them(admin: Admin, ours: Things) -> None:
    """An application sees the tokens of its callers, and neither sees nor revokes any other."""
    own = role_token(admin, Role.APPLICATION, OURS)
    listed = admin.get("/v1/tokens?limit=1000", token=own).json["items"]
    assert {each["role"] for each in listed} == {"caller"}
    assert ours.token in {each["id"] for each in listed}
    operators = [
        each["id"]
        for each in admin.get("/v1/tokens?limit=1000").json["items"]
        if each["role"] != "caller"
    ]
    for method in ("GET", "DELETE"):
        answer = admin.ask(method, f"/v1/tokens/{operators[0]}", token=own)
        unknown = admin.ask(method, f"/v1/tokens/{unknown_things().token}", token=own)
        assert answer.code == "not-found"
        assert same(answer, unknown)


def test_counts_when_another_tenant_has_more(
    admin: Admin, theirs: Things, askers: dict[Role, str]
) -> None:
    """An application is told no number in which another tenant's things are counted."""
    for role, counted in ((Role.APPLICATION, False), (Role.AUDITOR, True)):
        (address,) = admin.get("/v1/egress", token=askers[role]).json["items"]
        (shown,) = admin.get("/v1/status", token=askers[role]).json["egress"]
        for told in (address, shown):
            assert (told["connections"] is not None) == counted


def test_start_refused_when_a_route_has_no_row() -> None:
    """A route without a row in the table of roles does not start, nor a row without a route."""
    served = set(TABLE)
    check_table(served)
    with pytest.raises(RuntimeError, match="GET /v1/secrets"):
        check_table(served | {("GET", "/v1/secrets")})
    with pytest.raises(RuntimeError, match="GET /metrics"):
        check_table(served - {("GET", "/metrics")})


def test_start_refused_when_a_route_is_not_guarded() -> None:
    """A route of the framework's own kind, which looks at no role, does not start."""
    plain = FastAPI().router
    plain.add_api_route("/v1/secrets", lambda: None)
    with pytest.raises(RuntimeError, match="not guarded"):
        list(served_by([new_router(), plain]))


def test_allow_when_method_is_not_served(admin: Admin) -> None:
    """The refusal of a method names those that are served, of all routes of the path."""
    answer = admin.ask("PUT", "/v1/callers")
    assert (answer.status, answer.headers["allow"]) == (405, "GET, POST")
    assert build_api(None).openapi()["paths"]["/v1/callers"].keys() == {"get", "post"}
