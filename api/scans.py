"""/api/scans: start a scan, follow it subscription by subscription, cancel it."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter, Request, status

from api.access import Now, Operator, Viewer
from api.contract import may
from api.paging import PageSize, Token, tenant_pager
from api.shapes import ListOf, RowKey, View
from drift.endings import cancel_scan
from drift.scan import start_scan
from drift.scans import Part, Scan, ScanStatus, get_parts, get_scan, page_scans
from errors import Conflict, Stale

router = APIRouter(prefix="/api/scans", tags=["scans"])


class CoverageView(View):
    source: str
    read: bool
    rows: int
    reason: str
    permission: str


class PartView(View):
    subscription_id: str
    status: ScanStatus
    started_at: datetime | None
    finished_at: datetime | None
    resources: int
    changed: int
    findings: int
    skipped: int
    skipped_examples: tuple[str, ...]
    reason: str
    permission: str
    coverage: tuple[CoverageView, ...]


class ScanView(View):
    id: str
    status: ScanStatus
    trigger: str
    requested_by: str
    created_at: datetime
    finished_at: datetime | None
    subscriptions: int
    reason: str


class ScanDetail(ScanView):
    parts: list[PartView]


@router.get("", response_model=ListOf[ScanView])
async def list_scans(
    tenant: Viewer, request: Request, size: PageSize = 50, token: Token = None
) -> ListOf[ScanView]:
    """Newest first."""
    pager = await tenant_pager(request, tenant)
    scans, cursor = await page_scans(tenant.store, after=pager.start(token), limit=size)
    return ListOf(value=[_view(scan) for scan in scans], next_link=pager.link(cursor))


@router.post(
    "", response_model=ScanView, status_code=status.HTTP_202_ACCEPTED, responses=may(Conflict)
)
async def request_scan(tenant: Operator, now: Now) -> ScanView:
    """Queues a scan of all monitored subscriptions; follow it with GET /api/scans/{id}."""
    who = tenant.actor.name
    scan = await start_scan(tenant, slot=now, trigger="manual", requested_by=who, now=now)
    return _view(scan)


@router.get("/{scan_id}", response_model=ScanDetail, name="get_scan")
async def get(scan_id: RowKey, tenant: Viewer) -> ScanDetail:
    """How far it is: each subscription, what was read of it, what was not and why."""
    scan = await get_scan(tenant.store, scan_id)
    parts = await get_parts(tenant.store, scan_id)
    return ScanDetail(**_view(scan).model_dump(), parts=[_part(part) for part in parts])


@router.post(
    "/{scan_id}/cancel", response_model=ScanView, name="cancel_scan", responses=may(Conflict, Stale)
)
async def cancel(scan_id: RowKey, tenant: Operator, now: Now) -> ScanView:
    """What was not started yet will not be; a subscription that is being read right now is finished."""
    return _view(await cancel_scan(tenant, scan_id, now=now))


def _view(scan: Scan) -> ScanView:
    return ScanView(
        id=scan.scan_id,
        status=scan.status,
        trigger=scan.trigger,
        requested_by=scan.requested_by,
        created_at=scan.created_at,
        finished_at=scan.finished_at,
        subscriptions=scan.subscriptions,
        reason=scan.reason,
    )


def _part(part: Part) -> PartView:
    return PartView.model_validate(part)
