"""Sealing in the command: what the admin API says of provider and tenant is verified before."""

from base64 import b64encode

from bailee.cli.admin_api import AdminApi, segment
from bailee.cli.statements import read_statement
from bailee.errors import BadInput, BaileeError, NotFound, ProviderNotApproved, TrustBroken
from bailee.model import ConnectionId, Provider, ProviderId, SealContext, TenantId, TenantKey
from bailee.providers.trust import trust_digest
from bailee.secret import Secret
from bailee.signing.credential import parse_credential
from bailee.vault.authority import AuthorityVerifier
from bailee.vault.sealing import seal
from bailee.vault.statements import verified_provider, verified_tenant_key


class Sealer:
    """Seals credentials to one tenant's key.

    Each provider is asked for once, and its record is verified once; so is the tenant's key.

    Args:
        admin: Tells the records. Nothing that it says is believed without its signature.
        verifier: Of the authority of the config or BAILEE_AUTHORITY.
    """

    def __init__(self, admin: AdminApi, verifier: AuthorityVerifier) -> None:
        self._admin = admin
        self._verifier = verifier
        self._key: TenantKey | None = None
        self._providers: dict[str, tuple[Provider, bytes] | BaileeError] = {}

    def __repr__(self) -> str:
        return f"Sealer({self._admin!r})"

    @property
    def tenant(self) -> TenantId:
        """Whose credentials it seals.

        Raises:
            TrustBroken: The key is not signed, or is another tenant's than the one that was named.
        """
        return self._tenant_key().tenant

    def seal(
        self, provider: str, text: Secret, connection: ConnectionId, version: int
    ) -> dict[str, object]:
        """Seal what a user gave, so that it opens in one place alone.

        Returns:
            The members of a sealed version, as the admin API takes them.

        Raises:
            BadInput: The credential does not fit the provider.
            NotFound, ProviderNotApproved: There is no such provider, or it is not approved.
            TrustBroken: A record is not signed by the authority. Nothing was sealed.
        """
        known, digest = self._provider(provider)
        credential = parse_credential(known.auth, text.reveal())
        key = self._tenant_key()
        context = SealContext(key.tenant, connection, version, digest)
        sealed = seal(credential, key, context)
        return {
            "id": sealed.connection,
            "version": sealed.version,
            "key_id": sealed.key_id,
            "trust_digest": sealed.trust_digest.hex(),
            "ciphertext": b64encode(sealed.ciphertext).decode("ascii"),
        }

    def _tenant_key(self) -> TenantKey:
        if self._key is None:
            signed = read_statement(self._admin.read("/v1/tenant/key"))
            named = self._admin.tenant
            tenant = None if named is None else TenantId(named)
            self._key = verified_tenant_key(self._verifier, signed, tenant=tenant)
        return self._key

    def _provider(self, name: str) -> tuple[Provider, bytes]:
        if name not in self._providers:
            try:
                self._providers[name] = self._ask(name)
            except (ProviderNotApproved, TrustBroken, NotFound, BadInput) as error:
                self._providers[name] = error
        found = self._providers[name]
        if isinstance(found, BaileeError):
            raise found
        return found

    def _ask(self, name: str) -> tuple[Provider, bytes]:
        record = self._admin.read(f"/v1/providers/{segment(name)}")
        if record.get("state") == "broken":
            raise TrustBroken(
                f"the record of {name} is not signed by the authority",
                "find out who can write the database, then approve the provider again",
            )
        if not record.get("payload"):
            raise ProviderNotApproved(
                f"{name} is not approved", f"approve it with 'bailee provider approve {name}'"
            )
        signed = read_statement(record)
        known, _ = verified_provider(self._verifier, signed, expected=ProviderId(name))
        return known, trust_digest(known)
