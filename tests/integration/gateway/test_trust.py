"""Whoever writes the database can't get a key out: each record is believed in its place alone.

Every change is made by SQL while the gateway runs, after a call that shows that all is well. The
attacker's server has the origin's own certificate and key, so that TLS is no help against it.
"""

import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import pki
from bailee.manage import connections, tenants
from bailee.model import (
    DEFAULT_TENANT,
    ConnectionId,
    PinSet,
    Provider,
    SealContext,
    SealedCredential,
)
from bailee.providers.trust import trust_digest
from bailee.reference.pki import Issued, World
from bailee.secret import Secret
from bailee.signing.credential import parse_credential
from bailee.vault.authority import Authority
from bailee.vault.keyring import Keyring
from bailee.vault.sealing import seal
from bailee.vault.statements import (
    sign_pin_set,
    sign_provider,
    sign_tenant_key,
    verified_tenant_key,
)
from gate import run_gate
from house import House, build_house, make_provider
from integration.gateway.conftest import CREDENTIAL, Stage
from integration.gateway.staging import call, journal
from integration.gateway.tampering import (
    SECOND,
    Database,
    Tampering,
    held_up,
    moved,
    noticed,
    tampering,
)
from origin import Origin, run_origin

pytestmark = pytest.mark.anyio
ATTACKER = Authority(Ed25519PrivateKey.generate())
API, OTHER = "id = 'api'", "id = 'other'"
PINS = "provider_id = 'api'"
SEALED = "key_id, trust_digest, ciphertext"


@pytest.fixture
async def tampered(
    tmp_path: Path, world: World, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Tampering]:
    """A gateway that has just served a call: the stream is pooled and the credential is cached."""
    async with tampering(tmp_path, world, monkeypatch) as made:
        await made.noticed()
        assert (await call(made.stage)).status == 200
        assert made.opened == [made.stage.connection]
        yield made


async def assert_nothing_leaves(made: Tampering, code: str) -> None:
    """The next call is refused with this code; no byte of it leaves, and nothing is decrypted."""
    await made.noticed()
    sent = made.stage.origin.plain_bytes
    for _ in range(2):
        reply = await call(made.stage)
        assert reply.headers.get("bailee-error") == code, (reply.status, reply.body)
        assert CREDENTIAL.encode() not in reply.body
    assert made.stage.origin.plain_bytes == sent
    assert made.elsewhere.plain_bytes == 0
    assert made.opened == [made.stage.connection]


# --- what decides where a credential goes -------------------------------------------------------


def edit_provider(path: str, value: Any) -> Callable[[Tampering], None]:
    def change(made: Tampering) -> None:
        wanted = made.elsewhere.port if value == "elsewhere" else value
        made.database.edit("providers", API, path, wanted)

    return change


def copy(table: str, source: str, target: str, columns: str) -> Callable[[Tampering], None]:
    """Copy columns of one row over those of another."""

    def change(made: Tampering) -> None:
        made.database.write(
            f"UPDATE {table} SET ({columns}) = (SELECT {columns} FROM {table} WHERE {source})"
            f" WHERE {target}"
        )

    return change


def forge_provider(made: Tampering) -> None:
    forged = sign_provider(ATTACKER, moved(made.stage.provider, port=made.elsewhere.port), 2)
    made.database.write(
        "INSERT INTO providers VALUES ('api', 2, ?, ?, 0)", forged.payload, forged.signature
    )
    made.database.write("UPDATE authority SET public = ?", ATTACKER.public)


def put_other_provider_on_top(made: Tampering) -> None:
    made.database.write(
        "INSERT INTO providers SELECT 'api', 2, payload, signature, 0 FROM providers WHERE " + OTHER
    )


def take_older_signature(made: Tampering) -> None:
    made.stage.house.approve_provider(replace(made.stage.provider, name="Renamed"))
    copy("providers", f"{API} AND serial = 1", f"{API} AND serial = 2", "signature")(made)


def put_pins_for_provider(made: Tampering) -> None:
    made.database.write(
        "UPDATE providers SET (payload, signature) ="
        f" (SELECT payload, signature FROM pin_sets WHERE {PINS}) WHERE {API}"
    )


