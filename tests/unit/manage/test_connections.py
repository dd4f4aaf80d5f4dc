"""Connections: what can't be opened later is not stored."""

from dataclasses import replace

import pytest
import sqlalchemy as sa

from bailee.errors import (
    BadInput,
    Conflict,
    ConnectionRevoked,
    NoEgressAddress,
    NotFound,
    ProviderNotApproved,
    TrustBroken,
)
from bailee.manage import connections, egress, providers, tenants
from bailee.manage.ids import is_connection_id, new_connection_id
from bailee.model import (
    ConnectionId,
    ConnectionState,
    EgressState,
    ProviderId,
    SealContext,
    SealedCredential,
    TenantId,
)
from bailee.providers.trust import trust_digest
from bailee.store.lookup import CallLookup
from bailee.vault.opening import open_credential
from bailee.vault.statements import sign_egress_address, sign_tenant_key
from unit.manage.world import ACME, CREDENTIAL, NOW, OTHER, PROVIDER, TENANT, World, moved


def test_add_stores_what_opens(world: World) -> None:
    """What was added is active, opens in its place, and leaves from the published address."""
    sealed = world.sealed()
    added = connections.add(world.store, world.verifier, TENANT, ACME, "u1", sealed, NOW)
    assert (added.id, added.state, added.version) == (sealed.connection, ConnectionState.ACTIVE, 1)
    lookup = CallLookup(world.store.path)
    row, key = lookup.connection(added.id), lookup.tenant_key(TENANT, sealed.key_id)
    lookup.close()
    assert row is not None
    assert row.sealed == sealed
    assert key is not None
    private = world.keyring.tenant_private(world.key(), key[1])
    place = SealContext(TENANT, added.id, 1, trust_digest(PROVIDER))
    assert open_credential(sealed, place, private) == CREDENTIAL


def test_subject_keeps_its_journal_key(world: World) -> None:
    """Connections of one subject share a random journal key; other subjects have others."""
    ids = [world.connect("u1").id, world.connect("u1").id, world.connect("u2").id]
    ids.append(world.connect("u1", OTHER).id)
    lookup = CallLookup(world.store.path)
    rows = [lookup.connection(each) for each in ids]
    lookup.close()
    keys = [row.journal_key.reveal() for row in rows if row is not None]
    assert keys[0] == keys[1]
    assert len(set(keys)) == 3
    assert {len(key) for key in keys} == {32}


@pytest.mark.parametrize("subject", ["", "x" * 257, "a\nb", "a\x00", "a\u202eb"])
def test_add_refuses_a_bad_subject(world: World, subject: str) -> None:
    """A subject is 1 to 256 printable characters."""
    with pytest.raises(BadInput):
        connections.add(world.store, world.verifier, TENANT, ACME, subject, world.sealed(), NOW)


@pytest.mark.parametrize("subject", ["u", "x" * 256, "Zoë 1/2"])
def test_add_takes_a_good_subject(world: World, subject: str) -> None:
    """A subject is the application's own choice."""
    assert world.connect(subject).subject == subject


@pytest.mark.parametrize(
    "name", ["", "a" * 25, "A" * 26, "1" * 26, "a" * 26 + "\n", "../" + "a" * 23]
)
def test_add_refuses_a_bad_id(world: World, name: str) -> None:
    """The id of a connection has one form."""
    sealed = replace(world.sealed(), connection=ConnectionId(name))
    with pytest.raises(BadInput):
        connections.add(world.store, world.verifier, TENANT, ACME, "u1", sealed, NOW)


@pytest.mark.parametrize("size", [0, 48, 64 * 1024 + 1])
def test_add_refuses_an_impossible_length(world: World, size: int) -> None:
    """A ciphertext shorter than key and tag, or larger than the bound, is refused."""
    sealed = replace(world.sealed(), ciphertext=bytes(size))
    with pytest.raises(BadInput):
        connections.add(world.store, world.verifier, TENANT, ACME, "u1", sealed, NOW)


def test_add_refuses_another_trust_record(world: World) -> None:
    """What was sealed to another host than the approved one is refused."""
    sealed = world.sealed(provider=moved(PROVIDER))
    with pytest.raises(Conflict, match="trust record"):
        connections.add(world.store, world.verifier, TENANT, ACME, "u1", sealed, NOW)


