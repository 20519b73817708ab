"""What a tenant used and may use: for its admins; of every tenant, with its quotas, for who runs the platform."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from api.access import Now, Platform, TheDeployment
from api.shapes import Guid
from api.usage import QuotasBody
from drift.allowances import DEFAULT_DAYS, period, set_quotas, total, weigh
from tenancy.access import govern, meter
from tenancy.ids import TenantId, read_guid
from tenancy.usage import read_days
from web.access import Admin
from web.forms import TheForm, read
from web.platform import After
from web.rendering import go_to, render

router = APIRouter(include_in_schema=False)
PAGE = 25  # tenants: the usage of each is a read
PERIODS = (7, DEFAULT_DAYS, 90)
Days = Annotated[int, Query(ge=1, le=366)]


@router.get("/t/{tenant_id}/usage")
async def get_usage(
    tenant: Admin, request: Request, now: Now, days: Days = DEFAULT_DAYS
) -> Response:
    today = now.date()
    since, until = period(None, None, today=today, days=days)
    used = await read_days(tenant.store, since, until)
    return render(
        request,
        "usage.html",
        tenant,
        days=used,
        since=since,
        until=until,
        total=total(used, last=until),
        allowances=weigh(tenant.tenant.quotas, used, today=today),
        length=days,
        periods=PERIODS,
    )


@router.get("/platform/usage")
async def list_usage(
    operator: Platform, deployment: TheDeployment, request: Request, now: Now, after: After = ""
) -> Response:
    """Of each tenant its counts and its quotas. None is entered."""
    today = now.date()
    since, until = period(None, None, today=today)
    tenants, cursor = await deployment.registry.page(after=after, limit=PAGE)
    rows = []
    for tenant in tenants:
        used = await meter(deployment, operator, tenant.tenant_id).days(since, until)
        rows.append((tenant, total(used, last=until), weigh(tenant.quotas, used, today=today)))
    return render(
        request,
        "platform_usage.html",
        operator,
        rows=rows,
        length=DEFAULT_DAYS,
        here=after,
        following=f"?after={cursor}" if cursor else "",
    )


@router.post("/platform/tenants/{tenant_id}/quotas")
async def post_quotas(
    operator: Platform, tenant_id: Guid, deployment: TheDeployment, form: TheForm, now: Now
) -> Response:
    """Empty fields are no limit. The form carries the version of the record that it showed, and where it was."""
    body = read(
        QuotasBody,
        resources=form.text("resources"),
        scansADay=form.text("scansADay"),
        storedBytes=form.text("storedBytes"),
    )
    context = await govern(deployment, operator, TenantId(tenant_id), now=now)
    etag = form.etag()
    await set_quotas(context, body.to_quotas(), etag=etag, now=now)
    here = form.text("here")
    after = f"?after={read_guid(here, field='here')}" if here else ""
    return go_to(f"/platform/usage{after}")
