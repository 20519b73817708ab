"""/api/baselines: capture the state a subscription shall keep, activate a version, roll back."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, status

from api.access import Now, Operator, Viewer
from api.paging import PageSize, Token, tenant_pager
from api.shapes import GUID_PATTERN, Guid, ListOf, Name, RowKey, Shape, View
from drift import baselines
from drift.baselines import Baseline, get_baseline, page_baselines
from drift.subscriptions import get_subscription
from tenancy.ids import SubscriptionId

router = APIRouter(prefix="/api/baselines", tags=["baselines"])

SubscriptionFilter = Annotated[str | None, Query(alias="subscriptionId", pattern=GUID_PATTERN)]


class CaptureBody(Shape):
    source: Literal["live"] = "live"
    subscription_id: Guid
    name: Name
    note: str = ""
    activate: bool = True


class BaselineView(View):
    id: str
    subscription_id: str
    version: int
    name: str
    note: str
    author: str
    created_at: datetime
    taken_at: datetime
    resources: int
    active: bool


@router.get("", response_model=ListOf[BaselineView])
async def list_baselines(
    tenant: Viewer,
    request: Request,
    subscription_id: SubscriptionFilter = None,
    size: PageSize = 100,
    token: Token = None,
) -> ListOf[BaselineView]:
    """By subscription, newest version first."""
    pager = await tenant_pager(request, tenant)
    rows, cursor = await page_baselines(
        tenant.store, subscription_id=subscription_id or "", after=pager.start(token), limit=size
    )
    active = {
        row.subscription_id: (await get_subscription(tenant.store, row.subscription_id))
        for row in rows
    }
    views = [
        _view(row, active[row.subscription_id].active_baseline == row.baseline_id) for row in rows
    ]
    return ListOf(value=views, next_link=pager.link(cursor))


@router.post("", response_model=BaselineView, status_code=status.HTTP_201_CREATED)
async def capture_baseline(tenant: Operator, body: CaptureBody, now: Now) -> BaselineView:
    """The newest completely read state becomes a version; it is active at once unless `activate` is false."""
    baseline = await baselines.capture(
        tenant,
        SubscriptionId(body.subscription_id),
        name=body.name,
        note=body.note,
        activate=body.activate,
        now=now,
    )
    return _view(baseline, body.activate)


@router.get("/{baseline_id}", response_model=BaselineView)
async def get(baseline_id: RowKey, tenant: Viewer) -> BaselineView:
    baseline = await get_baseline(tenant.store, baseline_id)
    subscription = await get_subscription(tenant.store, baseline.subscription_id)
    return _view(baseline, subscription.active_baseline == baseline_id)


@router.post("/{baseline_id}/activate", response_model=BaselineView)
async def activate_baseline(baseline_id: RowKey, tenant: Operator, now: Now) -> BaselineView:
    return _view(await baselines.activate(tenant, baseline_id, now=now), True)


@router.delete("/{baseline_id}", status_code=status.HTTP_204_NO_CONTENT)
async def delete_baseline(baseline_id: RowKey, tenant: Operator, now: Now) -> None:
    await baselines.delete(tenant, baseline_id, now=now)


def _view(baseline: Baseline, active: bool) -> BaselineView:
    return BaselineView(
        id=baseline.baseline_id,
        subscription_id=baseline.subscription_id,
        version=baseline.version,
        name=baseline.name,
        note=baseline.note,
        author=baseline.author,
        created_at=baseline.created_at,
        taken_at=baseline.taken_at,
        resources=baseline.resources,
        active=active,
    )
