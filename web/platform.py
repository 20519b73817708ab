"""The platform operator's pages: every tenant, how it is doing, and nothing of its content."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from api.access import Now, Platform, TheDeployment
from api.me import get_health
from api.shapes import GUID_PATTERN, Guid
from drift import onboarding
from tenancy.access import govern
from tenancy.ids import TenantId
from tenancy.tenants import TenantStatus
from web.rendering import go_to, render

router = APIRouter(prefix="/platform", include_in_schema=False)
PAGE = 100
LATE = timedelta(minutes=10)  # after which a scan that was due says that the timer does not run

After = Annotated[str, Query(pattern=f"{GUID_PATTERN}|^$")]


@router.get("")
async def list_tenants(
    operator: Platform, deployment: TheDeployment, request: Request, now: Now, after: After = ""
) -> Response:
    """One row of the index a tenant: nobody's findings are read."""
    tenants, cursor = await deployment.registry.page(after=after, limit=PAGE)
    return render(
        request,
        "platform.html",
        operator,
        tenants=tenants,
        following=f"?after={cursor}" if cursor else "",
        health=await get_health(deployment, now),
        late={
            one.tenant_id for one in tenants if one.next_scan_at and one.next_scan_at + LATE < now
        },
        enterable={TenantStatus.ACTIVE, TenantStatus.SUSPENDED},
    )


@router.post("/tenants/{tenant_id}/suspend")
async def post_suspension(
    operator: Platform, tenant_id: Guid, deployment: TheDeployment, now: Now
) -> Response:
    context = await govern(deployment, operator, TenantId(tenant_id), now=now)
    await onboarding.suspend(context, now=now)
    return go_to("/platform")


@router.post("/tenants/{tenant_id}/resume")
async def post_resumption(
    operator: Platform, tenant_id: Guid, deployment: TheDeployment, now: Now
) -> Response:
    context = await govern(deployment, operator, TenantId(tenant_id), now=now)
    await onboarding.resume(context, now=now)
    return go_to("/platform")
