"""Grants over a provider or a subject, derived tokens, and whom a call is for."""

import time
from pathlib import Path

import pytest

from bailee.manage import derived, grants, tokens
from bailee.model import DEFAULT_TENANT, ConnectionId, ProviderId, TokenId
from bailee.policy.token import digest
from bailee.reference.pki import World
from gate import Client, Reply, request
from integration.gateway.conftest import CREDENTIAL, Stage
from integration.gateway.staging import call, without_call

pytestmark = pytest.mark.anyio


def application_token(stage: Stage) -> TokenId:
    """A token of the application that owns the caller."""
    issued = tokens.issue_operator(stage.house.store, DEFAULT_TENANT, "test", time.time())
    known = digest(issued.text.reveal().decode())
    assert known is not None
    return issued.token.id


def derive(
    stage: Stage,
    *,
    subject: str | None = None,
    connection: ConnectionId | None = None,
    methods: list[str] | None = None,
) -> str:
    """Derive a token for the stage's caller."""
    issued = derived.derive(
        stage.house.store,
        DEFAULT_TENANT,
        application_token(stage),
        "app",
        time.time(),
        subject=subject,
        connection=connection,
        methods=methods,
    )
    return issued.text.reveal().decode()


def connect(stage: Stage, subject: str) -> ConnectionId:
    """Add a connection of another subject; the caller gets no grant of its own for it."""
    credential = {"api_key": f"{CREDENTIAL}-{len(subject)}"}
    return stage.house.add_connection(stage.provider, credential, subject)


async def call_of(
    stage: Stage, connection: ConnectionId, token: str, method: str = "GET", **headers: str
) -> Reply:
    """Call another connection than the stage's."""
    client = await Client.open(stage.port)
    try:
        return await client.call(request(method, f"/{connection}/p", token, **headers))
    finally:
        client.close()


@pytest.mark.parametrize("over", ["provider", "subject"])
async def test_a_grant_over_many_covers_what_is_made_later(stage: Stage, over: str) -> None:
    """A grant over a provider or a subject lets a caller use connections that come after it."""
    house = stage.house
    house.add_caller("other")
    token = house.add_caller("batch")
    grants.add(
        house.store,
        DEFAULT_TENANT,
        "batch",
        None,
        ["GET /**"],
        time.time(),
        provider=ProviderId(stage.provider.id) if over == "provider" else None,
        subject="u1" if over == "subject" else None,
    )
    assert (await call_of(stage, stage.connection, token)).status == 200
    later = connect(stage, "u1")
    foreign = connect(stage, "u2")
    assert (await call_of(stage, later, token)).status == 200
    expected = 200 if over == "provider" else 404
    assert (await call_of(stage, foreign, token)).status == expected
    assert (await call_of(stage, later, token, "POST")).status == 403


async def test_a_derived_token_is_good_for_its_subject_alone(stage: Stage) -> None:
    """The caller may use both connections; the token for u1 finds only hers."""
    other = connect(stage, "u2")
    stage.house.grant(other, "* /**")
    token = derive(stage, subject="u1")
    assert (await call_of(stage, stage.connection, token)).status == 200
    seen = len(stage.origin.arrived)
    refused = await call_of(stage, other, token)
    unknown = await call_of(stage, ConnectionId("a" * 26), token)
    assert (refused.status, without_call(refused)) == (404, without_call(unknown))
    assert len(stage.origin.arrived) == seen
    assert (await call_of(stage, other, stage.token)).status == 200


async def test_a_derived_token_is_good_for_its_connection_and_methods_alone(stage: Stage) -> None:
    """Another connection of the same subject is not found; another method is denied."""
    other = connect(stage, "u1")
    stage.house.grant(other, "* /**")
    token = derive(stage, connection=stage.connection, methods=["GET"])
    assert (await call_of(stage, stage.connection, token)).status == 200
    assert (await call_of(stage, stage.connection, token, "HEAD")).status == 200
    seen = len(stage.origin.arrived)
    denied = await call_of(stage, stage.connection, token, "POST")
    assert (denied.status, denied.headers["bailee-error"]) == (403, "denied")
    assert (await call_of(stage, other, token)).status == 404
    assert len(stage.origin.arrived) == seen


async def test_a_derived_token_ends_with_the_one_that_made_it(stage: Stage) -> None:
    """A revoked application leaves nothing that works for a quarter of an hour."""
    parent = application_token(stage)
    issued = derived.derive(
        stage.house.store, DEFAULT_TENANT, parent, "app", time.time(), subject="u1"
    )
    token = issued.text.reveal().decode()
    assert (await call_of(stage, stage.connection, token)).status == 200
    tokens.revoke(stage.house.store, DEFAULT_TENANT, parent, time.time())
    stage.gate.snapshot.refresh()
    assert (await call_of(stage, stage.connection, token)).status == 401


async def test_a_new_token_works_without_a_change_of_the_revision(stage: Stage) -> None:
    """Deriving is frequent: no worker forgets what it has read for it."""
    assert (await call(stage)).status == 200
    reading = stage.gate.snapshot.reading
    token = derive(stage, subject="u1")
    stage.gate.snapshot.refresh()
    assert stage.gate.snapshot.reading is reading
    assert (await call_of(stage, stage.connection, token)).status == 200


@pytest.mark.parametrize(("named", "status"), [("u1", 200), ("u2", 403), ("U1", 403), ("", 403)])
async def test_a_named_subject_must_be_the_connections(
    stage: Stage, named: str, status: int
) -> None:
    """`Bailee-Subject` catches the application that uses one user's key for another."""
    reply = await call(stage, exact={"Bailee-Subject": named})
    assert reply.status == status
    assert len(stage.origin.arrived) == (status == 200)
    if status == 403:
        assert reply.headers["bailee-error"] == "subject-mismatch"
    else:
        assert "bailee-subject" not in stage.origin.arrived[0].headers


async def test_a_subject_is_compared_as_utf8(tmp_path: Path, world: World, stage: Stage) -> None:
    """Subjects are whatever the application calls its users by."""
    connection = connect(stage, "Zoë")
    stage.house.grant(connection, "* /**")
    client = await Client.open(stage.port)
    head = request("GET", f"/{connection}/p", stage.token)
    line = "Bailee-Subject: Zoë\r\n\r\n".encode()
    assert (await client.call(head.removesuffix(b"\r\n") + line)).status == 200
    client.close()
