"""Tokens of the admin's roles, and tokens that are derived from a caller."""

from typing import Any

import pytest

from bailee.errors import (
    BadInput,
    Conflict,
    ConnectionRevoked,
    Forbidden,
    NotFound,
    Unauthenticated,
)
from bailee.manage import callers, connections, erasure, grants, purge, tokens
from bailee.manage.derived import derive
from bailee.manage.ids import new_connection_id
from bailee.manage.tokens import ADMIN_ROLES, IssuedToken
from bailee.model import CallerId, ConnectionId, Role, TenantId, TokenId
from bailee.policy import token as form
from bailee.store.lookup import CallLookup, TokenRow
from unit.manage.world import ACME, NOW, OTHER, TENANT, World

ROLES = (Role.OPERATOR, Role.APPLICATION, Role.AUDITOR)


def text_of(issued: IssuedToken) -> str:
    """The token's text."""
    return issued.text.reveal().decode("ascii")


def prepare(world: World, tenant: TenantId = TENANT) -> tuple[TokenId, ConnectionId]:
    """An application's token, and a connection of u1 that the caller named app has a grant for."""
    parent = tokens.issue(world.store, tenant, Role.APPLICATION, "app", NOW, seconds=10_000)
    callers.add(world.store, tenant, "app", NOW)
    connection = world.connect("u1", tenant).id
    grants.add(world.store, tenant, "app", connection, ["GET /**"], NOW)
    return parent.token.id, connection


def seen_by_gateway(world: World, issued: IssuedToken) -> TokenRow | None:
    """What the gateway reads of a token."""
    digest = form.digest(text_of(issued))
    assert digest is not None
    lookup = CallLookup(world.store.path)
    row = lookup.token(digest)
    lookup.close()
    return row


@pytest.mark.parametrize("role", ROLES)
def test_a_token_has_the_role_it_was_issued_for(world: World, role: Role) -> None:
    """It is let in where its role is wanted, forbidden where others are, and never a caller's."""
    issued = tokens.issue(world.store, TENANT, role, "x", NOW, seconds=10)
    assert (issued.token.role, issued.token.caller) == (role, None)
    found = tokens.authenticate(world.store, text_of(issued), NOW, roles={role})
    assert found == issued.token == tokens.authenticate(world.store, text_of(issued), NOW)
    with pytest.raises(Forbidden):
        others = ADMIN_ROLES - {role}
        tokens.authenticate(world.store, text_of(issued), NOW, roles=others)
    with pytest.raises(Unauthenticated):
        tokens.authenticate(world.store, text_of(issued), NOW + 10)
    row = seen_by_gateway(world, issued)
    assert row is not None
    assert (row.role, row.caller) == (role, None)


def test_issue_refuses_what_it_should(world: World) -> None:
    """No caller's token, no tenant that is not there, no odd label or length."""
    with pytest.raises(BadInput):
        tokens.issue(world.store, TENANT, Role.CALLER, "", NOW)
    with pytest.raises(NotFound):
        tokens.issue(world.store, TenantId("absent"), Role.AUDITOR, "", NOW)
    for seconds in (0, float("nan"), 6 * 365 * 86_400):
        with pytest.raises(BadInput):
            tokens.issue(world.store, TENANT, Role.AUDITOR, "", NOW, seconds=seconds)


def test_tokens_of_other_roles_are_not_found(world: World) -> None:
    """Who may see callers' tokens alone neither lists, shows nor revokes an operator's."""
    operator = tokens.issue(world.store, TENANT, Role.OPERATOR, "", NOW).token
    caller = callers.add(world.store, TENANT, "app", NOW).token.token
    only = {Role.CALLER}
    assert tokens.page(world.store, TENANT, roles=only) == [caller]
    assert {each.id for each in tokens.page(world.store, TENANT)} == {operator.id, caller.id}
    with pytest.raises(NotFound):
        tokens.show(world.store, TENANT, operator.id, roles=only)
    with pytest.raises(NotFound):
        tokens.revoke(world.store, TENANT, operator.id, NOW, roles=only)
    assert tokens.show(world.store, TENANT, operator.id).revoked_at is None
    assert tokens.revoke(world.store, TENANT, caller.id, NOW + 1, roles=only).revoked_at == NOW + 1
    for tenant, token in ((OTHER, operator.id), (TENANT, TokenId("absent"))):
        with pytest.raises(NotFound):
            tokens.show(world.store, tenant, token)


