"""The trust record: what decides where a provider's credentials may go.

Its digest is bound into every sealed credential. A change of anything in it keeps the old
credentials closed; what is not in it (name, headers, rules) can change without that.
"""

from hashlib import sha256

import msgspec

from bailee.model import AuthScheme, Origin, PlaceScheme, Provider

_LABEL = "bailee/trust/v1"


def trust_record(provider: Provider) -> bytes:
    """Return the trust record as canonical bytes: JSON, sorted names, no spaces.

    Origins are sorted by name and placements keep their order; which origin is the default does
    not count, for each of them is one that the authority approved. A CA counts by the SHA-256 of
    its PEM text. How a WebSocket logs in counts too.
    """
    record = {
        "label": _LABEL,
        "id": provider.id,
        "origins": [_origin(each) for each in sorted(provider.origins, key=lambda o: o.name)],
        "auth": _auth(provider.auth),
    }
    if provider.websocket is not None:
        record["websocket"] = msgspec.to_builtins(provider.websocket)
    return msgspec.json.encode(record, order="sorted")


def trust_digest(provider: Provider) -> bytes:
    """Return the SHA-256 of the trust record: 32 bytes."""
    return sha256(trust_record(provider)).digest()


def _auth(scheme: AuthScheme) -> dict[str, object]:
    """A template scheme counts whole: a member that it gets one day can't be forgotten here."""
    if isinstance(scheme, PlaceScheme):
        return {
            "scheme": "place",
            "placements": [[p.place, p.name, p.value] for p in scheme.placements],
            "fields": scheme.fields,
        }
    return {"scheme": "template", **msgspec.to_builtins(scheme)}


def _origin(origin: Origin) -> dict[str, str | int | bool | None]:
    pem = origin.ca_pem
    return {
        "name": origin.name,
        "host": origin.host,
        "port": origin.port,
        "address": origin.address,
        "ca_sha256": None if pem is None else sha256(pem.encode("utf-8")).hexdigest(),
        "danger_private_addresses": origin.danger_private_addresses,
        "tls_minimum": origin.tls_minimum,
    }
