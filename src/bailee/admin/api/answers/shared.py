"""What all tenants share: providers, pins, egress addresses, tenants, chains of the journal."""

from collections.abc import Mapping
from typing import Any, Self

import msgspec
from pydantic import Field

from bailee.admin.api.answers.base import STATEMENT, Answer, Time, signed_parts
from bailee.admin.api.examples import Example, examples
from bailee.manage.egress import EgressStanding
from bailee.manage.pins import PinStanding
from bailee.manage.providers import ProviderStanding, ProviderState
from bailee.model import EgressState, Gate, Probing, Provider, Role, Signed
from bailee.policy.pin import format_pin
from bailee.providers.load import encode_provider
from bailee.store.chains import StoredChain
from bailee.store.tenants import StoredTenant

_PROVIDER: Example = {
    "id": "kraken",
    "name": "Kraken",
    "state": "approved",
    "serial": 1,
    "approved_at": 1795564800.0,
    "proposed_at": None,
}
_DOCUMENT: Example = {
    "id": "kraken",
    "name": "Kraken",
    "origins": [{"name": "rest", "host": "api.kraken.com", "port": 443}],
}
EGRESS: Example = {
    "id": "egr_zrxk6l3n4mvq2yw7t5hbdpa4ce",
    "name": "a",
    "public": "203.0.113.7",
    "state": "active",
    "serial": 1,
    "connections": 1042,
    "broken": False,
    "created_at": 1795564800.0,
    "payload": None,
    "signature": None,
}


def document(provider: Provider | None) -> dict[str, Any] | None:
    """A provider's canonical JSON as an object."""
    return None if provider is None else msgspec.json.decode(encode_provider(provider))


class ProviderLine(Answer):
    """A provider in a list."""

    model_config = examples(_PROVIDER)

    id: str
    name: str | None
    state: ProviderState
    serial: int = Field(description="Of the newest approval; 0 before the first.")
    approved_at: Time | None
    proposed_at: Time | None

    @classmethod
    def of(cls, standing: ProviderStanding, **more: Any) -> Self:
        """Tell where a provider stands."""
        known = standing.approved or standing.proposed
        return cls(
            id=standing.id,
            name=None if known is None else known.name,
            state=standing.state,
            serial=standing.serial,
            approved_at=standing.approved_at,
            proposed_at=standing.proposed_at,
            **more,
        )


class ProviderDetail(ProviderLine):
    """A provider with its documents, and the statement that approved it."""

    model_config = examples(_PROVIDER | {"document": _DOCUMENT, "proposal": None} | STATEMENT)

    document: dict[str, Any] | None = Field(description="As approved: calls go by it.")
    proposal: dict[str, Any] | None = Field(description="As proposed, where that differs.")
    payload: str | None
    signature: str | None

    @classmethod
    def with_statement(cls, standing: ProviderStanding, signed: Signed | None) -> Self:
        """Tell all of a provider; `signed` is its newest approval."""
        believed = None if standing.approved is None else signed
        return cls.of(
            standing,
            document=document(standing.approved),
            proposal=document(standing.proposed),
            **signed_parts(believed),
        )


class Pins(Answer):
    """The pins of an origin; null, in the state `broken`, when the authority did not sign them."""

    model_config = examples(
        {
            "provider": "kraken",
            "origin": "rest",
            "state": "approved",
            "serial": 1,
            "pins": ["sha256/Ko8tivDrEjiY90yGasP6ZpBU4jwXvHqVvQI0GS3GNdA="],
            "danger_no_backup": True,
            "approved_at": 1795564800.0,
        }
        | STATEMENT
    )

    provider: str
    origin: str
    state: str = Field(description="`approved` or `broken`.")
    serial: int
    pins: list[str] | None
    danger_no_backup: bool | None
    approved_at: Time
    payload: str | None
    signature: str | None

    @classmethod
    def of(cls, standing: PinStanding, signed: Signed | None) -> Self:
        """Tell the pins of an origin, with their statement."""
        known = standing.pins
        return cls(
            provider=standing.provider,
            origin=standing.origin,
            state="broken" if known is None else "approved",
            serial=standing.serial,
            pins=None if known is None else [format_pin(pin) for pin in known.pins],
            danger_no_backup=None if known is None else known.danger_no_backup,
            approved_at=standing.approved_at,
            **signed_parts(None if known is None else signed),
        )


class Egress(Answer):
    """An egress address; `broken` when the authority did not sign it as it stands."""

    model_config = examples(EGRESS | STATEMENT)

    id: str
    name: str
    public: str = Field(description="What providers see and users allow.")
    state: EgressState
    serial: int
    connections: int | None = Field(
        description="Active ones, of all tenants; an application is told null."
    )
    broken: bool
    created_at: Time
    payload: str | None
    signature: str | None

    @classmethod
    def of(cls, standing: EgressStanding, signed: Mapping[str, Signed], role: Role) -> Self:
        """Tell a role of an address, with its statement if it is among `signed`."""
        address = standing.address
        return cls(
            id=address.id,
            name=address.name,
            public=address.public,
            state=address.state,
            serial=address.serial,
            connections=None if role is Role.APPLICATION else standing.connections,
            broken=standing.broken,
            created_at=standing.created_at,
            **signed_parts(signed.get(address.id)),
        )


class Tenant(Answer):
    """An application that owns callers and connections."""

    model_config = examples(
        {
            "id": "default",
            "name": "Tax app",
            "created_at": 1795564800.0,
            "gate": "declared",
            "probing": "ok",
        }
    )

    id: str
    name: str
    created_at: Time
    gate: Gate = Field(description="Which lock its connections need before they may be used.")
    probing: Probing = Field(description="What it consented to have tried from decoys.")

    @classmethod
    def of(cls, row: StoredTenant) -> Self:
        """Tell of a tenant."""
        return cls(
            id=row.id,
            name=row.name,
            created_at=row.created_at,
            gate=row.gate,
            probing=row.probing,
        )


class Chain(Answer):
    """A chain of the journal, with the head that was stored last."""

    model_config = examples(
        {
            "id": "gateway-20261124T120000-4f1c",
            "role": "gateway",
            "file": "gateway-20261124T120000-4f1c.jsonl",
            "started_at": 1795564800.0,
            "head_seq": 4711,
            "head_hash": "9f" * 32,
            "head_at": 1795564900.0,
            "closed_at": None,
        }
    )

    id: str
    role: str
    file: str
    started_at: Time
    head_seq: int | None
    head_hash: str | None
    head_at: Time | None
    closed_at: Time | None

    @classmethod
    def of(cls, row: StoredChain) -> Self:
        """Tell of a chain."""
        return cls(**msgspec.to_builtins(row))
