"""/api/export: everything that is a tenant's, in open formats, as zip files that are made in the background."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request, Response, status
from fastapi.responses import StreamingResponse
from pydantic import Field

from api.access import Admin, Now
from api.contract import may
from api.paging import PageSize, Token, tenant_pager
from api.shapes import ListOf, RowKey, View
from drift.backups.exporting import open_part, request_export
from drift.backups.jobs import Job, JobStatus, Kind, get_job, page_jobs
from errors import Conflict
from tenancy.access import TenantContext

router = APIRouter(prefix="/api/export", tags=["export"])

ZIP = "application/zip"
ZIP_FILE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The zip file",
        "content": {
            ZIP: {"schema": {"type": "string", "format": "binary", "examples": ["the bytes"]}}
        },
    }
}


class ExportPartView(View):
    number: int
    size: int = Field(description="bytes")
    sha256: str


class TenantExportView(View):
    id: str
    status: JobStatus
    requested_by: str
    created_at: datetime
    finished_at: datetime | None
    expires_at: datetime | None = Field(description="until when it can be downloaded")
    step: str = Field(description="what it is at, in words; empty when it has ended")
    reason: str = Field(description="why it failed")
    size: int = Field(description="bytes of all parts")
    parts: list[ExportPartView] = Field(description="zip files, each complete in itself")


@router.post(
    "",
    response_model=TenantExportView,
    status_code=status.HTTP_202_ACCEPTED,
    responses=may(Conflict),
)
async def make_export(tenant: Admin, now: Now) -> TenantExportView:
    """Begins an export of all that is the tenant's; follow it with GET /api/export/archives/{id}."""
    return _view(await request_export(tenant, now=now))


@router.get("/archives", response_model=ListOf[TenantExportView])
async def list_exports(
    tenant: Admin, request: Request, size: PageSize = 50, token: Token = None
) -> ListOf[TenantExportView]:
    """Newest first."""
    pager = await tenant_pager(request, tenant)
    jobs, cursor = await page_jobs(tenant.store, Kind.EXPORT, after=pager.start(token), limit=size)
    return ListOf(value=[_view(job) for job in jobs], next_link=pager.link(cursor))


@router.get("/archives/{export_id}", response_model=TenantExportView)
async def get_export(export_id: RowKey, tenant: Admin) -> TenantExportView:
    """How far it is, and its parts."""
    return _view(await get_job(tenant.store, Kind.EXPORT, export_id))


@router.get(
    "/archives/{export_id}/parts/{part}",
    response_class=Response,
    responses=ZIP_FILE | may(Conflict),
)
async def download_export(export_id: RowKey, part: RowKey, tenant: Admin, now: Now) -> Response:
    """One part. Who downloads it is told in the audit trail."""
    return await respond_part(tenant, export_id, part, now)


async def respond_part(tenant: TenantContext, export_id: str, part: str, now: datetime) -> Response:
    """A download in pieces, as storage gives them."""
    found, pieces = await open_part(tenant, export_id, part, now=now)
    name = f"drift-export-{part}.zip"
    return StreamingResponse(
        pieces,
        media_type=ZIP,
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Content-Length": str(found.size),
        },
    )


def _view(job: Job) -> TenantExportView:
    parts = [
        ExportPartView(number=number, size=part.size, sha256=part.sha256)
        for number, part in enumerate(job.parts, 1)
    ]
    return TenantExportView(
        id=job.job_id,
        status=job.status,
        requested_by=job.requested_by,
        created_at=job.created_at,
        finished_at=job.finished_at,
        expires_at=job.expires_at,
        step=job.step,
        reason=job.reason,
        size=job.size,
        parts=parts,
    )
