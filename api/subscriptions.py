"""/api/subscriptions: what the connection sees, and which of it is monitored."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter, Request, Response
from pydantic import ConfigDict, Field, StrictBool

from api.access import IfMatch, Now, Operator, Viewer
from api.contract import gives, may
from api.paging import PageSize, Token, tenant_pager
from api.shapes import Guid, ListOf, Shape, View
from drift.subscriptions import Subscription, monitor, page_subscriptions, refresh
from errors import Conflict, Refused, Stale
from tenancy.ids import SubscriptionId

router = APIRouter(prefix="/api/subscriptions", tags=["subscriptions"])


class SubscriptionView(View):
    id: str
    name: str
    state: str
    monitored: bool
    seen_at: datetime
    active_baseline: str | None
    taken: bool = Field(description="not monitored because another tenant watches it")
    etag: str


class SubscriptionPatch(Shape):
    model_config = ConfigDict(json_schema_extra={"examples": [{"monitored": False}]})

    monitored: StrictBool


@router.get("", response_model=ListOf[SubscriptionView])
async def list_subscriptions(
    tenant: Viewer, request: Request, size: PageSize = 100, token: Token = None
) -> ListOf[SubscriptionView]:
    """All that the connection saw, monitored or not."""
    pager = await tenant_pager(request, tenant)
    rows, cursor = await page_subscriptions(tenant.store, after=pager.start(token), limit=size)
    return ListOf(value=[_view(row) for row in rows], next_link=pager.link(cursor))


@router.post(
    "/refresh", response_model=ListOf[SubscriptionView], responses=may(Conflict, Refused, Stale)
)
async def refresh_subscriptions(tenant: Operator, now: Now) -> ListOf[SubscriptionView]:
    """Asks Azure which subscriptions the connection sees. New ones are monitored from now on."""
    return ListOf(value=[_view(row) for row in await refresh(tenant, now=now)])


@router.patch(
    "/{subscription_id}", response_model=SubscriptionView, responses=gives("ETag") | may(Conflict)
)
async def change_subscription(
    subscription_id: Guid,
    tenant: Operator,
    body: SubscriptionPatch,
    etag: IfMatch,
    now: Now,
    response: Response,
) -> SubscriptionView:
    """Monitors a subscription, or not. One that another tenant of the deployment watches is refused with 409."""
    after = await monitor(
        tenant, SubscriptionId(subscription_id), monitored=body.monitored, etag=etag, now=now
    )
    response.headers["ETag"] = after.etag
    return _view(after)


def _view(row: Subscription) -> SubscriptionView:
    return SubscriptionView(
        id=row.subscription_id,
        name=row.name,
        state=row.state,
        monitored=row.monitored,
        seen_at=row.seen_at,
        taken=row.taken,
        active_baseline=row.active_baseline or None,
        etag=row.etag,
    )
