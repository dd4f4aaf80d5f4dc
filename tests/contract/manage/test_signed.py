"""What counts only with the authority's signature: providers, pins, egress addresses, tenants."""

from dataclasses import replace

import pytest
import sqlalchemy as sa

from bailee.errors import (
    BadInput,
    Conflict,
    NoEgressAddress,
    NotFound,
    ProviderNotApproved,
    TrustBroken,
)
from bailee.manage import egress, jobs, pins, providers, tenants
from bailee.manage.providers import ProviderState
from bailee.manage.status import status
from bailee.model import EgressAddress, EgressId, EgressState, PinSet, ProviderId, TenantId
from bailee.store import providers as provider_rows
from bailee.store.schema import SCHEMA_REVISION
from bailee.vault.statements import (
    sign_egress_address,
    sign_provider,
    sign_tenant_key,
    verified_provider,
)
from unit.manage.world import (
    ACME,
    NOW,
    PIN_A,
    PIN_B,
    PROVIDER,
    TENANT,
    World,
    moved,
    pin_set,
)

BETA = replace(PROVIDER, id=ProviderId("beta"))


def test_proposal_changes_nothing_that_is_approved(world: World) -> None:
    """A proposed change shows, and the approved record stays what it was."""
    standing = providers.propose(world.store, world.verifier, moved(PROVIDER), NOW)
    assert standing.state is ProviderState.CHANGED
    assert (standing.approved, standing.proposed) == (PROVIDER, moved(PROVIDER))
    same = providers.propose(world.store, world.verifier, PROVIDER, NOW)
    assert (same.state, same.proposed) == (ProviderState.APPROVED, None)


def test_approval_takes_the_proposal_away(world: World) -> None:
    """Proposed, then approved; a proposal that differs from what was signed stays."""
    first = providers.propose(world.store, world.verifier, BETA, NOW)
    assert (first.state, first.serial, first.approved) == (ProviderState.PROPOSED, 0, None)
    signed = sign_provider(world.authority, BETA, 1)
    standing = providers.approve(world.store, world.verifier, signed, NOW)
    assert (standing.state, standing.serial, standing.proposed) == (ProviderState.APPROVED, 1, None)
    providers.propose(world.store, world.verifier, moved(BETA, "new.test"), NOW)
    signed = sign_provider(world.authority, moved(BETA, "third.test"), 2)
    standing = providers.approve(world.store, world.verifier, signed, NOW)
    assert (standing.state, standing.proposed) == (ProviderState.CHANGED, moved(BETA, "new.test"))


@pytest.mark.parametrize("serial", [1, 3, 9])
def test_approval_follows_the_newest(world: World, serial: int) -> None:
    """A serial that is used up, or that skips one, is a conflict."""
    assert providers.next_serial(world.store, ACME) == 2
    with pytest.raises(Conflict, match="2 is due"):
        signed = sign_provider(world.authority, moved(PROVIDER), serial)
        providers.approve(world.store, world.verifier, signed, NOW)
    assert providers.show(world.store, world.verifier, ACME).approved == PROVIDER


def test_approval_by_a_stranger_is_refused(world: World) -> None:
    """Only the authority approves: neither another key nor a statement of another kind."""
    for signed in (
        sign_provider(world.stranger, moved(PROVIDER), 2),
        world.pins(pin_set(2, PIN_A, PIN_B)),
    ):
        with pytest.raises(TrustBroken):
            providers.approve(world.store, world.verifier, signed, NOW)
    assert providers.next_serial(world.store, ACME) == 2


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE providers SET payload = replace(payload, 'api.acme', 'evil.acm') WHERE id = 'acme'",
        "UPDATE providers SET serial = 7 WHERE id = 'acme'",
        (
            "UPDATE providers SET payload = (SELECT payload FROM providers WHERE id = 'beta'),"
            " signature = (SELECT signature FROM providers WHERE id = 'beta') WHERE id = 'acme'"
        ),
    ],
    ids=["altered", "another serial", "swapped"],
)
def test_an_altered_row_is_broken(world: World, change: str) -> None:
    """A record that was altered, swapped, or put under another serial is broken."""
    world.approve(BETA)
    with world.store.write() as conn:
        conn.execute(sa.text(change))
    states = {each.id: each.state for each in providers.page(world.store, world.verifier)}
    assert states == {"acme": ProviderState.BROKEN, "beta": ProviderState.APPROVED}
    with pytest.raises(TrustBroken):
        pins.request_learn(world.store, world.verifier, TENANT, ACME, NOW)


