"""After an erasure the journal verifies as before, and nobody can say whose its hashes are."""

from pathlib import Path

import pytest

from bailee.errors import NotFound
from bailee.journal.entry import Intent, subject_hash
from bailee.journal.verify import verify
from bailee.journal.writer import Journal
from bailee.manage import erasure, incident
from bailee.model import CallerId, CallId, EgressId, TokenId
from bailee.store import chains
from bailee.store.connections import StoredConnection
from bailee.store.lookup import CallLookup
from bailee.store.revoking import RevokedConnection
from bailee.store.scope import ALL_TENANTS
from bailee.vault.authority import Label
from unit.manage.world import ACME, NOW, OTHER, TENANT, World


def hash_of(world: World, connection: StoredConnection) -> str:
    """The subject of a connection as it stands in the journal."""
    lookup = CallLookup(world.store.path)
    row = lookup.connection(connection.id)
    lookup.close()
    assert row is not None
    return subject_hash(row.journal_key.reveal(), row.subject)


def intent(connection: StoredConnection, subject: str) -> Intent:
    """A call that is about to leave."""
    return Intent(
        call=CallId("call1"),
        at=NOW,
        tenant=connection.tenant,
        caller=CallerId("clr_a"),
        token=TokenId("tok_a"),
        connection=connection.id,
        version=1,
        provider=connection.provider,
        origin="rest",
        subject=subject,
        method="GET",
        path="/v1/balance",
        egress=EgressId("egr_a"),
    )


def test_the_chain_stays_whole_and_the_hashes_lead_nowhere(world: World, tmp_path: Path) -> None:
    """The journal's bytes are the same and sound; a subject of the same name hashes anew."""
    gone, stays = world.connect("alice"), world.connect("alice", OTHER)
    hashes = hash_of(world, gone), hash_of(world, stays)
    journal = Journal.open(tmp_path / "journal", "gateway", chains.ChainRows(world.store))
    journal.intend(intent(gone, hashes[0]))
    journal.intend(intent(stays, hashes[1]))
    journal.flush()
    journal.close()
    written = {file: file.read_bytes() for file in (tmp_path / "journal").iterdir()}
    erased = erasure.erase_subject(world.store, TENANT, "alice")
    assert erased.connections == (gone.id,)
    with world.store.read() as conn:
        registered = chains.list_page(conn, after=None, limit=9)
    report = verify(
        tmp_path / "journal",
        registered,
        (),
        lambda signed: world.verifier.verify(Label.CHECKPOINT, signed),
    )
    assert (report.sound, report.findings, report.chains) == (True, (), 1)
    assert {file: file.read_bytes() for file in (tmp_path / "journal").iterdir()} == written
    assert hash_of(world, world.connect("alice")) != hashes[0]
    assert hash_of(world, stays) == hashes[1]


def test_an_unknown_subject_is_not_erased(world: World) -> None:
    """A subject of another tenant is as unknown as one that never was; erased is erased."""
    world.connect("theirs", OTHER)
    for subject in ("absent", "theirs"):
        with pytest.raises(NotFound):
            erasure.erase_subject(world.store, TENANT, subject)
    erasure.erase_subject(world.store, OTHER, "theirs")
    with pytest.raises(NotFound):
        erasure.erase_subject(world.store, OTHER, "theirs")


def test_the_incident_button_tells_whom_it_concerns(world: World) -> None:
    """It revokes in its scope, tells each connection with its subject, and once."""
    mine, theirs = world.connect("u1"), world.connect("u1", OTHER)
    told = incident.revoke_many(world.store, TENANT, NOW, subject="u1")
    assert told == [RevokedConnection(mine.id, "u1", ACME, TENANT)]
    told = incident.revoke_many(world.store, ALL_TENANTS, NOW, provider=ACME)
    assert told == [RevokedConnection(theirs.id, "u1", ACME, OTHER)]
    assert incident.revoke_many(world.store, ALL_TENANTS, NOW) == []
