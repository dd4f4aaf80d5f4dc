"""What was seen in one check of one credential."""

from dataclasses import dataclass
from enum import StrEnum

from bailee.lock.declaration import Declaration
from bailee.lock.words import answer_in_words
from bailee.model import Meaning


class Cause(StrEnum):
    """Why a lock is in its state, and a declared one not proven; the reason says it in words."""

    MEASURED = "measured"
    """What was seen is what the state says."""
    NO_PROBE = "no-probe"
    """The provider's file has no [probe]."""
    NO_DECOY = "no-decoy"
    """This node has no decoy of the egress address's family."""
    NOT_CONSENTED = "not-consented"
    """The tenant has not consented to probes from a decoy."""
    DECOY_NEVER = "decoy-never"
    """The provider's file forbids probes from a decoy."""
    DECOY_HELD = "decoy-held"
    """The provider limited or banned the decoy a short time ago."""
    DECOY_SHUT_OUT = "decoy-shut-out"
    """The decoy is refused even what everyone may ask."""
    DECOY_UNANSWERED = "decoy-unanswered"
    UNKNOWN_REFUSAL = "unknown-refusal"
    """The decoy was refused in words that do not name its address."""
    GENERAL_REFUSAL = "general-refusal"
    """The decoy is refused for its address whatever the credential."""
    NO_DIFFERENCE = "no-difference"
    """A credential that does not exist is served too: the provider's file asks the wrong thing."""
    CHANGED = "changed"
    """The decoy was served, and refused when it was tried again."""
    CREDENTIAL_REFUSED = "credential-refused"
    LOST = "lost"
    """The credential was served before the decoy was tried, and not after it."""
    EGRESS_UNANSWERED = "egress-unanswered"
    LIMITED = "limited"
    CLOCK = "clock"
    """A refusal that a clock which is off explains."""
    CONTRADICTED = "contradicted"
    """The provider's report says otherwise than its refusals."""


@dataclass(frozen=True, slots=True)
class Observation:
    """How one probe was answered."""

    meaning: Meaning | None
    """None when there was no whole answer."""
    status: int | None = None
    trouble: str = ""
    """Why there was no answer: the code of an error."""
    skew_seconds: float | None = None
    """How far the provider's clock is ahead of this machine's, by its Date header."""
    shape: str = ""
    """The same for refusals that look alike, numbers aside."""
    at: float = 0.0
    """When it was seen, Unix seconds."""

    @property
    def said(self) -> str:
        """The answer in words."""
        return answer_in_words(self.meaning, self.status, self.trouble)


@dataclass(frozen=True, slots=True)
class Run:
    """All that was seen in one check of one credential; what was not tried is None or empty."""

    fresh: bool
    """Whether this version was never measured: then E+ comes first, too."""
    before: Observation | None = None
    public_at_decoy: Observation | None = None
    wrong_at_decoy: Observation | None = None
    at_decoy: tuple[Observation, ...] = ()
    """D+, and once more where it was served or not answered."""
    after: Observation | None = None
    no_decoy: Cause | None = None
    """Why no decoy was used."""
    declaration: Declaration | None = None
    """What the provider's report says; None without a report."""
