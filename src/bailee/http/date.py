"""The `Date` of an answer (RFC 9110, 5.6.7)."""

from datetime import UTC, datetime


def parse_http_date(value: str) -> float | None:
    """Read an IMF-fixdate, the one form that may be sent, as Unix seconds; None for another."""
    try:
        parsed = datetime.strptime(value, "%a, %d %b %Y %H:%M:%S GMT")
    except ValueError:
        return None
    return parsed.replace(tzinfo=UTC).timestamp()