def forge_pins(made: Tampering) -> None:
    forged = sign_pin_set(
        ATTACKER, PinSet(made.stage.provider.id, "rest", 2, (made.stage.world.root.pin,), True)
    )
    made.database.write(
        "INSERT INTO pin_sets VALUES ('api', 'rest', 2, ?, ?, 0)", forged.payload, forged.signature
    )


def alter_pins(made: Tampering) -> None:
    payload, pins = made.database.read(f"SELECT payload, rowid FROM pin_sets WHERE {PINS}")
    altered = payload.replace(b'"serial":1', b'"serial":2')
    assert altered != payload
    made.database.write("UPDATE pin_sets SET payload = ? WHERE rowid = ?", altered, pins)


def put_pins_of_another_origin(made: Tampering) -> None:
    made.stage.house.approve_pins(made.stage.provider.id, [made.stage.world.root.pin], "rest")
    house = made.stage.house
    signed = sign_pin_set(
        house.authority,
        PinSet(made.stage.provider.id, "ws", 2, (made.stage.world.root.pin,), True),
    )
    made.database.write(
        f"UPDATE pin_sets SET payload = ?, signature = ? WHERE {PINS}",
        signed.payload,
        signed.signature,
    )


def delete_pins(made: Tampering) -> None:
    made.database.write(f"DELETE FROM pin_sets WHERE {PINS}")


UNTRUSTED: dict[str, Callable[[Tampering], None]] = {
    "the port of the origin": edit_provider("provider.origins.0.port", "elsewhere"),
    "the host of the origin": edit_provider("provider.origins.0.host", "evil.test"),
    "the address of the origin": edit_provider("provider.origins.0.address", "127.0.0.9"),
    "the CA of the origin": edit_provider("provider.origins.0.ca_pem", None),
    "the TLS version": edit_provider("provider.origins.0.tls_minimum", "1.2"),
    "where the credential is placed": edit_provider(
        "provider.auth.placements.0.name", "X-Forwarded-For"
    ),
    "how the credential is placed": edit_provider("provider.auth.placements.0.value", "{api_key}"),
    "the headers that are let through": edit_provider("provider.headers", ["*"]),
    "the serial of the provider": edit_provider("serial", 7),
    "a provider signed by somebody else": forge_provider,
    "another provider's record in the row": copy("providers", OTHER, API, "payload, signature"),
    "another provider's record on top": put_other_provider_on_top,
    "an older signature": take_older_signature,
    "another kind of record": put_pins_for_provider,
    "pins signed by somebody else": forge_pins,
    "altered pins": alter_pins,
    "another provider's pins": copy(
        "pin_sets", "provider_id = 'other'", PINS, "payload, signature"
    ),
    "another origin's pins": put_pins_of_another_origin,
    "another egress address's statement": copy(
        "egress_addresses", "name = 'b'", "name = 'a'", "payload, signature"
    ),
    "the published address": lambda made: made.database.edit(
        "egress_addresses", "name = 'a'", "public", "127.0.0.3"
    ),
}


@pytest.mark.parametrize("change", UNTRUSTED.values(), ids=UNTRUSTED.keys())
async def test_record_that_is_not_signed_so_is_not_used(
    tampered: Tampering, change: Callable[[Tampering], None]
) -> None:
    """A signed record is used if the authority signed exactly this, for exactly this place."""
    change(tampered)
    await assert_nothing_leaves(tampered, "trust-broken")


async def test_provider_without_pins_carries_no_call(tampered: Tampering) -> None:
    """Deleted pins are no permission."""
    delete_pins(tampered)
    await assert_nothing_leaves(tampered, "provider-not-approved")


async def test_unsigned_columns_are_not_believed(tampered: Tampering) -> None:
    """What stands beside a signed payload serves queries alone: calls go on as signed."""
    tampered.database.write("UPDATE egress_addresses SET public = '127.0.0.3' WHERE name = 'a'")
    tampered.database.write("UPDATE tenants SET name = 'evil'")
    await tampered.noticed()
    assert (await call(tampered.stage)).status == 200
    assert {arrived.peer for arrived in tampered.stage.origin.arrived} == {"127.0.0.2"}


