"""/api/backups: a tenant's backups, what a restore would change, and the restore. Two routes answer while a tenant is
being restored, so that whoever restores sees how far it is."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter, Request, status
from pydantic import ConfigDict, Field, StrictBool

from api.access import Admin, Now, Restorer
from api.contract import may
from api.paging import PageSize, Token, tenant_pager
from api.shapes import ListOf, Name, RowKey, Shape, View
from drift.backups.jobs import Job, JobStatus, Kind, find_job, get_job, page_jobs
from drift.backups.making import request_backup
from drift.backups.restoring import request_dry_run, request_restore
from errors import Conflict, Stale
from tenancy.tenants import TenantStatus

router = APIRouter(prefix="/api/backups", tags=["backups"])


class RestoreBody(Shape):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"dryRun": True}, {"dryRun": False, "confirm": "contoso"}]}
    )

    dry_run: StrictBool = Field(description="only count what would change; needed before a restore")
    confirm: Name | None = Field(default=None, description="for a restore: the tenant's name")


class TableCountView(View):
    table: str
    rows: int = Field(description="in the backup")
    added: int
    changed: int
    removed: int
    kept: int = Field(description="rows that differ and are left as they are now")


class BackupView(View):
    id: str
    status: JobStatus
    trigger: str = Field(description="`manual` or `nightly`")
    requested_by: str
    created_at: datetime
    finished_at: datetime | None
    step: str = Field(description="what it is at, in words; empty when it has ended")
    reason: str = Field(description="why it failed")
    rows: int
    size: int = Field(description="bytes, compressed")


class RestoreView(View):
    status: JobStatus
    requested_by: str
    created_at: datetime
    finished_at: datetime | None
    step: str
    reason: str
    tables: tuple[TableCountView, ...]
    users: tuple[str, ...] = Field(description="of a dry run: who would be let in again")


class BackupDetail(BackupView):
    tables: tuple[TableCountView, ...]
    dry_run: RestoreView | None = Field(description="the newest one of this backup")
    restore: RestoreView | None = Field(description="the newest one of this backup")
    tenant_status: TenantStatus = Field(
        description="`restoring` while nobody but who follows the restore gets in"
    )


@router.get("", response_model=ListOf[BackupView])
async def list_backups(
    tenant: Restorer, request: Request, size: PageSize = 50, token: Token = None
) -> ListOf[BackupView]:
    """Newest first."""
    pager = await tenant_pager(request, tenant)
    jobs, cursor = await page_jobs(tenant.store, Kind.BACKUP, after=pager.start(token), limit=size)
    return ListOf(value=[_view(job) for job in jobs], next_link=pager.link(cursor))


@router.post(
    "", response_model=BackupView, status_code=status.HTTP_202_ACCEPTED, responses=may(Conflict)
)
async def make_backup(tenant: Admin, now: Now) -> BackupView:
    """Begins a backup; follow it with GET /api/backups/{id}. Every night there is one anyway."""
    return _view(await request_backup(tenant, now=now))


@router.get("/{backup_id}", response_model=BackupDetail)
async def get_backup(backup_id: RowKey, tenant: Restorer) -> BackupDetail:
    """How far it is, what is in it, and the newest dry run and restore of it."""
    job = await get_job(tenant.store, Kind.BACKUP, backup_id)
    tried = await find_job(tenant.store, Kind.DRY_RUN, backup_id)
    restored = await find_job(tenant.store, Kind.RESTORE, backup_id)
    return BackupDetail(
        **_view(job).model_dump(),
        tables=_tables(job),
        dry_run=_restore(tried) if tried else None,
        restore=_restore(restored) if restored else None,
        tenant_status=tenant.tenant.status,
    )


@router.post(
    "/{backup_id}/restore",
    response_model=RestoreView,
    status_code=status.HTTP_202_ACCEPTED,
    responses=may(Conflict, Stale),
)
async def restore_backup(
    backup_id: RowKey, tenant: Restorer, body: RestoreBody, now: Now
) -> RestoreView:
    """Puts the tenant back to what the backup has of it; with `dryRun`, only says what that would change. While it is
    restored nobody gets into the tenant, and afterwards all of it is back."""
    if body.dry_run:
        return _restore(await request_dry_run(tenant, backup_id, now=now))
    return _restore(await request_restore(tenant, backup_id, body.confirm or "", now=now))


def _view(job: Job) -> BackupView:
    return BackupView(
        id=job.job_id,
        status=job.status,
        trigger=job.trigger,
        requested_by=job.requested_by,
        created_at=job.created_at,
        finished_at=job.finished_at,
        step=job.step,
        reason=job.reason,
        rows=job.rows,
        size=job.size,
    )


def _restore(job: Job) -> RestoreView:
    return RestoreView(
        status=job.status,
        requested_by=job.requested_by,
        created_at=job.created_at,
        finished_at=job.finished_at,
        step=job.step,
        reason=job.reason,
        tables=_tables(job),
        users=job.names,
    )


def _tables(job: Job) -> tuple[TableCountView, ...]:
    return tuple(TableCountView.model_validate(count) for count in job.tables)
