"""What the store says about a call, verified once and kept until the store says otherwise.

The store counts its changes in one number. While that number stays the same, what was read before
is still true; when it moves, everything read is forgotten. The number is read five times a second,
and before a call when the last reading is older than that, so that a revocation works within a
second. When it can't be read, nobody knows whether a call is still allowed: after `stale_seconds`
and one second, calls are refused.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Final

from bailee.errors import ConnectionNotFound, StoreUnavailable
from bailee.gateway.route import Access
from bailee.gateway.routing import Routing
from bailee.model import CallerId, Rule, TenantId, TokenPlace
from bailee.policy.allowlist import Allowlist
from bailee.policy.rules import CompiledRules, compile_rules
from bailee.store.lookup import CallLookup, GrantRow, TokenRow

CHECK_SECONDS: Final = 0.2
GRACE_SECONDS: Final = 1.0
ENTRIES_LIMIT: Final = 100_000
"""Tokens and accesses that are remembered; over it all are forgotten."""
DECISIONS_LIMIT: Final = 20_000
HEADS_LIMIT: Final = 4_096


@dataclass(slots=True)
class _Read:
    """All that was read at one revision."""

    tokens: dict[bytes, TokenRow | None] = field(default_factory=dict)
    accesses: dict[tuple[CallerId, bytes], Access | None] = field(default_factory=dict)
    places: dict[bytes, TokenPlace | None] = field(default_factory=dict)
    allowlists: dict[CallerId, Allowlist] = field(default_factory=dict)
    decisions: dict[Hashable, object] = field(default_factory=dict)
    heads: dict[bytes, object] = field(default_factory=dict)


class Snapshot:
    """The gateway's view of the store.

    Args:
        lookup: Reads the database.
        routing: Makes verified routes of what was read.
        monotonic: A clock that never goes back, in seconds.
        stale_seconds: For how long an unreadable database is borne with.
    """

    def __init__(
        self,
        lookup: CallLookup,
        routing: Routing,
        monotonic: Callable[[], float],
        stale_seconds: float = 0.0,
    ) -> None:
        self._lookup = lookup
        self._routing = routing
        self._monotonic = monotonic
        self._bearable = GRACE_SECONDS + stale_seconds
        self._revision = (0, -1)
        self._read_at = float("-inf")
        self._tried_at = float("-inf")
        self._failure = StoreUnavailable()
        self._read = _Read()
        self.on_change: Callable[[], None] = lambda: None
        """Called after the store has changed and everything read was forgotten."""

    def __repr__(self) -> str:
        return f"Snapshot(revision={self._revision})"

    def refresh(self) -> None:
        """Read the revision now; forget everything when it has moved."""
        self._tried_at = self._monotonic()
        try:
            revision = self._lookup.revision()
        except StoreUnavailable as failure:
            self._failure = failure
            return
        self._read_at = self._tried_at
        seen = (self._lookup.openings, revision)
        if seen != self._revision:
            self._revision = seen
            self._read = _Read()
            self.on_change()

    def ensure_fresh(self) -> None:
        """Make sure that what was read may still be used.

        Raises:
            StoreUnavailable: The database has not answered for too long.
        """
        now = self._monotonic()
        if now - self._tried_at > CHECK_SECONDS:
            self.refresh()
        if now - self._read_at > self._bearable:
            raise self._failure

    @property
    def decisions(self) -> dict[Hashable, object]:
        """What was decided at this revision: it is forgotten with everything else that was read."""
        if len(self._read.decisions) >= DECISIONS_LIMIT:
            self._read.decisions.clear()
        return self._read.decisions

    @property
    def reading(self) -> object:
        """Another object whenever the store has changed and everything was forgotten."""
        return self._read

    @property
    def heads(self) -> dict[bytes, object]:
        """Request heads that were understood and let through at this revision, by their digest."""
        if len(self._read.heads) >= HEADS_LIMIT:
            self._read.heads.clear()
        return self._read.heads

    def token(self, digest: bytes) -> TokenRow | None:
        """Find a token by its digest, live or not."""
        tokens = self._read.tokens
        if digest not in tokens:
            if len(tokens) >= ENTRIES_LIMIT:
                tokens.clear()
            tokens[digest] = self._lookup.token(digest)
        return tokens[digest]

    def allowlist(self, row: TokenRow, caller: CallerId) -> Allowlist:
        """The inbound allowlist of a caller that has one."""
        allowlists = self._read.allowlists
        if caller not in allowlists:
            allowlists[caller] = Allowlist.parse(row.allow_from)
        return allowlists[caller]

    def token_place(self, door: bytes) -> TokenPlace | None:
        """Where an unmodified SDK of this connection's provider puts the token, if anywhere."""
        places = self._read.places
        if door not in places:
            if len(places) >= ENTRIES_LIMIT:
                places.clear()
            places[door] = self._routing.find_token_place(door)
        return places[door]

    def access(self, caller: CallerId, tenant: TenantId, door: bytes, now: float) -> Access:
        """Find what a caller may do with a door.

        Args:
            caller: Who asks.
            tenant: Whose it is.
            door: `{connection}` or `{connection}.{origin}`, as it stands in the path.
            now: Unix seconds.

        Raises:
            ConnectionNotFound: There is none, it is another tenant's, or the caller has no grant.
        """
        accesses = self._read.accesses
        key = (caller, door)
        found = accesses.get(key)
        if found is None and key not in accesses:
            if len(accesses) >= ENTRIES_LIMIT:
                accesses.clear()
            found = accesses[key] = self._routing.find_access(caller, tenant, door)
        if found is None:
            raise ConnectionNotFound()
        if now >= found.valid_until:
            found.rules, found.valid_until = _live_rules(found.grants, now)
        if not found.rules.rules:
            raise ConnectionNotFound()
        return found


def _live_rules(grants: Sequence[GrantRow], now: float) -> tuple[CompiledRules, float]:
    rules: list[Rule] = []
    until = float("inf")
    for grant in grants:
        expires_at = grant.expires_at if grant.expires_at is not None else float("inf")
        if expires_at > now:
            rules.extend(grant.allow)
            until = min(until, expires_at)
    return compile_rules(rules), until
