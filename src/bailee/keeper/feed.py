"""The address feed: which addresses calls leave from, signed for everyone to read."""

import asyncio
import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog

from bailee.errors import BaileeError, TrustBroken
from bailee.journal.entry import Event
from bailee.journal.writer import Journal
from bailee.keeper.rounds import every
from bailee.keeper.signing import AuthorityAccess
from bailee.model import (
    DEFAULT_TENANT,
    EgressAddress,
    EgressId,
    EgressState,
    Feed,
    FeedAddress,
    Signed,
)
from bailee.policy.allowlist import parse_address
from bailee.store import egress as rows
from bailee.store import feeds
from bailee.store.egress import StoredEgress
from bailee.store.engine import Store
from bailee.store.feeds import StoredFeed
from bailee.vault.authority import AuthorityVerifier
from bailee.vault.statements import sign_feed, verified_egress_address, verified_feed

LOOK_SECONDS: Final = 2.0
"""How soon a change of the addresses is seen."""
VALID_SECONDS: Final = 30 * 86_400.0
_log = structlog.get_logger("keeper")


@dataclass(frozen=True, slots=True)
class Issue:
    """A feed that was just signed and stored."""

    feed: Feed
    signed: Signed


class FeedSigner:
    """Signs the feed when the addresses change, or half of its life is over.

    Only statements of the authority count. When a row is not what was signed, is older than what
    was seen, or has vanished since the last feed, nothing is signed: the last feed stands until it
    expires, and whoever altered the rows has published nothing.

    Args:
        store: Has the addresses, and keeps the feeds.
        verifier: Of the authority of the config.
        access: To the authority.
        journal: Of the role `keeper`, in which each feed is recorded.
        clock: Unix seconds.
    """

    def __init__(
        self,
        store: Store,
        verifier: AuthorityVerifier,
        access: AuthorityAccess,
        journal: Journal,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._verifier = verifier
        self._access = access
        self._journal = journal
        self._clock = clock
        self._last: Feed | None = None
        self._serials: dict[EgressId, int] = {}
        self._told = ""

    def __repr__(self) -> str:
        return f"FeedSigner(serial={0 if self._last is None else self._last.serial})"

    async def run(self, draining: asyncio.Event, seconds: float = LOOK_SECONDS) -> None:
        """Look at the addresses now and every `seconds`, until `draining` is set."""
        await every(seconds, draining, self.sign_and_record)

    async def sign_and_record(self) -> None:
        """Sign a feed where one is due; what hinders it is logged once, and tried again."""
        try:
            issue = await asyncio.to_thread(self.sign)
            if issue is not None:
                self._journal.record(self._event(issue))
            self._told = ""
        except BaileeError as failure:
            told = f"{failure.code}: {failure.detail}"
            if told != self._told:
                _log.error("no feed", code=failure.code, detail=failure.detail, hint=failure.hint)
            self._told = told

    def sign(self) -> Issue | None:
        """Sign and store a feed, if one is due.

        Returns:
            The feed; None when the stored one is good for longer.

        Raises:
            TrustBroken: The rows are not what the authority signed.
            VaultClosed: There is no root key to sign with.
            StoreUnavailable: The database does not answer.
        """
        now = float(int(self._clock()))
        with self._store.read() as conn:
            known = rows.list_all(conn)
            newest = feeds.newest(conn)
        stored = self._stored(newest)
        last = stored or self._last
        addresses = self._addresses(known, last, now)
        if stored is not None and stored.addresses == addresses and not _half_over(stored, now):
            self._last = stored
            return None
        serial = max(int(now), 1 if last is None else last.serial + 1)
        feed = Feed(serial, now, now + VALID_SECONDS, addresses)
        signed = sign_feed(self._access.authority(), feed)
        self._put(feed, signed, before=0 if last is None else last.serial)
        self._last = feed
        return Issue(feed, signed)

    def _stored(self, newest: StoredFeed | None) -> Feed | None:
        """The stored feed, if it is ours and not an older one that was put back."""
        if newest is None:
            return None
        try:
            feed = verified_feed(self._verifier, newest.signed)
        except TrustBroken:
            return None
        return None if self._last is not None and feed.serial < self._last.serial else feed

    def _addresses(
        self, known: list[StoredEgress], last: Feed | None, now: float
    ) -> tuple[FeedAddress, ...]:
        """The active addresses, IPv4 first; what the last feed said of one stays."""
        before = {} if last is None else {each.id: each for each in last.addresses}
        for each in before.values():
            self._serials[each.id] = max(each.serial, self._serials.get(each.id, 0))
        verified = [self._verified(row) for row in known]
        if gone := before.keys() - {address.id for address in verified}:
            raise TrustBroken(
                f"egress address {min(gone)} is in the last feed, and gone from the database",
                "addresses leave the feed by 'bailee egress retire'; look who can write the rows",
            )
        found = [
            before.get(address.id)
            or FeedAddress(address.id, address.public, address.state, address.serial, now)
            for address in verified
            if address.state is EgressState.ACTIVE
        ]
        return tuple(sorted(found, key=lambda each: ":" in each.public))

    def _verified(self, row: StoredEgress) -> EgressAddress:
        address = verified_egress_address(self._verifier, row.signed, expected=row.address.id)
        if address != row.address or parse_address(address.public) is None:
            raise TrustBroken(f"the row of egress address {row.address.id} is not what was signed")
        if address.serial < self._serials.get(address.id, 0):
            raise TrustBroken(f"an older statement of egress address {address.id} was put back")
        self._serials[address.id] = address.serial
        return address

    def _put(self, feed: Feed, signed: Signed, before: int) -> None:
        """Store a feed; of the older ones, the last stays."""
        with self._store.write() as conn:
            feeds.drop_below(conn, before)
            feeds.insert(conn, feed.serial, signed, feed.created_at)
            newest = feeds.newest(conn)
            if newest is None or newest.signed != signed:
                raise TrustBroken(
                    "a row of the feeds that the authority did not sign stands before the new feed",
                    "look who can write the database, then delete the rows of 'feeds'",
                )

    def _event(self, issue: Issue) -> Event:
        return Event(
            kind="feed.signed",
            at=self._clock(),
            actor="keeper",
            tenant=DEFAULT_TENANT,
            target=str(issue.feed.serial),
            detail={
                "addresses": str(len(issue.feed.addresses)),
                "sha256": hashlib.sha256(issue.signed.payload).hexdigest(),
            },
        )


def _half_over(feed: Feed, now: float) -> bool:
    return now >= (feed.created_at + feed.valid_until) / 2
