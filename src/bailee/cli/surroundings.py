"""Where a command works: the configuration, the admin API, and the tokens for both."""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from bailee.cli.admin_api import AdminApi
from bailee.cli.output import warn
from bailee.cli.trust import read_trust
from bailee.cli.wire import Place, parse_place
from bailee.config import Settings, load
from bailee.errors import BadInput, ConfigInvalid, TrustBroken
from bailee.secret import Secret

if TYPE_CHECKING:
    from bailee.vault.authority import AuthorityVerifier

DEFAULT_ADMIN = Place("http", "127.0.0.1", 8702)
DEFAULT_CALLS = Place("http", "127.0.0.1", 8700)
OPERATOR_TOKEN_FILE = "operator.token"
_TENANT = "bailee.cli.tenant"

_Command = TypeVar("_Command", bound=Callable[..., Any])


def config_option(command: _Command) -> _Command:
    """Give a command `--config` as the parameter `config`: a path, or None."""
    return click.option(
        "--config",
        type=click.Path(dir_okay=False, path_type=Path),
        envvar="BAILEE_CONFIG",
        help="The vault's bailee.toml (or BAILEE_CONFIG).",
    )(command)


def tenant_option(command: _Command) -> _Command:
    """Give a command `--tenant`. It is no parameter: `Surroundings.read` finds what was given."""
    return click.option(
        "--tenant",
        metavar="ID",
        envvar="BAILEE_TENANT",
        expose_value=False,
        callback=_keep_tenant,
        help="Whose things: for operators and auditors (or BAILEE_TENANT).",
    )(command)


def _keep_tenant(ctx: click.Context, _: click.Parameter, value: str | None) -> None:
    ctx.meta[_TENANT] = value


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the options and the environment say. Without `tenant` it is the token's own."""

    settings: Settings | None
    tenant: str | None = None

    @classmethod
    def read(cls, config: Path | None) -> "Surroundings":
        """Load the configuration, if one is named, and find the tenant of `tenant_option`.

        Raises:
            ConfigInvalid: It has faults.
        """
        ctx = click.get_current_context(silent=True)
        tenant = None if ctx is None else ctx.meta.get(_TENANT)
        return cls(None if config is None else load(config, os.environ), tenant or None)

    @property
    def admin_place(self) -> Place:
        """Where the admin API is: BAILEE_URL, else the config's, else the default."""
        if url := os.environ.get("BAILEE_URL"):
            return parse_place(url, "BAILEE_URL")
        if self.settings is not None:
            return Place("http", *self.settings.admin.listen)
        return DEFAULT_ADMIN

    @property
    def calls_place(self) -> Place:
        """Where the gateway is: BAILEE_CALLS_URL, else the config's, else the default.

        Over TLS it is judged by BAILEE_CALLS_CA, else by its own certificate, that of the config.
        """
        own = None if self.settings is None else self.settings.gateway.tls
        place = DEFAULT_CALLS
        if url := os.environ.get("BAILEE_CALLS_URL"):
            place = parse_place(url, "BAILEE_CALLS_URL")
        elif self.settings is not None:
            place = Place("http" if own is None else "https", *self.settings.gateway.listen)
        return replace(place, trust=read_trust(own)) if place.scheme == "https" else place

    def admin(self) -> AdminApi:
        """Make the admin API's client with the operator's token.

        Raises:
            BadInput: There is no token, or BAILEE_URL is not a URL.
        """
        place = self.admin_place
        if place.scheme == "http" and not _is_loopback(place.host):
            warn(f"the token goes to {place} over plain HTTP")
        return AdminApi(place, self._operator_token(), self.tenant)

    def verifier(self) -> "AuthorityVerifier":
        """Return the authority's public half, of the config or BAILEE_AUTHORITY.

        Raises:
            TrustBroken: Neither names one: nothing that the admin API answers could be believed.
            BadInput: It is not of the right form.
        """
        from bailee.vault.authority import AuthorityVerifier

        if self.settings is not None:
            return AuthorityVerifier(self.settings.vault.authority)
        if public := os.environ.get("BAILEE_AUTHORITY"):
            return AuthorityVerifier(public)
        raise TrustBroken(
            "the authority's public half is not known, so that no record can be verified",
            "give --config, or set BAILEE_AUTHORITY to [vault] authority of bailee.toml",
        )

    def require_settings(self, why: str) -> Settings:
        """Return the settings for a command that can't do without.

        Raises:
            ConfigInvalid: No configuration is named; `why` says what it is needed for.
        """
        if self.settings is None:
            raise ConfigInvalid(
                f"{why} needs the configuration of the vault",
                "give --config DIR/bailee.toml, or set BAILEE_CONFIG",
            )
        return self.settings

    def _operator_token(self) -> Secret:
        if token := os.environ.get("BAILEE_TOKEN"):
            return Secret(token.strip().encode("utf-8"))
        if self.settings is None:
            raise BadInput(
                "there is no operator token",
                "set BAILEE_TOKEN, or give --config of a vault on this machine",
            )
        path = self.settings.base / OPERATOR_TOKEN_FILE
        try:
            return Secret(path.read_bytes().strip())
        except OSError as error:
            raise BadInput(
                f"{path} can't be read: {(error.strerror or 'unknown').lower()}",
                "set BAILEE_TOKEN to an operator token",
            ) from None


def _is_loopback(host: str) -> bool:
    return host == "localhost" or host == "::1" or host.startswith("127.")
