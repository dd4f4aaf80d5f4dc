"""`providers.websocket`: where WebSockets are, and the one login that is sent there."""

from dataclasses import replace

import pytest

from bailee.errors import BadInput
from bailee.model import BodyCondition, LoginFrame, Provider, SigningPart, WebSocket
from bailee.providers.load import decode_provider, encode_provider, parse_provider
from bailee.providers.trust import trust_digest, trust_record
from providers_samples import read_ca

HEAD = """
id = "acme"
default_origin = "rest"
[origin.rest]
url = "https://api.acme.test"
[origin.ws]
url = "https://ws.acme.test"
"""
PLACE = """
[auth]
scheme = "place"
header = "X-Key"
value = "{api_key}"
"""
TEMPLATE = """
[auth]
scheme = "template"
secret = "secret"
message = "{path}"
algorithm = "hmac-sha256"
secret_as = "text"
signature_as = "hex"
[[auth.put]]
header = "X-Key"
value = "{api_key}"
[[auth.put]]
header = "X-Sign"
value = "{signature}"
"""
FRAME = """
[websocket]
origin = "ws"
login = "frame"
[websocket.frame]
when = { op = "auth", v = [1, 2] }
time = "ms"
ahead = 10
sign = "GET{inner}{time}"
keep = ["id"]
numbers = ["args.1"]
message = { op = "auth", n = 5, args = ["{api_key}", "{time}", { s = "{signature}" }] }
[websocket.frame.part.inner]
of = "{api_key}"
digest = "sha256"
as = "hex"
"""


def read(websocket: str, auth: str = TEMPLATE) -> Provider:
    """Read a file with this table."""
    return parse_provider(HEAD + auth + websocket, read_ca)


def test_table_is_read() -> None:
    """Every key arrives in its place, and comes back from the stored form as it was."""
    provider = read(FRAME)
    assert provider.websocket == WebSocket(
        ("ws",),
        "frame",
        LoginFrame(
            when=(BodyCondition(("op",), ('"auth"',)), BodyCondition(("v",), ("1", "2"))),
            message='{"op": "auth", "n": 5, "args": ["{api_key}", "{time}", {"s": "{signature}"}]}',
            numbers=("args.1",),
            keep=("id",),
            time="ms",
            ahead=10,
            sign="GET{inner}{time}",
            parts=(SigningPart("inner", "{api_key}", (), "sha256", "hex"),),
        ),
    )
    assert decode_provider(encode_provider(provider)) == provider


def test_short_tables_are_read() -> None:
    """The credential is on the handshake where nothing else is said."""
    assert read('[websocket]\norigin = "ws"', PLACE).websocket == WebSocket(("ws",), "handshake")
    two = '[websocket]\norigin = ["ws", "rest"]\nlogin = "none"'
    assert read(two, PLACE).websocket == WebSocket(("ws", "rest"), "none")
    assert read("").websocket is None


def test_place_scheme_logs_in_by_what_it_has() -> None:
    """Its fields stand in the message; there is no secret that could sign."""
    table = """
[websocket]
origin = "ws"
login = "frame"
[websocket.frame]
when = { action = "login" }
message = { action = "login", key = "{api_key}" }
"""
    assert read(table, PLACE).websocket is not None


REFUSED = {
    "no origin": (FRAME.replace('origin = "ws"', ""), "websocket.origin"),
    "an origin that is not there": (FRAME.replace('"ws"', '"wss"'), "there is no origin"),
    "an origin twice": (FRAME.replace('"ws"', '["ws", "ws"]'), "twice"),
    "another login": (FRAME.replace('login = "frame"', 'login = "url"'), "login must be"),
    "a frame without its login": (FRAME.replace('"frame"', '"none"'), "websocket.frame goes"),
    "a login without its frame": ('[websocket]\norigin = "ws"\nlogin = "frame"', "frame goes"),
    "an unknown key": (FRAME + "as = 1", "not a known key|as"),
    "no when": (FRAME.replace("when =", "wenn ="), "when is missing"),
    "a when that says nothing": (FRAME.replace('{ op = "auth", v = [1, 2] }', "{}"), "when says"),
    "a when of a list of lists": (FRAME.replace("[1, 2]", "[[1]]"), "frame.when"),
    "a when of a date": (FRAME.replace("[1, 2]", "2026-01-01"), "frame.when"),
    "no message": (FRAME.replace("message =", "massage ="), "message must be a table"),
    "a message as text": (
        FRAME.replace('message = { op = "auth", n = 5, args = ["{api_key}", "{time}", '
                      '{ s = "{signature}" }] }', 'message = "{}"'),
        "message must be a table",
    ),
    "a date in the message": (FRAME.replace("n = 5", "n = 2026-01-01"), "not JSON"),
    "the secret in the message": (FRAME.replace("{api_key}\",", "{secret}\","), "names {secret}"),
    "an unknown name": (FRAME.replace("{api_key}\",", "{key}\","), "names {key}"),
    "the signature in what is signed": (
        FRAME.replace("GET{inner}", "GET{signature}{inner}"), "names {signature}",
    ),
    "a time that there is none of": (FRAME.replace('time = "ms"', ""), "names {time}"),
    "a part that is used nowhere": (FRAME.replace("GET{inner}", "GET"), "{inner} is used nowhere"),
    "a signature that is used nowhere": (FRAME.replace("{signature}", "x"), "{signature} is used"),
    "a time too far ahead": (FRAME.replace("ahead = 10", "ahead = 3601"), "frame.ahead"),
    "a number that is a text": (FRAME.replace("args.1", "args.0"), "frame.numbers"),
    "a kept member of the message": (FRAME.replace('["id"]', '["op"]'), "frame.keep"),
    "a kept member without a name": (FRAME.replace('["id"]', '["a b"]'), "frame.keep"),
    "too many kept": (
        FRAME.replace('["id"]', str([f"m{n}" for n in range(9)])), "frame.keep has at most",
    ),
    "a raw part in the message": (
        FRAME.replace('as = "hex"', 'as = "raw"').replace("n = 5", 'n = "{inner}"'), "{inner}",
    ),
    "braces in a template": (FRAME.replace("n = 5", 'n = "{"'), "braces"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_table_is_refused(case: str) -> None:
    """A fault is named by its key."""
    text, said = REFUSED[case]
    with pytest.raises(BadInput, match=said):
        read(text)


def test_signature_is_refused_of_a_scheme_without_a_secret() -> None:
    """Nothing would sign."""
    with pytest.raises(BadInput, match="no secret"):
        read(FRAME, PLACE)


def test_stored_table_is_checked_as_a_file_is() -> None:
    """What no file could have held is no provider."""
    provider = read(FRAME)
    assert provider.websocket is not None
    altered = replace(provider, websocket=replace(provider.websocket, origins=("elsewhere",)))
    with pytest.raises(BadInput, match="there is no origin"):
        decode_provider(encode_provider(altered))


def test_login_is_part_of_the_trust_record() -> None:
    """It says where a credential goes; a file without the table has the record that it had."""
    assert b"websocket" not in trust_record(read(""))
    digests = {
        trust_digest(read(text))
        for text in ("", FRAME, FRAME.replace("GET", "PUT"), FRAME.replace('"id"', '"nr"'))
    }
    assert len(digests) == 4
