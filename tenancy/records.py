"""A tenant's own row, changed as it is now: what a tick moves on meanwhile stops nobody, and nobody undoes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from errors import NotFound, Stale
from tenancy.access import TenantContext
from tenancy.store import Table
from tenancy.tenants import ROW, Tenant, TenantStatus, read_tenant

MOST_TRIES = 5


async def change_tenant(context: TenantContext, change: Callable[[Tenant], Tenant]) -> Tenant:
    """Writes what `change` makes of the newest row. Raises NotFound for a tenant that was deleted meanwhile."""
    tenant = context.tenant
    for _ in range(MOST_TRIES):
        changed = change(tenant)
        try:
            etag = await context.store.update(Table.TENANT, ROW, changed.values(), etag=tenant.etag)
        except Stale:
            tenant = read_tenant(tenant.tenant_id, await context.store.get(Table.TENANT, ROW))
            if tenant.status is TenantStatus.DELETED:
                raise NotFound("There is no such tenant.") from None
            continue
        return replace(changed, etag=etag)
    raise Stale("This tenant is being changed by others. Try again.")
