"""Write the documents that are made of the code: run `.venv/bin/python docs/generate.py`.

errors.md, config.md, cli.md and admin-api.md. A test makes them again and compares.
"""

import inspect
import json
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "src"))

import click

from bailee.admin.api import openapi
from bailee.admin.api.app import build_api
from bailee.admin.api.prose import ABOUT
from bailee.cli.root import bailee
from bailee.config_keys import DECOY_KEYS, EGRESS_KEYS, KEYS, Key, Required
from bailee.errors import BaileeError

WIDTH = 100
MADE = "<!-- made by docs/generate.py: change the code, then run it -->"

ERRORS = f"""\
# Errors

{MADE}

The gateway and the admin API answer errors as RFC 9457 documents (`application/problem+json`) with
these members: `type` (`urn:bailee:error:CODE`), `title`, `status`, `code`, `detail`, `hint`,
`fault` (who can mend it), `reached` (what of the call had reached the provider: `nothing` or
`maybe`), `retryable` (whether the same request may succeed later), `call` (its id, once a head
was read). Some say more: `first_call` of `once-used`; `method`, `path` and `sent_at` (Unix seconds)
of a write that may have reached the provider. A 401 says no more than that a token is required. The
header `Bailee-Error` has the code: an answer without it came from the provider. The command line
prints the same errors as `bailee: error: ...` and `hint: ...`, and exits with 1.

| code | status | fault | reached | retryable |
|---|---|---|---|---|
"""
CONFIG = f"""\
# Configuration

{MADE}

`bailee.toml`, as `bailee init` writes it. Every key outside of `[[egress]]` and `[[decoy]]` can
also be set in the environment, which wins over the file; lists stand in the file alone. Unknown
keys refuse to start, and all faults are told at once. Relative paths are relative to the file. A
reload (`bailee config reload`, or SIGHUP) reads it again: a faulty one is refused and the old
settings stay.
"""
KEY_TABLE = "| key | default | meaning | value |\n|---|---|---|---|\n"
EGRESS = f"""
## [[egress]]

One section for each address that this node can dial from. An address is used once it is published
too (`bailee egress add NAME`); `init` publishes those that it was given.

{KEY_TABLE}"""
DECOY = f"""
## [[decoy]]

One section for each address that locks are measured from ([guide](guides/locks.md)). No call leaves
from it, and it is never published.

{KEY_TABLE}"""
CLI = f"""\
# Command line

{MADE}

Results are on stdout, everything else on stderr; `-o json` prints JSON. Secrets are read from stdin
or the environment, and never from arguments. Exit codes: 0 done as told, 1 not, 2 wrong usage, 130
interrupted.

| variable | meaning |
|---|---|
| `BAILEE_CONFIG` | the vault's `bailee.toml`, as `--config` |
| `BAILEE_URL` | where the admin API is; else as the config says, else `http://127.0.0.1:8702` |
| `BAILEE_TOKEN` | a token for the admin API; else `operator.token` beside the config |
| `BAILEE_TENANT` | whose things, for operators and auditors, as `--tenant` |
| `BAILEE_AUTHORITY` | the authority's public half, where there is no config |
| `BAILEE_CALLS_URL` | where the gateway is, for `call`, `status` and `healthcheck` |
| `BAILEE_CALLS_CA` | the gateway's CA (PEM); else the pin of `--config`'s, else system roots |
| `BAILEE_CALLS_CERTIFICATE`, `BAILEE_CALLS_KEY` | files of the caller's own certificate |
| `BAILEE_CALLER_TOKEN` | the caller's token, for `call` |

Adding a tenant, approving a provider or a pin, retiring a pin, publishing and retiring an egress
address need the root key: these commands run on the host that has it, with `--config`, and send
what they signed through the admin API.
"""
ADMIN = f"# Admin API\n\n{MADE}\n\n{ABOUT}"

ADVICE: dict[str, str] = tomllib.loads((HERE / "advice.toml").read_text())


def errors() -> str:
    """Every error: code, status, whose fault, what had been reached, and what to do."""
    lines = [ERRORS]
    for error in every_error():
        again = "yes" if error.retryable else "no"
        lines.append(
            f"| [`{error.code}`](#{error.code}) | {error.status} | {error.fault} | "
            f"{error.reached} | {again} |\n"
        )
    for error in every_error():
        if error.code not in ADVICE:
            raise SystemExit(
                f"docs/generate.py: say in docs/advice.toml what to do about {error.code}"
            )
        said = inspect.cleandoc(error.__doc__ or "")
        lines.append(f"\n## {error.code}\n\n{said}\n\n*What to do:* {ADVICE[error.code].strip()}\n")
    return "".join(lines)


def every_error() -> list[type[BaileeError]]:
    """The errors of the project, in the order of their definition."""
    return [each for each in BaileeError.__subclasses__() if each.__module__ == "bailee.errors"]


