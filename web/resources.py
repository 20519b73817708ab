"""Resources: what the subscriptions hold, now or at a time before, and how one of them came to be as it is."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from api.paging import Token, tenant_pager
from api.shapes import GUID_PATTERN, Key
from drift.engine.findings import Finding, identify
from drift.engine.model import ResourceKey
from drift.findings import find_finding
from drift.history import page_history
from drift.resources import Listed, Wanted, find_resource, page_inventory
from errors import NotFound
from tenancy.store import TenantStore
from web import dates
from web.access import Viewer
from web.findings import names_by_id
from web.rendering import render

router = APIRouter(prefix="/t/{tenant_id}/resources", include_in_schema=False)
PAGE = 100
ENTRIES = 50

Text = Annotated[str, Query(max_length=200)]


@dataclass(frozen=True, slots=True)
class Choice:
    subscription: str
    type: str
    group: str
    text: str
    day: str

    def wanted(self) -> Wanted:
        return Wanted(
            subscription_id=self.subscription,
            resource_type=self.type.strip().lower(),
            group=self.group.strip().lower(),
            text=self.text.strip().lower(),
            at=dates.end_of_day(self.day, field="day"),
        )


def choice_of(
    subscription: Annotated[str, Query(pattern=f"{GUID_PATTERN}|^$")] = "",
    resource_type: Annotated[str, Query(alias="type", max_length=200)] = "",
    group: Text = "",
    text: Text = "",
    day: Annotated[str, Query(max_length=10)] = "",
) -> Choice:
    return Choice(subscription, resource_type, group, text, day)


TheChoice = Annotated[Choice, Depends(choice_of)]


@router.get("")
async def list_resources(
    tenant: Viewer, request: Request, choice: TheChoice, token: Token = None
) -> Response:
    pager = await tenant_pager(request, tenant)
    page = await page_inventory(tenant.store, choice.wanted(), after=pager.start(token), limit=PAGE)
    return render(
        request,
        "resources.html",
        tenant,
        choice=choice,
        page=page,
        names=await names_by_id(tenant.store),
        following=pager.link(page.cursor),
    )


@router.get("/{key}")
async def get(tenant: Viewer, key: Key, request: Request, token: Token = None) -> Response:
    """The timeline of one resource, also of one that is gone by now."""
    pager = await tenant_pager(request, tenant)
    start = pager.start(token)
    entries, cursor = await page_history(tenant.store, ResourceKey(key), after=start, limit=ENTRIES)
    listed = await _find(tenant.store, ResourceKey(key))
    if listed is None and not entries and not start:
        raise NotFound("There is no such resource.")
    resource_id = listed.document.resource_id if listed else entries[0].resource_id
    return render(
        request,
        "resource.html",
        tenant,
        listed=listed,
        configuration=msgspec.json.decode(listed.document.body) if listed else None,
        entries=entries,
        resource_id=resource_id,
        resource_type=listed.document.resource_type if listed else entries[0].resource_type,
        finding=await _finding(tenant.store, resource_id, ResourceKey(key)),
        names=await names_by_id(tenant.store),
        following=pager.link(cursor),
    )


async def _find(store: TenantStore, key: ResourceKey) -> Listed | None:
    with contextlib.suppress(NotFound):
        return await find_resource(store, key, Wanted())
    return None


async def _finding(store: TenantStore, resource_id: str, key: ResourceKey) -> Finding | None:
    """The finding about it, whatever its status."""
    parts = resource_id.split("/")
    subscription_id = parts[2] if len(parts) > 2 else ""
    stored = await find_finding(store, identify(subscription_id, key))
    return stored.finding if stored else None