# --- keys of tenants ----------------------------------------------------------------------------


def edit_public_key(made: Tampering) -> None:
    public = made.database.read("SELECT payload FROM tenant_keys WHERE tenant_id = 'default'")
    key = verified_tenant_key(
        made.stage.house.verifier, tenants.current_key(made.stage.house.store, DEFAULT_TENANT)
    )
    forged = sign_tenant_key(ATTACKER, replace(key, public=bytes(range(32))))
    assert forged.payload != public
    made.database.write(
        "UPDATE tenant_keys SET payload = ? WHERE tenant_id = 'default'", forged.payload
    )


def forge_tenant_key(made: Tampering) -> None:
    edit_public_key(made)
    payload = made.database.read("SELECT payload FROM tenant_keys WHERE tenant_id = 'default'")
    key = made.stage.house.keyring.new_tenant_key(DEFAULT_TENANT)[0]
    forged = sign_tenant_key(ATTACKER, key)
    assert forged.payload != payload
    made.database.write(
        "UPDATE tenant_keys SET payload = ?, signature = ? WHERE tenant_id = 'default'",
        forged.payload,
        forged.signature,
    )


def rename_key(made: Tampering) -> None:
    """Another tenant's key pair under the id of this tenant's, all of it."""
    copy(
        "tenant_keys",
        "tenant_id = 'second'",
        "tenant_id = 'default'",
        "payload, signature, wrapped_private",
    )(made)


def alter_wrapped(made: Tampering) -> None:
    wrapped = bytearray(made.database.read("SELECT wrapped_private FROM tenant_keys"))
    wrapped[-1] ^= 1
    made.database.write("UPDATE tenant_keys SET wrapped_private = ?", bytes(wrapped))


TENANT_KEYS: dict[str, tuple[Callable[[Tampering], None], str]] = {
    "another public key": (edit_public_key, "trust-broken"),
    "a key signed by somebody else": (forge_tenant_key, "trust-broken"),
    "another tenant's key pair": (rename_key, "trust-broken"),
    "another tenant's wrapped private key": (
        copy("tenant_keys", "tenant_id = 'second'", "tenant_id = 'default'", "wrapped_private"),
        "vault-closed",
    ),
    "an altered private key": (alter_wrapped, "vault-closed"),
    "no private key": (
        lambda made: made.database.write("UPDATE tenant_keys SET wrapped_private = x''"),
        "vault-closed",
    ),
}


@pytest.mark.parametrize(("change", "code"), TENANT_KEYS.values(), ids=TENANT_KEYS.keys())
async def test_key_of_a_tenant_is_used_as_signed_and_wrapped(
    tampered: Tampering, change: Callable[[Tampering], None], code: str
) -> None:
    """A key pair that was swapped or altered opens nothing, and no byte of the call leaves."""
    change(tampered)
    await assert_nothing_leaves(tampered, code)


# --- sealed versions ----------------------------------------------------------------------------


def take_sealed(of: str) -> Callable[[Tampering], None]:
    def change(made: Tampering) -> None:
        source = getattr(made, of)
        copy(
            "sealed_versions",
            f"connection_id = '{source}'",
            f"connection_id = '{made.stage.connection}'",
            SEALED,
        )(made)

    return change


def alter_ciphertext(place: int) -> Callable[[Tampering], None]:
    def change(made: Tampering) -> None:
        where = f"connection_id = '{made.stage.connection}'"
        text = bytearray(
            made.database.read(f"SELECT ciphertext FROM sealed_versions WHERE {where}")
        )
        text[place] ^= 1
        made.database.write(f"UPDATE sealed_versions SET ciphertext = ? WHERE {where}", bytes(text))

    return change


def point_to_other_provider(made: Tampering) -> None:
    made.database.write(
        "UPDATE connections SET provider_id = 'other' WHERE id = ?", made.stage.connection
    )


def point_to_other_provider_with_its_digest(made: Tampering) -> None:
    point_to_other_provider(made)
    made.database.write(
        "UPDATE sealed_versions SET trust_digest = ? WHERE connection_id = ?",
        trust_digest(made.other_provider),
        made.stage.connection,
    )