def test_a_derived_token_is_bound(world: World) -> None:
    """The gateway reads of it: the caller, the bound, the methods, and an early end."""
    parent, connection = prepare(world)
    caller = callers.show(world.store, TENANT, "app").caller.id
    for bound, methods in (
        ({"subject": "u1"}, None),
        ({"connection": connection}, ["get", "Post"]),
    ):
        wanted: dict[str, Any] = dict(bound)
        made = derive(world.store, TENANT, parent, "app", NOW, methods=methods, **wanted)
        row = seen_by_gateway(world, made)
        assert row is not None
        assert (row.role, row.tenant, row.caller) == (Role.CALLER, TENANT, caller)
        assert row.expires_at == NOW + 900
        assert {"subject": row.subject} | {"connection": row.connection} == {
            "subject": None,
            "connection": None,
        } | wanted
        assert row.methods == (None if methods is None else {"GET", "POST"})
        assert tokens.show(world.store, TENANT, made.token.id) == made.token
        with pytest.raises(Forbidden):
            tokens.authenticate(world.store, text_of(made), NOW)


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"subject": "u1", "connection": "c" * 26},
        {"subject": "u1", "seconds": 0},
        {"subject": "u1", "seconds": 900.1},
        {"subject": "u1", "seconds": float("nan")},
        {"subject": "u1", "methods": []},
        {"subject": "u1", "methods": ["GET", "CONNECT"]},
        {"subject": "u1", "methods": ["*"]},
        {"subject": "u1", "label": "a\nb"},
    ],
)
def test_derive_refuses_bad_input(world: World, wrong: dict[str, Any]) -> None:
    """One bound, at most a quarter of an hour, methods that are relayed."""
    parent, _ = prepare(world)
    with pytest.raises(BadInput):
        derive(world.store, TENANT, parent, "app", NOW, **wrong)
    assert tokens.page(world.store, TENANT, derived=True) == []


def test_derive_needs_a_live_grant(world: World) -> None:
    """A caller gets no token for what no live grant of it covers."""
    parent, connection = prepare(world)
    wide = world.connect("u2").id

    def derived(**bound: Any) -> IssuedToken:
        return derive(world.store, TENANT, parent, "app", NOW, **bound)

    for bound in ({"connection": wide}, {"subject": "u2"}):
        with pytest.raises(Conflict, match="grant"):
            derived(**bound)
    over = grants.add(
        world.store, TENANT, "app", None, ["GET /**"], NOW, provider=ACME, expires_at=NOW + 1
    )
    derived(connection=wide)
    derived(subject="u2")
    grants.revoke(world.store, TENANT, over.grant.id, NOW)
    with pytest.raises(Conflict):
        derived(subject="u2")
    grants.add(world.store, TENANT, "app", None, ["GET /**"], NOW, subject="u2")
    derived(subject="u2")
    connections.revoke(world.store, TENANT, connection, NOW)
    with pytest.raises(ConnectionRevoked):
        derived(connection=connection)
    with pytest.raises(Conflict):
        derived(subject="u1")


def test_derive_stays_within_the_tenant(world: World) -> None:
    """What is another tenant's is not found, under the same names too."""
    parent, connection = prepare(world)
    their_parent, theirs = prepare(world, OTHER)
    world.connect("only-theirs", OTHER)
    foreign = callers.show(world.store, OTHER, "app").caller.id
    for caller, bound in (
        ("app", {"connection": theirs}),
        ("app", {"connection": new_connection_id()}),
        ("app", {"subject": "only-theirs"}),
        (foreign, {"connection": connection}),
        ("absent", {"connection": connection}),
    ):
        wanted: dict[str, Any] = dict(bound)
        with pytest.raises(NotFound):
            derive(world.store, TENANT, parent, caller, NOW, **wanted)
    with pytest.raises(Forbidden):
        derive(world.store, TENANT, their_parent, "app", NOW, connection=connection)
    made = derive(world.store, OTHER, their_parent, "app", NOW, subject="u1")
    assert made.token.tenant == OTHER


