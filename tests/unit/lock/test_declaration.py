"""A provider's report, compared with our addresses."""

import pytest

from bailee.lock.declaration import Declaration, Word, declaration_of
from bailee.model import Report

OWN = "203.0.113.7"
OTHER = "203.0.113.8"
SIX = "2001:db8::7"
CASES: dict[str, tuple[Report, Declaration]] = {
    "ours alone": (Report((OWN,), True), Declaration(Word.OURS)),
    "ours, all of them": (Report((OTHER, OWN, SIX), True), Declaration(Word.OURS)),
    "ours as a network of one": (Report((f"{OWN}/32",), True), Declaration(Word.OURS)),
    "ours written as IPv6": (Report((f"::ffff:{OWN}",), True), Declaration(Word.OURS)),
    "another of ours": (Report((OTHER,), True), Declaration(Word.LACKING)),
    "a foreign one too": (Report((OWN, "192.0.2.1"), True), Declaration(Word.FOREIGN, 1)),
    "our network": (Report((OWN, "203.0.113.0/24"), True), Declaration(Word.FOREIGN, 1)),
    "all of IPv6": (Report((OWN, "::/0"), True), Declaration(Word.FOREIGN, 1)),
    "all of mapped IPv4": (Report(("::ffff:0:0/96",), True), Declaration(Word.FOREIGN, 1)),
    "what is no address": (Report((OWN, "home"), True), Declaration(Word.FOREIGN, 1)),
    "restricted, not to which": (Report((), True), Declaration(Word.RESTRICTED)),
    "not restricted": (Report((), False), Declaration(Word.UNRESTRICTED)),
    "not told": (Report(), Declaration(Word.UNREADABLE)),
}


@pytest.mark.parametrize("case", CASES)
def test_declaration_when_report_names(case: str) -> None:
    """Ours means: the one that is used, and none that is not published."""
    report, declaration = CASES[case]
    assert declaration_of(report, OWN, [OTHER, SIX]) == declaration