def test_a_damaged_proposal_is_shown_as_none(world: World) -> None:
    """A proposal that can't be read harms nothing."""
    providers.propose(world.store, world.verifier, BETA, NOW)
    with world.store.write() as conn:
        conn.execute(sa.text("UPDATE provider_proposals SET document = x'00'"))
    standing = providers.show(world.store, world.verifier, BETA.id)
    assert (standing.state, standing.proposed) == (ProviderState.PROPOSED, None)


def test_providers_come_in_pages(world: World) -> None:
    """Approved and proposed ones are merged in the order of their ids, none left out."""
    for name in ("b1", "d1", "f1"):
        world.approve(replace(PROVIDER, id=ProviderId(name)))
    for name in ("c1", "d1", "g1"):
        changed = replace(moved(PROVIDER), id=ProviderId(name))
        providers.propose(world.store, world.verifier, changed, NOW)
    seen: list[tuple[str, str]] = []
    after = None
    while page := providers.page(world.store, world.verifier, after=after, limit=2):
        seen += [(each.id, each.state) for each in page]
        after = page[-1].id
    assert seen == [
        ("acme", "approved"),
        ("b1", "approved"),
        ("c1", "proposed"),
        ("d1", "changed"),
        ("f1", "approved"),
        ("g1", "proposed"),
    ]
    with pytest.raises(NotFound):
        providers.show(world.store, world.verifier, ProviderId("absent"))


def test_the_signed_record_is_what_the_gateway_reads(world: World) -> None:
    """The newest signed record verifies and is the provider that was approved last."""
    world.approve(moved(PROVIDER, "new.test"))
    with world.store.read() as conn:
        newest = provider_rows.newest(conn, ACME)
    assert newest is not None
    assert verified_provider(world.verifier, newest.signed)[0] == moved(PROVIDER, "new.test")


def test_pins_are_stored_one_after_another(world: World) -> None:
    """Sets of an origin follow each other; the newest is the one that counts."""
    pins.approve(world.store, world.verifier, world.pins(pin_set(1, PIN_A)), NOW)
    pins.approve(world.store, world.verifier, world.pins(pin_set(2, PIN_A, PIN_B)), NOW)
    pins.approve(world.store, world.verifier, world.pins(pin_set(1, PIN_B, origin="ws")), NOW)
    found = pins.list_all(world.store, world.verifier, ACME)
    assert [(each.origin, each.serial) for each in found] == [("rest", 2), ("ws", 1)]
    assert pins.show(world.store, world.verifier, ACME, "rest").pins == pin_set(2, PIN_A, PIN_B)
    assert pins.next_serial(world.store, ACME, "rest") == 3
    assert pins.next_serial(world.store, ACME, "absent") == 1
    with pytest.raises(Conflict):
        pins.approve(world.store, world.verifier, world.pins(pin_set(2, PIN_B)), NOW)
    with pytest.raises(NotFound):
        pins.show(world.store, world.verifier, ACME, "absent")


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        (PinSet(ACME, "rest", 1, (PIN_A,), danger_no_backup=False), TrustBroken),
        (PinSet(ACME, "rest", 1, (), danger_no_backup=True), TrustBroken),
        (PinSet(ACME, "absent", 1, (PIN_A, PIN_B), danger_no_backup=False), NotFound),
        (PinSet(ProviderId("absent"), "rest", 1, (PIN_A, PIN_B), danger_no_backup=False), NotFound),
        (PinSet(BETA.id, "rest", 1, (PIN_A, PIN_B), danger_no_backup=False), ProviderNotApproved),
        (PinSet(ACME, "rest", 2, (PIN_A, PIN_B), danger_no_backup=False), Conflict),
    ],
)
def test_pins_that_are_refused(world: World, wrong: PinSet, error: type[Exception]) -> None:
    """No set without a backup by accident, of an unknown origin, or out of order."""
    providers.propose(world.store, world.verifier, BETA, NOW)
    with pytest.raises(error):
        pins.approve(world.store, world.verifier, world.pins(wrong), NOW)
    assert pins.list_all(world.store, world.verifier) == []


