"""Step 4 of `bailee quickstart`: the key, sealed in the command before it leaves it."""

import json
import shlex
from dataclasses import dataclass
from typing import Any

from bailee.cli.admin_api import segment
from bailee.cli.connection import credential_on_stdin
from bailee.cli.hidden_prompt import type_hidden
from bailee.cli.quickstart_run import Run
from bailee.cli.sealer import Sealer
from bailee.config import EgressEntry
from bailee.errors import BadInput, Conflict
from bailee.manage.ids import new_connection_id
from bailee.model import ConnectionId, Provider
from bailee.secret import Secret

_TRIES = 3


@dataclass(frozen=True, slots=True)
class Connected:
    """A connection whose credential can be opened."""

    id: ConnectionId
    address: str
    """What the provider sees of its calls."""
    typed: Secret | None
    """Its credential, if it was entered in this run."""


def take_key(run: Run, provider: Provider, egress: EgressEntry) -> Connected:
    """Take the credential and seal it; a connection of this subject that is there is used again.

    Raises:
        BadInput: There is no credential on stdin, or what was typed does not fit.
        Conflict: The address of the connection that is there is retired.
        TrustBroken: What it would be sealed to is not signed by the authority.
    """
    wishes, subject = run.wishes, run.wishes.subject
    run.guide.step(
        f"The key of {subject!r}, sealed before it leaves this command",
        f"bailee connection add {provider.id} --subject {shlex.quote(subject)} < credential.json",
    )
    found = _find(run, provider)
    if found is None:
        _say_where(run, provider, egress.public)
        connection, typed = _add(run, provider, egress)
        return _told(run, connection, egress.public, typed, "sealed")
    id, address = ConnectionId(found["id"]), str(found["egress_public"])
    if found["fits_trust"] and not wishes.new_key:
        run.guide.done(f"connection {id} of this subject is there, and is used")
        run.guide.note("to put another key in its place, run this with --new-key")
        return _told(run, id, address, None, "reused")
    if not found["fits_trust"]:
        run.guide.note(f"the key of connection {id} was sealed to another trust record: once more")
    _say_where(run, provider, address)
    return replace_key(run, provider, Connected(id, address, None))


def replace_key(run: Run, provider: Provider, connected: Connected) -> Connected:
    """Take a new credential for a connection that is there.

    Raises:
        BadInput: There is none on stdin, or what was typed does not fit.
    """
    path = f"/v1/connections/{segment(connected.id)}"
    version = int(run.admin.read(path)["version"]) + 1
    sealed, typed = _seal(run, provider, connected.id, version)
    del sealed["id"]
    run.admin.send(f"{path}/versions", sealed)
    run.guide.done(f"the new key is sealed: version {version} of connection {connected.id}")
    return _told(run, connected.id, connected.address, typed, "rotated")


def _find(run: Run, provider: Provider) -> dict[str, Any] | None:
    pages = run.admin.pages(
        "/v1/connections", provider=provider.id, subject=run.wishes.subject, state="active"
    )
    known = sorted(pages, key=lambda each: float(each["created_at"]))
    if not known:
        return None
    newest: dict[str, Any] = run.admin.read(f"/v1/connections/{segment(str(known[-1]['id']))}")
    if len(known) > 1:
        run.guide.note(f"this subject has {len(known)} connections there: the newest one is meant")
    if newest["egress_state"] != "active":
        raise Conflict(
            f"connection {newest['id']} leaves from an address that is retired",
            f"revoke it, and run this again: bailee connection revoke {newest['id']}",
        )
    return newest


def _say_where(run: Run, provider: Provider, address: str) -> None:
    told = provider.allowlisting
    where = f" ({told.where})" if told is not None and told.where else ""
    run.guide.note(
        f"restrict the key at {provider.name} to {address} and to no other address{where}; give it "
        "no more powers than it needs"
    )


def _add(run: Run, provider: Provider, egress: EgressEntry) -> tuple[ConnectionId, Secret]:
    id = new_connection_id()
    sealed, typed = _seal(run, provider, id, 1)
    subject = run.wishes.subject
    more = {"provider": provider.id, "subject": subject, "egress": egress.name}
    run.admin.send("/v1/connections", {**sealed, **more})
    run.guide.done(f"the key is sealed and stored: connection {id}")
    return id, typed


def _seal(
    run: Run, provider: Provider, id: ConnectionId, version: int
) -> tuple[dict[str, object], Secret]:
    """Seal what was entered; whoever sits at the terminal may try again."""
    sealer = Sealer(run.admin, run.verifier)
    if not run.guide.types:
        text = credential_on_stdin()
        return sealer.seal(provider.id, text, id, version), text
    for left in reversed(range(_TRIES)):
        fields = ", ".join(provider.auth.fields)
        run.guide.note(f"what you type or paste is not shown ({fields})")
        text = Secret(json.dumps(type_hidden(provider.auth.fields, "   ")).encode("ascii"))
        try:
            return sealer.seal(provider.id, text, id, version), text
        except BadInput as error:
            run.guide.trouble(error.detail)
            if not left:
                raise
    raise AssertionError("the last try returned or raised")


def _told(run: Run, id: ConnectionId, address: str, typed: Secret | None, how: str) -> Connected:
    run.told |= {"subject": run.wishes.subject, "connection": id, "egress": address}
    run.did("connection", how)
    return Connected(id, address, typed)