def test_who_may_derive(world: World) -> None:
    """An operator may in every tenant; auditors, callers, strangers and the dead may not."""
    parent, connection = prepare(world, OTHER)
    operator = tokens.issue(world.store, TENANT, Role.OPERATOR, "", NOW).token.id
    derive(world.store, OTHER, operator, "app", NOW, connection=connection)
    auditor = tokens.issue(world.store, OTHER, Role.AUDITOR, "", NOW).token.id
    caller = callers.show(world.store, OTHER, "app").caller.id
    callers_own = tokens.page(world.store, OTHER, caller=caller, derived=False)[0].id
    for wrong in (auditor, callers_own, TokenId("absent")):
        with pytest.raises(Forbidden):
            derive(world.store, OTHER, wrong, "app", NOW, connection=connection)
    tokens.revoke(world.store, OTHER, parent, NOW)
    with pytest.raises(Forbidden):
        derive(world.store, OTHER, parent, "app", NOW, connection=connection)


def test_a_derived_token_ends_with_who_asked_and_with_the_caller(world: World) -> None:
    """It expires no later than the token that asked, and dies with it, or with the caller."""
    parent, connection = prepare(world)
    late = derive(world.store, TENANT, parent, "app", NOW + 9_900, connection=connection)
    assert late.token.expires_at == NOW + 10_000
    with pytest.raises(Forbidden):
        derive(world.store, TENANT, parent, "app", NOW + 10_000, connection=connection)
    tokens.revoke(world.store, TENANT, parent, NOW + 1)
    row = seen_by_gateway(world, late)
    assert row is not None
    assert row.revoked_at == NOW + 1
    second = tokens.issue(world.store, TENANT, Role.APPLICATION, "", NOW).token.id
    made = derive(world.store, TENANT, second, "app", NOW, connection=connection)
    callers.revoke(world.store, TENANT, "app", NOW + 2)
    row = seen_by_gateway(world, made)
    assert row is not None
    assert row.revoked_at == NOW + 2
    with pytest.raises(NotFound):
        derive(world.store, TENANT, second, "app", NOW, connection=connection)
    with pytest.raises(Conflict, match="caller was revoked"):
        caller = tokens.show(world.store, TENANT, made.token.id).caller or CallerId("")
        derive(world.store, TENANT, second, caller, NOW, connection=connection)


def test_a_derived_token_ends_with_its_connection(world: World) -> None:
    """A revocation ends tokens for the connection; an erasure deletes those for the subject."""
    parent, connection = prepare(world)
    for_one = derive(world.store, TENANT, parent, "app", NOW, connection=connection)
    for_all = derive(world.store, TENANT, parent, "app", NOW, subject="u1")
    connections.revoke(world.store, TENANT, connection, NOW + 1)
    assert tokens.show(world.store, TENANT, for_one.token.id).revoked_at == NOW + 1
    assert tokens.show(world.store, TENANT, for_all.token.id).revoked_at is None
    erasure.erase_subject(world.store, TENANT, "u1")
    for token in (for_one, for_all):
        with pytest.raises(NotFound):
            tokens.show(world.store, TENANT, token.token.id)
        assert seen_by_gateway(world, token) is None


def test_expired_derived_tokens_are_purged(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that have expired go, in as many transactions as it takes; the others stay."""
    monkeypatch.setattr(purge, "AT_ONCE", 2)
    parent, connection = prepare(world)
    short = [
        derive(world.store, TENANT, parent, "app", NOW, connection=connection, seconds=second)
        for second in (1, 2, 3, 4, 5)
    ]
    assert purge.purge(world.store, NOW + 4, 60.0) == purge.Purged(4, 0, 0)
    left = tokens.page(world.store, TENANT, derived=True)
    assert left == [short[4].token]
    assert len(tokens.page(world.store, TENANT, derived=False)) == 2
