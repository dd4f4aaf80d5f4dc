"""Whose rows a query gives back: one tenant's, or those of all, and then it says so."""

from enum import Enum
from typing import Final, TypeAlias

import sqlalchemy as sa

from bailee.model import TenantId


class AllTenants(Enum):
    """The one value that stands for every tenant. No text means that, and neither does `None`."""

    ALL = "all tenants"


ALL_TENANTS: Final = AllTenants.ALL
Scope: TypeAlias = TenantId | AllTenants


def within(column: "sa.ColumnElement[str]", scope: Scope) -> "sa.ColumnElement[bool]":
    """Make the condition that a row is in the scope; `column` holds the row's tenant."""
    return sa.true() if isinstance(scope, AllTenants) else column == scope