def test_add_refuses_another_key(world: World) -> None:
    """What was sealed to another tenant's or an older key is refused."""
    with pytest.raises(Conflict, match="another key"):
        connections.add(
            world.store, world.verifier, TENANT, ACME, "u1", world.sealed(tenant=OTHER), NOW
        )


def test_add_refuses_another_version_than_the_first(world: World) -> None:
    """A connection begins with version 1."""
    with pytest.raises(Conflict, match="version 2"):
        connections.add(world.store, world.verifier, TENANT, ACME, "u1", world.sealed(2), NOW)


def test_add_refuses_an_id_that_exists(world: World) -> None:
    """An id is used once, also across tenants."""
    first = world.connect()
    for tenant in (TENANT, OTHER):
        sealed = world.sealed(connection=first.id, tenant=tenant)
        with pytest.raises(Conflict):
            connections.add(world.store, world.verifier, tenant, ACME, "u2", sealed, NOW)


def test_add_wants_an_approved_provider_and_a_tenant(world: World) -> None:
    """Unknown, only proposed, and forged providers take no credential; nor does no tenant."""
    beta = replace(PROVIDER, id=ProviderId("beta"))

    def add(tenant: TenantId = TENANT, provider: ProviderId = beta.id) -> None:
        connections.add(world.store, world.verifier, tenant, provider, "u1", world.sealed(), NOW)

    with pytest.raises(NotFound):
        add()
    providers.propose(world.store, world.verifier, beta, NOW)
    with pytest.raises(ProviderNotApproved):
        add()
    with pytest.raises(NotFound):
        add(TenantId("absent"), ACME)
    with world.store.write() as conn:
        conn.execute(sa.text("UPDATE providers SET signature = zeroblob(64)"))
    with pytest.raises(TrustBroken):
        add(TENANT, ACME)


def test_add_refuses_a_replaced_tenant_key(world: World) -> None:
    """A tenant's key that the authority did not sign takes no credential."""
    sealed = world.sealed()
    forged = sign_tenant_key(world.stranger, world.key())
    with world.store.write() as conn:
        conn.execute(sa.text("UPDATE tenant_keys SET signature = :s"), {"s": forged.signature})
    with pytest.raises(TrustBroken):
        connections.add(world.store, world.verifier, TENANT, ACME, "u1", sealed, NOW)
    with pytest.raises(TrustBroken):
        tenants.add(world.store, world.verifier, TenantId("third"), "", forged, b"", NOW)


def test_egress_is_spread_and_can_be_named(world: World) -> None:
    """Without a name the address with the fewest connections is taken."""
    first = world.connect()
    second = world.publish("b")
    assert world.connect().egress == second.id
    sealed = world.sealed()
    named = connections.add(
        world.store, world.verifier, TENANT, ACME, "u1", sealed, NOW, egress_name="a"
    )
    assert named.egress == first.egress
    with pytest.raises(NoEgressAddress):
        connections.add(
            world.store, world.verifier, TENANT, ACME, "u1", world.sealed(), NOW, egress_name="c"
        )


def test_add_needs_an_egress_address(world: World) -> None:
    """A retired or a forged address takes no connection."""
    address = egress.find(world.store, world.verifier, "a")
    with world.store.write() as conn:
        conn.execute(sa.text("UPDATE egress_addresses SET public = '198.51.100.1'"))
    with pytest.raises(NoEgressAddress):
        world.connect()
    with world.store.write() as conn:
        conn.execute(sa.text("UPDATE egress_addresses SET public = :p"), {"p": address.public})
    world.connect()
    retired = replace(address, state=EgressState.RETIRED, serial=2)
    egress.retire(world.store, world.verifier, sign_egress_address(world.authority, retired))
    with pytest.raises(NoEgressAddress):
        world.connect()
    with world.store.write() as conn:
        conn.execute(sa.text("UPDATE egress_addresses SET state = 'active'"))
    with pytest.raises(NoEgressAddress):
        world.connect()


def test_show_never_has_a_ciphertext(world: World) -> None:
    """What is shown says whether the credential fits, and has no byte of it."""
    added = world.connect()
    detail = connections.show(world.store, world.verifier, TENANT, added.id)
    assert (detail.connection, detail.fits_trust, detail.sealed_at) == (added, True, NOW)
    assert detail.egress is not None
    assert detail.egress.public == "203.0.113.7"
    assert "ciphertext" not in repr(detail)
    world.approve(moved(PROVIDER))
    assert not connections.show(world.store, world.verifier, TENANT, added.id).fits_trust
    with world.store.write() as conn:
        conn.execute(sa.text("UPDATE providers SET signature = zeroblob(64)"))
    assert not connections.show(world.store, world.verifier, TENANT, added.id).fits_trust


