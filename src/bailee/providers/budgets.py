"""`[[budget]]` of a provider's file: how many calls the provider takes, so that none is sent that
would earn a ban. What a call costs is not known here: each counts as one."""

from collections import Counter
from collections.abc import Iterator
from typing import Final, Literal

from bailee.model import Budget
from bailee.policy.budget import Limit
from bailee.providers.table import Table

MAX_BUDGETS: Final = 8
MAX_CALLS: Final = 1_000_000
SECONDS_MIN: Final = 0.001
SECONDS_MAX: Final = 86_400.0
"""A day."""


def read_budgets(file: Table) -> tuple[Budget, ...]:
    """Read every `[[budget]]` that has no fault of its form."""
    read = [_read_budget(table) for table in file.tables("budget")]
    return tuple(budget for budget in read if budget is not None)


def budget_faults(budgets: tuple[Budget, ...]) -> Iterator[str]:
    """Check all budgets of a provider."""
    if len(budgets) > MAX_BUDGETS:
        yield f"budget has more than {MAX_BUDGETS} entries"
    for budget in budgets:
        where = f"budget of {budget.calls} in {budget.seconds:g} s per {budget.per}"
        if not 1 <= budget.calls <= MAX_CALLS:
            yield f"{where}: calls must be 1 to {MAX_CALLS}"
        elif not 1 <= budget.burst <= budget.calls:
            yield f"{where}: burst must be 1 to its calls"
        if not SECONDS_MIN <= budget.seconds <= SECONDS_MAX:
            yield f"{where}: seconds must be {SECONDS_MIN:g} to {SECONDS_MAX:g}"
    counted = Counter((budget.per, budget.seconds) for budget in budgets)
    for (per, seconds), count in counted.items():
        if count > 1:
            yield f"budget per {per} stands there twice for {seconds:g} s"


def _read_budget(table: Table) -> Budget | None:
    per = _read_per(table)
    calls = table.number("calls")
    seconds = table.seconds("seconds")
    burst = table.optional_number("burst")
    table.finish()
    if per is None or calls is None or seconds is None:
        return None
    return Budget(per, calls, seconds, Limit.of(calls, seconds).burst if burst is None else burst)


def _read_per(table: Table) -> Literal["egress", "connection"] | None:
    match table.text("per"):
        case "egress":
            return "egress"
        case "connection":
            return "connection"
        case None:
            return None
    table.fault("per", 'must be "egress" or "connection"')
    return None
