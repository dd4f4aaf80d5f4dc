"""What `bailee doctor` says of egress addresses: are they published, and on this machine?"""

from collections.abc import Iterator, Sequence

from bailee.config import Settings
from bailee.egress.address import is_local
from bailee.manage.egress import EgressStanding
from bailee.model import EgressState
from bailee.operate.check import Check, fail, ok, warn

WRITER = "find out who can write the database; no call goes by it"


def look_at_published(settings: Settings, standings: Sequence[EgressStanding]) -> Iterator[Check]:
    """Compare what is published with what the configuration can dial from."""
    published = {}
    for standing in standings:
        address = standing.address
        if standing.broken:
            yield fail(f"egress {address.name}", "its row is not what the authority signed", WRITER)
        elif address.state is EgressState.ACTIVE:
            published[address.name] = address.public
    for entry in settings.egress:
        public = published.pop(entry.name, None)
        if public is None:
            yield warn(f"egress {entry.name}", "not published", f"bailee egress add {entry.name}")
        elif public != entry.public:
            yield fail(
                f"egress {entry.name}",
                f"published as {public}, and the config says {entry.public}",
                f"bailee egress retire {entry.name}, then add it again",
            )
        else:
            yield ok(f"egress {entry.name}", f"published as {public}")
    for name, public in published.items():
        yield warn(
            f"egress {name}",
            f"published as {public}, and this node has no [[egress]] section for it",
            "add the section, or retire the address",
        )
    if not settings.egress:
        yield warn(
            "egress",
            "there is no egress address: calls answer 503 no-egress-address",
            "add an [[egress]] section with name and bind, then 'bailee egress add NAME'",
        )


def look_at_bindings(settings: Settings) -> Iterator[Check]:
    """Look whether this machine has the addresses of the configuration."""
    for entry in settings.egress:
        about = f"egress {entry.name}"
        if is_local(entry.bind):
            yield ok(about, f"{entry.bind} is on this machine")
        else:
            yield fail(
                about,
                f"{entry.bind} is not an address of this machine",
                f"ip address add {entry.bind} dev eth0, or take the section out",
            )