def test_rotate_replaces_the_credential(world: World) -> None:
    """A rotation raises the version by one and deletes what was before."""
    added = world.connect()
    sealed = world.sealed(2, connection=added.id)
    assert connections.rotate(world.store, world.verifier, TENANT, sealed, NOW + 1).version == 2
    with world.store.read() as conn:
        stored = conn.execute(sa.text("SELECT version FROM sealed_versions")).scalars().all()
    assert stored == [2]
    for version in (1, 2, 4):
        wrong = world.sealed(version, connection=added.id)
        with pytest.raises(Conflict):
            connections.rotate(world.store, world.verifier, TENANT, wrong, NOW)


def test_rotate_has_the_checks_of_add(world: World) -> None:
    """Another trust record, another key, an unknown or a revoked connection are refused."""
    added = world.connect()

    def rotate(sealed: SealedCredential, tenant: TenantId = TENANT) -> None:
        connections.rotate(world.store, world.verifier, tenant, sealed, NOW)

    with pytest.raises(Conflict, match="trust record"):
        rotate(world.sealed(2, connection=added.id, provider=moved(PROVIDER)))
    with pytest.raises(Conflict, match="another key"):
        rotate(world.sealed(2, connection=added.id, tenant=OTHER))
    with pytest.raises(BadInput):
        rotate(replace(world.sealed(2, connection=added.id), ciphertext=b"short"))
    with pytest.raises(NotFound):
        rotate(world.sealed(2))
    connections.revoke(world.store, TENANT, added.id, NOW)
    with pytest.raises(ConnectionRevoked):
        rotate(world.sealed(2, connection=added.id))


def test_revoke_is_final_and_deletes_the_credential(world: World) -> None:
    """After a revocation no sealed version is left; a second one changes nothing."""
    added = world.connect()
    revoked = connections.revoke(world.store, TENANT, added.id, NOW + 1)
    assert (revoked.state, revoked.revoked_at) == (ConnectionState.REVOKED, NOW + 1)
    assert connections.revoke(world.store, TENANT, added.id, NOW + 9) == revoked
    detail = connections.show(world.store, world.verifier, TENANT, added.id)
    assert (detail.sealed_at, detail.fits_trust) == (None, False)
    with world.store.read() as conn:
        assert conn.execute(sa.text("SELECT count(*) FROM sealed_versions")).scalar() == 0


def test_another_tenant_finds_nothing(world: World) -> None:
    """Show, rotate, revoke and list know nothing of another tenant's connection."""
    added = world.connect()
    with pytest.raises(NotFound):
        connections.show(world.store, world.verifier, OTHER, added.id)
    with pytest.raises(NotFound):
        connections.revoke(world.store, OTHER, added.id, NOW)
    with pytest.raises(NotFound):
        sealed = world.sealed(2, connection=added.id, tenant=OTHER)
        connections.rotate(world.store, world.verifier, OTHER, sealed, NOW)
    assert connections.page(world.store, OTHER) == []
    assert connections.page(world.store, TENANT) == [added]


def test_page_filters_and_bounds(world: World) -> None:
    """Filters hold, and a page has at most 1000 rows."""
    first, second = world.connect("u1"), world.connect("u2")
    connections.revoke(world.store, TENANT, second.id, NOW)
    active = connections.page(world.store, TENANT, state=ConnectionState.ACTIVE)
    assert active == [first]
    assert [each.id for each in connections.page(world.store, TENANT, subject="u2")] == [second.id]
    assert connections.page(world.store, TENANT, provider=ProviderId("absent")) == []
    for limit in (0, -1, 1001):
        with pytest.raises(BadInput):
            connections.page(world.store, TENANT, limit=limit)


def test_ids_have_their_form() -> None:
    """New ids are of the form, and no two are the same."""
    made = {new_connection_id() for _ in range(200)}
    assert len(made) == 200
    assert all(is_connection_id(each) for each in made)
    assert not is_connection_id("a" * 26 + "\n")
