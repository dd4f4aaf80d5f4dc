"""A world to check allowlists in: a reference API that behaves as some providers do, and what is
true of its keys."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bailee.model import Meaning, Provider
from bailee.policy.allowlist import Allowlist
from bailee.providers.load import parse_provider
from bailee.providers.refusal import meaning_of_probe
from bailee.reference.accounts import Accounts, KeyKind, KeyWish, Permission
from bailee.reference.app import ReferenceApi
from bailee.reference.pki import World
from bailee.reference.provider_file import provider_file
from bailee.reference.quirks import Quirk
from reference_server import Answer, ApiPlace, serve_here
from reference_signing import sign

NAME = "api.test"
EGRESS = "127.0.0.2"
DECOY = "127.0.1.3"
"""In another /24 than the egress address: a neighbour proves nothing, and is refused as a decoy."""
ELSEWHERE = "127.0.2.9"
"""Somebody else's address."""
LISTS: dict[str, list[str] | None] = {
    "open": None,
    "open by a list": ["0.0.0.0/0"],
    "ours": [EGRESS],
    "ours and another": [EGRESS, ELSEWHERE],
    "another": [ELSEWHERE],
    "nobody": [],
}
"""Allowlists that a user may have set."""


@dataclass(frozen=True, slots=True)
class LockWorld:
    """A running reference API and its certificates."""

    accounts: Accounts
    place: ApiPlace
    world: World

    def make_credential(
        self, allow: list[str] | None, kind: KeyKind = KeyKind.BEARER, nonce: bool = False
    ) -> dict[str, str]:
        """Make a user and a key; returns what the user would hand over."""
        user, _ = self.accounts.create_user("ann")
        listed = None if allow is None else Allowlist.parse(allow)
        wish = KeyWish("k", listed, frozenset(Permission), kind, nonce)
        return self.accounts.create_key(user, wish).shown

    def provider(
        self, kind: KeyKind = KeyKind.BEARER, nonce: bool = False, knows: tuple[Quirk, ...] = ()
    ) -> Provider:
        """The API as a provider, whose file knows of some quirks."""
        text = provider_file(
            f"https://{NAME}:{self.place.port}",
            kind=kind,
            nonce=nonce,
            address=self.place.host,
            ca_file="ca.pem",
            private=True,
            quirks=knows,
        )
        return parse_provider(text, lambda _: self.world.root.pem.decode())

    def works_for_a_thief(self, credential: dict[str, str]) -> bool:
        """Whether the key's allowlist lets an address in that nobody allowed. It is the truth: it
        is asked of the key itself."""
        kind = KeyKind.HMAC if "api_secret" in credential else KeyKind.BEARER
        key = self.accounts.find_key(credential["api_key"], kind)
        assert key is not None
        return key.allow is None or key.allow.admits(DECOY)


@contextmanager
def lock_world(directory: Path, world: World, *quirks: Quirk) -> Iterator[LockWorld]:
    """Run a reference API with quirks, to which the egress address is no stranger.

    Args:
        directory: Where its certificates are written.
        world: Certificates for `api.test` and 127.0.0.1.
        quirks: How it refuses.
    """
    accounts = Accounts()
    api = ReferenceApi(accounts=accounts, quirks=quirks, known=[EGRESS])
    with serve_here(api, world.write(directory)) as place:
        yield LockWorld(accounts, place, world)


def naive_check(made: LockWorld, provider: Provider, credential: dict[str, str]) -> str:
    """What everybody writes first: call from here, call from elsewhere, compare.

    It even reads the body as the provider's file says, and not only the status.
    """
    served = [_is_served(made, provider, credential, source) for source in (EGRESS, DECOY)]
    if served[1]:
        return "open"
    return "enforced" if served[0] else "blocked"


def _is_served(
    made: LockWorld, provider: Provider, credential: dict[str, str], source: str
) -> bool:
    answer = probe(made, credential, source)
    return meaning_of_probe(provider, answer.status, answer.body) is Meaning.SERVED


def probe(made: LockWorld, credential: dict[str, str], source: str) -> Answer:
    """Use a credential around Bailee, from an address of this machine."""
    if "api_secret" not in credential:
        return made.place.ask("GET", "/v1/key", credential["api_key"], source=source)
    headers = sign(credential, "GET", "/v1/key")
    return made.place.ask("GET", "/v1/key", source=source, headers=headers)
