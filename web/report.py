"""The report's page: the same as the file, within the frame of the other pages, and the files to take away."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from api.access import Now
from drift.reports import make_report
from web.access import Viewer
from web.rendering import render
from web.report_file import render_file

router = APIRouter(prefix="/t/{tenant_id}/report", include_in_schema=False)


@router.get("")
async def get(tenant: Viewer, request: Request, now: Now) -> Response:
    return render(request, "report.html", tenant, report=await make_report(tenant, now=now))


@router.get("/file")
async def get_file(tenant: Viewer, now: Now) -> Response:
    """To save or to send."""
    return render_file(await make_report(tenant, now=now))
