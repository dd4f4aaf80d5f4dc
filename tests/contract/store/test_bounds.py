"""Derived tokens and wide grants: what each is bound to, kept by the database itself."""

from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from bailee.errors import Conflict
from bailee.model import (
    Caller,
    CallerId,
    ConnectionId,
    Gate,
    GrantId,
    Probing,
    ProviderId,
    Role,
    TenantId,
    TokenId,
)
from bailee.secret import Secret
from bailee.store import callers, connections, grants, revoking, tenants, tokens
from bailee.store.engine import Store
from bailee.store.tokens import StoredToken
from contract.store import rows
from contract.store.rows import CALLER, CONNECTION, NOW, OTHER, PROVIDER, SUBJECT, TENANT

PARENT = TokenId("tok_o")
DERIVED = replace(rows.token("tok_d"), parent=PARENT, subject=SUBJECT)
WIDE = replace(rows.GRANT, id=GrantId("grt_w"), connection=None)


@pytest.fixture
def seeded(store: Store) -> Store:
    """A store with one of everything, an operator's token, and another tenant of the same names."""
    with store.write() as conn:
        rows.seed(conn)
        tokens.insert(conn, rows.token(PARENT, None), b"o" * 32)
        connections.insert_subject(conn, OTHER, SUBJECT, Secret(bytes(32)))
        connections.insert_subject(conn, OTHER, "theirs", Secret(bytes(32)))
        connections.insert(conn, rows.connection("e" * 26, OTHER))
        callers.insert(conn, Caller(CallerId("clr_o"), OTHER, "app"), NOW)
        conn.execute(sa.text("DELETE FROM grants"))
    return store


def derive(store: Store, *tokens_: StoredToken) -> None:
    """Store tokens under digests of their own."""
    with store.write() as conn:
        for token in tokens_:
            tokens.insert(conn, token, token.id.encode().ljust(32, b"."))


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.APPLICATION, Role.AUDITOR])
def test_admin_roles_have_no_caller(seeded: Store, role: Role) -> None:
    """Tokens for the admin API come back with their role; none has a caller or bounds."""
    good = replace(rows.token("tok_r", None), role=role)
    derive(seeded, good)
    with seeded.read() as conn:
        assert tokens.find(conn, TENANT, good.id) == good
    for wrong in (
        replace(good, id=TokenId("tok_1"), caller=CALLER),
        replace(good, id=TokenId("tok_2"), parent=PARENT, subject=SUBJECT),
        replace(good, id=TokenId("tok_3"), methods=("GET",)),
    ):
        with pytest.raises(Conflict):
            derive(seeded, wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"connection": CONNECTION},
        {"subject": None},
        {"subject": None, "methods": ("GET",)},
        {"parent": None},
        {"parent": None, "subject": None, "methods": ("GET",)},
        {"parent": TokenId("absent")},
        {"subject": "absent"},
        {"subject": "theirs"},
        {"subject": None, "connection": ConnectionId("z" * 26)},
        {"subject": None, "connection": ConnectionId("e" * 26)},
        {"caller": CallerId("clr_o")},
        {"tenant": OTHER},
        {"role": Role.APPLICATION, "caller": None},
    ],
)
def test_database_refuses_wrong_bounds(seeded: Store, wrong: dict[str, Any]) -> None:
    """A derived token has a parent and one bound, and all that it names is its tenant's."""
    with pytest.raises(Conflict):
        derive(seeded, replace(DERIVED, **wrong))
    derive(seeded, DERIVED)


def test_tokens_are_listed_by_filter(seeded: Store) -> None:
    """Role and origin are filters; another tenant's list has none of it."""
    derive(seeded, DERIVED, replace(rows.token("tok_p", None), role=Role.APPLICATION))
    with seeded.read() as conn:

        def names(**filters: Any) -> list[str]:
            found = tokens.list_page(conn, TENANT, after=None, limit=9, **filters)
            return [each.id for each in found]

        assert names() == ["tok_a", "tok_d", "tok_o", "tok_p"]
        assert names(derived=True) == ["tok_d"]
        assert names(derived=False) == ["tok_a", "tok_o", "tok_p"]
        assert names(roles={Role.CALLER}) == ["tok_a", "tok_d"]
        assert names(roles={Role.APPLICATION, Role.AUDITOR}) == ["tok_p"]
        assert names(roles=set()) == []
        assert names(roles={Role.CALLER}, derived=False, caller=CALLER) == ["tok_a"]
        assert tokens.list_page(conn, OTHER, after=None, limit=9) == []
        assert tokens.find(conn, OTHER, DERIVED.id) is None
        assert tokens.find_any(conn, DERIVED.id) == DERIVED


def test_what_was_derived_ends_with_its_parent(seeded: Store) -> None:
    """All live tokens of a parent are revoked, of whatever tenant; no other's."""
    theirs = replace(DERIVED, id=TokenId("tok_x"), tenant=OTHER, caller=CallerId("clr_o"))
    another = replace(DERIVED, id=TokenId("tok_y"), parent=TokenId("tok_a"))
    derive(seeded, DERIVED, theirs, another)
    with seeded.write() as conn:
        assert tokens.revoke_derived(conn, PARENT, NOW + 1) == 2
        assert tokens.revoke_derived(conn, PARENT, NOW + 2) == 0
        ended = {each: tokens.find_any(conn, TokenId(each)) for each in ("tok_d", "tok_x", "tok_y")}
    times = {name: None if token is None else token.revoked_at for name, token in ended.items()}
    assert times == {"tok_d": NOW + 1, "tok_x": NOW + 1, "tok_y": None}


