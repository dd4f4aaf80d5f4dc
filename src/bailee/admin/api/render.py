"""What operators read. No function here is given a credential, sealed or not."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from bailee.manage.connections import ConnectionDetail
from bailee.manage.egress import EgressStanding
from bailee.manage.pins import PinStanding
from bailee.manage.providers import ProviderStanding
from bailee.manage.status import Status
from bailee.model import Job, Provider, Signed
from bailee.policy.pin import format_pin
from bailee.providers.load import encode_provider
from bailee.store.callers import StoredCaller
from bailee.store.chains import StoredChain
from bailee.store.connections import StoredConnection
from bailee.store.grants import StoredGrant

Json = dict[str, Any]


def listed(items: Sequence[Json], limit: int | None = None) -> Json:
    """A page. `next` goes into `after` for the next one; null when this one is the last."""
    full = limit is not None and len(items) >= limit
    return {"items": list(items), "next": items[-1]["id"] if full else None}


def signed_parts(signed: Signed | None) -> Json:
    """A statement in base64, or nulls."""
    if signed is None:
        return {"payload": None, "signature": None}
    return {
        "payload": base64.b64encode(signed.payload).decode(),
        "signature": base64.b64encode(signed.signature).decode(),
    }


def document(provider: Provider | None) -> Json | None:
    """A provider's canonical JSON as an object."""
    return None if provider is None else msgspec.json.decode(encode_provider(provider))


def provider_line(standing: ProviderStanding) -> Json:
    """A provider in a list."""
    known = standing.approved or standing.proposed
    return {
        "id": standing.id,
        "name": None if known is None else known.name,
        "state": standing.state,
        "serial": standing.serial,
        "approved_at": standing.approved_at,
        "proposed_at": standing.proposed_at,
    }


def provider_detail(standing: ProviderStanding, signed: Signed | None) -> Json:
    """A provider with its documents, and the statement that approved it."""
    believed = None if standing.approved is None else signed
    return {
        **provider_line(standing),
        "document": document(standing.approved),
        "proposal": document(standing.proposed),
        **signed_parts(believed),
    }


def pins(standing: PinStanding, signed: Signed | None) -> Json:
    """The pins of an origin; null, in the state `broken`, when the authority did not sign them."""
    known = standing.pins
    return {
        "provider": standing.provider,
        "origin": standing.origin,
        "state": "broken" if known is None else "approved",
        "serial": standing.serial,
        "pins": None if known is None else [format_pin(pin) for pin in known.pins],
        "danger_no_backup": None if known is None else known.danger_no_backup,
        "approved_at": standing.approved_at,
        **signed_parts(None if known is None else signed),
    }


def job(job: Job) -> Json:
    """A job. Its result is worth what `result_signature` is worth."""
    mark = job.result_signature
    return {
        "id": job.id,
        "kind": job.kind,
        "arguments": job.arguments,
        "egress": job.egress,
        "state": job.state,
        "created_at": job.created_at,
        "finished_at": job.finished_at,
        "result": job.result,
        "result_signature": None if mark is None else base64.b64encode(mark).decode(),
        "error": job.error,
    }


def connection(row: StoredConnection) -> Json:
    """A connection in a list."""
    return {
        "id": row.id,
        "tenant": row.tenant,
        "provider": row.provider,
        "subject": row.subject,
        "state": row.state,
        "version": row.version,
        "egress": row.egress,
        "created_at": row.created_at,
        "revoked_at": row.revoked_at,
    }


def connection_detail(detail: ConnectionDetail) -> Json:
    """A connection with its egress address, and whether its credential fits the trust record."""
    address = detail.egress
    return {
        **connection(detail.connection),
        "egress_name": None if address is None else address.name,
        "egress_public": None if address is None else address.public,
        "egress_state": None if address is None else address.state,
        "sealed_at": detail.sealed_at,
        "fits_trust": detail.fits_trust,
    }


def caller(row: StoredCaller) -> Json:
    """A caller. Its tokens are not shown."""
    return {
        "id": row.caller.id,
        "name": row.caller.name,
        "allow_from": list(row.caller.allow_from),
        "created_at": row.created_at,
        "revoked_at": row.revoked_at,
    }


def grant(row: StoredGrant) -> Json:
    """A grant."""
    return {
        "id": row.grant.id,
        "caller": row.grant.caller,
        "connection": row.grant.connection,
        "allow": [str(rule) for rule in row.grant.allow],
        "created_at": row.created_at,
        "expires_at": row.grant.expires_at,
        "revoked_at": row.revoked_at,
    }


def egress(standing: EgressStanding, signed: Mapping[str, Signed]) -> Json:
    """An egress address; `broken` when the authority did not sign it as it stands."""
    address = standing.address
    return {
        "id": address.id,
        "name": address.name,
        "public": address.public,
        "state": address.state,
        "serial": address.serial,
        "connections": standing.connections,
        "broken": standing.broken,
        "created_at": standing.created_at,
        **signed_parts(signed.get(address.id)),
    }


def chain(row: StoredChain) -> Json:
    """A chain of the journal."""
    return msgspec.to_builtins(row)  # type: ignore[no-any-return]  # a dataclass is a dict in JSON


def status(status: Status) -> Json:
    """The counts."""
    return {
        "schema": status.schema,
        "revision": status.revision,
        "providers": status.providers,
        "pinned_origins": status.pinned_origins,
        "connections": status.connections,
        "callers": status.callers,
        "grants": status.grants,
        "jobs": status.jobs,
        "egress": [egress(each, {}) for each in status.egress],
    }
