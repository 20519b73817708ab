"""GET /api/audit: who did what in this tenant, newest first. Nothing changes or removes an entry."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request

from api.access import Admin
from api.paging import PageSize, Token, tenant_pager
from api.shapes import ListOf, Moment, View
from tenancy.audit import Entry, Filter, page_entries

router = APIRouter(prefix="/api/audit", tags=["audit"])

Text = Annotated[str, Query(max_length=500)]


class EntryView(View):
    id: str
    at: datetime
    actor: str
    actor_name: str
    action: str
    target: str
    detail: Any


@router.get("", response_model=ListOf[EntryView], name="list_audit_entries")
async def list_entries(
    tenant: Admin,
    request: Request,
    actor: Text = "",
    action: Annotated[str, Query(max_length=100, description="user.add, or user for all")] = "",
    target: Text = "",
    since: Annotated[Moment | None, Query(alias="from")] = None,
    until: Annotated[Moment | None, Query(alias="to")] = None,
    size: PageSize = 100,
    token: Token = None,
) -> ListOf[EntryView]:
    """What people and the system changed, platform operators' entries, and denied tries at other tenants."""
    pager = await tenant_pager(request, tenant)
    wanted = Filter(actor, action, target, since, until)
    entries, cursor = await page_entries(tenant.store, wanted, after=pager.start(token), limit=size)
    return ListOf(value=[_view(entry) for entry in entries], next_link=pager.link(cursor))


def _view(entry: Entry) -> EntryView:
    return EntryView(
        id=entry.entry_id,
        at=entry.at,
        actor=entry.actor,
        actor_name=entry.actor_name,
        action=entry.action,
        target=entry.target,
        detail=_detail(entry.detail),
    )


def _detail(text: str) -> Any:
    """Details are JSON where there is more than a sentence to tell."""
    if not text.startswith("{"):
        return text
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text
