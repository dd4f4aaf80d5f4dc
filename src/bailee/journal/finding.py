"""What looking at a journal can bring to light."""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What was found. The first group are faults: somebody changed something."""

    EDITED = "edited"
    DELETED = "deleted"
    SWAPPED = "swapped"
    SURPLUS = "surplus"
    CUT = "cut"
    MISSING = "missing"
    UNREGISTERED = "unregistered"
    HEAD = "head"
    CHECKPOINT = "checkpoint"
    SIGNATURE = "signature"

    NO_END = "no-end"
    REMNANT = "remnant"
    NEVER_BEGUN = "never-begun"
    NO_OUTCOME = "no-outcome"


_COPY = "keep the file as evidence and compare it with a copy from another machine"
_STORE = "find out who can write the database, and compare it with a backup"

ADVICE = {
    Kind.EDITED: _COPY,
    Kind.DELETED: _COPY,
    Kind.SWAPPED: _COPY,
    Kind.SURPLUS: _COPY,
    Kind.CUT: _COPY,
    Kind.MISSING: "look where the directory was moved or restored from, and put the file back",
    Kind.UNREGISTERED: "find out who put the file there; move it out of the journal's directory",
    Kind.HEAD: _STORE,
    Kind.CHECKPOINT: "trust the checkpoint: file and database were both changed; " + _STORE,
    Kind.SIGNATURE: _STORE,
    Kind.NO_END: "nothing to do if its process is running or was killed",
    Kind.REMNANT: "nothing to do: a crash left it, or it is being written now",
    Kind.NEVER_BEGUN: "nothing to do: the process died before its first line",
    Kind.NO_OUTCOME: "these calls are in flight, or their process died; the provider may know them",
}
NOTICES = frozenset({Kind.NO_END, Kind.REMNANT, Kind.NEVER_BEGUN, Kind.NO_OUTCOME})


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found.

    `line` counts the file's lines from 1 and is None when it is about the whole chain. Of a block
    it is the first line; `detail` names the last.
    """

    kind: Kind
    chain: str
    """The chain's id, a file's name, or `checkpoint N`, in printable ASCII."""
    line: int | None
    detail: str

    @property
    def advice(self) -> str:
        """What to do about it."""
        return ADVICE[self.kind]

    def __str__(self) -> str:
        where = self.chain if self.line is None else f"{self.chain}, line {self.line}"
        return f"{self.kind}: {where}: {self.detail}"


@dataclass(frozen=True, slots=True)
class Report:
    """What `verify` saw."""

    findings: tuple[Finding, ...]
    """Faults: what should not be, whoever did it."""
    notices: tuple[Finding, ...]
    """What an honest crash or a running process also leaves."""
    chains: int
    lines: int
    checkpoints: int
    removed: int = 0
    """Chains whose files were removed when their time was over, as the authority signed."""

    @property
    def sound(self) -> bool:
        """Whether nothing was changed, as far as heads and checkpoints reach."""
        return not self.findings
