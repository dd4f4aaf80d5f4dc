"""The same world as the use cases' own tests."""

from unit.manage.conftest import world

__all__ = ["world"]
