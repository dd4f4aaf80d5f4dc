"""`cli.import_lines`: every line is read or reported, and the same line gets the same id."""

import io
import json

import pytest

from bailee.cli.import_lines import LINE_BYTES, BadLine, Ids, Line, read_lines
from bailee.manage.ids import is_connection_id
from bailee.model import TenantId
from bailee.secret import Secret

GOOD = '{"provider": "kraken", "subject": "u1", "credential": {"api_key": "canary-1"}}'


def read(text: str | bytes, provider: str | None = None) -> list[Line | BadLine]:
    raw = text.encode() if isinstance(text, str) else text
    return list(read_lines(io.BytesIO(raw), provider))


def reason(text: str | bytes, provider: str | None = None) -> str:
    """Why the one line is refused; the canary is not in it."""
    (line,) = read(text, provider)
    assert isinstance(line, BadLine), line
    assert "canary" not in line.reason
    return line.reason


def test_line_is_read() -> None:
    """A line has what is sealed for whom."""
    (line,) = read(GOOD + "\n")
    assert line == Line(1, "kraken", "u1", None, Secret(b'{"api_key":"canary-1"}'))


def test_line_with_more() -> None:
    """`ref`, other order, escapes, spaces and a missing last line end are read as JSON has them."""
    text = ' {"ref": "cold", "credential": {"k": "\\u00e4", "b": "2"}, "subject": "U 1",'
    (line,) = read(text + '"provider": "acme"}')
    assert line == Line(1, "acme", "U 1", "cold", Secret(b'{"k":"\\u00e4","b":"2"}'))


def test_provider_of_the_command() -> None:
    """With a provider in the command a line may name it, or leave it out."""
    bare = '{"subject": "u1", "credential": {}}'
    same, left_out = read(f"{GOOD}\n{bare}\n", "kraken")
    assert isinstance(same, Line)
    assert isinstance(left_out, Line)
    assert (same.provider, left_out.provider) == ("kraken", "kraken")
    assert reason(GOOD, "binance") == "it names another provider than the command"


