"""/api/export and /api/report: findings as files for other programs, and a report for people in one file."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse, StreamingResponse

from api.access import Now, Viewer
from api.examples import EXPORTS
from api.findings import TheWanted
from drift import reports
from drift.exports import KINDS, SCHEMA
from drift.filters import Wanted
from tenancy.access import TenantContext
from web.report_file import render_file

router = APIRouter(tags=["reports"])


def _answers(kind: str) -> dict[int | str, dict[str, Any]]:
    """What the API's description says of a file: its media type, an example, and for JSON the schema."""
    schema = {"json": SCHEMA, "sarif": {"type": "object"}}.get(kind, {"type": "string"})
    media_type = KINDS[kind].media_type.partition(";")[0]
    example = {"examples": [EXPORTS[kind]]}
    return {200: {"content": {media_type: {"schema": {**schema, **example}}}}}


async def send(tenant: TenantContext, kind: str, wanted: Wanted, now: datetime) -> Response:
    """All findings that pass as a file. What fails before the first piece is an answer of its own; what fails later
    breaks the connection off, so that half a file is never taken for the whole."""
    about = await reports.about_tenant(tenant, wanted, now=now)
    pieces = reports.export(tenant, kind, about, wanted)
    first = await anext(pieces)

    async def all_pieces() -> AsyncIterator[bytes]:
        yield first
        async for piece in pieces:
            yield piece

    name = f"findings-{now:%Y-%m-%d}.{KINDS[kind].suffix}"
    return StreamingResponse(
        all_pieces(),
        media_type=KINDS[kind].media_type,
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


@router.get(
    "/api/export/findings.csv",
    name="export_csv",
    response_class=StreamingResponse,
    responses=_answers("csv"),
)
async def export_csv(tenant: Viewer, wanted: TheWanted, now: Now) -> Response:
    """One line a finding, with its worst change; before them a line for each subscription of which the state is
    unknown. A cell that a spreadsheet would take for a formula begins with an apostrophe."""
    return await send(tenant, "csv", wanted, now)


@router.get(
    "/api/export/findings.json",
    name="export_json",
    response_class=StreamingResponse,
    responses=_answers("json"),
)
async def export_json(tenant: Viewer, wanted: TheWanted, now: Now) -> Response:
    """Everything of each finding. `complete` is false when the state of a subscription is unknown."""
    return await send(tenant, "json", wanted, now)


@router.get(
    "/api/export/findings.sarif",
    name="export_sarif",
    response_class=StreamingResponse,
    responses=_answers("sarif"),
)
async def export_sarif(tenant: Viewer, wanted: TheWanted, now: Now) -> Response:
    """SARIF 2.1.0 for code scanning: a result for each change. When the state of a subscription is unknown the run did
    not succeed, and says why."""
    return await send(tenant, "sarif", wanted, now)


@router.get(
    "/api/export/findings.junit.xml",
    name="export_junit",
    response_class=StreamingResponse,
    responses=_answers("junit"),
)
async def export_junit(tenant: Viewer, wanted: TheWanted, now: Now) -> Response:
    """JUnit for pipelines: what has to be dealt with fails, what was decided is skipped, and a subscription of which
    the state is unknown is an error."""
    return await send(tenant, "junit", wanted, now)


@router.get(
    "/api/report",
    name="get_report",
    response_class=HTMLResponse,
    responses={
        200: {
            "content": {
                "text/html": {"schema": {"type": "string", "examples": ["<!doctype html>"]}}
            }
        }
    },
)
async def get_report(tenant: Viewer, now: Now) -> Response:
    """One HTML file without scripts and without anything from elsewhere, fit to be sent, kept and printed."""
    return render_file(await reports.make_report(tenant, now=now))
