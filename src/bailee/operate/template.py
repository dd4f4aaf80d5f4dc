"""The text of a new `bailee.toml`: every key with its meaning, made of the table of keys."""

import json
from collections.abc import Sequence

from bailee.config import EgressEntry
from bailee.config_keys import KEYS, Key

_HEAD = """\
# The configuration of a Bailee vault.
#
# What is commented out shows the default. Every key outside of [[lists]] can also be set in the
# environment, as in BAILEE_GATEWAY__LISTEN=127.0.0.1:9700. Relative paths are relative to this
# file. `bailee config validate` checks it.
"""
_EGRESS = """
# The addresses that calls leave from: one section each. An address is used once it is on this
# machine and published (`bailee egress add NAME`).
"""
_EGRESS_EXAMPLE = """\
# [[egress]]
# name = "a"                  # what commands call this address
# bind = "203.0.113.7"        # the address of this machine that calls leave from
# public = "203.0.113.7"      # what providers see; by default the same as `bind`
"""
_DECOY_EXAMPLE = """
# An address that no call leaves from and that is never published, in another network than the
# egress addresses: from there `bailee lock check` sees whether users' allowlists are in force.
# [[decoy]]
# name = "d"
# bind = "198.51.100.9"
"""
_COMPUTED = {"gateway.workers": 2, "public.base_url": "https://bailee.example.com"}
"""Examples for keys whose defaults are computed."""


def config_text(
    authority: str, egress: Sequence[EgressEntry], root_key: str = "file:root.key"
) -> str:
    """Write a configuration with all sections, this authority and these egress addresses."""
    lines = [_HEAD]
    section = ""
    for key in KEYS:
        if key.section != section:
            section = key.section
            lines.append(f"\n[{section}]\n")
        lines.append(_line(key, authority, root_key))
    lines.append(_EGRESS)
    lines.extend(map(_entry, egress))
    if not egress:
        lines.append(_EGRESS_EXAMPLE)
    lines.append(_DECOY_EXAMPLE)
    return "".join(lines)


def _line(key: Key, authority: str, root_key: str) -> str:
    comment = f"# {key.meaning}\n"
    if key.title == "vault.authority":
        return f"{comment}authority = {_toml(authority)}\n"
    if key.title == "vault.root_key":
        return f"{comment}root_key = {_toml(root_key)}\n"
    default = _COMPUTED.get(key.title) if key.default is None else key.default
    off = "" if key.title in ("store.url", "journal.directory") else "# "
    return f"{comment}{off}{key.name} = {_toml(default)}\n"


def _entry(entry: EgressEntry) -> str:
    return (
        f"[[egress]]\nname = {_toml(entry.name)}\n"
        f"bind = {_toml(entry.bind)}\npublic = {_toml(entry.public)}\n\n"
    )


def _toml(value: object) -> str:
    # JSON's strings, numbers and booleans are TOML's.
    return json.dumps(value)