def test_pins_of_a_stranger(world: World) -> None:
    """A stranger's set is refused, and one that was put in by SQL is shown as none."""
    good = pin_set(1, PIN_A, PIN_B)
    with pytest.raises(TrustBroken):
        pins.approve(world.store, world.verifier, world.pins(good, world.stranger), NOW)
    pins.approve(world.store, world.verifier, world.pins(good), NOW)
    with world.store.write() as conn:
        conn.execute(sa.text("UPDATE pin_sets SET origin = 'ws'"))
    assert [each.pins for each in pins.list_all(world.store, world.verifier)] == [None]


def test_learning_is_a_job(world: World) -> None:
    """A job names provider, origin and an active egress address, and waits for the keeper."""
    job = pins.request_learn(world.store, world.verifier, TENANT, ACME, NOW)
    assert (job.kind, job.egress) == (pins.LEARN_PIN, "a")
    assert job.arguments == {"provider": "acme", "origin": "rest"}
    named = pins.request_learn(world.store, world.verifier, TENANT, ACME, NOW, origin="ws")
    assert named.arguments["origin"] == "ws"
    assert jobs.show(world.store, TENANT, job.id) == job
    with pytest.raises(NotFound):
        pins.request_learn(world.store, world.verifier, TENANT, ACME, NOW, origin="absent")
    with pytest.raises(NoEgressAddress):
        pins.request_learn(world.store, world.verifier, TENANT, ACME, NOW, egress_name="absent")
    providers.propose(world.store, world.verifier, BETA, NOW)
    with pytest.raises(ProviderNotApproved):
        pins.request_learn(world.store, world.verifier, TENANT, BETA.id, NOW)


def address(**changes: object) -> EgressAddress:
    """A second egress address."""
    plain = EgressAddress(EgressId("egr_b"), "b", "203.0.113.8", EgressState.ACTIVE, 1)
    return replace(plain, **changes)  # type: ignore[arg-type]  # a table of wrong values


def test_egress_is_published_and_retired(world: World) -> None:
    """An address is active until its retirement, which is final and frees its name."""
    first = sign_egress_address(world.authority, address())
    assert egress.add(world.store, world.verifier, first, NOW) == address()
    assert egress.find(world.store, world.verifier, "b") == address()
    gone = address(state=EgressState.RETIRED, serial=2)
    standing = egress.retire(
        world.store, world.verifier, sign_egress_address(world.authority, gone)
    )
    assert (standing.address, standing.connections, standing.broken) == (gone, 0, False)
    with pytest.raises(NotFound):
        egress.find(world.store, world.verifier, "b")
    assert egress.find(world.store, world.verifier, "egr_b") == gone
    again = sign_egress_address(world.authority, address(id=EgressId("egr_c")))
    egress.add(world.store, world.verifier, again, NOW)
    names = [each.address.name for each in egress.list_all(world.store, world.verifier)]
    assert sorted(names) == ["a", "b", "b"]


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        (address(serial=2), Conflict),
        (address(name="a"), Conflict),
        (address(name="a b"), BadInput),
        (address(public="example.test"), BadInput),
        (address(state=EgressState.RETIRED), BadInput),
    ],
)
def test_egress_that_is_refused(world: World, wrong: EgressAddress, error: type[Exception]) -> None:
    """An address has a free name, is an IP address, and begins active with serial 1."""
    with pytest.raises(error):
        egress.add(world.store, world.verifier, sign_egress_address(world.authority, wrong), NOW)


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        (address(state=EgressState.RETIRED, serial=1), Conflict),
        (address(state=EgressState.RETIRED, serial=3), Conflict),
        (address(state=EgressState.ACTIVE, serial=2), BadInput),
        (address(state=EgressState.RETIRED, serial=2, public="203.0.113.9"), BadInput),
        (address(state=EgressState.RETIRED, serial=2, id=EgressId("absent")), NotFound),
    ],
)
def test_retirement_that_is_refused(
    world: World, wrong: EgressAddress, error: type[Exception]
) -> None:
    """A retirement is the next statement of the address as it is."""
    first = sign_egress_address(world.authority, address())
    egress.add(world.store, world.verifier, first, NOW)
    with pytest.raises(Conflict):
        egress.add(world.store, world.verifier, first, NOW)
    with pytest.raises(error):
        egress.retire(world.store, world.verifier, sign_egress_address(world.authority, wrong))
    assert egress.find(world.store, world.verifier, "b") == address()


