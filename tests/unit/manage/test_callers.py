"""Callers, tokens and grants."""

import pytest
import sqlalchemy as sa

from bailee.errors import (
    BadInput,
    Conflict,
    ConnectionRevoked,
    Forbidden,
    NotFound,
    Unauthenticated,
)
from bailee.manage import callers, connections, grants, tokens
from bailee.manage.ids import new_connection_id
from bailee.model import CallerId, CallerLimits, GrantId, Role, Rule, TenantId, TokenId
from bailee.policy import token as form
from bailee.store.lookup import CallLookup
from unit.manage.world import NOW, OTHER, TENANT, World


def text_of(issued: tokens.IssuedToken) -> str:
    """What is shown once."""
    return issued.text.reveal().decode("ascii")


def test_add_gives_a_token_that_the_gateway_finds(world: World) -> None:
    """A new caller has a token of 90 days, stored as a digest alone."""
    added = callers.add(world.store, TENANT, "app", NOW, allow_from=["10.0.0.0/8"])
    text = text_of(added.token)
    digest = form.digest(text)
    assert digest is not None
    lookup = CallLookup(world.store.path)
    row = lookup.token(digest)
    lookup.close()
    assert row is not None
    assert (row.role, row.caller, row.allow_from) == (Role.CALLER, added.caller.id, ("10.0.0.0/8",))
    assert row.expires_at == NOW + 90 * 86_400
    assert text not in repr(added)
    with world.store.read() as conn:
        dump = str(conn.execute(sa.text("SELECT * FROM tokens")).all())
    assert text[7:40] not in dump


@pytest.mark.parametrize("name", ["", "-a", "a b", "a/b", "é", "x" * 65, "a\n"])
def test_add_refuses_a_bad_name(world: World, name: str) -> None:
    """A name goes into URLs and journals: it has a narrow form."""
    with pytest.raises(BadInput):
        callers.add(world.store, TENANT, name, NOW)


@pytest.mark.parametrize("entry", ["10.0.0.1/8", "example.test", "300.0.0.1", ""])
def test_add_refuses_a_bad_allowlist(world: World, entry: str) -> None:
    """An inbound allowlist that is not one makes no caller."""
    with pytest.raises(BadInput):
        callers.add(world.store, TENANT, "app", NOW, allow_from=[entry])
    assert callers.page(world.store, TENANT) == []


def test_names_are_unique_among_the_living(world: World) -> None:
    """A name is taken until its caller is revoked, for each tenant apart."""
    first = callers.add(world.store, TENANT, "app", NOW).caller
    with pytest.raises(Conflict):
        callers.add(world.store, TENANT, "app", NOW)
    callers.add(world.store, OTHER, "app", NOW)
    callers.revoke(world.store, TENANT, "app", NOW)
    second = callers.add(world.store, TENANT, "app", NOW).caller
    assert callers.show(world.store, TENANT, "app").caller == second
    assert callers.show(world.store, TENANT, first.id).revoked_at == NOW
    with pytest.raises(NotFound):
        callers.add(world.store, TenantId("absent"), "app", NOW)


def limits_of(world: World, caller: str) -> CallerLimits:
    """As everyone is told."""
    return callers.show(world.store, TENANT, caller).caller.limits


def test_limits_are_set_and_changed(world: World) -> None:
    """What is not named stays, and None is for the config's own."""
    added = callers.add(world.store, TENANT, "app", NOW, limits=CallerLimits(20, 5)).caller
    callers.add(world.store, TENANT, "other", NOW)
    assert (added.limits, limits_of(world, "app")) == (CallerLimits(20, 5), CallerLimits(20, 5))
    changed = callers.set_limits(world.store, TENANT, "app", {"concurrent": 1})
    assert changed.caller.limits == CallerLimits(20, 1)
    callers.set_limits(world.store, TENANT, added.id, {"calls_per_second": None})
    assert limits_of(world, "app") == CallerLimits(None, 1)
    callers.set_limits(world.store, TENANT, "app", {})
    assert limits_of(world, "app") == CallerLimits(None, 1)
    callers.set_limits(
        world.store, TENANT, "app", {"calls_per_second": 1_000_000, "concurrent": None}
    )
    assert limits_of(world, "app") == CallerLimits(1_000_000, None)
    assert limits_of(world, "other") == CallerLimits()


