"""Subscriptions: what the connection sees, and which of it is watched."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from api.access import Now
from api.paging import Token, tenant_pager
from api.shapes import Guid
from drift.subscriptions import monitor, page_subscriptions, refresh
from tenancy.ids import SubscriptionId
from web.access import Operator, Viewer
from web.forms import TheForm
from web.rendering import go_to, render

router = APIRouter(prefix="/t/{tenant_id}/subscriptions", include_in_schema=False)
PAGE = 100


@router.get("")
async def list_subscriptions(tenant: Viewer, request: Request, token: Token = None) -> Response:
    pager = await tenant_pager(request, tenant)
    rows, cursor = await page_subscriptions(tenant.store, after=pager.start(token), limit=PAGE)
    following = pager.link(cursor)
    return render(request, "subscriptions.html", tenant, rows=rows, following=following)


@router.post("/refresh")
async def post_refresh(tenant: Operator, now: Now) -> Response:
    await refresh(tenant, now=now)
    return go_to(f"/t/{tenant.tenant.tenant_id}/subscriptions")


@router.post("/{subscription_id}")
async def post(tenant: Operator, subscription_id: Guid, form: TheForm, now: Now) -> Response:
    await monitor(
        tenant,
        SubscriptionId(subscription_id),
        monitored=form.text("monitored") == "true",
        etag=form.etag(),
        now=now,
    )
    return go_to(f"/t/{tenant.tenant.tenant_id}/subscriptions")
