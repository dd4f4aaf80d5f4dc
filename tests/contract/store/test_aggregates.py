"""Each aggregate gives back what it was given, page by page, to its own tenant."""

from dataclasses import replace

import pytest
import sqlalchemy as sa

from bailee.errors import Conflict, NotFound
from bailee.model import (
    Caller,
    CallerId,
    CallerLimits,
    ConnectionId,
    ConnectionState,
    EgressId,
    EgressState,
    Grant,
    GrantId,
    ProviderId,
    Role,
    SealedCredential,
    TenantId,
    TokenId,
)
from bailee.secret import Secret
from bailee.store import (
    authority,
    callers,
    chains,
    connections,
    counts,
    egress,
    grants,
    pins,
    providers,
    revoking,
    tenants,
    tokens,
)
from bailee.store.engine import Store
from contract.store import rows
from contract.store.rows import CALLER, CONNECTION, EGRESS, NOW, OTHER, PROVIDER, SUBJECT, TENANT


@pytest.fixture
def seeded(store: Store) -> Store:
    """A store with one of everything."""
    with store.write() as conn:
        rows.seed(conn)
    return store


def test_authority_is_one_row(seeded: Store) -> None:
    """The authority comes back; a second one is refused; its repr shows no wrapped key."""
    with seeded.read() as conn:
        found = authority.find(conn)
    assert found == authority.StoredAuthority("ed25519/AA==", b"wrapped")
    assert "wrapped'" not in repr(found)
    with pytest.raises(Conflict), seeded.write() as conn:
        authority.insert(conn, authority.StoredAuthority("ed25519/BB==", b""))
    with pytest.raises(Conflict), seeded.write() as conn:
        conn.execute(sa.text("INSERT INTO authority VALUES (2, 'x', x'00')"))


def test_tenants_and_their_newest_key(seeded: Store) -> None:
    """Tenants come in pages; the newest key is the current one."""
    newer = tenants.StoredTenantKey("key_b", TENANT, rows.signed("b"), b"wrapped b", NOW + 1)
    with seeded.write() as conn:
        tenants.insert_key(conn, newer)
    with seeded.read() as conn:
        first = tenants.list_page(conn, after=None, limit=1)
        rest = tenants.list_page(conn, after=first[0].id, limit=5)
        assert [tenant.id for tenant in first + rest] == [TENANT, OTHER]
        assert tenants.current_key(conn, TENANT) == newer
        assert [key.id for key in tenants.list_keys(conn, TENANT)] == ["key_a", "key_b"]
        assert tenants.current_key(conn, OTHER) is None
        assert tenants.find(conn, TenantId("absent")) is None


def test_providers_newest_and_proposals(seeded: Store) -> None:
    """The highest serial is the newest; a proposal takes the place of the one before."""
    other = ProviderId("b")
    with seeded.write() as conn:
        providers.insert(conn, providers.StoredProvider(other, 1, rows.signed("b"), NOW))
        for document in (b"one", b"two"):
            providers.propose(conn, providers.StoredProposal(other, document, NOW))
    with seeded.read() as conn:
        newest = providers.newest(conn, PROVIDER)
        assert newest is not None
        assert (newest.serial, newest.signed) == (2, rows.signed("provider 2"))
        page = providers.list_page(conn, after=None, limit=10)
        assert [(each.id, each.serial) for each in page] == [(PROVIDER, 2), (other, 1)]
        assert [each.id for each in providers.list_page(conn, after=PROVIDER, limit=1)] == [other]
        proposal = providers.find_proposal(conn, other)
        assert proposal is not None
        assert proposal.document == b"two"
        assert providers.list_proposals(conn, after=None, limit=9) == [proposal]
        assert providers.newest(conn, ProviderId("absent")) is None
    with pytest.raises(Conflict), seeded.write() as conn:
        providers.insert(conn, providers.StoredProvider(other, 1, rows.signed("x"), NOW))
    with seeded.write() as conn:
        providers.drop_proposal(conn, other)
        assert providers.find_proposal(conn, other) is None


def test_pins_newest_by_origin(seeded: Store) -> None:
    """Each origin has a newest set of its own."""
    with seeded.write() as conn:
        pins.insert(conn, pins.StoredPinSet(PROVIDER, "ws", 7, rows.signed("ws"), NOW))
    with seeded.read() as conn:
        newest = pins.list_newest(conn)
        assert [(each.origin, each.serial) for each in newest] == [("rest", 2), ("ws", 7)]
        assert pins.newest(conn, PROVIDER, "rest") == newest[0]
        assert pins.list_newest(conn, ProviderId("absent")) == []
    with pytest.raises(Conflict), seeded.write() as conn:
        pins.insert(conn, pins.StoredPinSet(PROVIDER, "ws", 7, rows.signed("x"), NOW))


