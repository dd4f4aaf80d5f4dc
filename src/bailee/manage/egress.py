"""Egress addresses: published and retired by signed statements."""

from dataclasses import dataclass

from sqlalchemy import Connection

from bailee.errors import BadInput, Conflict, NoEgressAddress, NotFound, TrustBroken
from bailee.manage.forms import parse_name
from bailee.manage.providers import check_serial
from bailee.model import EgressAddress, EgressId, EgressState, Signed
from bailee.policy.allowlist import parse_address
from bailee.store import connections as connection_rows
from bailee.store import egress as rows
from bailee.store.egress import StoredEgress
from bailee.store.engine import Store
from bailee.vault.authority import AuthorityVerifier
from bailee.vault.statements import verified_egress_address


@dataclass(frozen=True, slots=True)
class EgressStanding:
    """An egress address and what hangs on it."""

    address: EgressAddress
    connections: int
    """Active connections, of all tenants, whose calls leave from it."""
    broken: bool
    """Whether the row is not what the authority signed: no call leaves from it."""
    created_at: float


def add(store: Store, verifier: AuthorityVerifier, signed: Signed, now: float) -> EgressAddress:
    """Publish an address by its first signed statement (`vault.statements.sign_egress_address`).

    Raises:
        TrustBroken: The authority did not sign it.
        BadInput: Its name or its public address is not of the right form, or it is not active.
        Conflict: Its serial is not 1, its id exists, or an active address has its name.
    """
    address = verified_egress_address(verifier, signed)
    parse_name(address.name, "an egress address")
    if parse_address(address.public) is None:
        raise BadInput("what an egress address publishes is not an IP address")
    if address.state is not EgressState.ACTIVE:
        raise BadInput("an address that is retired can't be published")
    with store.write() as conn:
        known = rows.list_all(conn)
        check_serial(address.serial, 0)
        if any(row.address.id == address.id for row in known):
            raise Conflict("this egress address exists already")
        if any(_is_active_as(row, address.name) for row in known):
            raise Conflict(
                f"there is an active egress address named {address.name} already",
                "retire it first, or choose another name",
            )
        rows.insert(conn, StoredEgress(address, signed, now))
    return address


def retire(store: Store, verifier: AuthorityVerifier, signed: Signed) -> EgressStanding:
    """Retire an address by its next signed statement; calls of its connections stop at once.

    Raises:
        TrustBroken: The authority did not sign it.
        NotFound: There is no such address.
        BadInput: The statement does not retire, or changes the name or the public address.
        Conflict: Its serial is not the address's plus 1.
    """
    address = verified_egress_address(verifier, signed)
    with store.write() as conn:
        found = rows.find(conn, address.id)
        if found is None:
            raise NotFound("there is no such egress address")
        last = found.address
        if address.state is not EgressState.RETIRED or (address.name, address.public) != (
            last.name,
            last.public,
        ):
            raise BadInput("this statement is not the retirement of the address as it is")
        check_serial(address.serial, last.serial)
        rows.update(conn, address, signed)
        connections = connection_rows.count_by_egress(conn).get(address.id, 0)
    return EgressStanding(address, connections, False, found.created_at)


def list_all(store: Store, verifier: AuthorityVerifier) -> list[EgressStanding]:
    """List every address, the oldest first."""
    with store.read() as conn:
        return standings(conn, verifier)


def standings(conn: Connection, verifier: AuthorityVerifier) -> list[EgressStanding]:
    """List every address, the oldest first, inside of a transaction."""
    connections = connection_rows.count_by_egress(conn)
    return [
        EgressStanding(
            address=row.address,
            connections=connections.get(row.address.id, 0),
            broken=not _is_sound(verifier, row),
            created_at=row.created_at,
        )
        for row in rows.list_all(conn)
    ]


def find(store: Store, verifier: AuthorityVerifier, name_or_id: str) -> EgressAddress:
    """Find an address by its id, or the active one of a name, as the authority signed it.

    Raises:
        NotFound: There is none.
        TrustBroken: The row is not what the authority signed.
    """
    with store.read() as conn:
        row = rows.find(conn, EgressId(name_or_id))
        if row is None:
            named = [each for each in rows.list_all(conn) if _is_active_as(each, name_or_id)]
            row = named[0] if named else None
    if row is None:
        raise NotFound("there is no such egress address, or it is not active")
    return verified_egress_address(verifier, row.signed, expected=row.address.id)


class EgressChooser:
    """Spreads connections over the active addresses; good for one transaction.

    Rows that the authority did not sign are passed over.
    """

    def __init__(self, conn: Connection, verifier: AuthorityVerifier) -> None:
        self._sound = [
            row.address
            for row in rows.list_all(conn)
            if row.address.state is EgressState.ACTIVE and _is_sound(verifier, row)
        ]
        # Counting reads every connection: only where there is a choice.
        many = len(self._sound) > 1
        self._connections = connection_rows.count_by_egress(conn) if many else {}

    def __repr__(self) -> str:
        return f"EgressChooser({len(self._sound)} addresses)"

    def choose(self, name: str | None = None) -> EgressAddress:
        """Choose the named address, or the one with the fewest connections, and count one there.

        Raises:
            NoEgressAddress: There is none.
        """
        fitting = [address for address in self._sound if name in (None, address.name)]
        if not fitting:
            raise NoEgressAddress(
                "no egress address is published"
                if name is None
                else "no such active egress address",
                "publish one with 'bailee egress add'",
            )
        chosen = min(fitting, key=lambda address: self._connections.get(address.id, 0))
        self._connections[chosen.id] = self._connections.get(chosen.id, 0) + 1
        return chosen


def choose(conn: Connection, verifier: AuthorityVerifier, name: str | None = None) -> EgressAddress:
    """Choose an active address: the named one, or the one with the fewest connections.

    Raises:
        NoEgressAddress: There is none.
    """
    return EgressChooser(conn, verifier).choose(name)


def _is_active_as(row: StoredEgress, name: str) -> bool:
    return row.address.state is EgressState.ACTIVE and row.address.name == name


def _is_sound(verifier: AuthorityVerifier, row: StoredEgress) -> bool:
    try:
        return verified_egress_address(verifier, row.signed) == row.address
    except TrustBroken:
        return False
