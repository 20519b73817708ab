"""The tenant's inbox: what was told, newest first, whatever its channels did with it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import Response

from api.access import Now
from api.paging import Token, tenant_pager
from drift.channels.stories import Item, item_of
from drift.findings import find_finding
from drift.notices import Notice, page_notices
from tenancy.store import TenantStore
from web.access import Viewer
from web.findings import names_by_id
from web.rendering import render

router = APIRouter(prefix="/t/{tenant_id}/notices", include_in_schema=False)
PAGE = 20
TOLD = 3  # findings shown of one notice, each of which is a read


@dataclass(frozen=True, slots=True)
class Line:
    """One notice with the first findings that it tells of; None for one that is not kept any more."""

    notice: Notice
    told: tuple[tuple[str, Item | None], ...]  # (event, finding)

    @property
    def rest(self) -> int:
        return len(self.notice.events) - len(self.told)


@router.get("")
async def list_notices(tenant: Viewer, request: Request, now: Now, token: Token = None) -> Response:
    pager = await tenant_pager(request, tenant)
    found, cursor = await page_notices(tenant.store, after=pager.start(token), limit=PAGE)
    return render(
        request,
        "notices.html",
        tenant,
        lines=await asyncio.gather(*(_line(tenant.store, notice) for notice in found)),
        names=await names_by_id(tenant.store),
        following=pager.link(cursor),
    )


async def _line(store: TenantStore, notice: Notice) -> Line:
    events = notice.events[:TOLD]
    found = await asyncio.gather(*(find_finding(store, finding_id) for finding_id, _ in events))
    told = (
        (event, item_of(stored.finding, event) if stored else None)
        for (_, event), stored in zip(events, found, strict=True)
    )
    return Line(notice, tuple(told))