def test_connections_are_found_by_their_tenant_alone(seeded: Store) -> None:
    """A connection, its subject's key and its sealed facts are the tenant's."""
    with seeded.read() as conn:
        assert connections.find(conn, TENANT, CONNECTION) == rows.connection()
        assert connections.find(conn, OTHER, CONNECTION) is None
        assert connections.subject_key(conn, TENANT, SUBJECT) == rows.JOURNAL_KEY
        assert connections.subject_key(conn, OTHER, SUBJECT) is None
        facts = connections.sealed_facts(conn, TENANT, CONNECTION, 1)
        assert facts is not None
        assert (facts.key_id, facts.trust_digest) == ("key_a", rows.TRUST)
        assert connections.sealed_facts(conn, OTHER, CONNECTION, 1) is None


def test_connections_are_listed_by_filter_and_page(seeded: Store) -> None:
    """Pages are whole and without overlap; every filter holds."""
    names = [letter * 26 for letter in "defg"]
    with seeded.write() as conn:
        connections.insert_subject(conn, TENANT, "u2", Secret(bytes(32)))
        for name in names:
            connections.insert(conn, replace(rows.connection(name), subject="u2"))
    with seeded.read() as conn:
        seen: list[str] = []
        after = None
        while page := connections.list_page(conn, TENANT, after=after, limit=2):
            seen += [each.id for each in page]
            after = page[-1].id
        assert seen == [CONNECTION, *names]
        found = connections.list_page(conn, TENANT, subject="u2", after=None, limit=9)
        assert [each.id for each in found] == names
        assert connections.list_page(conn, OTHER, after=None, limit=9) == []
        absent = ProviderId("absent")
        assert connections.list_page(conn, TENANT, provider=absent, after=None, limit=9) == []
        revoked = ConnectionState.REVOKED
        assert connections.list_page(conn, TENANT, state=revoked, after=None, limit=9) == []
        assert connections.count_by_egress(conn) == {EGRESS: 5}


def test_connection_versions_follow_each_other(seeded: Store) -> None:
    """Only the next version of an active connection of the tenant is taken."""
    second = SealedCredential(CONNECTION, 2, "key_a", rows.TRUST, b"x" * 60)
    with seeded.write() as conn:
        assert not connections.set_version(conn, TENANT, CONNECTION, 3)
        assert not connections.set_version(conn, OTHER, CONNECTION, 2)
        connections.insert_sealed(conn, second, NOW)
        assert connections.set_version(conn, TENANT, CONNECTION, 2)
        connections.drop_sealed(conn, CONNECTION, below=2)
        assert connections.sealed_facts(conn, TENANT, CONNECTION, 1) is None
        assert connections.sealed_facts(conn, TENANT, CONNECTION, 2) is not None
        assert revoking.revoke_many(conn, OTHER, NOW, connection=CONNECTION) == []
        assert len(revoking.revoke_many(conn, TENANT, NOW + 1, connection=CONNECTION)) == 1
        assert revoking.revoke_many(conn, TENANT, NOW + 2, connection=CONNECTION) == []
        found = connections.find(conn, TENANT, CONNECTION)
        assert found is not None
        assert (found.state, found.revoked_at) == (ConnectionState.REVOKED, NOW + 1)
        assert not connections.set_version(conn, TENANT, CONNECTION, 3)
        assert connections.count_by_egress(conn) == {}


@pytest.mark.parametrize("key", [b"", b"short", bytes(33)])
def test_journal_key_has_one_length(seeded: Store, key: bytes) -> None:
    """The database itself refuses a journal key that is not 32 bytes."""
    with pytest.raises(Conflict), seeded.write() as conn:
        connections.insert_subject(conn, TENANT, "u9", Secret(key))


