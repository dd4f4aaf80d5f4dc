"""What people look at before they let credentials go somewhere."""

from collections.abc import Iterator

from bailee.model import Origin, Provider
from bailee.providers.trust import trust_digest


def summary(provider: Provider) -> dict[str, object]:
    """Describe what decides where credentials go, and which fields they have."""
    return {
        "origins": [_origin(origin) for origin in provider.origins],
        "auth": [_placement(p.place, p.name, p.value) for p in provider.auth.placements],
        "credential_fields": list(provider.auth.fields),
        "denied": [str(rule) for rule in provider.deny],
        "trust_digest": trust_digest(provider).hex(),
    }


def differences(before: Provider | None, after: Provider) -> Iterator[str]:
    """Say line by line what an approval changes; the trust record comes first."""
    if before is None:
        yield f"{after.id} is new:"
        for name, value in summary(after).items():
            yield f"  + {_label(name)}: {_text(value)}"
        return
    old, new = summary(before), summary(after)
    changed = trust_digest(before) != trust_digest(after)
    what = "CHANGES: credentials must be entered again" if changed else "stays as it is"
    yield f"{after.id}: the trust record {what}"
    for name, value in new.items():
        if value != old[name]:
            yield f"  - {_label(name)}: {_text(old[name])}"
            yield f"  + {_label(name)}: {_text(value)}"
    if before.headers != after.headers:
        yield f"  - headers: {_text(list(before.headers))}"
        yield f"  + headers: {_text(list(after.headers))}"
    if before.multiplexed != after.multiplexed:
        yield f"  - multiplexed: {_text([str(rule) for rule in before.multiplexed])}"
        yield f"  + multiplexed: {_text([str(rule) for rule in after.multiplexed])}"
    if before.caller_token != after.caller_token:
        yield "  the place of the caller's token changes"


def _origin(origin: Origin) -> str:
    from hashlib import sha256

    text = f"{origin.name} https://{origin.authority}"
    if origin.address is not None:
        text += f" at {origin.address}"
    if origin.ca_pem is not None:
        text += f" with CA {sha256(origin.ca_pem.encode()).hexdigest()[:16]}"
    if origin.danger_private_addresses:
        text += " DANGER private addresses"
    if origin.tls_minimum != "1.3":
        text += f" TLS {origin.tls_minimum}"
    return text


def _placement(place: str, name: str, value: str) -> str:
    return f"{place} {name}: {value}" if name else f"{place} {value}"


def _text(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(value) or "-"
    return str(value)


def _label(name: str) -> str:
    return name.replace("_", " ")
