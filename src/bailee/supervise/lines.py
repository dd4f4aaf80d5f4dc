"""Bytes of a control line, split into lines of a bounded length."""

from typing import Final

LINE_LIMIT: Final = 1024
"""Bytes, with the line feed. A longer line is thrown away, and reading goes on after it."""


class Lines:
    """What has come of a line that is not whole yet."""

    def __init__(self) -> None:
        self._rest = b""
        self._skips = False

    def __repr__(self) -> str:
        return f"Lines({len(self._rest)} bytes wait)"

    def feed(self, data: bytes) -> list[bytes]:
        """Take what came, and return the lines that are whole now, with their line feeds."""
        *whole, rest = (self._rest + data).split(b"\n")
        lines = [line + b"\n" for line in whole]
        if lines and self._skips:
            lines.pop(0)
            self._skips = False
        self._rest = rest
        if len(rest) >= LINE_LIMIT:
            self._rest, self._skips = b"", True
        return [line for line in lines if len(line) <= LINE_LIMIT]
