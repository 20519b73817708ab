"""Scans: start one, watch it subscription by subscription, and what to do where something could not be read."""

from __future__ import annotations

from datetime import timedelta

from fastapi import APIRouter, Request
from fastapi.responses import Response

from api.access import Now
from api.paging import Token, tenant_pager
from api.shapes import RowKey
from drift.connection import find_connection
from drift.endings import cancel_scan
from drift.remedies import of_access
from drift.scan import start_scan
from drift.scans import ENDED, Part, Scan, ScanStatus, get_parts, get_scan, newest_parts, page_scans
from tenancy.access import TenantContext
from tenancy.roles import Permission, allows
from web.access import Operator, Viewer
from web.findings import names_by_id
from web.rendering import go_to, render

router = APIRouter(prefix="/t/{tenant_id}/scans", include_in_schema=False)
PAGE = 50
SCANS_BEFORE = 4  # among which a reading of the same subscription is looked for
STOP_POLLING = 286  # what htmx takes as: show this, and ask no more


@router.get("")
async def list_scans(tenant: Viewer, request: Request, token: Token = None) -> Response:
    pager = await tenant_pager(request, tenant)
    scans, cursor = await page_scans(tenant.store, after=pager.start(token), limit=PAGE)
    return render(request, "scans.html", tenant, scans=scans, following=pager.link(cursor))


@router.post("")
async def post(tenant: Operator, now: Now) -> Response:
    who = tenant.actor.name
    scan = await start_scan(tenant, slot=now, trigger="manual", requested_by=who, now=now)
    return go_to(f"/t/{tenant.tenant.tenant_id}/scans/{scan.scan_id}")


@router.get("/{scan_id}")
async def get(tenant: Viewer, scan_id: RowKey, request: Request) -> Response:
    return await _show(tenant, scan_id, request, "scan.html")


@router.get("/{scan_id}/progress")
async def get_progress(tenant: Viewer, scan_id: RowKey, request: Request) -> Response:
    """The moving part, which the page asks for again until the scan has ended."""
    over = (await get_scan(tenant.store, scan_id)).status in ENDED
    status = STOP_POLLING if over else 200
    return await _show(tenant, scan_id, request, "parts/progress.html", status)


@router.post("/{scan_id}/cancel")
async def cancel(tenant: Operator, scan_id: RowKey, now: Now) -> Response:
    await cancel_scan(tenant, scan_id, now=now)
    return go_to(f"/t/{tenant.tenant.tenant_id}/scans/{scan_id}")


async def _show(
    tenant: TenantContext, scan_id: str, request: Request, template: str, status: int = 200
) -> Response:
    scan = await get_scan(tenant.store, scan_id)
    parts = await get_parts(tenant.store, scan_id)
    return render(
        request,
        template,
        tenant,
        status=status,
        scan=scan,
        parts=sorted(parts, key=lambda part: _ORDER.index(part.status)),
        total=_total(scan, parts),
        ended=sum(1 for part in parts if part.status in ENDED),
        over=scan.status in ENDED,
        names=await names_by_id(tenant.store),
        fixes=await _fixes(tenant, parts),
        took=await _took(tenant, parts),
    )


async def _took(tenant: TenantContext, parts: list[Part]) -> dict[str, timedelta]:
    """How long each subscription that is being read took the last time. It says how far this reading is likely to be:
    to write that down while reading would cost storage a row a page."""
    running = {part.subscription_id for part in parts if part.status is ScanStatus.RUNNING}
    if not running:
        return {}
    found: dict[str, timedelta] = {}
    for part in await newest_parts(tenant.store, limit=SCANS_BEFORE * len(parts)):
        if part.subscription_id not in running or part.status is not ScanStatus.COMPLETE:
            continue
        if part.started_at and part.finished_at:
            found.setdefault(part.subscription_id, part.finished_at - part.started_at)
    return found


_ORDER = (
    ScanStatus.FAILED,
    ScanStatus.INCOMPLETE,
    ScanStatus.RUNNING,
    ScanStatus.QUEUED,
    ScanStatus.CANCELLED,
    ScanStatus.COMPLETE,
)


def _total(scan: Scan, parts: list[Part]) -> int:
    return max(scan.subscriptions, len(parts))


async def _fixes(tenant: TenantContext, parts: list[Part]) -> dict[str, str]:
    """The command that grants what is missing, for those who may see how the tenant is connected."""
    lacking = [part for part in parts if part.permission]
    if not lacking or not allows(tenant.role, Permission.ADMINISTER):
        return {}
    connection = await find_connection(tenant)
    if connection is None:
        return {}
    settings = tenant.deployment.settings
    return {
        part.subscription_id: of_access(
            connection, settings, subscription_id=part.subscription_id, object_id=""
        ).command
        for part in lacking
    }