def test_callers_by_id_and_name(seeded: Store) -> None:
    """A caller comes back with its allowlist; a revoked one frees its name."""
    with seeded.read() as conn:
        found = callers.find(conn, TENANT, CALLER)
        assert found is not None
        assert found.caller.allow_from == ("10.0.0.0/8", "192.0.2.1")
        assert callers.find_live(conn, TENANT, "app") == found
        assert callers.find(conn, OTHER, CALLER) is None
        assert callers.find_live(conn, OTHER, "app") is None
        assert callers.list_page(conn, OTHER, after=None, limit=9) == []
    second = Caller(CallerId("clr_b"), TENANT, "app")
    with pytest.raises(Conflict), seeded.write() as conn:
        callers.insert(conn, second, NOW)
    with seeded.write() as conn:
        assert not callers.revoke(conn, OTHER, CALLER, NOW)
        assert callers.revoke(conn, TENANT, CALLER, NOW)
        callers.insert(conn, second, NOW)
        assert len(callers.list_page(conn, TENANT, after=None, limit=9)) == 2


def test_limits_of_callers(seeded: Store) -> None:
    """They come back as they were set; a foreign tenant sets none, and nobody those of the dead."""
    limits = CallerLimits(20, None)
    with seeded.write() as conn:
        callers.insert(conn, Caller(CallerId("clr_b"), TENANT, "b", limits=limits), NOW)
        found = callers.find(conn, TENANT, CallerId("clr_b"))
        assert found is not None
        assert found.caller.limits == limits
        before = callers.find(conn, TENANT, CALLER)
        assert before is not None
        assert before.caller.limits == CallerLimits()
        assert not callers.set_limits(conn, OTHER, CALLER, limits)
        assert callers.find(conn, TENANT, CALLER) == before
        assert callers.set_limits(conn, TENANT, CALLER, CallerLimits(1, 2))
        after = callers.find(conn, TENANT, CALLER)
        assert after is not None
        assert after.caller == replace(before.caller, limits=CallerLimits(1, 2))
        assert callers.find(conn, TENANT, CallerId("clr_b")) == found
        callers.revoke(conn, TENANT, CALLER, NOW)
        assert not callers.set_limits(conn, TENANT, CALLER, limits)


@pytest.mark.parametrize("column", ["calls_per_second", "concurrent"])
@pytest.mark.parametrize("wrong", ["0", "-1", "1000001", "'many'"])
def test_limits_out_of_bounds_are_refused(seeded: Store, column: str, wrong: str) -> None:
    """The database itself keeps none that a gateway could not keep to."""
    with pytest.raises(Conflict), seeded.write() as conn:
        conn.execute(sa.text(f"UPDATE callers SET {column} = {wrong}"))
    for right in ("1", "1000000", "NULL"):
        with seeded.write() as conn:
            conn.execute(sa.text(f"UPDATE callers SET {column} = {right}"))


def test_tokens_by_digest(seeded: Store) -> None:
    """A token is found by its digest; its repr has none; revocation is the tenant's."""
    with seeded.write() as conn:
        found = tokens.find_by_digest(conn, rows.DIGEST)
        assert found == rows.token()
        assert "ddd" not in repr(found)
        assert tokens.find_by_digest(conn, bytes(32)) is None
        assert tokens.find(conn, OTHER, found.id) is None
        assert not tokens.revoke(conn, OTHER, found.id, NOW)
        tokens.insert(conn, rows.token("tok_b"), b"e" * 32)
        assert tokens.revoke(conn, TENANT, found.id, NOW)
        assert not tokens.revoke(conn, TENANT, found.id, NOW)
        assert tokens.revoke_of_caller(conn, OTHER, CALLER, NOW) == 0
        assert tokens.revoke_of_caller(conn, TENANT, CALLER, NOW) == 1
        assert len(tokens.list_page(conn, TENANT, caller=CALLER, after=None, limit=9)) == 2
        assert tokens.list_page(conn, OTHER, after=None, limit=9) == []


@pytest.mark.parametrize(
    ("role", "caller", "digest"),
    [
        (Role.CALLER, None, b"x" * 32),
        (Role.OPERATOR, CALLER, b"x" * 32),
        (Role.OPERATOR, None, b"x" * 31),
        (Role.OPERATOR, None, rows.DIGEST),
    ],
)
def test_database_refuses_a_wrong_token(
    seeded: Store, role: Role, caller: CallerId | None, digest: bytes
) -> None:
    """A caller's token has a caller and an operator's has none; digests are 32 bytes and unique."""
    wrong = replace(rows.token("tok_c"), id=TokenId("tok_c"), role=role, caller=caller)
    with pytest.raises(Conflict), seeded.write() as conn:
        tokens.insert(conn, wrong, digest)