def set_version(version: int) -> Callable[[Tampering], None]:
    def change(made: Tampering) -> None:
        for table, key in (("connections", "id"), ("sealed_versions", "connection_id")):
            made.database.write(
                f"UPDATE {table} SET version = ? WHERE {key} = ?", version, made.stage.connection
            )

    return change


def rotate_and_set_back(made: Tampering) -> None:
    rotate(made.stage.house, made.stage.provider, made.stage.connection, 2)
    set_version(1)(made)


def put_old_credential_back(made: Tampering) -> None:
    """The credential before the last rotation, in the row of the current one."""
    where = f"connection_id = '{made.stage.connection}'"
    old = made.database.read(f"SELECT {SEALED} FROM sealed_versions WHERE {where}")
    rotate(made.stage.house, made.stage.provider, made.stage.connection, 2)
    made.database.write(f"UPDATE sealed_versions SET ({SEALED}) = (?, ?, ?) WHERE {where}", *old)


SEALS: dict[str, Callable[[Tampering], None]] = {
    "of another subject": take_sealed("neighbour"),
    "of another provider's connection": take_sealed("other_connection"),
    "of another tenant's connection": take_sealed("foreign"),
    "an older credential as the newest": put_old_credential_back,
    "under a higher number": set_version(2),
    "under a lower number": rotate_and_set_back,
    "an altered encapsulated key": alter_ciphertext(0),
    "an altered tag": alter_ciphertext(-1),
    "no ciphertext": lambda made: made.database.write(
        "UPDATE sealed_versions SET ciphertext = x''"
    ),
    "no sealed version": lambda made: made.database.write("DELETE FROM sealed_versions"),
    "an older version than there is": lambda made: made.database.write(
        "UPDATE connections SET version = 0"
    ),
    "another trust digest": lambda made: made.database.write(
        "UPDATE sealed_versions SET trust_digest = zeroblob(32)"
    ),
    "in a connection of another provider": point_to_other_provider,
    "in one of another provider, with its digest": point_to_other_provider_with_its_digest,
}


@pytest.mark.parametrize("change", SEALS.values(), ids=SEALS.keys())
async def test_sealed_version_opens_in_its_place_alone(
    tampered: Tampering, change: Callable[[Tampering], None]
) -> None:
    """A credential that was moved, altered or replaced does not open."""
    change(tampered)
    await assert_nothing_leaves(tampered, "credential-closed")


async def test_connection_taken_into_another_tenant_stays_closed(tampered: Tampering) -> None:
    """A tenant that moves another's connection to itself can't use it, nor with its key."""
    stage, database = tampered.stage, tampered.database
    token = stage.house.add_caller("thief", SECOND)
    stage.house.grant(tampered.foreign, "* /**", caller="thief", tenant=SECOND)
    database.write(
        "UPDATE grants SET connection_id = ? WHERE tenant_id = 'second'", stage.connection
    )
    await tampered.noticed()
    assert (await call(stage, token=token)).headers["bailee-error"] == "connection-not-found"
    database.write(
        "UPDATE connections SET tenant_id = 'second', subject = 'u3' WHERE id = ?", stage.connection
    )
    for code in ("credential-closed", "trust-broken"):
        await tampered.noticed()
        reply = await call(stage, token=token)
        assert reply.headers["bailee-error"] == code
        database.write("UPDATE tenant_keys SET tenant_id = 'second'")
    assert tampered.opened == [stage.connection]
    assert len(stage.origin.arrived) == 1


async def test_call_under_way_opens_nothing_for_another_place(tmp_path: Path, world: World) -> None:
    """What a call that was on its way opened is not used for where its row leads by now."""
    house = build_house(tmp_path / "vault")
    async with run_origin(world.leaf) as origin, run_origin(world.leaf) as elsewhere:
        other = make_provider(elsewhere.port, world.root.pem.decode(), id="other")
        house.approve_provider(other)
        house.approve_pins(other.id, [world.leaf.pin])
        async with held_up(house, origin, world) as held:
            database = Database(house.database)
            database.write("UPDATE connections SET provider_id = 'other'")
            database.write("UPDATE sealed_versions SET trust_digest = ?", trust_digest(other))
            await noticed(held.stage.gate, database)
            database.close()
            held.release.set()
            await held.client.reply()
            reply = await call(held.stage)
    assert reply.headers.get("bailee-error") == "credential-closed"
    assert elsewhere.plain_bytes == 0
    house.store.close()


