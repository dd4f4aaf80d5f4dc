"""The hands of somebody who can write the database, and what watches the vault meanwhile."""

import asyncio
import json
import re
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from bailee.gateway import opening
from bailee.model import ConnectionId, Provider, SealContext, SealedCredential, TenantId
from bailee.reference.pki import World
from bailee.secret import Secret
from bailee.vault.opening import open_credential
from gate import Client, Gate, request, run_gate
from house import House, build_house, make_provider
from integration.gateway.conftest import CREDENTIAL, Stage
from integration.gateway.staging import until
from origin import Origin, run_origin

SECOND = TenantId("second")
NOTICED_SECONDS = 1.0


class Database:
    """A second connection to a database in use, which keeps to no rule but SQL's."""

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path, isolation_level=None, timeout=5.0)

    def write(self, statement: str, *values: object) -> None:
        """Change at least one row."""
        assert self._database.execute(statement, values).rowcount >= 1, statement

    def read(self, statement: str, *values: object) -> Any:
        """Read one row: a tuple, or the value when it has one column."""
        row = self._database.execute(statement, values).fetchone()
        assert row is not None, statement
        return row[0] if len(row) == 1 else row

    def edit(self, table: str, where: str, path: str, value: object) -> None:
        """Change one member of a signed payload, and leave its signature."""
        payload = json.loads(self.read(f"SELECT payload FROM {table} WHERE {where}"))
        *inner, last = path.split(".")
        member = payload
        for name in inner:
            member = member[int(name) if name.isdigit() else name]
        assert last in member
        assert member[last] != value
        member[last] = value
        text = json.dumps(payload, separators=(",", ":"), sort_keys=True).encode()
        self.write(f"UPDATE {table} SET payload = ? WHERE {where}", text)

    def columns(self, table: str) -> list[str]:
        """The names of a table's columns."""
        return [row[1] for row in self._database.execute(f"PRAGMA table_info({table})")]

    @contextmanager
    def changed(self, table: str, column: str, value: object) -> Iterator[None]:
        """Have a value in a column of every row where the schema lets it in, for a while."""
        execute = self._database.execute
        execute("PRAGMA ignore_check_constraints = ON")
        execute("CREATE TEMP TABLE kept AS SELECT * FROM " + table)
        execute(f"UPDATE OR IGNORE {table} SET {column} = ?", (value,))
        yield
        execute(f"DELETE FROM {table}")
        execute(f"INSERT INTO {table} SELECT * FROM kept")
        execute("DROP TABLE kept")

    def close(self) -> None:
        self._database.close()


@dataclass(slots=True)
class Tampering:
    """A gateway at work, an attacker's server, and a neighbour for every record."""

    stage: Stage
    database: Database
    elsewhere: Origin
    """Has the certificate and the key of the origin: only what is signed and sealed keeps the
    credential from it."""
    other_provider: Provider
    """Approved; leads to `elsewhere`."""
    other_connection: ConnectionId
    """Of `other_provider`."""
    neighbour: ConnectionId
    """Of the same provider and tenant, of another subject."""
    foreign: ConnectionId
    """Of the same provider, of the tenant `second`."""
    opened: list[ConnectionId]
    """Whose credentials were decrypted, in order."""

    async def noticed(self) -> None:
        """Wait until the gateway knows the newest revision: it must within a second."""
        await noticed(self.stage.gate, self.database)


async def noticed(gate: Gate, database: Database) -> None:
    """Wait until a gateway knows the newest revision: it must within a second."""
    revision = database.read("SELECT value FROM revision")
    async with asyncio.timeout(NOTICED_SECONDS):
        while re.findall(r"\d+", repr(gate.snapshot))[-1] != str(revision):
            await asyncio.sleep(0.005)