def test_expired_derived_tokens_are_purged(seeded: Store) -> None:
    """What has expired goes, a few at once; what has not, and what was not derived, stays."""
    spent = [replace(DERIVED, id=TokenId(f"tok_{n}"), expires_at=NOW + n) for n in range(5)]
    derive(seeded, *spent)
    with seeded.write() as conn:
        assert tokens.purge_derived(conn, NOW + 3, 3) == 3
        assert tokens.purge_derived(conn, NOW + 3, 3) == 1
        assert tokens.purge_derived(conn, NOW + 3, 3) == 0
        assert tokens.find_any(conn, TokenId("tok_4")) is not None
        tokens.purge_derived(conn, NOW + 10**9, 99)
        left = tokens.list_page(conn, TENANT, after=None, limit=9)
    assert [each.id for each in left] == ["tok_a", "tok_o"]


@pytest.mark.parametrize(
    "target", [{"connection": CONNECTION}, {"provider": PROVIDER}, {"subject": SUBJECT}]
)
def test_grants_have_one_target(seeded: Store, target: dict[str, Any]) -> None:
    """A grant comes back with what it is over, is found by it, and by nothing else."""
    grant = replace(WIDE, **target)
    with seeded.write() as conn:
        grants.insert(conn, TENANT, grant, NOW)
        found = grants.find(conn, TENANT, grant.id)
        assert found is not None
        assert found.grant == grant
        for name, value in {
            "connection": CONNECTION,
            "provider": PROVIDER,
            "subject": SUBJECT,
        }.items():
            wanted: dict[str, Any] = {name: value}
            listed = grants.list_page(conn, TENANT, after=None, limit=9, **wanted)
            assert listed == ([found] if name in target else [])
            assert grants.list_page(conn, OTHER, after=None, limit=9, **wanted) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"connection": CONNECTION, "provider": PROVIDER},
        {"provider": PROVIDER, "subject": SUBJECT},
        {"connection": CONNECTION, "subject": SUBJECT, "provider": PROVIDER},
        {"subject": "absent"},
        {"subject": "theirs"},
        {"connection": ConnectionId("e" * 26)},
    ],
)
def test_database_refuses_a_wrong_target(seeded: Store, wrong: dict[str, Any]) -> None:
    """No grant is over nothing, over two things, or over another tenant's."""
    with pytest.raises(Conflict), seeded.write() as conn:
        grants.insert(conn, TENANT, replace(WIDE, **wrong), NOW)


@pytest.mark.parametrize(
    ("target", "connection", "subject"),
    [
        ({"connection": CONNECTION}, True, True),
        ({"provider": PROVIDER}, True, True),
        ({"subject": SUBJECT}, True, True),
        ({"provider": ProviderId("kraken")}, False, False),
    ],
)
def test_live_grants_cover(
    seeded: Store, target: dict[str, Any], connection: bool, subject: bool
) -> None:
    """A connection is covered by its id, provider and subject; a subject by its connections."""
    with seeded.write() as conn:
        grants.insert(conn, TENANT, replace(WIDE, expires_at=NOW + 5, **target), NOW)

        def covered(tenant: TenantId = TENANT, caller: CallerId = CALLER, now: float = NOW) -> Any:
            return (
                grants.any_live(conn, tenant, caller, now, connection=CONNECTION),
                grants.any_live(conn, tenant, caller, now, subject=SUBJECT),
            )

        assert covered() == (connection, subject)
        assert covered(now=NOW + 5) == (False, False)
        assert covered(OTHER) == (False, False)
        assert covered(caller=CallerId("clr_o")) == (False, False)
        grants.revoke(conn, TENANT, WIDE.id, NOW)
        assert covered() == (False, False)


def test_only_a_grant_over_the_subject_outlives_its_connections(seeded: Store) -> None:
    """A revoked connection is covered by nothing; its subject is, for what is made later."""
    with seeded.write() as conn:
        grants.insert(conn, TENANT, replace(WIDE, provider=PROVIDER), NOW)
        revoking.revoke_many(conn, TENANT, NOW)
        assert not grants.any_live(conn, TENANT, CALLER, NOW, subject=SUBJECT)
        over = replace(WIDE, id=GrantId("grt_s"), subject=SUBJECT)
        grants.insert(conn, TENANT, over, NOW)
        assert grants.any_live(conn, TENANT, CALLER, NOW, subject=SUBJECT)
        assert not grants.any_live(conn, TENANT, CALLER, NOW, connection=CONNECTION)


def test_tenants_have_a_lock_policy(seeded: Store) -> None:
    """Gate and probing come back, are one tenant's, and have known values alone."""
    with seeded.write() as conn:
        assert tenants.set_lock_policy(conn, TENANT, Gate.DECLARED, Probing.RISKY)
        assert not tenants.set_lock_policy(conn, TenantId("absent"), Gate.NONE, Probing.NONE)
        first, second = tenants.list_page(conn, after=None, limit=9)
    assert (first.id, first.gate, first.probing) == (TENANT, Gate.DECLARED, Probing.RISKY)
    assert (second.id, second.gate, second.probing) == (OTHER, Gate.NONE, Probing.NONE)
    for wrong in ("gate = 'open'", "probing = 'never'", "gate = NULL"):
        with pytest.raises(Conflict), seeded.write() as conn:
            conn.execute(sa.text(f"UPDATE tenants SET {wrong}"))