BAD = {
    "blank": ("", "it is blank"),
    "spaces": ("  \t ", "it is blank"),
    "no JSON": ("canary", "it is not JSON in UTF-8"),
    "half of it": (GOOD[:-1], "it is not JSON in UTF-8"),
    "two objects": (GOOD + GOOD, "it is not JSON in UTF-8"),
    "no UTF-8": (b'{"provider": "\xff canary"}', "it is not JSON in UTF-8"),
    "too deep": ("[" * 50_000, "it is not JSON in UTF-8"),
    "a list": ('["canary"]', "it is not a JSON object"),
    "a string": ('"canary"', "it is not a JSON object"),
    "null": ("null", "it is not a JSON object"),
    "no provider": ('{"subject": "u", "credential": {}}', "provider is missing"),
    "no subject": ('{"provider": "p", "credential": {}}', "subject is missing"),
    "no credential": ('{"provider": "p", "subject": "u"}', "credential is missing"),
    "a surplus member": (
        '{"provider": "p", "subject": "u", "credential": {}, "canary": 1}',
        "it has 1 members beside provider, subject, credential and ref",
    ),
    "a member twice": (
        '{"provider": "p", "subject": "u", "subject": "v", "credential": {}}',
        "a member stands there twice",
    ),
    "a number as provider": (
        '{"provider": 5, "subject": "u", "credential": {}}',
        "provider is not a string",
    ),
    "an empty subject": (
        '{"provider": "p", "subject": "", "credential": {}}',
        "subject is not 1 to 256 printable characters",
    ),
    "a long subject": (
        json.dumps({"provider": "p", "subject": "u" * 257, "credential": {}}),
        "subject is not 1 to 256 printable characters",
    ),
    "a line break in the subject": (
        '{"provider": "p", "subject": "a\\nb", "credential": {}}',
        "subject is not 1 to 256 printable characters",
    ),
    "half of a character": (
        '{"provider": "p", "subject": "\\ud800", "credential": {}}',
        "subject is not 1 to 256 printable characters",
    ),
    "a number as ref": (
        '{"provider": "p", "subject": "u", "credential": {}, "ref": 1}',
        "ref is not a string",
    ),
    "a text as credential": (
        '{"provider": "p", "subject": "u", "credential": "canary"}',
        "credential is not an object",
    ),
    "a list as credential": (
        '{"provider": "p", "subject": "u", "credential": [["canary", "canary"]]}',
        "credential is not an object",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_line_is_reported(name: str) -> None:
    """What is wrong is said, what stands there is not."""
    text, expected = BAD[name]
    raw = text.encode() if isinstance(text, str) else text
    assert reason(raw + b"\n") == expected


@pytest.mark.parametrize("name", BAD)
def test_lines_after_a_bad_one_are_read(name: str) -> None:
    """A bad line takes no other with it, and lines are counted as an editor counts them."""
    text, _ = BAD[name]
    raw = text.encode() if isinstance(text, str) else text
    good = GOOD.encode()
    before, bad, after = read(good + b"\n" + raw + b"\n" + good)
    assert isinstance(before, Line)
    assert isinstance(after, Line)
    assert isinstance(bad, BadLine)
    assert (before.number, bad.number, after.number) == (1, 2, 3)


@pytest.mark.parametrize("length", [LINE_BYTES + 1, LINE_BYTES + 2, 5 * LINE_BYTES])
def test_long_line_is_passed_over(length: int) -> None:
    """A line without end is not held in memory, and the next one is read."""
    long, after = read(b"x" * length + b"\n" + GOOD.encode())
    assert isinstance(long, BadLine)
    assert long.reason == f"it is longer than {LINE_BYTES} bytes"
    assert isinstance(after, Line)
    assert after.number == 2


def test_longest_line_is_read() -> None:
    """A line may be as long as the largest credential needs."""
    (line,) = read(GOOD + " " * (LINE_BYTES - len(GOOD)) + "\n")
    assert isinstance(line, Line)


def test_nothing_when_there_is_nothing() -> None:
    """An empty file has no line; a mark of Windows before the first one is no part of it."""
    assert read("") == []
    (line,) = read("\ufeff" + GOOD)
    assert isinstance(line, Line)


def test_names_twice_are_kept() -> None:
    """A name that stands twice in a credential is left to the credential's own check."""
    (line,) = read('{"provider": "p", "subject": "u", "credential": {"a": "1", "a": "2"}}')
    assert isinstance(line, Line)
    assert line.credential == Secret(b'{"a":"1","a":"2"}')


def ids(text: str, tenant: str = "default") -> list[str]:
    """The ids of lines in one run."""
    made = Ids(TenantId(tenant))
    return [made.id_of(line) for line in read(text) if isinstance(line, Line)]


def entry(provider: str = "p", subject: str = "u", ref: str | None = None, key: str = "k") -> str:
    more = {} if ref is None else {"ref": ref}
    document = {"provider": provider, "subject": subject, "credential": {"key": key}}
    return json.dumps(document | more) + "\n"


def test_id_is_the_same_in_each_run() -> None:
    """Ids are of the right form, differ, and come again whatever the credential is."""
    text = entry() + entry() + entry(ref="a") + entry(provider="q") + entry(subject="v")
    first = ids(text)
    assert all(map(is_connection_id, first))
    assert len(set(first)) == 5
    assert ids(text.replace('"k"', '"other"')) == first


def test_id_when_lines_move() -> None:
    """A line's id depends on the lines of the same provider and subject before it alone."""
    assert ids(entry(subject="x") + entry() + entry())[1:] == ids(entry() + entry())
    assert ids(entry(ref="b") + entry(ref="a"))[1] == ids(entry(ref="a"))[0]
    assert ids(entry() + entry(ref="a"))[0] == ids(entry(ref="a") + entry())[1]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (entry(provider="ab", subject="c"), entry(provider="a", subject="bc")),
        (entry(subject="a", ref="bc"), entry(subject="ab", ref="c")),
        (entry(ref="0"), entry()),
        (entry(ref="1"), entry() + entry()),
    ],
)
def test_id_of_another_line_is_another(one: str, other: str) -> None:
    """What stands side by side can't be read in two ways."""
    assert ids(one)[-1:] != ids(other)[-1:]


def test_id_of_another_tenant_is_another() -> None:
    """The same file for two tenants makes connections of two tenants."""
    assert ids(entry(), "a") != ids(entry(), "b")
