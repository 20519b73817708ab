"""/api/tenants: the platform operator's routes. To everybody else they do not exist."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Header, Query, Response, status
from pydantic import Field

from api.access import Now, Platform, TheDeployment
from api.connection import ConnectionBody
from api.paging import PageSize
from api.settings import SettingsBody
from api.shapes import GUID_PATTERN, Guid, ListOf, Name, Shape, View
from drift import onboarding
from drift.onboarding import FirstAdmin, NewTenant
from tenancy.access import TenantContext, govern
from tenancy.deployment import Deployment
from tenancy.ids import DirectoryId, ObjectId, TenantId
from tenancy.principal import Principal
from tenancy.tenants import Tenant, TenantStatus

router = APIRouter(prefix="/api/tenants", tags=["tenants"])

After = Annotated[str, Query(pattern=f"{GUID_PATTERN}|^$")]
OperationId = Annotated[str | None, Header(pattern=GUID_PATTERN)]


class AdminBody(Shape):
    directory_id: Guid
    object_id: Guid
    name: Name


class TenantBody(Shape):
    name: Name
    azure_tenant_id: Guid
    admin: AdminBody
    connection: ConnectionBody | None = None
    settings: SettingsBody = Field(default_factory=SettingsBody)


class TenantPatch(Shape):
    name: Name


class TenantView(View):
    id: str
    name: str
    azure_tenant_id: str
    status: TenantStatus
    created_at: datetime
    next_scan_at: datetime | None


@router.post("", response_model=TenantView, status_code=status.HTTP_201_CREATED)
async def create_tenant(
    operator: Platform,
    deployment: TheDeployment,
    body: TenantBody,
    now: Now,
    operation_id: OperationId = None,
) -> TenantView:
    """Record, settings, connection and first admin in one request. Repeat it with the same Operation-Id after a
    failure: it goes on where it stopped."""
    new = NewTenant(
        name=body.name,
        directory_id=DirectoryId(body.azure_tenant_id),
        admin=FirstAdmin(
            DirectoryId(body.admin.directory_id), ObjectId(body.admin.object_id), body.admin.name
        ),
        connection=body.connection.to_new() if body.connection else None,
        preferences=body.settings.to_preferences(),
        operation_id=operation_id or "",
    )
    return _view(await onboarding.provision(deployment, operator, new, now=now))


@router.get("", response_model=ListOf[TenantView])
async def list_tenants(
    _: Platform, deployment: TheDeployment, after: After = "", size: PageSize = 100
) -> ListOf[TenantView]:
    """All tenants in order of id; `after` is the id to go on behind."""
    tenants, cursor = await deployment.registry.page(after=after, limit=size)
    link = f"/api/tenants?after={cursor}&maxpagesize={size}" if cursor else None
    return ListOf(value=[_view(tenant) for tenant in tenants], next_link=link)


@router.get("/{tenant_id}", response_model=TenantView)
async def get_tenant(
    tenant_id: Guid, operator: Platform, deployment: TheDeployment, now: Now, response: Response
) -> TenantView:
    context = await _govern(deployment, operator, tenant_id, now)
    response.headers["ETag"] = context.tenant.etag
    return _view(context.tenant)


@router.patch("/{tenant_id}", response_model=TenantView)
async def rename_tenant(
    tenant_id: Guid, operator: Platform, deployment: TheDeployment, body: TenantPatch, now: Now
) -> TenantView:
    context = await _govern(deployment, operator, tenant_id, now)
    return _view(await onboarding.rename(context, body.name, now=now))


@router.delete("/{tenant_id}", status_code=status.HTTP_204_NO_CONTENT)
async def delete_tenant(
    tenant_id: Guid, operator: Platform, deployment: TheDeployment, now: Now
) -> None:
    """Nothing works for this tenant any more, at once."""
    context = await _govern(deployment, operator, tenant_id, now)
    await onboarding.delete(context, now=now)


@router.post("/{tenant_id}/suspend", response_model=TenantView)
async def suspend_tenant(
    tenant_id: Guid, operator: Platform, deployment: TheDeployment, now: Now
) -> TenantView:
    context = await _govern(deployment, operator, tenant_id, now)
    return _view(await onboarding.suspend(context, now=now))


@router.post("/{tenant_id}/resume", response_model=TenantView)
async def resume_tenant(
    tenant_id: Guid, operator: Platform, deployment: TheDeployment, now: Now
) -> TenantView:
    context = await _govern(deployment, operator, tenant_id, now)
    return _view(await onboarding.resume(context, now=now))


async def _govern(
    deployment: Deployment, operator: Principal, tenant_id: str, now: datetime
) -> TenantContext:
    return await govern(deployment, operator, TenantId(tenant_id), now=now)


def _view(tenant: Tenant) -> TenantView:
    return TenantView(
        id=tenant.tenant_id,
        name=tenant.name,
        azure_tenant_id=tenant.directory_id,
        status=tenant.status,
        created_at=tenant.created_at,
        next_scan_at=tenant.next_scan_at,
    )
