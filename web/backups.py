"""Backups & export: make one, see what a restore would change, restore, and take everything away. It is shown while the
tenant is being restored, too: whoever restores sees how far it is."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from api.access import Now
from api.backups import RestoreBody
from api.paging import Token, tenant_pager
from api.shapes import RowKey
from api.tenant_export import respond_part
from drift.backups.exporting import request_export
from drift.backups.jobs import Job, Kind, find_job, get_job, page_jobs
from drift.backups.making import request_backup
from drift.backups.restoring import request_dry_run, request_restore
from drift.preferences import find_preferences
from tenancy.access import TenantContext
from tenancy.tenants import TenantStatus
from web.access import Admin, Restorer
from web.forms import TheForm, read
from web.rendering import go_to, go_to_part, render
from web.scans import STOP_POLLING

router = APIRouter(prefix="/t/{tenant_id}/backups", include_in_schema=False)
PAGE = 50
EXPORTS = 5  # the newest; older ones are over


@router.get("")
async def list_backups(
    tenant: Restorer, request: Request, now: Now, token: Token = None
) -> Response:
    pager = await tenant_pager(request, tenant)
    backups, cursor = await page_jobs(
        tenant.store, Kind.BACKUP, after=pager.start(token), limit=PAGE
    )
    exports, _ = await page_jobs(tenant.store, Kind.EXPORT, limit=EXPORTS)
    stored = await find_preferences(tenant.store)
    return render(
        request,
        "backups.html",
        tenant,
        backups=backups,
        following=pager.link(cursor),
        exports=exports,
        moving=any(job.is_open(now) for job in (*backups, *exports)),
        kept=stored.preferences.backups_kept if stored else 0,
        restoring=tenant.tenant.status is TenantStatus.RESTORING,
    )


@router.post("")
async def post(tenant: Admin, now: Now) -> Response:
    job = await request_backup(tenant, now=now)
    return go_to(f"{_home(tenant)}/{job.job_id}")


@router.post("/exports")
async def post_export(tenant: Admin, request: Request, now: Now) -> Response:
    await request_export(tenant, now=now)
    return go_to_part(request, _home(tenant), "export")


@router.get("/exports/{export_id}/parts/{part}")
async def get_part(tenant: Admin, export_id: RowKey, part: RowKey, now: Now) -> Response:
    return await respond_part(tenant, export_id, part, now)


@router.get("/{backup_id}")
async def get(tenant: Restorer, backup_id: RowKey, request: Request, now: Now) -> Response:
    return await _show(tenant, backup_id, request, now, "backup.html")


@router.get("/{backup_id}/progress")
async def get_progress(tenant: Restorer, backup_id: RowKey, request: Request, now: Now) -> Response:
    """The moving part, which the page asks for again until all has ended."""
    return await _show(tenant, backup_id, request, now, "parts/backup.html", part=True)


@router.post("/{backup_id}/dry-run")
async def post_dry_run(tenant: Restorer, backup_id: RowKey, now: Now) -> Response:
    await request_dry_run(tenant, backup_id, now=now)
    return go_to(f"{_home(tenant)}/{backup_id}")


@router.post("/{backup_id}/restore")
async def post_restore(tenant: Restorer, backup_id: RowKey, form: TheForm, now: Now) -> Response:
    body = read(RestoreBody, dryRun=False, confirm=form.text("confirm"))
    await request_restore(tenant, backup_id, body.confirm or "", now=now)
    return go_to(f"{_home(tenant)}/{backup_id}")


async def _show(
    tenant: TenantContext,
    backup_id: str,
    request: Request,
    now: Now,
    template: str,
    *,
    part: bool = False,
) -> Response:
    backup = await get_job(tenant.store, Kind.BACKUP, backup_id)
    tried = await find_job(tenant.store, Kind.DRY_RUN, backup_id)
    restored = await find_job(tenant.store, Kind.RESTORE, backup_id)
    known: list[Job] = [job for job in (backup, tried, restored) if job]
    moving = any(job.is_open(now) for job in known)
    return render(
        request,
        template,
        tenant,
        status=STOP_POLLING if part and not moving else 200,
        backup=backup,
        tried=tried,
        restored=restored,
        moving=moving,
        restoring=tenant.tenant.status is TenantStatus.RESTORING,
    )


def _home(tenant: TenantContext) -> str:
    return f"/t/{tenant.tenant.tenant_id}/backups"
