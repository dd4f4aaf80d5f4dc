"""What people look at before they let credentials go somewhere."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import groupby

from bailee.model import (
    Allowlisting,
    AuthScheme,
    Budget,
    Condition,
    Meaning,
    Origin,
    PlaceScheme,
    Probe,
    Provider,
    ProviderRequest,
    Refusal,
    WebSocket,
)
from bailee.providers.trust import trust_digest


def summary(provider: Provider) -> dict[str, object]:
    """Describe what decides where credentials go, which fields they have, and how answers are read.

    What a file need not have is `None` where it is missing.
    """
    allowlisting, probe, report = provider.allowlisting, provider.probe, provider.report
    return {
        "origins": [_origin(origin) for origin in provider.origins],
        "auth": list(_auth(provider.auth)),
        "websocket": list(_websocket(provider.websocket)) or None,
        "credential_fields": list(provider.auth.fields),
        "denied": [str(rule) for rule in provider.deny],
        "allowlist": None if allowlisting is None else _allowlisting(allowlisting),
        "probe": None if probe is None else _probe(probe),
        "report": None if report is None else _request(report.request),
        "refusals": list(_refusals(provider.refusals)) or None,
        "budgets": [_budget(budget) for budget in provider.budgets] or None,
        "trust_digest": trust_digest(provider).hex(),
    }


def shown(row: Mapping[str, object]) -> tuple[str, ...]:
    """Name what people look at: all but what is not there."""
    return tuple(name for name, value in row.items() if value is not None)


def differences(before: Provider | None, after: Provider) -> Iterator[str]:
    """Say line by line what an approval changes; the trust record comes first."""
    if before is None:
        yield f"{after.id} is new:"
        told = summary(after)
        for name in shown(told):
            yield f"  + {_label(name)}: {_text(told[name])}"
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


def _auth(scheme: AuthScheme) -> Iterator[str]:
    if isinstance(scheme, PlaceScheme):
        yield from (_placement(p.place, p.name, p.value) for p in scheme.placements)
        return
    algorithms = " or ".join(key.algorithm for key in scheme.keys)
    yield f"{algorithms} by {{{scheme.secret}}} over {_escaped(scheme.message)}"
    for part in scheme.parts:
        of = part.of or ", ".join(f"{name}: {value}" for name, value in part.json)
        yield f"{{{part.name}}} is {part.digest} of {_escaped(of)} in {part.encoding}"
    yield from (_placement(each.slot, each.name, each.value) for each in scheme.fillings)
    yield from (f"unsigned {rule}" for rule in scheme.unsigned)


def _websocket(websocket: WebSocket | None) -> Iterator[str]:
    if websocket is None:
        return
    yield f"at {' and '.join(websocket.origins)}, login: {websocket.login}"
    frame = websocket.frame
    if frame is not None:
        yield f"sent {_escaped(frame.message)}"
        yield "in place of what has " + " and ".join(map(str, frame.when))
        if frame.sign:
            yield f"signed {_escaped(frame.sign)}"
        for part in frame.parts:
            yield f"{{{part.name}}} is {part.digest} of {_escaped(part.of)} in {part.encoding}"
        if frame.keep:
            yield "kept " + " and ".join(frame.keep)


def _allowlisting(told: Allowlisting) -> str:
    parts = [f"per {told.scope}", *told.family]
    if told.max is not None:
        parts.append(f"up to {told.max}")
    if told.decays_days is not None:
        parts.append(f"without one for {told.decays_days} days it decays")
    return ", ".join(parts) + (f" ({told.where})" if told.where else "")


def _probe(probe: Probe) -> list[str]:
    public = f"public {_request(probe.public)}"
    return [_request(probe.request), public, f"decoy {probe.decoy.value}"]


def _request(request: ProviderRequest) -> str:
    query = f"?{request.query}" if request.query else ""
    origin = f" at {request.origin}" if request.origin else ""
    body = f" with {_escaped(request.body)}" if request.body else ""
    return f"{request.method} {request.path}{query}{origin}{body}"


def _refusals(refusals: tuple[Refusal, ...]) -> Iterator[str]:
    """One line for those that differ in the value of one path alone, as in the file."""
    for (means, when, path), alike in groupby(refusals, _all_but_value):
        values = " or ".join(value for each in alike for _, value in each.when.equals[:1])
        parts = ["status is " + " or ".join(map(str, when.status))] if when.status else []
        parts += [f"{path} is {values}"] if path else []
        parts += [f"{path} is {value}" for path, value in when.equals]
        parts += [f"{path} is there" for path in when.present]
        parts += ["the body has " + " or ".join(when.contains)] if when.contains else []
        yield f"{means.value} when " + " and ".join(parts)


def _budget(budget: Budget) -> str:
    counted = "an egress address" if budget.per == "egress" else "a connection"
    return f"{budget.calls} calls in {budget.seconds:g} s of {counted} ({budget.burst} at once)"


def _all_but_value(refusal: Refusal) -> tuple[Meaning, Condition, str]:
    when = refusal.when
    path = when.equals[0][0] if when.equals else ""
    return refusal.means, replace(when, equals=when.equals[1:]), path


def _placement(place: str, name: str, value: str) -> str:
    return f"{place} {name}: {value}" if name else f"{place} {value}"


def _text(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(value) or "-"
    return str(value)


def _escaped(text: str) -> str:
    """Keep a template on one line."""
    return text.encode("unicode_escape").decode("ascii")


def _label(name: str) -> str:
    return name.replace("_", " ")