def test_grants_give_their_rules_back(seeded: Store) -> None:
    """Rules come back as they were; a grant is the tenant's."""
    with seeded.write() as conn:
        found = grants.find(conn, TENANT, rows.GRANT.id)
        assert found is not None
        assert found.grant == rows.GRANT
        assert grants.find(conn, OTHER, rows.GRANT.id) is None
        assert grants.list_page(conn, TENANT, caller=CALLER, after=None, limit=9) == [found]
        assert grants.list_page(conn, TENANT, connection=CONNECTION, after=None, limit=9) == [found]
        absent = ConnectionId("z" * 26)
        assert grants.list_page(conn, TENANT, connection=absent, after=None, limit=9) == []
        assert grants.list_page(conn, OTHER, after=None, limit=9) == []
        assert not grants.revoke(conn, OTHER, rows.GRANT.id, NOW)
        assert grants.revoke(conn, TENANT, rows.GRANT.id, NOW)
        assert grants.revoke_of_caller(conn, TENANT, CALLER, NOW) == 0


def test_database_refuses_a_grant_across_tenants(seeded: Store) -> None:
    """A grant of one tenant can't name another's caller or connection, whoever writes it."""
    wrong = Grant(GrantId("grt_x"), CALLER, CONNECTION, rows.GRANT.allow)
    with pytest.raises(Conflict), seeded.write() as conn:
        grants.insert(conn, OTHER, wrong, NOW)
    with pytest.raises(Conflict), seeded.write() as conn:
        conn.execute(sa.text("UPDATE grants SET tenant_id = 'other'"))


def test_egress_statements_follow_each_other(seeded: Store) -> None:
    """Only the next statement of an address takes the place of its last."""
    retired = replace(rows.ADDRESS, state=EgressState.RETIRED, serial=2)
    with seeded.write() as conn:
        assert not egress.update(conn, replace(retired, serial=3), rows.signed("x"))
        assert egress.update(conn, retired, rows.signed("retired"))
        found = egress.find(conn, EGRESS)
        assert found is not None
        assert (found.address, found.signed) == (retired, rows.signed("retired"))
        assert egress.find(conn, EgressId("absent")) is None
        again = replace(rows.ADDRESS, id=EgressId("egr_b"))
        egress.insert(conn, egress.StoredEgress(again, rows.signed("b"), NOW + 1))
        assert [each.address.id for each in egress.list_all(conn)] == [EGRESS, "egr_b"]
    third = replace(rows.ADDRESS, id=EgressId("egr_c"))
    with pytest.raises(Conflict), seeded.write() as conn:
        egress.insert(conn, egress.StoredEgress(third, rows.signed("c"), NOW))


def test_chain_heads_only_advance(seeded: Store) -> None:
    """A head never goes back, nothing follows the end, and an unknown chain is said so."""
    register = chains.ChainRows(seeded)
    register.register("keeper-1", "keeper", "keeper-1.jsonl", NOW)
    register.store_head("gateway-1", 5, "aa", NOW + 1)
    register.store_head("gateway-1", 3, "bb", NOW + 2)
    register.close("gateway-1", 6, "cc", NOW + 3)
    register.store_head("gateway-1", 9, "dd", NOW + 4)
    with seeded.read() as conn:
        found = chains.list_page(conn, after=None, limit=9)
    gateway = chains.StoredChain(
        "gateway-1", "gateway", "gateway-1.jsonl", NOW, 6, "cc", NOW + 3, NOW + 3
    )
    assert found == [gateway, chains.StoredChain("keeper-1", "keeper", "keeper-1.jsonl", NOW)]
    with pytest.raises(Conflict):
        register.register("keeper-1", "keeper", "keeper-1.jsonl", NOW)
    for write in (register.store_head, register.close):
        with pytest.raises(NotFound):
            write("absent", 1, "aa", NOW)


def test_checkpoints_keep_their_order(seeded: Store) -> None:
    """Checkpoints come back in the order in which they were made."""
    with seeded.write() as conn:
        for number in range(3):
            chains.insert_checkpoint(conn, rows.signed(str(number)), NOW + number)
        first = chains.list_checkpoints(conn, after=None, limit=1)
        rest = chains.list_checkpoints(conn, after=first[0].id, limit=9)
    assert [each.signed.payload for each in first + rest] == [b"0", b"1", b"2"]


def test_counts_are_the_tenants(seeded: Store) -> None:
    """Counts have every state and nothing of another tenant."""
    with seeded.read() as conn:
        mine, others = counts.count(conn, TENANT), counts.count(conn, OTHER)
    assert mine.connections == {"active": 1, "revoked": 0}
    assert (mine.callers, mine.grants, mine.jobs["waiting"]) == (1, 1, 1)
    assert sum(others.connections.values()) + others.callers + others.grants == 0
