"""The tables of a provider's file that say what an answer means: what may be restricted, how that
is measured, and how the provider refuses."""

from itertools import product
from typing import Final, Literal, NamedTuple, cast

from bailee.model import (
    Allowlisting,
    Condition,
    DecoyPolicy,
    Meaning,
    Probe,
    ProviderRequest,
    Refusal,
    SelfReport,
)
from bailee.providers.answer import spelled
from bailee.providers.table import Table

SCOPES: Final = ("key", "account", "none")
FAMILIES: Final = ("ipv4", "ipv6")


class Meanings(NamedTuple):
    """The four tables, in the order in which a `Provider` has them."""

    allowlisting: Allowlisting | None
    probe: Probe | None
    report: SelfReport | None
    refusals: tuple[Refusal, ...]


def read_meanings(file: Table) -> Meanings:
    """Read the four tables of a provider's file; `None` stands for what is missing or faulty."""
    return Meanings(
        _read_allowlisting(file), _read_probe(file), _read_self_report(file), _read_refusals(file)
    )


def _read_allowlisting(file: Table) -> Allowlisting | None:
    """Read `[allowlisting]`; `None` when it is missing or has a fault."""
    table = file.table("allowlisting")
    if table is None:
        return None
    scope = _one_of(table, "scope", SCOPES)
    family = tuple(dict.fromkeys(table.texts("family"))) if "family" in table else ("ipv4",)
    if not family or not set(family) <= set(FAMILIES):
        table.fault("family", 'must be a list of "ipv4" and "ipv6"')
        scope = None
    where = table.text("where", default="")
    most = table.optional_number("max")
    cidr = table.optional_flag("cidr")
    decays = table.optional_number("decays_days")
    table.finish()
    if scope is None or where is None:
        return None
    return Allowlisting(
        cast(Literal["key", "account", "none"], scope),
        cast("tuple[Literal['ipv4', 'ipv6'], ...]", family),
        where, most, cidr, decays,
    )  # fmt: skip


def _read_probe(file: Table) -> Probe | None:
    """Read `[probe]`; `None` when it is missing or has a fault."""
    table = file.table("probe")
    if table is None:
        return None
    request = _read_request(table, "request")
    success = _read_success(table, "success")
    public = _read_request(table, "public")
    public_success = _read_success(table, "public_success")
    decoy = _one_of(table, "decoy", tuple(DecoyPolicy), default=DecoyPolicy.RISKY)
    table.finish()
    if not (request and success and public and public_success and decoy):
        return None
    return Probe(request, success, public, public_success, DecoyPolicy(decoy))


def _read_self_report(file: Table) -> SelfReport | None:
    """Read `[report]`; `None` when it is missing or has a fault."""
    table = file.table("report")
    if table is None:
        return None
    request = _read_request(table, "request")
    success = _read_success(table, "success")
    addresses = table.text("addresses", default="")
    restricted = table.text("restricted", default="")
    unrestricted = table.texts("unrestricted_values", or_one=True)
    powers = tuple(
        (name, path, value)
        for name, power in table.named_tables("power").items()
        for path, values in _read_pairs(power)
        for value in values
    )
    table.finish()
    if request is None or success is None or addresses is None or restricted is None:
        return None
    return SelfReport(request, success, addresses, restricted, unrestricted, powers)


def _read_refusals(file: Table) -> tuple[Refusal, ...]:
    """Read every `[[refusal]]` that has no fault."""
    refusals: list[Refusal] = []
    for table in file.tables("refusal"):
        means = _one_of(table, "means", tuple(each for each in Meaning if each != Meaning.SERVED))
        conditions = _read_conditions(table)
        if means is not None:
            refusals += [Refusal(Meaning(means), condition) for condition in conditions]
    return tuple(refusals)


def _read_request(parent: Table, key: str) -> ProviderRequest | None:
    """Read `"METHOD /path?query"`, or a table with that as its `call` and a body or an origin."""
    table = parent.table_or_text(key, "call")
    if table is None:
        return None
    call = table.text("call")
    body = table.optional_text("body")
    content_type = table.text("content_type", default="")
    origin = table.optional_text("origin")
    reads = table.flag("reads")
    table.finish()
    if call is None or content_type is None:
        return None
    method, _, target = call.partition(" ")
    path, _, query = target.partition("?")
    if method == "POST" and not reads:
        table.fault("reads", "must be true for a POST: a probe never writes")
    return ProviderRequest(method, path, query, body, content_type, origin)


def _read_success(parent: Table, key: str) -> Condition | None:
    if key not in parent:
        parent.fault(key, "is missing")
    table = parent.table(key)
    if table is None:
        return None
    conditions = _read_conditions(table)
    if len(conditions) > 1:
        parent.fault(key, "can't have several values of one path: all must hold")
    return conditions[0] if conditions else None


def _read_conditions(table: Table) -> list[Condition]:
    """Read what an answer must be; a list of values of one path makes a condition of each."""
    status = table.numbers("status")
    present = table.texts("present", or_one=True)
    contains = table.texts("contains", or_one=True)
    pairs = table.table("equals")
    choices = [] if pairs is None else _read_pairs(pairs)
    table.finish()
    chosen = product(*([(path, value) for value in values] for path, values in choices))
    return [Condition(status, present, equals, contains) for equals in chosen]


def _read_pairs(table: Table) -> list[tuple[str, list[str]]]:
    """Read paths and the values that they may lead to."""
    pairs = []
    for path, value in table.flattened():
        texts = [spelled(each) for each in (value if isinstance(value, list) else [value])]
        known = [text for text in texts if text is not None]
        if len(known) < len(texts) or not known:
            table.fault(path, "must be a text, a number, true or false, or a list of these")
        pairs.append((path, known))
    return pairs


def _one_of(
    table: Table, key: str, known: tuple[str, ...], default: str | None = None
) -> str | None:
    text = table.text(key, default=default)
    if text is not None and text not in known:
        table.fault(key, "must be one of " + ", ".join(known))
        return None
    return text