def test_egress_of_a_stranger(world: World) -> None:
    """A stranger publishes and retires nothing; an altered row is shown as broken."""
    with pytest.raises(TrustBroken):
        signed = sign_egress_address(world.stranger, address())
        egress.add(world.store, world.verifier, signed, NOW)
    found = egress.find(world.store, world.verifier, "a")
    with pytest.raises(TrustBroken):
        gone = replace(found, state=EgressState.RETIRED, serial=2)
        egress.retire(world.store, world.verifier, sign_egress_address(world.stranger, gone))
    with world.store.write() as conn:
        conn.execute(sa.text("UPDATE egress_addresses SET public = '198.51.100.1'"))
    assert [each.broken for each in egress.list_all(world.store, world.verifier)] == [True]


def test_tenants(world: World) -> None:
    """A tenant has a DNS label as id and a key that the authority signed for it alone."""
    third = TenantId("third")
    key, wrapped = world.keyring.new_tenant_key(third)
    signed = sign_tenant_key(world.authority, key)
    with pytest.raises(TrustBroken):
        tenants.add(world.store, world.verifier, TenantId("fourth"), "", signed, wrapped, NOW)
    for name in ("", "Third", "a_b", "-a", "a" * 64, "a\n"):
        with pytest.raises(BadInput):
            tenants.add(world.store, world.verifier, TenantId(name), "", signed, wrapped, NOW)
    tenants.add(world.store, world.verifier, third, "Third", signed, wrapped, NOW)
    assert tenants.current_key(world.store, third) == signed
    with pytest.raises(Conflict):
        tenants.add(world.store, world.verifier, third, "", signed, wrapped, NOW)
    with pytest.raises(NotFound):
        tenants.current_key(world.store, TenantId("absent"))
    assert [each.id for each in tenants.page(world.store)] == ["default", "other", "third"]


def test_authority_is_installed_once(world: World) -> None:
    """The database has one authority."""
    assert tenants.show_authority(world.store).public == world.authority.public
    with pytest.raises(Conflict):
        tenants.install_authority(world.store, world.stranger.public, b"")


def test_status_counts(world: World) -> None:
    """Status tells of the tenant's rows and of what all share."""
    world.connect()
    providers.propose(world.store, world.verifier, BETA, NOW)
    pins.approve(world.store, world.verifier, world.pins(pin_set(1, PIN_A)), NOW)
    pins.request_learn(world.store, world.verifier, TENANT, ACME, NOW)
    found = status(world.store, world.verifier, TENANT)
    assert found.schema == SCHEMA_REVISION
    assert found.revision > 1
    assert found.providers == {"approved": 1, "proposed": 1, "changed": 0, "broken": 0}
    assert found.connections == {"active": 1, "revoked": 0}
    assert (found.pinned_origins, found.jobs["waiting"]) == (1, 1)
    assert [each.connections for each in found.egress] == [1]
