"""What the steps of `bailee quickstart` share: what was asked for, and what they work with."""

import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from bailee.cli.admin_api import AdminApi
from bailee.cli.authority import SigningDesk, signing_desk
from bailee.cli.quickstart_guide import Guide
from bailee.cli.wire import Place
from bailee.config import Settings
from bailee.errors import BadInput
from bailee.model import RELAYED_METHODS, ProviderRequest, Rule
from bailee.policy.rules import canonical_path
from bailee.store.engine import Store
from bailee.vault.authority import AuthorityVerifier


@dataclass(frozen=True, slots=True)
class Wishes:
    """What was typed. Nothing of it is secret."""

    source: str
    subject: str
    caller: str
    allow: tuple[Rule, ...]
    """Empty: the default."""
    call: ProviderRequest | None
    egress: str | None
    approve: tuple[str, ...]
    backup: tuple[str, ...]
    danger_no_backup: bool
    new_key: bool
    accept_risky: bool


@dataclass(slots=True)
class Run:
    """One run. `told` is its result as far as it has come."""

    wishes: Wishes
    guide: Guide
    settings: Settings
    admin: AdminApi
    calls: Place
    store: Store
    verifier: AuthorityVerifier
    held: ExitStack
    """Closes at the end of the run what was opened in it."""
    told: dict[str, Any] = field(default_factory=dict)
    changed_at: float = 0.0
    """When this run changed something that a gateway may know otherwise; by the monotonic clock."""
    _desk: SigningDesk | None = None

    def did(self, step: str, how: str) -> None:
        """Note what became of a step: `reused`, or what was changed."""
        self.told["done"][step] = how
        if how != "reused":
            self.changed_at = time.monotonic()

    def desk(self) -> SigningDesk:
        """The root key at work: opened when it is needed first, so that a passphrase is asked for
        once, and only where something is to be signed.

        Raises:
            VaultClosed: The root key is missing, or is not this vault's.
        """
        if self._desk is None:
            self._desk = self.held.enter_context(signing_desk(self.settings))
        return self._desk


def parse_call(text: str) -> ProviderRequest:
    """Read `METHOD /path`, perhaps with a query.

    Raises:
        BadInput: It is of another form, or no call can have this path.
    """
    example = "it looks like 'GET /v1/balance'"
    method, _, target = text.strip().partition(" ")
    path, _, query = target.strip().partition("?")
    if method.upper() not in RELAYED_METHODS or not path.startswith("/"):
        raise BadInput(f"{text!r} is not a call", example)
    if not target.isascii() or canonical_path(path.encode("ascii")) != path:
        raise BadInput(f"{text!r} has a path that no call can have", example)
    return ProviderRequest(method.upper(), path, query)
