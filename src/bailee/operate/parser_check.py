"""Looking at which parser reads plain messages."""

import hashlib
import os
from contextlib import suppress
from pathlib import Path

from bailee.http import plain
from bailee.operate.check import Check, ok, warn

ABOUT = "parser"


def look_at_parser() -> Check:
    """Tell whether the compiled parser is in use; an old one is one of another source."""
    if os.environ.get(plain.SWITCH) == "off":
        return ok(ABOUT, f"llhttp reads everything: {plain.SWITCH} is off")
    made_of = plain.compiled_of()
    if made_of is None:
        return ok(ABOUT, "llhttp reads everything: the faster parser was not compiled")
    with suppress(OSError):
        source = Path(plain.__file__).with_name("_plain.pyx").read_bytes()
        if hashlib.sha256(source).hexdigest() != made_of:
            return warn(ABOUT, "compiled of another source than is here", "install Bailee anew")
    return ok(ABOUT, "plain messages are read by the compiled one, all others by llhttp")