def config() -> str:
    """Every key of the configuration."""
    lines = [CONFIG]
    section = ""
    for key in KEYS:
        if key.section != section:
            section = key.section
            lines.append(f"\n## [{section}]\n\n{KEY_TABLE}")
        lines.append(_key(key, f"<br>`{key.variable}`"))
    lines.append(EGRESS)
    lines.extend(_key(key, "") for key in EGRESS_KEYS)
    lines.append(DECOY)
    lines.extend(_key(key, "") for key in DECOY_KEYS)
    return "".join(lines)


def _key(key: Key, variable: str) -> str:
    if key.default is Required:
        default = "none: it must be there"
    elif key.default is None:
        default = "see the meaning"
    elif key.default == "":
        default = "empty"
    else:
        default = f"`{json.dumps(key.default)}`"
    return f"| `{key.name}`{variable} | {default} | {key.meaning} | {_form(key)} |\n"


def _form(key: Key) -> str:
    """What a value must be, in the words of the rule that refuses another."""
    try:
        key.rule("?")
    except ValueError as refused:
        return str(refused).removeprefix("must be ")
    return inspect.cleandoc(key.rule.__doc__ or "").splitlines()[0].rstrip(".").lower()


def cli() -> str:
    """Every command with its help."""
    lines = [CLI]
    for context in commands(bailee, "bailee", None):
        text = "\n".join(line.rstrip() for line in context.get_help().splitlines())
        lines.append(f"\n## {context.command_path}\n\n```text\n{text}\n```\n")
    return "".join(lines)


def commands(
    command: click.Command, name: str, parent: click.Context | None
) -> Iterator[click.Context]:
    """Walk through all commands, groups before what is in them."""
    context = click.Context(
        command,
        parent,
        name,
        terminal_width=WIDTH,
        max_content_width=WIDTH,
        help_option_names=["-h", "--help"],
    )
    yield context
    if isinstance(command, click.Group):
        for each in command.list_commands(context):
            below = command.get_command(context, each)
            if below is not None:
                yield from commands(below, each, context)


def admin_api() -> str:
    """Every route of the admin API."""
    described = build_api(None).openapi()
    lines = [ADMIN]
    for path, methods in described["paths"].items():
        for method, route in methods.items():
            said = inspect.cleandoc(route["description"])
            lines.append(f"\n## {method.upper()} {path}\n\n{said}\n")
            lines.extend(_parameters(route))
            lines.extend(_body(route, described["components"]["schemas"]))
    return "".join(lines)


def _parameters(route: dict[str, Any]) -> Iterator[str]:
    query = [each for each in route.get("parameters", []) if each["in"] == "query"]
    if query:
        yield "\nQuery: " + ", ".join(_parameter(each) for each in query) + ".\n"


def _parameter(each: dict[str, Any]) -> str:
    schema = each["schema"]
    extra = f" (default {schema['default']})" if "default" in schema else ""
    if "maximum" in schema:
        unit = " seconds" if each["name"] == "wait" else ""
        extra = f" ({schema.get('minimum', 0):g} to {schema['maximum']:g}{unit})"
    return f"`{each['name']}`{extra}"


def _body(route: dict[str, Any], schemas: dict[str, Any]) -> Iterator[str]:
    status = next(code for code in route["responses"] if code.startswith("2"))
    content = route.get("requestBody", {}).get("content", {})
    for each in content.values():
        form = _resolved(each["schema"], schemas)
        yield "\nBody:\n\n| member | type | |\n|---|---|---|\n"
        for name, schema in form["properties"].items():
            needed = "required" if name in form.get("required", []) else _default(schema)
            yield f"| `{name}` | {_type(name, schema, schemas)} | {needed} |\n"
    yield f"\nAnswers {status}.\n"


def _default(schema: dict[str, Any]) -> str:
    default = schema.get("default")
    return "optional" if default is None else f"optional, default `{json.dumps(default)}`"


def _type(name: str, schema: dict[str, Any], schemas: dict[str, Any]) -> str:
    schema = _resolved(schema, schemas)
    if "anyOf" in schema:
        return " or ".join(_type(name, each, schemas) for each in schema["anyOf"])
    if "contentMediaType" in schema:
        return "64 hexadecimal digits" if "minLength" in schema else "base64"
    if "const" in schema:
        return f"`{json.dumps(schema['const'])}`"
    if schema.get("type") == "array":
        return f"list of {_type(name, schema['items'], schemas)}"
    if schema.get("type") == "object" and "properties" in schema:
        inner = ", ".join(f"`{each}`" for each in schema["properties"])
        return f"object: {inner}"
    return str(schema.get("type", "any"))


def _resolved(schema: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in schema:
        found: dict[str, Any] = schemas[schema["$ref"].rpartition("/")[2]]
        return found
    return schema


DOCUMENTS: dict[str, Callable[[], str]] = {
    "errors.md": errors,
    "config.md": config,
    "cli.md": cli,
    "admin-api.md": admin_api,
    "openapi.json": lambda: openapi.text(build_api(None)),
}

if __name__ == "__main__":
    for name, make in DOCUMENTS.items():
        (HERE / name).write_text(make())
