"""At the erasure of a tenant: who is let to what is left of it, and that its id is nobody's again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from errors import Conflict, NotFound
from tenancy.access import EPOCH, UNKNOWN, TenantContext, bury, found
from tenancy.audit import SYSTEM
from tenancy.deployment import Deployment
from tenancy.erasures import Erasure, ErasureState
from tenancy.ids import DirectoryId
from tenancy.principal import Principal
from tenancy.roles import Role
from tenancy.store import Table
from tenancy.tenants import ROW, Tenant, TenantStatus
from tests.tenancy.people import NOW


async def set_status(context: TenantContext, status: TenantStatus) -> None:
    await context.store.put(Table.TENANT, ROW, replace(context.tenant, status=status).values())


def erasure_of(context: TenantContext) -> Erasure:
    return Erasure(context.tenant.tenant_id, ErasureState.WAITING, "who", NOW, NOW)


async def test_system_buries_what_was_deleted_and_asked_for(
    deployment: Deployment, context: TenantContext
) -> None:
    tenant_id = context.tenant.tenant_id
    await set_status(context, TenantStatus.DELETED)
    with pytest.raises(NotFound) as unasked:
        await bury(deployment, tenant_id)
    assert unasked.value.message == UNKNOWN
    await deployment.erasures.add(erasure_of(context))
    buried = await bury(deployment, tenant_id)
    assert (buried.tenant.name, buried.actor, buried.role) == ("test", SYSTEM, Role.VIEWER)
    assert buried.store.tenant_id == tenant_id
    await context.store.delete(Table.TENANT, ROW)
    nobody = await bury(deployment, tenant_id)
    assert nobody.tenant == Tenant(
        tenant_id, "", DirectoryId(""), TenantStatus.DELETED, EPOCH, fingerprint_secret=""
    )
    assert nobody.store.tenant_id == tenant_id


@pytest.mark.parametrize(
    "status", [TenantStatus.PROVISIONING, TenantStatus.ACTIVE, TenantStatus.SUSPENDED]
)
async def test_nobody_buries_a_tenant_that_is_not_deleted(
    deployment: Deployment, context: TenantContext, status: TenantStatus
) -> None:
    await set_status(context, status)
    await deployment.erasures.add(erasure_of(context))
    with pytest.raises(Conflict) as refused:
        await bury(deployment, context.tenant.tenant_id)
    assert refused.value.message == "This tenant is not deleted. Nothing of it is erased."


async def test_id_of_an_erasure_founds_no_tenant(
    deployment: Deployment, context: TenantContext, operator: Principal
) -> None:
    await context.store.delete(Table.TENANT, ROW)
    await deployment.erasures.add(erasure_of(context))
    with pytest.raises(Conflict) as refused:
        await found(deployment, context.tenant, operator)
    assert refused.value.message == "There was a tenant of this id. It is erased, or will be."
    assert await context.store.find(Table.TENANT, ROW) is None