@pytest.mark.parametrize("limit", [0, -1, 1_000_001])
def test_limits_have_bounds(world: World, limit: int) -> None:
    """0 is not "none": a caller that may not call is revoked."""
    for wrong in (CallerLimits(limit, None), CallerLimits(None, limit)):
        with pytest.raises(BadInput, match="1 to 1000000"):
            callers.add(world.store, TENANT, "app", NOW, limits=wrong)
    callers.add(world.store, TENANT, "app", NOW)
    with pytest.raises(BadInput, match="1 to 1000000"):
        callers.set_limits(world.store, TENANT, "app", {"calls_per_second": limit})
    with pytest.raises(BadInput, match="1 to 1000000"):
        callers.set_limits(world.store, TENANT, "app", {"concurrent": limit})
    assert limits_of(world, "app") == CallerLimits()


def test_limits_are_the_tenants_and_of_the_living(world: World) -> None:
    """Another tenant sets none, and nobody those of a revoked caller."""
    added = callers.add(world.store, TENANT, "app", NOW).caller
    with pytest.raises(NotFound):
        callers.set_limits(world.store, OTHER, added.id, {"concurrent": 5})
    callers.revoke(world.store, TENANT, "app", NOW)
    with pytest.raises(NotFound):
        callers.set_limits(world.store, TENANT, "app", {"concurrent": 5})
    with pytest.raises(Conflict):
        callers.set_limits(world.store, TENANT, added.id, {"concurrent": 5})
    assert limits_of(world, added.id) == CallerLimits()


def test_revoke_takes_tokens_and_grants_along(world: World) -> None:
    """Nothing of a revoked caller is left alive."""
    added = callers.add(world.store, TENANT, "app", NOW)
    grant = grants.add(world.store, TENANT, "app", world.connect().id, ["GET /**"], NOW)
    callers.revoke(world.store, TENANT, "app", NOW + 1)
    token = tokens.page(world.store, TENANT, caller=added.caller.id)[0]
    assert token.revoked_at == NOW + 1
    assert grants.show(world.store, TENANT, grant.grant.id).revoked_at == NOW + 1
    with pytest.raises(NotFound):
        tokens.issue_caller(world.store, TENANT, added.caller.id, "", NOW)
    with pytest.raises(NotFound):
        callers.revoke(world.store, TENANT, "app", NOW)


def test_operator_token_opens_the_admin_api(world: World) -> None:
    """A live operator's token is let in; what was revoked or has expired is not."""
    issued = tokens.issue_operator(world.store, TENANT, "first", NOW, seconds=10)
    assert tokens.authenticate(world.store, text_of(issued), NOW + 9.9) == issued.token
    with pytest.raises(Unauthenticated):
        tokens.authenticate(world.store, text_of(issued), NOW + 10)
    tokens.revoke(world.store, TENANT, issued.token.id, NOW)
    with pytest.raises(Unauthenticated):
        tokens.authenticate(world.store, text_of(issued), NOW + 1)


def test_authenticate_tells_strangers_nothing(world: World) -> None:
    """Malformed and unknown tokens get the same error; a caller's is forbidden."""
    unknown = tokens.mint()[0].reveal().decode()
    refused = []
    for text in ("", "x", "bailee_", unknown, unknown[:-1] + "!", "é" * 56):
        with pytest.raises(Unauthenticated) as error:
            tokens.authenticate(world.store, text, NOW)
        refused.append(str(error.value))
    assert len(set(refused)) == 1
    caller = callers.add(world.store, TENANT, "app", NOW)
    with pytest.raises(Forbidden):
        tokens.authenticate(world.store, text_of(caller.token), NOW)
    found = tokens.authenticate(world.store, text_of(caller.token), NOW, roles={Role.CALLER})
    assert found == caller.token.token


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), 6 * 365 * 86_400])
def test_tokens_expire(world: World, seconds: float) -> None:
    """There is no token without an end."""
    with pytest.raises(BadInput):
        tokens.issue_operator(world.store, TENANT, "", NOW, seconds=seconds)


def test_tokens_are_the_tenants(world: World) -> None:
    """Another tenant neither sees nor revokes a token, nor issues one for a caller."""
    added = callers.add(world.store, TENANT, "app", NOW)
    second = tokens.issue_caller(world.store, TENANT, added.caller.id, "second", NOW)
    assert len(tokens.page(world.store, TENANT, caller=added.caller.id)) == 2
    assert tokens.page(world.store, OTHER) == []
    with pytest.raises(NotFound):
        tokens.revoke(world.store, OTHER, second.token.id, NOW)
    with pytest.raises(NotFound):
        tokens.issue_caller(world.store, OTHER, added.caller.id, "", NOW)
    with pytest.raises(NotFound):
        tokens.issue_operator(world.store, TenantId("absent"), "", NOW)
    with pytest.raises(NotFound):
        tokens.revoke(world.store, TENANT, TokenId("absent"), NOW)
    with pytest.raises(BadInput):
        tokens.issue_operator(world.store, TENANT, "a\nb", NOW)


