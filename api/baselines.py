"""/api/baselines: capture the state a subscription shall keep, edit it, activate a version, roll back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Query, Request, Response, status
from pydantic import ConfigDict, Field, StrictBool

from api.access import IfMatch, Now, Operator, Viewer
from api.contract import gives, may
from api.examples import GUID
from api.findings import ChangeView
from api.paging import PageSize, Token, tenant_pager
from api.shapes import GUID_PATTERN, Guid, Key, ListOf, Name, RowKey, Shape, View
from drift import baselines
from drift.approvals import ApprovalKind, find_pending
from drift.baseline_documents import get_document, page_differences, page_resources, upload
from drift.baseline_edits import Edit, edit_baseline
from drift.baselines import Baseline, NewBaseline, Source, get_baseline, page_baselines
from drift.engine.model import ChangeKind, ResourceKey
from drift.subscriptions import get_subscription
from errors import Conflict, Invalid, Stale
from tenancy.access import TenantContext
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


class ActivateBody(Shape):
    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "back to last week"}]})

    reason: str = Field(default="", max_length=2000)


class EditBody(Shape):
    """Exactly one of `resource` and `remove`."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "remove": "/subscriptions/1b4e28ba-2fa1-4d21-883f-0016d3cca427/resourceGroups/old",
                    "note": "the group is gone for good",
                }
            ]
        }
    )

    resource: dict[str, Any] | None = Field(
        default=None, description="an ARM document: the resource as it shall be, known or new"
    )
    remove: str = Field(
        default="", max_length=2000, description="the ARM id of a resource that shall not be"
    )
    name: Name | None = Field(default=None, description="default: that of the edited version")
    note: str = Field(default="", max_length=2000)
    activate: bool | None = Field(
        default=None, description="default: if the edited version is the active one"
    )

    def to_edit(self) -> Edit:
        if (self.resource is None) == (not self.remove):
            raise Invalid("Send resource or remove, one of them.", field="resource")
        return Edit(self.resource, self.remove, self.name or "", self.note, self.activate)


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
    source: Source
    edited_from: str | None = Field(description="id of the version that this one was edited from")
    active: bool
    approval_id: str | None = Field(description="of the request to activate it that waits")
    etag: str


class BaselineResourceView(View):
    key: str
    resource_id: str
    resource_type: str


class BaselineResourceDetail(BaselineResourceView):
    configuration: Any = Field(description="canonical: without noise, secrets as keyed hashes")


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
    return ListOf(value=await _views(tenant, rows), next_link=pager.link(cursor))


@router.post(
    "",
    response_model=BaselineView,
    status_code=status.HTTP_201_CREATED,
    responses=gives("ETag", 201) | may(Conflict, Stale),
)
async def add_baseline(
    tenant: Operator, body: BaselineBody, now: Now, response: Response
) -> BaselineView:
    """A new version: the newest completely read state (`live`), or the inventory in `resources` (`upload`).

    It is active at once unless `activate` is false. Where the tenant has four-eyes approval it waits for a second
    person: `approvalId` is the request.
    """
    if (body.source == "upload") != (body.resources is not None):
        raise Invalid("Send resources with source upload, and only then.", field="resources")
    if body.resources is not None:
        baseline = await upload(tenant, body.to_new(now), body.resources)
    else:
        baseline = await baselines.capture(tenant, body.to_new(now))
    return await _made(tenant, baseline, response)


@router.get(
    "/{baseline_id}",
    response_model=BaselineView,
    name="get_baseline",
    responses=gives("ETag"),
)
async def get(baseline_id: RowKey, tenant: Viewer, response: Response) -> BaselineView:
    """One version, with the ETag that an edit needs."""
    return await _view(tenant, await get_baseline(tenant.store, baseline_id), response)


