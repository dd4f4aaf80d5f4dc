"""Imports: each connection of a lot stands for itself, and the lot may come again."""

from dataclasses import replace

import pytest
import sqlalchemy as sa

from bailee.errors import BadInput, NotFound, TrustBroken
from bailee.manage import connections, imports, providers
from bailee.manage.ids import new_connection_id
from bailee.manage.imports import Imported, ImportOutcome, NewConnection, add_many
from bailee.model import ConnectionId, ConnectionState, ProviderId, SealContext, TenantId
from bailee.providers.trust import trust_digest
from bailee.store.lookup import CallLookup
from bailee.vault.opening import open_credential
from bailee.vault.statements import sign_tenant_key
from unit.manage.world import ACME, CREDENTIAL, NOW, OTHER, PROVIDER, TENANT, World, moved

ADDED, EXISTS, REFUSED = ImportOutcome.ADDED, ImportOutcome.EXISTS, ImportOutcome.REFUSED


def new(world: World, subject: str = "u1", tenant: TenantId = TENANT) -> NewConnection:
    """A connection to be added."""
    return NewConnection(ACME, subject, world.sealed(tenant=tenant))


def add(world: World, *items: NewConnection, tenant: TenantId = TENANT) -> list[Imported]:
    """Add a lot."""
    return add_many(world.store, world.verifier, tenant, items, NOW)


def test_a_lot_is_added_in_order(world: World) -> None:
    """All are added as one by one: they open, are spread, and share their subjects' keys."""
    world.publish("b")
    lot = [new(world, f"u{number % 3}") for number in range(10)]
    reports = add(world, *lot)
    assert reports == [Imported(item.sealed.connection, ADDED) for item in lot]
    lookup = CallLookup(world.store.path)
    rows = [lookup.connection(item.sealed.connection) for item in lot]
    key = lookup.tenant_key(TENANT, lot[0].sealed.key_id)
    lookup.close()
    assert [row.sealed for row in rows if row is not None] == [item.sealed for item in lot]
    assert [row.subject for row in rows if row is not None] == [item.subject for item in lot]
    egress = [row.egress for row in rows if row is not None]
    assert sorted(map(egress.count, set(egress))) == [5, 5]
    assert len({row.journal_key.reveal() for row in rows if row is not None}) == 3
    assert key is not None
    private = world.keyring.tenant_private(world.key(), key[1])
    place = SealContext(TENANT, lot[9].sealed.connection, 1, trust_digest(PROVIDER))
    assert open_credential(lot[9].sealed, place, private) == CREDENTIAL


def test_a_lot_may_come_again(world: World) -> None:
    """What was added exists, in the same lot too; the rest is added; what was revoked stays so."""
    first, second = new(world), new(world)
    add(world, first)
    reports = add(world, first, second, second)
    assert [each.outcome for each in reports] == [EXISTS, ADDED, EXISTS]
    assert len(connections.page(world.store, TENANT)) == 2
    connections.revoke(world.store, TENANT, first.sealed.connection, NOW)
    again = add(world, first)[0]
    assert (again.outcome, again.code) == (REFUSED, "connection-revoked")
    shown = connections.page(world.store, TENANT, state=ConnectionState.ACTIVE)
    assert [each.id for each in shown] == [second.sealed.connection]


def test_what_is_faulty_keeps_nothing_else_out(world: World) -> None:
    """Each faulty one is refused with its reason, and all others are added."""
    beta = replace(PROVIDER, id=ProviderId("beta"))
    providers.propose(world.store, world.verifier, beta, NOW)
    good = new(world)
    taken = new(world)
    add(world, taken)
    sealed = good.sealed
    faulty = {
        "a bad subject": (replace(new(world), subject="a\nb"), "bad-input"),
        "a bad id": (
            replace(good, sealed=replace(sealed, connection=ConnectionId("A"))),
            "bad-input",
        ),
        "a surrogate": (
            replace(good, sealed=replace(sealed, connection=ConnectionId("\ud800"))),
            "bad-input",
        ),
        "a stump": (
            NewConnection(ACME, "u1", replace(world.sealed(), ciphertext=b"x")),
            "bad-input",
        ),
        "no provider": (replace(new(world), provider=ProviderId("absent")), "not-found"),
        "a proposal": (replace(new(world), provider=beta.id), "provider-not-approved"),
        "a version": (NewConnection(ACME, "u1", world.sealed(2)), "conflict"),
        "a key": (NewConnection(ACME, "u1", world.sealed(tenant=OTHER)), "conflict"),
        "a record": (NewConnection(ACME, "u1", world.sealed(provider=moved(PROVIDER))), "conflict"),
        "another's id": (replace(taken, subject="u2"), "conflict"),
        "no address": (replace(new(world), egress_name="absent"), "no-egress-address"),
    }
    last = new(world)
    reports = add(world, good, *(item for item, _ in faulty.values()), last)
    for (name, (item, code)), report in zip(faulty.items(), reports[1:-1], strict=True):
        assert (report.outcome, report.code) == (REFUSED, code), name
        assert report.connection == item.sealed.connection
        assert report.detail, name
    assert (reports[0].outcome, reports[-1].outcome) == (ADDED, ADDED)
    found = {each.id for each in connections.page(world.store, TENANT)}
    assert found == {each.sealed.connection for each in (good, taken, last)}


def test_another_tenants_id_is_taken(world: World) -> None:
    """An id is used once across tenants; whose it is, is not said."""
    theirs = world.connect("u1", OTHER).id
    item = NewConnection(ACME, "u1", world.sealed(connection=theirs))
    mine = new(world)
    assert [each.outcome for each in add(world, item, mine)] == [REFUSED, ADDED]
    assert [each.id for each in connections.page(world.store, OTHER)] == [theirs]


def test_two_tenants_import_the_same_names(world: World) -> None:
    """Subjects of the same name are different subjects."""
    add(world, new(world, "u1"))
    add(world, new(world, "u1", OTHER), tenant=OTHER)
    with world.store.read() as conn:
        keys = conn.execute(sa.text("SELECT journal_key FROM subjects")).scalars().all()
    assert len(set(keys)) == 2


def test_a_lot_has_a_bound(world: World) -> None:
    """Neither nothing nor more than 500 at once, and all 500 of them fit."""
    with pytest.raises(BadInput):
        add(world)
    item = new(world)
    with pytest.raises(BadInput):
        add(world, *[item] * (imports.IMPORT_LIMIT + 1))
    ids = [new_connection_id() for _ in range(imports.IMPORT_LIMIT)]
    lot = [
        replace(item, subject=name, sealed=replace(item.sealed, connection=name)) for name in ids
    ]
    assert {each.outcome for each in add(world, *lot)} == {ADDED}


def test_a_lot_wants_a_tenant_with_a_true_key(world: World) -> None:
    """Without the tenant, or its key as the authority signed it, nothing is added at all."""
    with pytest.raises(NotFound):
        add(world, new(world), tenant=TenantId("absent"))
    item = new(world)
    forged = sign_tenant_key(world.stranger, world.key())
    with world.store.write() as conn:
        conn.execute(sa.text("UPDATE tenant_keys SET signature = :s"), {"s": forged.signature})
    with pytest.raises(TrustBroken):
        add(world, item)
    assert connections.page(world.store, TENANT) == []
