"""Grants over a provider and over a subject."""

from dataclasses import replace
from typing import Any

import pytest

from bailee.errors import BadInput, NotFound
from bailee.manage import callers, connections, erasure, grants, providers
from bailee.model import BodyRule, ConnectionId, ProviderId
from bailee.policy.rules import compile_rules
from bailee.store.grants import rules_from_json
from bailee.store.lookup import CallLookup
from unit.manage.world import ACME, NOW, OTHER, PROVIDER, TENANT, World

ALLOW = ["GET /**"]


def covered(world: World, connection: ConnectionId) -> list[str]:
    """The live grants of the tenant's caller that cover a connection, as the gateway reads them."""
    caller = callers.show(world.store, TENANT, "app").caller.id
    lookup = CallLookup(world.store.path)
    found = lookup.grants(caller, connection)
    lookup.close()
    return [row.id for row in found if row.revoked_at is None]


@pytest.mark.parametrize("target", [{"provider": ACME}, {"subject": "u1"}])
def test_a_wide_grant_covers_what_comes_later(world: World, target: dict[str, Any]) -> None:
    """It covers connections made before it and after it, of this tenant alone."""
    callers.add(world.store, TENANT, "app", NOW)
    before = world.connect("u1").id
    added = grants.add(world.store, TENANT, "app", None, ALLOW, NOW, **target)
    after, foreign = world.connect("u1").id, world.connect("u1", OTHER).id
    assert covered(world, before) == covered(world, after) == [added.grant.id]
    assert covered(world, foreign) == []
    assert grants.page(world.store, TENANT, **target) == [added]
    assert grants.page(world.store, OTHER, **target) == []
    assert grants.page(world.store, TENANT, connection=before) == []
    connections.revoke(world.store, TENANT, before, NOW)
    assert covered(world, after) == [added.grant.id]


def test_a_grant_on_a_connection_dies_with_it(world: World) -> None:
    """After a revocation the grant is revoked too, and the wide ones are not."""
    callers.add(world.store, TENANT, "app", NOW)
    connection = world.connect("u1").id
    narrow = grants.add(world.store, TENANT, "app", connection, ALLOW, NOW)
    wide = grants.add(world.store, TENANT, "app", None, ALLOW, NOW, provider=ACME)
    connections.revoke(world.store, TENANT, connection, NOW + 1)
    assert grants.show(world.store, TENANT, narrow.grant.id).revoked_at == NOW + 1
    assert grants.show(world.store, TENANT, wide.grant.id).revoked_at is None


def test_a_rule_about_bodies_is_read_as_it_was_stored(world: World) -> None:
    """The gateway reads what the operator wrote, spaces, quotes and other letters included."""
    callers.add(world.store, TENANT, "app", NOW)
    connection = world.connect("u1").id
    texts = ['POST /rpc body $.a in ["x  y", "\u00e9\\""] and $.b = null', "GET /v1/**"]
    added = grants.add(world.store, TENANT, "app", connection, texts, NOW)
    assert isinstance(added.grant.allow[0], BodyRule)
    assert grants.page(world.store, TENANT) == [added]
    lookup = CallLookup(world.store.path)
    (row,) = lookup.grants(added.grant.caller, connection)
    lookup.close()
    assert row.allow == added.grant.allow


@pytest.mark.parametrize("text", ["POST /rpc body $.a ~ 1", "POST /** body", "* /** x /**"])
def test_a_stored_rule_that_can_not_be_read_allows_nothing(text: str) -> None:
    """A later version may have written it; what it would narrow is not granted whole."""
    (rule,) = rules_from_json([text])
    compiled = compile_rules([rule])
    for path in ("/rpc", "/", "/x", "/x/y"):
        assert compiled.find("POST", path) is None
        assert compiled.find_bodies("POST", path) == ()
    assert str(rule) == text


@pytest.mark.parametrize(
    ("connection", "wide"),
    [
        (None, {}),
        ("c" * 26, {"provider": ACME}),
        ("c" * 26, {"subject": "u1"}),
        (None, {"provider": ACME, "subject": "u1"}),
    ],
)
def test_a_grant_is_over_one_thing(
    world: World, connection: ConnectionId | None, wide: dict[str, Any]
) -> None:
    """Neither nothing nor two things are granted: it would be everything by omission."""
    callers.add(world.store, TENANT, "app", NOW)
    with pytest.raises(BadInput):
        grants.add(world.store, TENANT, "app", connection, ALLOW, NOW, **wide)


def test_a_wide_grant_wants_what_is_known(world: World) -> None:
    """A provider is at least proposed, and a subject is one of the tenant's."""
    callers.add(world.store, TENANT, "app", NOW)
    world.connect("theirs", OTHER)
    wrong: dict[str, Any]
    for wrong in ({"provider": ProviderId("absent")}, {"subject": "absent"}, {"subject": "theirs"}):
        with pytest.raises(NotFound):
            grants.add(world.store, TENANT, "app", None, ALLOW, NOW, **wrong)
    beta = ProviderId("beta")
    providers.propose(world.store, world.verifier, replace(PROVIDER, id=beta), NOW)
    added = grants.add(world.store, TENANT, "app", None, ALLOW, NOW, provider=beta)
    assert added.grant.provider == beta


def test_an_erased_subject_takes_its_grants_along(world: World) -> None:
    """A grant over a subject is gone with it, and does not come back when the subject does."""
    callers.add(world.store, TENANT, "app", NOW)
    world.connect("u1")
    added = grants.add(world.store, TENANT, "app", None, ALLOW, NOW, subject="u1")
    erasure.erase_subject(world.store, TENANT, "u1")
    with pytest.raises(NotFound):
        grants.show(world.store, TENANT, added.grant.id)
    assert covered(world, world.connect("u1").id) == []
