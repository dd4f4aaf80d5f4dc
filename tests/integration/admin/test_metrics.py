"""/metrics: what a scraper is told, and that it names nobody."""

import json
from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from admin_client import Admin, run_admin
from bailee.model import Provider, Role
from bailee.reference.pki import World
from house import build_house, make_provider
from tenants import OURS, THEIRS, make_things, role_token


@pytest.fixture(scope="module")
def provider() -> Provider:
    """Approved in the vault of all of these tests."""
    return make_provider(8443, World.create(["api.test"]).root.pem.decode())


@pytest.fixture(scope="module")
def admin(tmp_path_factory: pytest.TempPathFactory, provider: Provider) -> Iterator[Admin]:
    """One vault with two tenants."""
    house = build_house(tmp_path_factory.mktemp("metrics") / "vault")
    house.add_tenant(THEIRS)
    house.approve_provider(provider)
    with run_admin(house) as running:
        yield running
    house.store.close()


def samples(admin: Admin) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """What Prometheus's own parser reads: name and labels -> value."""
    answer = admin.get("/metrics", token=role_token(admin, Role.AUDITOR, OURS))
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.body.decode())
        for sample in family.samples
    }


def test_counts_when_tenants_have_things(admin: Admin, provider: Provider) -> None:
    """Counts by state, each state with 0 too, over all tenants."""
    before = samples(admin)
    make_things(admin, provider, OURS)
    gone = make_things(admin, provider, THEIRS)
    admin.delete(f"/v1/connections/{gone.connection}", headers={"Bailee-Tenant": THEIRS})
    after = samples(admin)

    def grown(name: str, state: str) -> float:
        key = (f"bailee_{name}", (("state", state),))
        return after[key] - before[key]

    assert grown("connections", "active") == 1
    assert grown("connections", "revoked") == 1
    assert grown("jobs", "waiting") == 2
    assert grown("jobs", "failed") == 0
    assert grown("locks", "unchecked") == 1
    assert grown("locks", "enforced") == 0
    assert grown("callers", "live") == 2
    assert after["bailee_egress_addresses", (("state", "active"),)] == 1
    assert after["bailee_revision", ()] > before["bailee_revision", ()]


def test_requests_when_they_were_served_or_refused(admin: Admin) -> None:
    """Requests are counted by the pattern of their route, never by what somebody sent."""
    before = samples(admin)
    admin.get("/v1/callers/canary-name")
    admin.get("/v1/callers/canary-name", token=None)
    admin.get("/canary-path")
    admin.ask("PROPFIND", "/v1/callers")
    after = samples(admin)
    name = "bailee_admin_requests_total"

    def grown(method: str, route: str, status: str) -> float:
        key = (name, (("method", method), ("route", route), ("status", status)))
        return after.get(key, 0.0) - before.get(key, 0.0)

    assert grown("GET", "/v1/callers/{caller}", "404") == 1
    assert grown("GET", "none", "401") == 1
    assert grown("GET", "none", "404") == 1
    assert grown("unknown", "/v1/callers", "405") == 1
    seconds = ("method", "GET"), ("route", "/v1/callers/{caller}")
    assert after["bailee_admin_request_seconds_count", seconds] >= 1
    assert "PROPFIND" not in json.dumps([list(key) for key in after])
    assert "canary" not in json.dumps([list(key) for key in after])


def test_no_label_names_anybody(admin: Admin, provider: Provider) -> None:
    """No tenant, subject, caller, connection or token stands in the whole text."""
    things = make_things(admin, provider, THEIRS)
    admin.get(f"/v1/connections/{things.connection}?tenant={THEIRS}")
    text = admin.get("/metrics").body.decode()
    assert f'"{THEIRS}"' not in text
    for name in (things.subject, things.connection, things.caller, things.token, things.grant):
        assert name not in text


@pytest.mark.parametrize("role", [Role.APPLICATION, None])
def test_refused_when_scraper_has_no_right_token(admin: Admin, role: Role | None) -> None:
    """It tells about all tenants: an application gets nothing, and neither does a stranger."""
    token = None if role is None else role_token(admin, role, OURS)
    assert admin.get("/metrics", token=token).status == (401 if role is None else 403)


def test_unavailable_when_database_is_gone(admin: Admin) -> None:
    """Without the database there is no number, rather than a false one."""
    auditor = role_token(admin, Role.AUDITOR, OURS)
    admin.house.store.close()
    away = admin.house.directory / "away.db"
    admin.house.database.rename(away)
    answer = admin.get("/metrics", token=auditor)
    away.rename(admin.house.database)
    assert (answer.status, answer.code) == (503, "store-unavailable")
