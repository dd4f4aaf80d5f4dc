"""What the compiled module `_plain` has, where it is there."""

from collections.abc import Callable, Iterable

SOURCE: str
"""SHA-256 of the `.pyx` it was made of, in hexadecimal."""

class RequestSplitter:
    def __init__(
        self,
        describe: Callable[[bytes], tuple[bytes, int]],
        methods: Iterable[str],
        fields: int,
        /,
    ) -> None:
        """Make one.

        Args:
            describe: Gives a header's lower-case name and kind, by its name as sent.
            methods: Those that are plain.
            fields: How many headers have a field of their own.
        """

    def split(
        self, data: bytes, /
    ) -> (
        tuple[
            str,
            bytes,
            bytes,
            list[tuple[bytes, bytes, bytes]],
            int,
            list[bytes | None],
            bytes,
        ]
        | None
    ):
        """Split a request; None when it is not plain.

        Returns:
            Method, path, query, headers of kind PASS, Content-Length or -1, fields, body.
        """

class AnswerSplitter:
    def __init__(self, describe: Callable[[bytes], tuple[bytes, int]], /) -> None: ...
    def split(
        self, data: bytes, /
    ) -> tuple[int, list[bytes], bytes, list[tuple[bytes, bytes]] | None, bytes] | None:
        """Split an answer; None when it is not plain.

        Returns:
            Status, lines of kind PASS in four parts each, Content-Length, headers of kind
            URLS, body.
        """
