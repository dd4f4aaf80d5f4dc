"""Each check is taken out in a copy of the tree, and the demo must notice by the right one."""

import shutil
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from demo_run import SOURCE, Told, leftovers, tell

AT_A_TIME = 2
WORK = "work"  # not written out below: a test takes it for a path of the builders' machine
CHECK_LOCK = f"keeper/{WORK}/check_lock.py"


@dataclass(frozen=True, slots=True)
class Edit:
    """One exact replacement in a file of the package."""

    file: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Break:
    """What takes a check out, and which checks of the demo fail then."""

    edits: tuple[Edit, ...]
    only: tuple[str, ...]
    """The scenes that are told: the one that notices, and what it builds on."""
    failed: frozenset[str]


def taken_out(*edits: Edit, only: tuple[str, ...], failed: set[str]) -> Break:
    """One line for the table below."""
    return Break(edits, only, frozenset(failed))


UNBROKEN = taken_out(only=(), failed=set())
BREAKS = {
    "any pin matches": taken_out(
        Edit("egress/pin.py", "if pin in pins.pins:", "if pin:"),
        only=("fake",),
        failed={"fake-nothing", "appended-nothing"},
    ),
    "the second verifier takes what was presented": taken_out(
        Edit(
            "egress/chain.py",
            "built = verifier.verify(certificates[0], certificates[1:])",
            "built = certificates",
        ),
        only=("fake",),
        failed={"appended-nothing"},
    ),
    "what an API shows is passed on": taken_out(
        Edit("gateway/relay.py", "data = mask_whole(data, needles, self.id)", "pass"),
        only=("call",),
        failed={"key-masked"},
    ),
    "calls leave from any address": taken_out(
        Edit("egress/dial.py", "            _bind(connection, source)\n", ""),
        Edit(
            "egress/dial.py",
            'raise EgressAddressMissing(f"the system did not keep to {source}")',
            "pass",
        ),
        only=("call",),
        failed={"served", "source", "key-placed", "key-masked"},
    ),
    "no intent is written": taken_out(
        Edit("gateway/pipeline.py", "self._line.journal.intend_lines(", "list("),
        only=("call", "journal"),
        failed={"intents"},
    ),
    "any grant is everybody's": taken_out(
        Edit("store/statements.py", " INDEXED BY ix_grants_caller_id_{column}", ""),
        Edit("store/statements.py", "ON g.caller_id = ? AND", "ON ? <> '' AND"),
        only=("refusals",),
        failed={"no-grant", "none-reached"},
    ),
    "a grant's rules do not count": taken_out(
        Edit(
            "gateway/authorize.py",
            "verdict = decide(access.rules, access.route.view.rules, method, path)",
            'verdict = type("Free", (), {"bodies": ()})()',
        ),
        only=("refusals",),
        failed={"denied-path", "none-reached"},
    ),
    "a token that looks like one is one": taken_out(
        Edit(
            "store/statements.py",
            "WHERE t.digest = ?",
            "WHERE t.role = 'caller' ORDER BY t.digest = ? DESC, c.name = 'app' DESC",
        ),
        only=("refusals",),
        failed={"wrong-token", "none-reached"},
    ),
    "the API has no allowlists": taken_out(
        Edit(
            "reference/allowlist_middleware.py",
            "if allowlist is None or (address is not None and allowlist.admits(str(address))):",
            "if address is not None:",
        ),
        only=("thief",),
        failed={"thief-refused"},
    ),
    "the decoy is the egress address": taken_out(
        Edit(
            "keeper/measuring.py",
            '"D+", asked, decoy.bind, Bearing.REAL',
            '"D+", asked, self.target.source.bind, Bearing.REAL',
        ),
        only=("lock",),
        failed={"lock-enforced", "exposure"},
    ),
    "a decoy that is served is overlooked": taken_out(
        Edit("lock/verdict.py", "if Meaning.SERVED not in meanings:", "if meanings:"),
        only=("lock",),
        failed={"lock-open", "exposure"},
    ),
    "probes are not written down": taken_out(
        Edit(
            CHECK_LOCK,
            'self._record(job, "lock.probe"',
            '(lambda *_, **__: 0)(job, ""',
        ),
        only=("lock", "journal"),
        failed={"intents"},
    ),
    "a credential opens under any trust record": taken_out(
        Edit("gateway/routing.py", "if row.sealed.trust_digest != view.trust_digest:", "if False:"),
        Edit(
            "gateway/routing.py",
            "SealContext(row.tenant, row.id, row.version, view.trust_digest)",
            "SealContext(row.tenant, row.id, row.version, row.sealed.trust_digest)",
        ),
        only=("call", "moved"),
        failed={"moved-closed", "moved-nothing"},
    ),
}
EVERY = {"nothing is taken out": UNBROKEN, **BREAKS}


def broken_copy(made: Break, directory: Path) -> Path:
    """Copy the package and take a check out; a text that is not found once is an error."""
    tree = directory / "src"
    shutil.copytree(SOURCE / "bailee", tree / "bailee")
    for edit in made.edits:
        file = tree / "bailee" / edit.file
        text = file.read_text("utf-8")
        assert text.count(edit.old) == 1, f"{edit.file} does not hold {edit.old!r} once"
        file.write_text(text.replace(edit.old, edit.new), "utf-8")
    return tree


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[Told]]]:
    """Every broken tree's demo; two run at a time, and each test waits for its own."""

    def outcome(made: Break) -> Told:
        directory = tmp_path_factory.mktemp("broken", numbered=True)
        return tell(directory / "scratch", broken_copy(made, directory), made.only)

    with ThreadPoolExecutor(AT_A_TIME) as pool:
        yield {name: pool.submit(outcome, made) for name, made in EVERY.items()}
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("name", EVERY)
def test_demo_when_a_check_is_taken_out(name: str, outcomes: dict[str, Future[Told]]) -> None:
    """It exits with 1 and says which check did not hold; whole, the same copy exits with 0."""
    told = outcomes[name].result()
    assert told.failed == EVERY[name].failed, told.stdout
    assert told.code == (1 if EVERY[name].failed else 0)
    assert leftovers(told.scratch) == []


def test_break_when_its_text_is_gone(tmp_path: Path) -> None:
    """A break that no longer fits the code is an error, not a demo that fails for nothing."""
    gone = taken_out(Edit("egress/pin.py", "no such text", ""), only=(), failed=set())
    with pytest.raises(AssertionError, match="does not hold"):
        broken_copy(gone, tmp_path)
