"""How real providers refuse a stranger, where it is not by a plain "this address is not allowed".

Each quirk is something that a check of allowlists must not be led astray by; they can be combined.

- `uniform-401`: a wrong key and a foreign address are told the same. Coinbase Advanced says
  `401 Unauthorized` to both, Binance -2015 "Invalid API-key, IP, or permissions for action".
- `refusal-inside-200`: Bybit (10010), BingX (100419) and Namecheap (1011150) refuse an address with
  status 200; Kraken sends all its errors so.
- `firewall`: something before the API blocks a stranger, whatever the key's list says. A 403 of
  MEXC is its web application firewall's; Bybit answers 403 to whole countries.
- `nonce-error`: Bitfinex (10114), Kraken (`EAPI:Invalid nonce`) and Crypto.com (40102) refuse a
  nonce that does not follow the last one. That is what a second machine, with a counter of its own,
  is told.

A *stranger* is an address that stands on no key's allowlist, nor among those that the API was
started with as known.
"""

from collections.abc import Iterable
from enum import StrEnum

from bailee.errors import BadInput


class Quirk(StrEnum):
    """One of them."""

    UNIFORM_401 = "uniform-401"
    """A foreign address gets the very same answer as a wrong key."""
    REFUSAL_INSIDE_200 = "refusal-inside-200"
    """Whatever is refused on a keyed route is refused with status 200."""
    FIREWALL = "firewall"
    """A stranger is blocked on every `/v1` path, the public one too. No list has to do with it: a
    key that has none is blocked alike."""
    NONCE_ERROR = "nonce-error"
    """A stranger with a key is told that its nonce is wrong, whatever the key's list says."""


def parse_quirks(names: Iterable[str]) -> frozenset[Quirk]:
    """Read quirks by their names.

    Raises:
        BadInput: There is no quirk of a name.
    """
    try:
        return frozenset(Quirk(name) for name in names)
    except ValueError:
        raise BadInput("there is no such quirk", "one of " + ", ".join(Quirk)) from None
