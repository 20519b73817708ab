"""The platform operator's pages: every tenant, how it is doing, and nothing of its content."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from api.access import Now, Platform, TheDeployment
from api.me import get_health
from api.shapes import GUID_PATTERN, Guid
from drift import onboarding
from drift.allowances import Allowance, period, weigh
from drift.measures import true_at
from drift.standing import is_late
from errors import Conflict, NotFound
from tenancy.access import govern, meter, serve
from tenancy.deployment import Deployment
from tenancy.ids import TenantId
from tenancy.principal import Principal
from tenancy.quotas import UNLIMITED
from tenancy.tenants import Tenant, TenantStatus
from web.rendering import go_to, render

router = APIRouter(prefix="/platform", include_in_schema=False)
PAGE = 100
SCANS = 10  # of a tenant; when none of them is complete, "out of date" says enough
LATE = timedelta(minutes=10)  # after which a scan that was due says that the timer does not run

After = Annotated[str, Query(pattern=f"{GUID_PATTERN}|^$")]


@router.get("")
async def list_tenants(
    operator: Platform, deployment: TheDeployment, request: Request, now: Now, after: After = ""
) -> Response:
    """One row of the index a tenant, its newest scans, and the counts of those that have quotas: nobody's findings are
    read."""
    tenants, cursor = await deployment.registry.page(after=after, limit=PAGE)
    read_at = await _read_at(deployment, tenants)
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
        read_at=read_at,
        outdated={
            one.tenant_id
            for one in tenants
            if one.tenant_id in read_at and is_late(read_at[one.tenant_id], one.schedule, now)
        },
        fullest=await _fullest(deployment, operator, tenants, now),
        enterable={TenantStatus.ACTIVE, TenantStatus.SUSPENDED},
    )


async def _read_at(deployment: Deployment, tenants: Sequence[Tenant]) -> dict[TenantId, datetime]:
    """When each tenant that is scanned was last read whole; what was never is left out."""
    active = [one.tenant_id for one in tenants if one.status is TenantStatus.ACTIVE]
    moments = await asyncio.gather(*(_tenant_read_at(deployment, one) for one in active))
    return {key: at for key, at in zip(active, moments, strict=True) if at is not None}


async def _tenant_read_at(deployment: Deployment, tenant_id: TenantId) -> datetime | None:
    try:
        context = await serve(deployment, tenant_id)
    except (Conflict, NotFound):  # closed since the page was read
        return None
    return await true_at(context.store, looked=SCANS)


async def _fullest(
    deployment: Deployment, operator: Principal, tenants: Sequence[Tenant], now: datetime
) -> dict[TenantId, Allowance]:
    """Of each tenant that has quotas the one that is nearest to its limit."""
    since, until = period(None, None, today=now.date())
    limited = [one for one in tenants if one.quotas != UNLIMITED]
    used = await asyncio.gather(
        *(meter(deployment, operator, one.tenant_id).days(since, until) for one in limited)
    )
    found = {}
    for tenant, days in zip(limited, used, strict=True):
        weighed = weigh(tenant.quotas, days, today=now.date())
        found[tenant.tenant_id] = max(
            (one for one in weighed if one.limit is not None), key=lambda one: one.share
        )
    return found


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
