"""Tenants, and the public key to which a tenant's credentials are sealed."""

from bailee.admin.api.answers.base import Page, SignedParts, page_of, signed_parts
from bailee.admin.api.answers.shared import Tenant
from bailee.admin.api.desk import AtDesk
from bailee.admin.api.forms import NewTenant, TenantChange
from bailee.admin.api.paging import DEFAULT_LIMIT, After, Limit
from bailee.admin.api.router import new_router
from bailee.admin.api.statements import tenant_key
from bailee.errors import NotFound
from bailee.manage import tenants as manage
from bailee.model import Role, TenantId

router = new_router("/v1")


@router.post("/tenants", status_code=201)
def add_tenant(desk: AtDesk, form: NewTenant) -> Tenant:
    """Add a tenant, whose first public key the authority signed."""
    tenant = TenantId(form.id)
    signed = tenant_key(desk.verifier, form, tenant)
    with desk.change("tenant.add", form.id):
        added = manage.add(
            desk.store,
            desk.verifier,
            tenant,
            form.name,
            signed,
            form.wrapped_private,
            desk.now,
            gate=form.gate,
            probing=form.probing,
        )
    return Tenant.of(added)


@router.get("/tenants")
def list_tenants(desk: AtDesk, after: After = None, limit: Limit = DEFAULT_LIMIT) -> Page[Tenant]:
    """List tenants."""
    page = manage.page(desk.store, after=after, limit=limit)
    return page_of(page, Tenant.of, lambda each: each.id, limit)


@router.get("/tenants/{tenant_id}")
def show_tenant(desk: AtDesk, tenant_id: str) -> Tenant:
    """Show a tenant; an application sees its own alone."""
    if desk.role is Role.APPLICATION and tenant_id != desk.tenant:
        raise NotFound("there is no such tenant")
    return Tenant.of(manage.find(desk.store, TenantId(tenant_id)))


@router.patch("/tenants/{tenant_id}")
def change_tenant(desk: AtDesk, tenant_id: str, form: TenantChange) -> Tenant:
    """Set the gate, or what may be tried from decoys."""
    chosen = {"gate": form.gate, "probing": form.probing}
    told = {name: str(value) for name, value in chosen.items() if value is not None}
    with desk.change("tenant.change", tenant_id, **told):
        changed = manage.set_lock_policy(
            desk.store, TenantId(tenant_id), gate=form.gate, probing=form.probing
        )
    return Tenant.of(changed)


@router.get("/tenant/key")
def show_key(desk: AtDesk) -> SignedParts:
    """Show the signed key. Whoever seals verifies it first with the authority's public half."""
    return SignedParts(**signed_parts(manage.current_key(desk.store, desk.tenant)))
