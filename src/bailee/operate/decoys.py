"""What `bailee doctor` says of decoys."""

from collections.abc import Iterable, Iterator

from bailee.config import DecoyEntry, Settings
from bailee.egress.address import is_local
from bailee.lock.neighbours import are_neighbours
from bailee.operate.check import Check, fail, ok, warn


def look_at_decoys(settings: Settings, published: Iterable[str]) -> Iterator[Check]:
    """Look whether locks can be measured from each decoy.

    Args:
        settings: The configuration; it was refused already where a decoy is near to one of its own
            egress addresses.
        published: Every address that is published, other nodes' too.
    """
    addresses = tuple(published)
    for decoy in settings.decoy:
        yield _look_at_decoy(decoy, addresses)
    if not settings.decoy:
        yield ok("decoy", "there is none: allowlists can be declared, and not proven")


def _look_at_decoy(decoy: DecoyEntry, published: tuple[str, ...]) -> Check:
    about = f"decoy {decoy.name}"
    near = [address for address in published if are_neighbours(decoy.public, address)]
    if near:
        return fail(
            about,
            f"{decoy.public} is a neighbour of {near[0]}, which is published: it proves nothing",
            "take an address of another network",
        )
    if not is_local(decoy.bind):
        return warn(
            about,
            f"{decoy.bind} is not an address of this machine: no lock is measured from it",
            f"ip address add {decoy.bind} dev eth0, or take the section out",
        )
    return ok(about, f"{decoy.bind} is on this machine, and near to no published address")
