"""Tenants, their current keys, and the authority's row."""

from dataclasses import replace

from bailee.errors import Conflict, NotFound
from bailee.manage.forms import parse_label, parse_limit, parse_tenant
from bailee.model import Gate, Probing, Signed, TenantId
from bailee.store import authority as authority_row
from bailee.store import tenants as rows
from bailee.store.authority import StoredAuthority
from bailee.store.engine import Store
from bailee.store.tenants import StoredTenant
from bailee.vault.authority import AuthorityVerifier
from bailee.vault.statements import verified_tenant_key


def install_authority(store: Store, public: str, wrapped_private: bytes) -> None:
    """Store the authority that `init` made.

    Raises:
        Conflict: There is one already.
    """
    with store.write() as conn:
        if authority_row.find(conn) is not None:
            raise Conflict("the database has an authority already")
        authority_row.insert(conn, StoredAuthority(public, wrapped_private))


def show_authority(store: Store) -> StoredAuthority:
    """Return the authority's row.

    Raises:
        NotFound: There is none yet.
    """
    with store.read() as conn:
        found = authority_row.find(conn)
    if found is None:
        raise NotFound("the database has no authority", "make one with 'bailee init DIR'")
    return found


def add(
    store: Store,
    verifier: AuthorityVerifier,
    tenant: TenantId,
    name: str,
    key: Signed,
    wrapped_private: bytes,
    now: float,
    *,
    gate: Gate = Gate.NONE,
    probing: Probing = Probing.NONE,
) -> StoredTenant:
    """Add a tenant with its first key pair, which whoever has the root key made and signed.

    Args:
        store: The database.
        verifier: Of the authority of the config.
        tenant: Its id, a DNS label.
        name: For people.
        key: The signed public half, which must be this tenant's.
        wrapped_private: The private half, wrapped by the root key.
        now: Unix seconds.
        gate: Which lock its connections need before they may be used.
        probing: What of its users' credentials may be tried from a decoy.

    Raises:
        BadInput: The id or the name is not of the right form.
        TrustBroken: The key is not signed by the authority for this tenant.
        Conflict: The tenant exists.
    """
    added = StoredTenant(TenantId(parse_tenant(tenant)), parse_label(name), now, gate, probing)
    public = verified_tenant_key(verifier, key, tenant=added.id)
    with store.write() as conn:
        if rows.find(conn, added.id) is not None:
            raise Conflict("the tenant exists already")
        rows.insert(conn, added)
        rows.insert_key(conn, rows.StoredTenantKey(public.id, added.id, key, wrapped_private, now))
    return added


def find(store: Store, tenant: TenantId) -> StoredTenant:
    """Find a tenant by its id.

    Raises:
        NotFound: There is none.
    """
    with store.read() as conn:
        found = rows.find(conn, tenant)
    if found is None:
        raise NotFound("there is no such tenant")
    return found


def set_lock_policy(
    store: Store, tenant: TenantId, *, gate: Gate | None = None, probing: Probing | None = None
) -> StoredTenant:
    """Set what a tenant wants of its connections' locks; what is not given stays as it is.

    Raises:
        NotFound: There is no such tenant.
    """
    with store.write() as conn:
        found = rows.find(conn, tenant)
        if found is None:
            raise NotFound("there is no such tenant")
        changed = replace(
            found,
            gate=found.gate if gate is None else gate,
            probing=found.probing if probing is None else probing,
        )
        rows.set_lock_policy(conn, tenant, changed.gate, changed.probing)
    return changed


def current_key(store: Store, tenant: TenantId) -> Signed:
    """Return the signed public key to which a tenant's credentials are sealed now.

    Whoever seals verifies it first: a row says nothing.

    Raises:
        NotFound: There is no such tenant, or it has no key.
    """
    with store.read() as conn:
        key = rows.current_key(conn, tenant)
    if key is None:
        raise NotFound("there is no such tenant, or it has no key")
    return key.signed


def page(store: Store, *, after: str | None = None, limit: int = 100) -> list[StoredTenant]:
    """List tenants in the order of their ids.

    Raises:
        BadInput: `limit` is not 1 to 1000.
    """
    with store.read() as conn:
        return rows.list_page(conn, after=after, limit=parse_limit(limit))