# --- rows that are no rows ----------------------------------------------------------------------

ODD_VALUES = ("", "text", "9" * 400, b"\xff\x00", 7, -1.5, None, 2**62)
TABLES = ("tokens", "callers", "connections", "sealed_versions", "grants", "subjects",
          "providers", "pin_sets", "egress_addresses", "tenant_keys")  # fmt: skip


@pytest.mark.parametrize("table", TABLES)
async def test_odd_value_in_a_column_ends_no_worker(tampered: Tampering, table: str) -> None:
    """Whatever stands in a column, the call is refused, or made as signed: never a 500."""
    stage, database = tampered.stage, tampered.database
    for column in database.columns(table):
        for value in ODD_VALUES:
            with database.changed(table, column, value):
                stage.gate.snapshot.refresh()
                reply = await call(stage)
                assert reply.status in {200, 401, 404, 410, 502, 503}, (column, value, reply)
                assert CREDENTIAL.encode() not in reply.body
    await tampered.noticed()
    assert (await call(stage)).status == 200
    assert tampered.elsewhere.plain_bytes == 0
    assert {each.headers["authorization"] for each in stage.origin.arrived} == {
        f"Bearer {CREDENTIAL}"
    }


# --- changes that were approved -----------------------------------------------------------------


def rotate(
    house: House, provider: Provider, connection: ConnectionId, version: int
) -> SealedCredential:
    """Enter the credential again, sealed to the provider as it is approved now."""
    key = verified_tenant_key(house.verifier, tenants.current_key(house.store, DEFAULT_TENANT))
    context = SealContext(DEFAULT_TENANT, connection, version, trust_digest(provider))
    secret = parse_credential(provider.auth, b'{"api_key": "entered-again"}')
    sealed = seal(secret, key, context)
    connections.rotate(house.store, house.verifier, DEFAULT_TENANT, sealed, time.time())
    return sealed


async def test_approved_change_closes_until_the_credential_is_entered_again(
    tampered: Tampering,
) -> None:
    """The operator approves another place: the old credential does not go there, the new does."""
    stage = tampered.stage
    changed = moved(stage.provider, port=tampered.elsewhere.port)
    stage.house.approve_provider(changed)
    await assert_nothing_leaves(tampered, "credential-closed")
    assert tampered.elsewhere.handshakes == 0, "it was closed before anybody was dialled"
    rotate(stage.house, changed, stage.connection, 2)
    await tampered.noticed()
    assert (await call(stage)).status == 200
    assert [arrived.headers["authorization"] for arrived in tampered.elsewhere.arrived] == [
        "Bearer entered-again"
    ]


async def test_approved_pins_hold_for_the_next_call(tampered: Tampering) -> None:
    """After a new pin set the pooled stream to the old key carries no call any more (R26)."""
    stage = tampered.stage
    stage.house.approve_pins(stage.provider.id, [pki.self_signed_leaf().pin])
    await assert_nothing_leaves(tampered, "pin-mismatch")


# --- the root key -------------------------------------------------------------------------------


@pytest.fixture
async def untouched(tmp_path: Path, world: World) -> AsyncIterator[tuple[House, Origin, Stage]]:
    """A vault whose gateway is not running yet. The stage's gate is none."""
    house = build_house(tmp_path / "vault")
    async with run_origin(world.leaf) as origin:
        provider = make_provider(origin.port, world.root.pem.decode())
        house.approve_provider(provider)
        house.approve_pins(provider.id, [world.leaf.pin])
        connection = house.add_connection(provider, {"api_key": CREDENTIAL})
        token = house.add_caller()
        house.grant(connection, "* /**")
        nobody: Any = None
        yield house, origin, Stage(house, world, origin, provider, connection, token, nobody)
    house.store.close()


