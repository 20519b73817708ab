"""A tenant that is being restored: closed to all but the work that does it and those who follow that."""

from __future__ import annotations

from dataclasses import replace

import pytest

from errors import Conflict, NotFound, Unavailable
from tenancy.access import RESTORING, TenantContext, enter, govern, redeem, serve
from tenancy.blobs import container_of
from tenancy.deployment import Deployment
from tenancy.principal import Principal
from tenancy.roles import Role
from tenancy.store import Table
from tenancy.tenants import ROW, TenantStatus
from tests.tenancy.people import NOW, someone
from tests.tenancy.test_access import add_user, set_status


async def test_members_and_operators_wait_outside(
    deployment: Deployment, context: TenantContext, operator: Principal
) -> None:
    ada, tenant_id = someone(), context.tenant.tenant_id
    await add_user(context, ada, Role.ADMIN)
    await set_status(context, TenantStatus.RESTORING)
    for who in (ada, operator):
        with pytest.raises(Unavailable) as refused:
            await enter(deployment, who, tenant_id, now=NOW)
        assert refused.value.message == RESTORING
        inside = await enter(deployment, who, tenant_id, restoring=True, now=NOW)
        assert inside.tenant.status is TenantStatus.RESTORING
    governed = await govern(deployment, operator, tenant_id, now=NOW)
    assert governed.tenant.status is TenantStatus.RESTORING
    assert await deployment.registry.is_open(tenant_id)  # it is still its members' own


async def test_to_a_stranger_it_is_as_absent_as_ever(
    deployment: Deployment, context: TenantContext
) -> None:
    await set_status(context, TenantStatus.RESTORING)
    for restoring in (False, True):
        with pytest.raises(NotFound):
            await enter(
                deployment, someone(), context.tenant.tenant_id, restoring=restoring, now=NOW
            )
    with pytest.raises(NotFound):
        await redeem(deployment, someone(), f"{context.tenant.tenant_id}.x", now=NOW)


async def test_the_system_serves_it_only_to_restore_it(
    deployment: Deployment, context: TenantContext
) -> None:
    tenant_id = context.tenant.tenant_id
    await set_status(context, TenantStatus.RESTORING)
    with pytest.raises(Conflict, match="being restored"):
        await serve(deployment, tenant_id)
    served = await serve(deployment, tenant_id, restoring=True)
    assert served.tenant.status is TenantStatus.RESTORING
    await set_status(context, TenantStatus.SUSPENDED)
    with pytest.raises(Conflict, match="suspended"):
        await serve(deployment, tenant_id, restoring=True)
    for closed in (TenantStatus.DELETED, TenantStatus.PROVISIONING):
        await set_status(context, closed)
        with pytest.raises(NotFound):
            await serve(deployment, tenant_id, restoring=True)


async def test_context_has_the_blobs_of_its_own_tenant(
    deployment: Deployment, context: TenantContext
) -> None:
    assert context.blobs._container == container_of(context.tenant.tenant_id)
    active = replace(context.tenant, status=TenantStatus.ACTIVE)
    await context.store.put(Table.TENANT, ROW, active.values())
    served = await serve(deployment, context.tenant.tenant_id)
    assert served.blobs._container == context.blobs._container