@asynccontextmanager
async def tampering(
    directory: Path, world: World, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Tampering]:
    """Build all of it; the gateway runs until the block ends."""
    house = build_house(directory / "vault")
    house.add_egress("b", "127.0.0.3")
    house.add_tenant(SECOND)
    async with run_origin(world.leaf) as origin, run_origin(world.leaf) as elsewhere:
        provider = make_provider(origin.port, world.root.pem.decode())
        other = make_provider(elsewhere.port, world.root.pem.decode(), id="other")
        for each in (provider, other):
            house.approve_provider(each)
            house.approve_pins(each.id, [world.leaf.pin])
        connection = house.add_connection(provider, {"api_key": CREDENTIAL})
        # The least used address is chosen: both connections of the test leave from `a`.
        _move_to_first_address(house, connection)
        token = house.add_caller()
        house.grant(connection, "* /**")
        opened = _watch(monkeypatch)
        database = Database(house.database)
        other_connection = house.add_connection(other, {"api_key": "other"})
        neighbour = house.add_connection(provider, {"api_key": "neighbour"}, "u2")
        foreign = house.add_connection(provider, {"api_key": "foreign"}, "u3", SECOND)
        async with run_gate(house) as gate:
            stage = Stage(house, world, origin, provider, connection, token, gate)
            yield Tampering(
                stage=stage,
                database=database,
                elsewhere=elsewhere,
                other_provider=other,
                other_connection=other_connection,
                neighbour=neighbour,
                foreign=foreign,
                opened=opened,
            )
        database.close()
    house.store.close()


def _move_to_first_address(house: House, connection: ConnectionId) -> None:
    database = Database(house.database)
    first = database.read("SELECT id FROM egress_addresses WHERE name = 'a'")
    database.write("UPDATE connections SET egress_id = ? WHERE id = ?", first, connection)
    database.close()


def _watch(monkeypatch: pytest.MonkeyPatch) -> list[ConnectionId]:
    """Note what is decrypted, by the real function."""
    opened: list[ConnectionId] = []

    def noting(sealed: SealedCredential, context: SealContext, private: Any) -> Secret:
        credential = open_credential(sealed, context, private)
        opened.append(context.connection)
        return credential

    monkeypatch.setattr(opening, "open_credential", noting)
    return opened


def moved(provider: Provider, **origin: Any) -> Provider:
    """The provider with another default origin, as an operator would approve it."""
    return replace(provider, origins=(replace(provider.origins[0], **origin),))


@dataclass(slots=True)
class Held:
    """A call that waits for a handshake."""

    stage: Stage
    client: Client
    release: asyncio.Event


@asynccontextmanager
async def held_up(house: House, origin: Origin, world: World) -> AsyncIterator[Held]:
    """A gateway with one call on its way, to an origin whose handshake is held up."""
    release = asyncio.Event()

    passing: set[asyncio.Task[None]] = set()

    async def pass_on_later(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        passing.add(task)
        with suppress(asyncio.CancelledError):
            await release.wait()
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", origin.port)
            await asyncio.gather(pump(reader, up_writer), pump(up_reader, writer))
        writer.transport.abort()

    server = await asyncio.start_server(pass_on_later, "127.0.0.1", 0)
    async with server:
        provider = make_provider(server.sockets[0].getsockname()[1], world.root.pem.decode())
        house.approve_provider(provider)
        house.approve_pins(provider.id, [world.leaf.pin])
        connection = house.add_connection(provider, {"api_key": CREDENTIAL})
        token = house.add_caller()
        house.grant(connection, "* /**")
        try:
            async with run_gate(house) as gate:
                client = await Client.open(gate.port)
                await client.send(request("POST", f"/{connection}/p", token, b"order"))
                await until(lambda: bool(gate.line.calls))
                stage = Stage(house, world, origin, provider, connection, token, gate)
                yield Held(stage, client, release)
                client.close()
        finally:
            for task in passing:
                task.cancel()
            await asyncio.gather(*passing)


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while piece := await reader.read(65536):
            writer.write(piece)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.transport.abort()
