"""/api/resources: the inventory, now or at a time before, and the timeline of one resource."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request
from pydantic import Field

from api.access import Viewer
from api.findings import AttributionView, ChangeView
from api.paging import PageSize, Token, tenant_pager
from api.shapes import GUID_PATTERN, Key, ListOf, Moment, View
from drift.engine.findings import Status, identify
from drift.engine.model import ChangeKind, ResourceKey
from drift.findings import find_finding
from drift.history import HistoryEntry, page_history
from drift.resources import Listed, Wanted, find_resource, page_inventory
from tenancy.store import TenantStore

router = APIRouter(prefix="/api/resources", tags=["resources"])

Subscription = Annotated[str | None, Query(pattern=GUID_PATTERN)]
At = Annotated[
    Moment | None,
    Query(description="the state at that time instead of the newest; with zone"),
]


class ResourceView(View):
    key: str
    resource_id: str
    resource_type: str
    subscription_id: str
    read_at: datetime = Field(
        description="when the scan read it whose state this is; with `at` the first that saw it so"
    )


class ResourceDetail(ResourceView):
    configuration: Any = Field(description="canonical: without noise, secrets as keyed hashes")
    finding_id: str | None = Field(description="the finding about it, whatever its status")
    finding_status: Status | None


class ResourceList(ListOf[ResourceView]):
    unknown: list[str] = Field(
        description="subscriptions that no complete scan had read: what they hold is not known"
    )


class HistoryView(View):
    at: datetime
    scan_id: str
    change: ChangeKind = Field(validation_alias="kind")
    changes: tuple[ChangeView, ...]
    attribution: AttributionView | None


@router.get("", response_model=ResourceList)
async def list_resources(
    tenant: Viewer,
    request: Request,
    subscription: Subscription = None,
    resource_type: Annotated[str | None, Query(alias="type", max_length=200)] = None,
    group: Annotated[str | None, Query(max_length=100)] = None,
    resource: Annotated[str | None, Query(max_length=2000)] = None,
    at: At = None,
    size: PageSize = 100,
    token: Token = None,
) -> ResourceList:
    """By subscription and type, narrowed to a subscription, type, resource group or part of the resource id.

    A page may hold fewer resources than asked for; the list ends where `nextLink` is missing.
    """
    pager = await tenant_pager(request, tenant)
    wanted = Wanted(
        subscription_id=subscription or "",
        resource_type=(resource_type or "").lower(),
        group=(group or "").lower(),
        text=(resource or "").lower(),
        at=at,
    )
    page = await page_inventory(tenant.store, wanted, after=pager.start(token), limit=size)
    return ResourceList(
        value=[ResourceView(**_members(listed)) for listed in page.resources],
        unknown=list(page.unknown),
        next_link=pager.link(page.cursor),
    )


@router.get("/{key}", response_model=ResourceDetail, name="get_resource")
async def get(
    key: Key, tenant: Viewer, subscription: Subscription = None, at: At = None
) -> ResourceDetail:
    """What is known of one resource; 404 for one that the state does not hold.

    With `subscription` only that one is looked through.
    """
    wanted = Wanted(subscription_id=subscription or "", at=at)
    listed = await find_resource(tenant.store, ResourceKey(key), wanted)
    stored = await _finding_of(tenant.store, listed)
    return ResourceDetail(
        **_members(listed),
        configuration=msgspec.json.decode(listed.document.body),
        finding_id=stored[0] if stored else None,
        finding_status=stored[1] if stored else None,
    )


@router.get("/{key}/history", response_model=ListOf[HistoryView], name="list_resource_history")
async def list_history(
    key: Key, tenant: Viewer, request: Request, size: PageSize = 50, token: Token = None
) -> ListOf[HistoryView]:
    """How a resource changed from scan to scan, newest first; also one that is gone by now.

    Empty for one that has not changed yet, 404 for one that was never read.
    """
    pager = await tenant_pager(request, tenant)
    entries, cursor = await page_history(
        tenant.store, ResourceKey(key), after=pager.start(token), limit=size
    )
    if not entries and not token:
        await find_resource(tenant.store, ResourceKey(key), Wanted())
    return ListOf(value=[_history(entry) for entry in entries], next_link=pager.link(cursor))


async def _finding_of(store: TenantStore, listed: Listed) -> tuple[str, Status] | None:
    stored = await find_finding(store, identify(listed.subscription_id, listed.document.key))
    return (stored.finding.finding_id, stored.finding.status) if stored else None


def _members(listed: Listed) -> dict[str, Any]:
    document = listed.document
    return {
        "key": document.key,
        "resource_id": document.resource_id,
        "resource_type": document.resource_type,
        "subscription_id": listed.subscription_id,
        "read_at": listed.read_at,
    }


def _history(entry: HistoryEntry) -> HistoryView:
    return HistoryView.model_validate(entry)
