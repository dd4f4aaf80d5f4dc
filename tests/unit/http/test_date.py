"""Reading the `Date` of an answer."""

import pytest

from bailee.http.date import parse_http_date


def test_an_imf_fixdate_is_read() -> None:
    """The example of RFC 9110, 5.6.7."""
    assert parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT") == 784111777.0


@pytest.mark.parametrize(
    "value",
    ["", "784111777", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 CET", "x" * 99],
)
def test_another_form_is_none(value: str) -> None:
    """Obsolete forms and other zones are not guessed at."""
    assert parse_http_date(value) is None
