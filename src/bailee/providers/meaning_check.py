"""What must hold for the parts of a provider that say what an answer means.

A probe is sent with a user's credential and nobody looking, so it reads (R48): it is a GET, a HEAD
or a POST that its file vouches for, and never what the provider's own rules deny.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from bailee.model import (
    ALLOW,
    Allowlisting,
    Condition,
    Meaning,
    Origin,
    Probe,
    ProviderRequest,
    Refusal,
    Rule,
    SelfReport,
)
from bailee.policy.rules import ProviderRules, authorize, canonical_path, compile_rules
from bailee.providers.meaning_tables import Meanings
from bailee.providers.report import POWERS

MAX_REFUSALS: Final = 128
MAX_PARTS: Final = 32
"""How many statuses, paths, values or texts a condition has at most, of each kind."""
BODY_MAX_CHARS: Final = 16_384
TEXT_MAX_CHARS: Final = 256

_PROBING_METHODS = ("GET", "HEAD", "POST")
_JSON_PATH = re.compile(r"[A-Za-z0-9_\-]{1,64}(?:\.[A-Za-z0-9_\-]{1,64}){0,15}")
_QUERY = re.compile(r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/?]|%[0-9A-Fa-f]{2}){0,2048}")
_MEDIA_TYPE = re.compile(r"[a-z0-9.+\-]{1,64}/[a-z0-9.+\-]{1,64}(?:; ?charset=[A-Za-z0-9\-]+)?")
_EVERYTHING = compile_rules([Rule("*", "/**")])


def meaning_faults(
    told: Meanings, origins: tuple[Origin, ...], deny: Iterable[Rule], multiplexed: Iterable[Rule]
) -> list[str]:
    """Check the four tables, beside the rules and origins that their requests are sent to."""
    rules = ProviderRules.of(deny, multiplexed)
    return [
        *allowlisting_faults(told.allowlisting),
        *probe_faults(told.probe, origins, rules),
        *report_faults(told.report, origins, rules),
        *refusal_faults(told.refusals),
    ]


def allowlisting_faults(told: Allowlisting | None) -> Iterator[str]:
    """Check what the provider lets its users restrict."""
    if told is None:
        return
    if not told.family or len(set(told.family)) < len(told.family):
        yield "allowlisting.family has nothing in it, or something twice"
    if len(told.where) > TEXT_MAX_CHARS or (told.where and not told.where.isprintable()):
        yield f"allowlisting.where must be up to {TEXT_MAX_CHARS} printable characters"
    if told.max is not None and not 1 <= told.max <= 10_000:
        yield "allowlisting.max must be 1 to 10000"
    if told.decays_days is not None and not 1 <= told.decays_days <= 3650:
        yield "allowlisting.decays_days must be 1 to 3650"


def probe_faults(
    probe: Probe | None, origins: tuple[Origin, ...], rules: ProviderRules
) -> Iterator[str]:
    """Check how a credential is tried."""
    if probe is None:
        return
    yield from request_faults("probe.request", probe.request, origins, rules)
    yield from request_faults("probe.public", probe.public, origins, rules)
    yield from _success_faults("probe.success", probe.success)
    yield from _success_faults("probe.public_success", probe.public_success)
    if probe.request == probe.public:
        yield "probe.public is the same as probe.request: one is for everybody, one is not"


def report_faults(
    report: SelfReport | None, origins: tuple[Origin, ...], rules: ProviderRules
) -> Iterator[str]:
    """Check where the provider says what a credential is restricted to."""
    if report is None:
        return
    yield from request_faults("report.request", report.request, origins, rules)
    yield from _success_faults("report.success", report.success)
    for key, path in (("addresses", report.addresses), ("restricted", report.restricted)):
        if path and not _JSON_PATH.fullmatch(path):
            yield f"report.{key} is not a path such as result.ips"
    if not (report.addresses or report.restricted or report.powers):
        yield "report says neither addresses nor restricted nor power"
    yield from _text_faults("report.unrestricted_values", report.unrestricted_values, least=0)
    if len(report.powers) > MAX_PARTS:
        yield f"report.power has more than {MAX_PARTS} values"
    for power, path, value in report.powers:
        if power not in POWERS:
            yield f"report.power.{power} is none of " + ", ".join(POWERS)
        yield from _value_faults(f"report.power.{power}", path, value)


def refusal_faults(refusals: tuple[Refusal, ...]) -> Iterator[str]:
    """Check how the provider refuses."""
    if len(refusals) > MAX_REFUSALS:
        yield f"refusal has more than {MAX_REFUSALS} entries"
    seen: set[Condition] = set()
    for place, refusal in enumerate(refusals):
        where, when = f"refusal {place + 1}", refusal.when
        yield from condition_faults(where, when)
        if refusal.means is Meaning.SERVED:
            yield f"{where}.means can't be served"
        if when == Condition():
            yield f"{where} has no condition: it would fit every answer"
        elif refusal.means is Meaning.ADDRESS and not (when.equals or when.contains):
            yield f"{where} means address: that takes a value or a text that says so"
        if when in seen:
            yield f"{where} has the conditions of one before it"
        seen.add(when)


def request_faults(
    where: str, request: ProviderRequest, origins: tuple[Origin, ...], rules: ProviderRules
) -> Iterator[str]:
    """Check a request that is sent with nobody looking."""
    if request.method not in _PROBING_METHODS:
        yield f"{where} must be a GET, a HEAD or a POST that only reads"
    elif not request.path.isascii() or canonical_path(request.path.encode()) != request.path:
        yield f"{where} has no path, or one that no call can have"
    elif authorize(_EVERYTHING, rules, request.method, request.path) != ALLOW:
        yield f"{where} is what deny or multiplexed of this file refuses"
    if not _QUERY.fullmatch(request.query):
        yield f"{where} has a query that is not percent-encoded"
    if request.origin is not None and request.origin not in {each.name for each in origins}:
        yield f"{where} names no origin of this file"
    if request.body is None:
        if request.content_type:
            yield f"{where} has a content_type and no body"
    elif request.method != "POST" or len(request.body) > BODY_MAX_CHARS:
        yield f"{where} has a body: a POST alone has one, of up to {BODY_MAX_CHARS} characters"
    elif not _MEDIA_TYPE.fullmatch(request.content_type):
        yield f"{where} has a body and no content_type such as application/json"


def condition_faults(where: str, condition: Condition) -> Iterator[str]:
    """Check what an answer must be."""
    if not all(100 <= status <= 599 for status in condition.status):
        yield f"{where}.status must be 100 to 599"
    kinds = (condition.status, condition.present, condition.equals, condition.contains)
    if max(map(len, kinds)) > MAX_PARTS:
        yield f"{where} has more than {MAX_PARTS} parts of one kind"
    for path in condition.present:
        if not _JSON_PATH.fullmatch(path):
            yield f"{where}.present: {path[:TEXT_MAX_CHARS]!r} is not a path such as result.uid"
    for path, value in condition.equals:
        yield from _value_faults(f"{where}.equals", path, value)
    yield from _text_faults(f"{where}.contains", condition.contains, least=3)


def _success_faults(where: str, condition: Condition) -> Iterator[str]:
    yield from condition_faults(where, condition)
    if not (condition.present or condition.equals):
        yield f"{where} needs present or equals: a status alone proves nothing"


def _value_faults(where: str, path: str, value: str) -> Iterator[str]:
    if not _JSON_PATH.fullmatch(path):
        yield f"{where}: {path[:TEXT_MAX_CHARS]!r} is not a path such as result.uid"
    if len(value) > TEXT_MAX_CHARS:
        yield f"{where} has a value of more than {TEXT_MAX_CHARS} characters"


def _text_faults(where: str, texts: Iterable[str], least: int) -> Iterator[str]:
    for text in texts:
        if not least <= len(text) <= TEXT_MAX_CHARS or not text.isprintable():
            yield f"{where} has a text that is not {least} to {TEXT_MAX_CHARS} printable characters"