@router.post(
    "/{baseline_id}/edit",
    response_model=BaselineView,
    status_code=status.HTTP_201_CREATED,
    name="edit_baseline",
    responses=gives("ETag", 201) | may(Conflict),
)
async def edit(
    baseline_id: RowKey,
    tenant: Operator,
    body: EditBody,
    etag: IfMatch,
    now: Now,
    response: Response,
) -> BaselineView:
    """A new version: this one with one resource replaced, added or removed. This one stays as it is, but its ETag
    moves, so that of two people who edit it at once the second is told (412)."""
    baseline = await edit_baseline(tenant, baseline_id, body.to_edit(), etag=etag, now=now)
    return await _made(tenant, baseline, response)


@router.post(
    "/{baseline_id}/activate",
    response_model=BaselineView,
    responses={
        **gives("ETag"),
        202: {"model": BaselineView, "description": "A second person has to approve it"},
        **may(Conflict, Stale),
    },
)
async def activate_baseline(
    baseline_id: RowKey,
    tenant: Operator,
    now: Now,
    response: Response,
    body: ActivateBody | None = None,
) -> BaselineView:
    """The subscription is held against this version from the next scan on. An earlier version is rolled back to by
    activating it: versions never change, and those after it stay."""
    reason = body.reason if body else ""
    baseline = await baselines.activate(tenant, baseline_id, reason, now=now)
    view = await _view(tenant, baseline, response)
    if view.approval_id:
        response.status_code = status.HTTP_202_ACCEPTED
        response.headers["Location"] = f"/api/approvals/{view.approval_id}"
    return view


@router.delete("/{baseline_id}", status_code=status.HTTP_204_NO_CONTENT, responses=may(Conflict))
async def delete_baseline(baseline_id: RowKey, tenant: Operator, now: Now) -> None:
    """Deletes a version. 409 for the active one."""
    await baselines.delete(tenant, baseline_id, now=now)


@router.get(
    "/{baseline_id}/resources",
    response_model=ListOf[BaselineResourceView],
    name="list_baseline_resources",
)
async def list_resources(
    baseline_id: RowKey,
    tenant: Viewer,
    request: Request,
    size: PageSize = 100,
    token: Token = None,
) -> ListOf[BaselineResourceView]:
    """The resources of a version, by type."""
    pager = await tenant_pager(request, tenant)
    rows, cursor = await page_resources(
        tenant.store, baseline_id, after=pager.start(token), limit=size
    )
    return ListOf(
        value=[BaselineResourceView.model_validate(row) for row in rows],
        next_link=pager.link(cursor),
    )


@router.get(
    "/{baseline_id}/resources/{key}",
    response_model=BaselineResourceDetail,
    name="get_baseline_resource",
)
async def get_resource(baseline_id: RowKey, key: Key, tenant: Viewer) -> BaselineResourceDetail:
    """One resource as it shall be: what an edit starts from. A hash sent back stays the secret that it stands for."""
    document = await get_document(tenant.store, baseline_id, ResourceKey(key))
    return BaselineResourceDetail(
        key=document.key,
        resource_id=document.resource_id,
        resource_type=document.resource_type,
        configuration=msgspec.json.decode(document.body),
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


async def _made(tenant: TenantContext, baseline: Baseline, response: Response) -> BaselineView:
    response.headers["Location"] = f"{router.prefix}/{baseline.baseline_id}"
    return await _view(tenant, baseline, response)


async def _view(tenant: TenantContext, baseline: Baseline, response: Response) -> BaselineView:
    response.headers["ETag"] = baseline.etag
    (view,) = await _views(tenant, [baseline])
    return view


async def _views(tenant: TenantContext, rows: Sequence[Baseline]) -> list[BaselineView]:
    store, active, pending = tenant.store, set(), {}
    for subscription_id in sorted({row.subscription_id for row in rows}):
        active.add((await get_subscription(store, subscription_id)).active_baseline)
        waits = await find_pending(store, ApprovalKind.BASELINE, subscription_id)
        if waits:
            pending[waits.baseline_id] = waits.approval_id
    return [_show(row, row.baseline_id in active, pending.get(row.baseline_id)) for row in rows]


def _show(baseline: Baseline, active: bool, approval_id: str | None) -> BaselineView:
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
        source=baseline.source,
        edited_from=baseline.parent_id or None,
        active=active,
        approval_id=approval_id,
        etag=baseline.etag,
    )