def test_grant_names_what_is_allowed(world: World) -> None:
    """A grant has its rules as they are read, and shows in the gateway's reads."""
    caller = callers.add(world.store, TENANT, "app", NOW).caller
    connection = world.connect()
    rules = ["get /v1/**", "POST /orders/*", "get /v1/**"]
    added = grants.add(world.store, TENANT, "app", connection.id, rules, NOW, expires_at=NOW + 5)
    assert added.grant.allow == (Rule("GET", "/v1/**"), Rule("POST", "/orders/*"))
    assert grants.page(world.store, TENANT, caller=caller.id) == [added]
    lookup = CallLookup(world.store.path)
    row = lookup.grants(caller.id, connection.id)[0]
    lookup.close()
    assert (row.allow, row.expires_at) == (added.grant.allow, NOW + 5)


@pytest.mark.parametrize(
    "rules",
    [
        [],
        ["GET"],
        ["/v1"],
        ["GET v1"],
        ["GET /../x"],
        [f"GET /{n}" for n in range(65)],
        ["GET /" + "a" * 4096],
        ["POST /rpc body $.method"],
        ["GET /rpc body $.method = 1"],
    ],
)
def test_grant_refuses_bad_rules(world: World, rules: list[str]) -> None:
    """There is no grant of nothing, of everything by omission, or without a bound."""
    callers.add(world.store, TENANT, "app", NOW)
    with pytest.raises(BadInput):
        grants.add(world.store, TENANT, "app", world.connect().id, rules, NOW)


def test_grant_wants_the_living(world: World) -> None:
    """Unknown or revoked callers and connections, and a past end, get no grant."""
    connection = world.connect()
    with pytest.raises(NotFound):
        grants.add(world.store, TENANT, "app", connection.id, ["GET /**"], NOW)
    caller = callers.add(world.store, TENANT, "app", NOW).caller
    with pytest.raises(NotFound):
        grants.add(world.store, TENANT, "app", new_connection_id(), ["GET /**"], NOW)
    with pytest.raises(BadInput):
        grants.add(world.store, TENANT, "app", connection.id, ["GET /**"], NOW, expires_at=NOW)
    connections.revoke(world.store, TENANT, connection.id, NOW)
    with pytest.raises(ConnectionRevoked):
        grants.add(world.store, TENANT, "app", connection.id, ["GET /**"], NOW)
    callers.revoke(world.store, TENANT, "app", NOW)
    with pytest.raises(Conflict):
        grants.add(world.store, TENANT, caller.id, world.connect().id, ["GET /**"], NOW)


def test_grants_are_the_tenants(world: World) -> None:
    """No grant crosses tenants, and another tenant neither sees nor revokes one."""
    callers.add(world.store, TENANT, "app", NOW)
    foreign_caller = callers.add(world.store, OTHER, "app", NOW).caller
    mine, foreign = world.connect(), world.connect("u1", OTHER)
    for caller, connection in (("app", foreign.id), (foreign_caller.id, mine.id)):
        with pytest.raises(NotFound):
            grants.add(world.store, TENANT, caller, connection, ["GET /**"], NOW)
    added = grants.add(world.store, TENANT, "app", mine.id, ["GET /**"], NOW)
    with pytest.raises(NotFound):
        grants.revoke(world.store, OTHER, added.grant.id, NOW)
    with pytest.raises(NotFound):
        grants.show(world.store, OTHER, added.grant.id)
    with pytest.raises(NotFound):
        grants.page(world.store, OTHER, caller=CallerId(added.grant.caller))
    assert grants.page(world.store, OTHER) == []
    revoked = grants.revoke(world.store, TENANT, added.grant.id, NOW + 1)
    assert revoked.revoked_at == NOW + 1
    assert grants.revoke(world.store, TENANT, added.grant.id, NOW + 9) == revoked
    with pytest.raises(NotFound):
        grants.revoke(world.store, TENANT, GrantId("absent"), NOW)
