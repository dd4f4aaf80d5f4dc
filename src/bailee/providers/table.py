"""Read TOML tables strictly: every key is asked for once, and what nobody asked for is a fault."""

from typing import Any

_MISSING = object()


class Table:
    """One TOML table on its way into a frozen value.

    Args:
        where: The dotted path of the table; empty for the file itself.
        content: The table as `tomllib` read it.
        faults: The list that all tables of one file add their faults to.
    """

    __slots__ = ("_faults", "_left", "_where")

    def __init__(self, where: str, content: dict[str, Any], faults: list[str]) -> None:
        self._where = where
        self._left = dict(content)
        self._faults = faults

    def __repr__(self) -> str:
        return f"Table({self._where or 'file'}, left: {sorted(self._left)})"

    def __contains__(self, key: str) -> bool:
        return key in self._left

    def key(self, key: str) -> str:
        """Return the dotted path of a key."""
        return f"{self._where}.{key}" if self._where else key

    def fault(self, key: str, what: str) -> None:
        """Note a fault of a key."""
        self._faults.append(f"{self.key(key)} {what}")

    def text(self, key: str, default: str | None = None) -> str | None:
        """Take a string; a fault and None when it is missing and there is no default."""
        value = self._left.pop(key, _MISSING)
        if value is _MISSING and default is not None:
            return default
        if isinstance(value, str):
            return value
        self.fault(key, "is missing" if value is _MISSING else "must be a string")
        return None

    def optional_text(self, key: str) -> str | None:
        """Take a string that may be missing."""
        return self.text(key) if key in self._left else None

    def flag(self, key: str) -> bool:
        """Take a true or false; false when it is missing."""
        value = self._left.pop(key, False)
        if not isinstance(value, bool):
            self.fault(key, "must be true or false")
        return value is True

    def optional_flag(self, key: str) -> bool | None:
        """Take a true or false that may be missing."""
        return self.flag(key) if key in self._left else None

    def optional_number(self, key: str) -> int | None:
        """Take a whole number that may be missing."""
        value = self._left.pop(key, None)
        if value is None or (isinstance(value, int) and not isinstance(value, bool)):
            return value
        self.fault(key, "must be a whole number")
        return None

    def number(self, key: str) -> int | None:
        """Take a whole number; a fault and None when it is missing."""
        if key not in self._left:
            self.fault(key, "is missing")
        return self.optional_number(key)

    def seconds(self, key: str) -> float | None:
        """Take a number of seconds; a fault and None when it is missing."""
        value = self._left.pop(key, _MISSING)
        if isinstance(value, int | float) and not isinstance(value, bool):
            try:
                return float(value)
            except OverflowError:
                value = None
        self.fault(key, "is missing" if value is _MISSING else "must be a number of seconds")
        return None

    def numbers(self, key: str) -> tuple[int, ...]:
        """Take a whole number or a list of them; empty when it is missing."""
        value = self._left.pop(key, [])
        listed = value if isinstance(value, list) else [value]
        if all(isinstance(each, int) and not isinstance(each, bool) for each in listed):
            return tuple(listed)
        self.fault(key, "must be a whole number or a list of them")
        return ()

    def texts(self, key: str, *, or_one: bool = False) -> tuple[str, ...]:
        """Take a list of strings, with `or_one` also a single one; empty when it is missing."""
        value = self._left.pop(key, [])
        listed = [value] if or_one and isinstance(value, str) else value
        if isinstance(listed, list) and all(isinstance(each, str) for each in listed):
            return tuple(listed)
        one = "a string or " if or_one else ""
        self.fault(key, f"must be {one}a list of strings")
        return ()

    def value(self, key: str) -> object:
        """Take whatever is there, or None."""
        return self._left.pop(key, None)

    def table(self, key: str) -> "Table | None":
        """Take a table that may be missing."""
        value = self._left.pop(key, _MISSING)
        if isinstance(value, dict):
            return Table(self.key(key), value, self._faults)
        if value is not _MISSING:
            self.fault(key, "must be a table")
        return None

    def table_or_text(self, key: str, name: str) -> "Table | None":
        """Take a table, or a string that stands for one with nothing but `name`; a fault and None
        when it is missing."""
        value = self._left.get(key, _MISSING)
        if value is _MISSING:
            self.fault(key, "is missing")
        elif isinstance(value, str):
            self._left[key] = {name: value}
        return self.table(key)

    def flattened(self) -> "list[tuple[str, object]]":
        """Take all that is left; the names of tables within are joined by dots, as TOML does."""
        pairs: list[tuple[str, object]] = []
        for key, value in self._left.items():
            if isinstance(value, dict):
                below = Table("", value, self._faults).flattened()
                pairs += [(f"{key}.{name}", each) for name, each in below]
            else:
                pairs.append((key, value))
        self._left.clear()
        return pairs

    def named_tables(self, key: str) -> "dict[str, Table]":
        """Take a table of tables, as in `[origin.rest]`."""
        value = self._left.pop(key, {})
        if not isinstance(value, dict) or not all(
            isinstance(each, dict) for each in value.values()
        ):
            self.fault(key, f"must be written as [{key}.NAME] tables")
            return {}
        where = self.key(key)
        return {n: Table(f"{where}.{n}", each, self._faults) for n, each in value.items()}

    def tables(self, key: str) -> "tuple[Table, ...]":
        """Take an array of tables, as in `[[deny]]`."""
        value = self._left.pop(key, [])
        if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
            self.fault(key, f"must be written as [[{key}]] tables")
            return ()
        where = self.key(key)
        return tuple(Table(f"{where}[{i}]", each, self._faults) for i, each in enumerate(value))

    def finish(self) -> None:
        """Make a fault of every key that nobody took."""
        for key in sorted(self._left):
            self.fault(key, "is not a known key")
