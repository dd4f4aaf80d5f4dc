"""What one reading of the configuration asks for: which roles, how many, as whom, with what key."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from bailee.config import Settings
from bailee.config_keys import Listen
from bailee.errors import VaultClosed
from bailee.secret import Secret
from bailee.supervise.child import Launch, Role
from bailee.supervise.users import RoleUser, role_users, try_user
from bailee.tls.context import load_tls
from bailee.vault.backends import RootKeys

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Place:
    """A role, how it is started, how many processes of it, and where they listen."""

    launch: Launch
    count: int
    listen: Listen | None

    @property
    def setting(self) -> str:
        """What moves its port."""
        return f"{self.launch.role.name}.listen"


def make_plan(
    settings: Settings, roles: Sequence[Role], module: str, keys: RootKeys
) -> tuple[Place, ...]:
    """Read the root key, find and try the users, and lay out the processes.

    Args:
        settings: The configuration.
        roles: Which roles to run.
        module: What a role runs, with `{role}` in it: `bailee.app.{role}`.
        keys: Opens the root key, and asks for a passphrase once.

    Raises:
        StartRefused: A user does not exist, or can't use the code or the database; or the
            gateway's certificate or its key can't be used.
    """
    _try_tls(settings, roles)
    users = role_users(settings)
    shared = [role.name for role in roles if not role.holds_root_key and role.name not in users]
    if shared:
        log.warning("roles share a user", names=shared, hint=_shared_hint(settings))
    for role in roles:
        if role.name in users:
            try_user(role.name, users[role.name], module.format(role=role.name), settings)
    needs_key = any(role.holds_root_key for role in roles)
    key = _root_key(settings, keys) if needs_key else None
    return tuple(_place(role, settings, module, key, users.get(role.name)) for role in roles)


def _try_tls(settings: Settings, roles: Sequence[Role]) -> None:
    """Before anything starts, and before a reload: workers read the files anew.

    A certificate whose time is over is no reason to stop: callers that verify it stop themselves.
    """
    files = settings.gateway.tls
    if files is None or not any(role.name == "gateway" for role in roles):
        return
    certificate = load_tls(files).certificate
    concern = certificate.concern(time.time())
    log.info("calls over TLS", pin=certificate.pin_text, names=list(certificate.names))
    if concern:
        log.warning("look at the certificate for calls", file=str(files.certificate), why=concern)


def _place(
    role: Role, settings: Settings, module: str, key: Secret | None, user: RoleUser | None
) -> Place:
    listen = {
        "gateway": settings.gateway.listen,
        "admin": settings.admin.listen,
        "public": settings.public.listen,
    }.get(role.name)
    launch = Launch(
        role=role,
        module=module.format(role=role.name),
        config=settings.path,
        root_key=key if role.holds_root_key else None,
        user=user,
    )
    return Place(launch, settings.gateway.workers if role.name == "gateway" else 1, listen)


def _root_key(settings: Settings, keys: RootKeys) -> Secret | None:
    """A missing key closes the vault and starts the rest: admin must be there to say so."""
    try:
        vault = settings.vault
        return keys.open(vault.root_key, settings.base, vault.passphrase_file)
    except VaultClosed as closed:
        log.critical(
            "the vault is closed: every call is answered with 503 vault-closed",
            reason=closed.detail,
            hint=f"{closed.hint or 'bring the root key back'}, then send SIGHUP",
        )
        return None


def _shared_hint(settings: Settings) -> str:
    if settings.users.apart:
        return "start as root, so that [users] can be used"
    return "set [users]: until then the separation holds against mistakes, not code execution"
