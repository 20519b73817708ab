"""Who did what in this tenant, newest first."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from api.paging import Token, tenant_pager
from tenancy.audit import Filter, page_entries
from web.access import Admin
from web.rendering import render

router = APIRouter(prefix="/t/{tenant_id}/audit", include_in_schema=False)
PAGE = 100


@router.get("")
async def list_entries(
    tenant: Admin,
    request: Request,
    action: Annotated[str, Query(max_length=100)] = "",
    target: Annotated[str, Query(max_length=500)] = "",
    token: Token = None,
) -> Response:
    pager = await tenant_pager(request, tenant)
    wanted = Filter(action=action.strip(), target=target.strip())
    start = pager.start(token)
    entries, cursor = await page_entries(tenant.store, wanted, after=start, limit=PAGE)
    return render(
        request,
        "audit.html",
        tenant,
        entries=entries,
        action=action,
        target=target,
        following=pager.link(cursor),
    )
