"""/api/baselines: capture the state a subscription shall keep, activate a version, roll back."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, status
from pydantic import ConfigDict, Field, StrictBool

from api.access import Now, Operator, Viewer
from api.contract import may
from api.examples import GUID
from api.findings import ChangeView
from api.paging import PageSize, Token, tenant_pager
from api.shapes import GUID_PATTERN, Guid, ListOf, Name, RowKey, Shape, View
from drift import baselines
from drift.baseline_documents import page_differences, page_resources, upload
from drift.baselines import Baseline, NewBaseline, get_baseline, page_baselines
from drift.engine.model import ChangeKind
from drift.subscriptions import get_subscription
from errors import Conflict, Invalid, Stale
from tenancy.ids import SubscriptionId

router = APIRouter(prefix="/api/baselines", tags=["baselines"])

SubscriptionFilter = Annotated[str | None, Query(alias="subscriptionId", pattern=GUID_PATTERN)]


class BaselineBody(Shape):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"subscriptionId": GUID, "name": "after the move"},
                {
                    "source": "upload",
                    "subscriptionId": GUID,
                    "name": "from the inventory of March",
                    "activate": False,
                    "resources": [
                        {
                            "id": f"/subscriptions/{GUID}/resourceGroups/shop",
                            "location": "westeurope",
                        }
                    ],
                },
            ]
        }
    )

    source: Literal["live", "upload"] = "live"
    subscription_id: Guid
    name: Name
    note: str = Field(default="", max_length=2000)
    activate: StrictBool = True
    resources: list[dict[str, Any]] | None = Field(
        default=None,
        description="with source `upload`: ARM documents, as `az graph query` gives them",
    )

    def to_new(self, now: datetime) -> NewBaseline:
        subscription_id = SubscriptionId(self.subscription_id)
        return NewBaseline(subscription_id, self.name, self.note, self.activate, now)


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


class ContentView(View):
    key: str
    resource_id: str
    resource_type: str


class DifferenceView(View):
    key: str
    resource_id: str
    resource_type: str
    change: ChangeKind = Field(validation_alias="kind")
    changes: tuple[ChangeView, ...]


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
    subscriptions = [
        await get_subscription(tenant.store, subscription_id)
        for subscription_id in sorted({row.subscription_id for row in rows})
    ]
    active = {subscription.active_baseline for subscription in subscriptions}
    views = [_view(row, row.baseline_id in active) for row in rows]
    return ListOf(value=views, next_link=pager.link(cursor))


@router.post(
    "",
    response_model=BaselineView,
    status_code=status.HTTP_201_CREATED,
    responses=may(Conflict, Stale),
)
async def add_baseline(tenant: Operator, body: BaselineBody, now: Now) -> BaselineView:
    """A new version: the newest completely read state (`live`), or the inventory in `resources` (`upload`).

    It is active at once unless `activate` is false.
    """
    if (body.source == "upload") != (body.resources is not None):
        raise Invalid("Send resources with source upload, and only then.", field="resources")
    if body.resources is not None:
        baseline = await upload(tenant, body.to_new(now), body.resources)
    else:
        baseline = await baselines.capture(tenant, body.to_new(now))
    return _view(baseline, body.activate)


@router.get("/{baseline_id}", response_model=BaselineView, name="get_baseline")
async def get(baseline_id: RowKey, tenant: Viewer) -> BaselineView:
    """One version."""
    baseline = await get_baseline(tenant.store, baseline_id)
    subscription = await get_subscription(tenant.store, baseline.subscription_id)
    return _view(baseline, subscription.active_baseline == baseline_id)


@router.post("/{baseline_id}/activate", response_model=BaselineView, responses=may(Conflict, Stale))
async def activate_baseline(baseline_id: RowKey, tenant: Operator, now: Now) -> BaselineView:
    """From the next scan on the subscription is held against this version; an older one rolls back."""
    return _view(await baselines.activate(tenant, baseline_id, now=now), True)


@router.delete("/{baseline_id}", status_code=status.HTTP_204_NO_CONTENT, responses=may(Conflict))
async def delete_baseline(baseline_id: RowKey, tenant: Operator, now: Now) -> None:
    """Deletes a version. 409 for the active one."""
    await baselines.delete(tenant, baseline_id, now=now)


@router.get(
    "/{baseline_id}/resources", response_model=ListOf[ContentView], name="list_baseline_resources"
)
async def list_resources(
    baseline_id: RowKey,
    tenant: Viewer,
    request: Request,
    size: PageSize = 100,
    token: Token = None,
) -> ListOf[ContentView]:
    """The resources of a version, by type."""
    pager = await tenant_pager(request, tenant)
    rows, cursor = await page_resources(
        tenant.store, baseline_id, after=pager.start(token), limit=size
    )
    return ListOf(
        value=[ContentView.model_validate(row) for row in rows], next_link=pager.link(cursor)
    )


@router.get("/{baseline_id}/diff", response_model=ListOf[DifferenceView], responses=may(Conflict))
async def compare_baselines(
    baseline_id: RowKey,
    tenant: Viewer,
    request: Request,
    to: Annotated[RowKey, Query(description="id of the other version")],
    size: PageSize = 50,
    token: Token = None,
) -> ListOf[DifferenceView]:
    """What the version `to` has other than this one."""
    pager = await tenant_pager(request, tenant)
    rows, cursor = await page_differences(
        tenant, baseline_id, to, after=pager.start(token), limit=size
    )
    return ListOf(
        value=[DifferenceView.model_validate(row) for row in rows], next_link=pager.link(cursor)
    )


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
