"""A keeper that checks locks against an origin whose answers a test writes down, probe by probe."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from bailee.egress.resolve import Resolver
from bailee.keeper.decoys import Decoy, Decoys
from bailee.keeper.jobs import Finished
from bailee.keeper.probing import Prober
from bailee.keeper.target import Targets
from bailee.keeper.work.check_lock import CheckLock
from bailee.manage import locks
from bailee.manage.lock_checks import CHECK_LOCK
from bailee.model import (
    DEFAULT_TENANT,
    ConnectionId,
    Gate,
    Job,
    JobId,
    JobState,
    Probing,
    Provider,
    TenantId,
)
from bailee.providers.load import parse_provider
from bailee.reference.pki import World
from bailee.store import tenants
from bailee.store.locks import StoredLock
from house import SOURCE
from keeper_bench import SOURCES, Bench
from origin import Arrived, Origin, answer, run_origin

DECOY = Decoy("d", "127.0.1.3", "127.0.1.3")
SECRET = "canary-3f9a1c77e0"
FILE = """
id = "api"
[origin.rest]
url = "https://api.test:{port}"
address = "127.0.0.1"
ca_file = "ca.pem"
danger_private_addresses = true
[auth]
scheme = "place"
header = "Authorization"
value = "Bearer {{api_key}}"
"""
PROBE = """
[probe]
request = "GET /me"
success = { present = "account" }
public = "GET /time"
public_success = { present = "now" }
decoy = "ok"
"""
REPORT = """
[report]
request = "GET /key"
success = { present = "key" }
addresses = "allow"
"""
REFUSALS = """
[[refusal]]
means = "address"
equals = { error = "ip" }
[[refusal]]
means = "credential"
equals = { error = "key" }
[[refusal]]
means = "credential-or-address"
equals = { error = "no" }
"""

Reply = tuple[int, object] | None
"""Status and JSON; None: no answer at all."""
PUBLIC: Reply = (200, {"now": 1})
SERVED: Reply = (200, {"account": "u1"})
ADDRESS: Reply = (403, {"error": "ip"})
WRONG: Reply = (401, {"error": "key"})
BOTH: Reply = (401, {"error": "no"})
LIMITED: Reply = (429, {"error": "slow down"})
FAILED: Reply = (503, {})


@dataclass(slots=True)
class Script:
    """What each probe is answered; the last of a list counts for all that follow."""

    replies: dict[str, list[Reply]]
    headers: str = ""
    sent: list[str] = field(default_factory=list)
    """The probes in the order in which they came."""
    heads: list[bytes] = field(default_factory=list)

    async def respond(self, arrived: Arrived, writer: asyncio.StreamWriter) -> None:
        """Answer as it is written."""
        name = probe_name(arrived)
        self.sent.append(name)
        self.heads.append(arrived.head)
        replies = self.replies[name]
        reply = replies.pop(0) if len(replies) > 1 else replies[0]
        if reply is None:
            writer.transport.abort()
            return
        status, body = reply
        await answer(writer, json.dumps(body).encode(), f"{status} Told", self.headers)


def probe_name(arrived: Arrived) -> str:
    """Which probe a request is, by where it comes from and what it carries."""
    place = {SOURCE: "E", DECOY.bind: "D"}[arrived.peer]
    path = arrived.request_line.split(" ")[1]
    bearer = arrived.headers.get("authorization", "")
    if path == "/key":
        return "report"
    if not bearer:
        return place + "0"
    return place + ("+" if bearer == f"Bearer {SECRET}" else "-")


def script(*, headers: str = "", **changed: Reply | list[Reply]) -> Script:
    """A provider with an allowlist in force; `changed` names probes as D0, Dw (D-), Dr (D+), Er."""
    names = {"D0": "D0", "Dw": "D-", "Dr": "D+", "Er": "E+", "report": "report"}
    replies: dict[str, list[Reply]] = {
        "D0": [PUBLIC], "D-": [WRONG], "D+": [ADDRESS], "E+": [SERVED], "report": [WRONG],
    }  # fmt: skip
    for name, reply in changed.items():
        replies[names[name]] = reply if isinstance(reply, list) else [reply]
    return Script(replies, headers)


@dataclass(slots=True)
class LockBench:
    """A vault with one connection, and the keeper's work on it."""

    bench: Bench
    work: CheckLock
    provider: Provider
    connection: ConnectionId
    origin: Origin

    async def check(self, tenant: TenantId = DEFAULT_TENANT, **arguments: str) -> StoredLock:
        """Do the job, and return the lock that is stored."""
        await self.do(tenant, **arguments)
        return self.lock()

    async def do(self, tenant: TenantId = DEFAULT_TENANT, **arguments: str) -> Finished:
        """Do the job; its errors are raised."""
        given = {"connection": self.connection} | arguments
        job = Job(JobId("job"), CHECK_LOCK, tenant, given, "a", JobState.RUNNING, 0.0)
        return await self.work(job)

    def lock(self) -> StoredLock:
        """The lock as it is stored."""
        return locks.show(self.bench.house.store, DEFAULT_TENANT, self.connection).lock

    def consent(self, probing: Probing) -> None:
        """Let the tenant consent to this much."""
        with self.bench.house.store.write() as conn:
            tenants.set_lock_policy(conn, DEFAULT_TENANT, Gate.NONE, probing)

    def events(self, kind: str) -> list[dict[str, str]]:
        """What the journal says of one kind, as (detail and target)."""
        self.bench.journal.flush()
        (file,) = (self.bench.house.directory / "journal").iterdir()
        lines = [json.loads(line) for line in file.read_bytes().splitlines()]
        found = [line for line in lines if line["type"] == "event" and line["kind"] == kind]
        return [line["detail"] | {"target": line["target"]} for line in found]

    def with_decoys(self, *decoys: Decoy) -> None:
        """Use other decoys, of which nothing is remembered."""
        self.work = replace(self.work, decoys=Decoys(decoys))


@asynccontextmanager
async def lock_bench(
    bench: Bench,
    world: World,
    told: Script,
    file: str = PROBE + REFUSALS,
    decoys: Iterable[Decoy] = (DECOY,),
    consent: Probing = Probing.OK,
    port: int | None = None,
) -> AsyncIterator[LockBench]:
    """Run the origin, and approve it as the provider of one connection."""
    house = bench.house
    async with run_origin(world.leaf, told.respond) as origin:
        text = FILE.format(port=port or origin.port) + file
        provider = parse_provider(text, lambda path: world.root.pem.decode())
        house.approve_provider(provider)
        house.approve_pins(provider.id, [world.leaf.pin])
        connection = house.add_connection(provider, {"api_key": SECRET})
        resolver = Resolver()
        access = bench.access(house.keyring)
        work = CheckLock(
            house.store,
            house.verifier,
            access,
            Prober(house.store, access, resolver),
            bench.journal,
            Targets(house.store, house.verifier, SOURCES),
            Decoys(decoys),
        )
        made = LockBench(bench, work, provider, connection, origin)
        made.consent(consent)
        try:
            yield made
        finally:
            resolver.close()