async def test_root_key_of_another_vault_opens_nothing(
    untouched: tuple[House, Origin, Stage],
) -> None:
    """The calls are refused as vault-closed, and no plain byte leaves."""
    house, origin, stage = untouched
    async with run_gate(house, keyring=Keyring(Secret(bytes(range(32))))) as stage.gate:
        reply = await call(stage)
        assert (reply.status, reply.headers["bailee-error"]) == (503, "vault-closed")
        outcomes = journal(stage, "outcome")
    assert [(each["error"], each["reached"]) for each in outcomes] == [("vault-closed", "nothing")]
    assert origin.plain_bytes == 0


async def test_without_root_key_nothing_is_dialled_or_recorded(
    untouched: tuple[House, Origin, Stage],
) -> None:
    """A closed vault makes no call, so that there is none to record."""
    house, origin, stage = untouched
    async with run_gate(house, closed=True) as stage.gate:
        reply = await call(stage)
        assert (reply.status, reply.headers["bailee-error"]) == (503, "vault-closed")
        assert (await call(stage, token=None)).status == 401
        assert journal(stage, "intent") == journal(stage, "outcome") == []
    assert (origin.handshakes, origin.plain_bytes) == (0, 0)


# --- the fake API -------------------------------------------------------------------------------

ROGUE = World.create(["api.test"], title="Rogue")
FAKES: dict[str, tuple[Callable[[World], Issued], str]] = {
    "of another CA that is trusted": (lambda world: ROGUE.leaf, "pin-mismatch"),
    "of another CA, with the good issuer appended": (
        lambda world: pki.with_appended(ROGUE.leaf, world),
        "pin-mismatch",
    ),
    "expired": (lambda world: pki.expired_leaf(world.issuer), "certificate-refused"),
    "not yet valid": (lambda world: pki.future_leaf(world.issuer), "certificate-refused"),
    "for another name": (
        lambda world: pki.bad_leaves(world, ROGUE)["wrong name"].leaf,
        "certificate-refused",
    ),
    "self-signed": (lambda world: pki.self_signed_leaf(), "certificate-refused"),
}


@pytest.mark.parametrize(("make", "code"), FAKES.values(), ids=FAKES.keys())
async def test_fake_gets_nothing(
    tmp_path: Path, world: World, make: Callable[[World], Issued], code: str
) -> None:
    """A fake gets no plain byte; the caller and the journal learn why, and that nothing left."""
    house = build_house(tmp_path / "vault")
    async with run_origin(make(world)) as fake:
        roots = world.root.pem.decode() + ROGUE.root.pem.decode()
        provider = make_provider(fake.port, roots)
        house.approve_provider(provider)
        house.approve_pins(provider.id, [world.leaf.pin, world.issuer.pin])
        connection = house.add_connection(provider, {"api_key": CREDENTIAL})
        token = house.add_caller()
        house.grant(connection, "* /**")
        async with run_gate(house) as gate:
            stage = Stage(house, world, fake, provider, connection, token, gate)
            reply = await call(stage, "POST", body=b"order")
            assert (reply.status, reply.headers["bailee-error"]) == (502, code)
            (outcome,) = journal(stage, "outcome")
    assert (outcome["error"], outcome["reached"], outcome["sent"]) == (code, "nothing", 0)
    assert outcome["status"] is None
    assert (fake.plain_bytes, fake.handshakes) == (0, 0)
    house.store.close()


async def test_older_signed_record_put_back_is_refused(tampered: Tampering) -> None:
    """A worker that has seen newer pins takes no older ones, however well they are signed."""
    stage, database = tampered.stage, tampered.database
    assert (await call(stage)).status == 200
    stage.house.approve_pins(stage.provider.id, [stage.world.leaf.pin, World.create().leaf.pin])
    await tampered.noticed()
    assert (await call(stage)).status == 200
    database.write("DELETE FROM pin_sets WHERE serial = 2")
    await tampered.noticed()
    assert (await call(stage)).headers["bailee-error"] == "trust-broken"
