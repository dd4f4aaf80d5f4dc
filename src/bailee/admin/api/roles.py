"""Which role may ask for what, in one table. A route that is not in it does not start.

The role says what may be done, the tenant to whose things: an application's token sees its own
tenant alone; operators and auditors choose one with `Bailee-Tenant` or `?tenant=`. A caller's token
is for calls and gets nothing here.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from bailee.model import Role

_EVERYONE: Final[frozenset[Role]] = frozenset()
_OPERATOR: Final = frozenset({Role.OPERATOR})
_WATCH: Final = frozenset({Role.OPERATOR, Role.AUDITOR})
_READ: Final = frozenset({Role.OPERATOR, Role.APPLICATION, Role.AUDITOR})
_WRITE: Final = frozenset({Role.OPERATOR, Role.APPLICATION})


@dataclass(frozen=True, slots=True)
class Access:
    """Who may use a route."""

    roles: frozenset[Role]
    """Empty: anyone, without a token."""
    all_tenants: bool = False
    """Whether the tenant may be `*`, all of them at once."""
    shows_token: bool = False
    """Whether its answer holds a new token: it is never stored, for no repetition."""


# fmt: off
TABLE: Final[Mapping[tuple[str, str], Access]] = {
    ("GET", "/healthz"): Access(_EVERYONE),
    ("GET", "/readyz"): Access(_EVERYONE),
    ("GET", "/openapi.json"): Access(_EVERYONE),
    ("GET", "/metrics"): Access(_WATCH),
    ("GET", "/v1/status"): Access(_READ),
    ("GET", "/v1/journal/chains"): Access(_WATCH),
    # What all tenants share: operators change it, with the authority's signature where it counts.
    ("GET", "/v1/providers"): Access(_READ),
    ("POST", "/v1/providers"): Access(_OPERATOR),
    ("GET", "/v1/providers/{provider}"): Access(_READ),
    ("POST", "/v1/providers/{provider}/approval"): Access(_OPERATOR),
    ("POST", "/v1/providers/{provider}/pins"): Access(_OPERATOR),
    ("GET", "/v1/pins"): Access(_READ),
    ("GET", "/v1/egress"): Access(_READ),
    ("POST", "/v1/egress"): Access(_OPERATOR),
    ("GET", "/v1/tenants"): Access(_WATCH),
    ("POST", "/v1/tenants"): Access(_OPERATOR),
    ("GET", "/v1/tenants/{tenant_id}"): Access(_READ),
    ("PATCH", "/v1/tenants/{tenant_id}"): Access(_OPERATOR),
    # One tenant's things.
    ("GET", "/v1/tenant/key"): Access(_READ),
    ("GET", "/v1/jobs"): Access(_READ),
    ("POST", "/v1/jobs"): Access(_OPERATOR),
    ("GET", "/v1/jobs/{job}"): Access(_READ),
    ("GET", "/v1/tokens"): Access(_READ),
    ("POST", "/v1/tokens"): Access(_WRITE, shows_token=True),
    ("GET", "/v1/tokens/{token}"): Access(_READ),
    ("DELETE", "/v1/tokens/{token}"): Access(_WRITE),
    ("GET", "/v1/callers"): Access(_READ),
    ("POST", "/v1/callers"): Access(_WRITE, shows_token=True),
    ("GET", "/v1/callers/{caller}"): Access(_READ),
    ("PATCH", "/v1/callers/{caller}"): Access(_WRITE),
    ("DELETE", "/v1/callers/{caller}"): Access(_WRITE),
    ("GET", "/v1/grants"): Access(_READ),
    ("POST", "/v1/grants"): Access(_WRITE),
    ("GET", "/v1/grants/{grant}"): Access(_READ),
    ("DELETE", "/v1/grants/{grant}"): Access(_WRITE),
    ("GET", "/v1/connections"): Access(_READ),
    ("POST", "/v1/connections"): Access(_WRITE),
    ("POST", "/v1/connections/batch"): Access(_WRITE),
    ("GET", "/v1/connections/{connection}"): Access(_READ),
    ("DELETE", "/v1/connections/{connection}"): Access(_WRITE),
    ("POST", "/v1/connections/{connection}/versions"): Access(_WRITE),
    ("POST", "/v1/connections/{connection}/lock-checks"): Access(_WRITE),
    ("GET", "/v1/locks"): Access(_READ, all_tenants=True),
    ("GET", "/v1/locks/{connection}"): Access(_READ),
    ("GET", "/v1/exposure"): Access(_READ, all_tenants=True),
    ("GET", "/v1/revocations"): Access(_READ, all_tenants=True),
    ("POST", "/v1/revocations"): Access(_WRITE, all_tenants=True),
    ("DELETE", "/v1/subjects/{subject}"): Access(_WRITE),
}
# fmt: on

OPEN_PATHS: Final = frozenset(path for (_, path), access in TABLE.items() if not access.roles)
"""What anyone may ask."""


def check_table(served: Iterable[tuple[str, str]]) -> None:
    """Refuse to start unless every route stands in the table, and every row has a route.

    Args:
        served: Method and path of each route.

    Raises:
        RuntimeError: A route without a row, which nobody may use, or a row without a route.
    """
    routes = set(served)
    for what, strays in (
        ("routes without a row", routes - TABLE.keys()),
        ("rows without a route", TABLE.keys() - routes),
    ):
        if strays:
            told = ", ".join(sorted(f"{method} {path}" for method, path in strays))
            raise RuntimeError(f"the table of roles has {what}: {told}")
