"""The page at `/`: says what this is and where the API is, and that a development sign-in is no sign-in."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from api.access import TheDeployment

router = APIRouter(include_in_schema=False)

PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Azure Drift Detector</title></head>
<body>
<main>
<h1>Azure Drift Detector</h1>
{warning}<p>It is running. What it offers is described in its <a href="/api/docs">API reference</a>, and for programs
in <a href="/api/openapi.json">/api/openapi.json</a>;
<a href="/healthz">/healthz</a> says when it last looked for due scans.</p>
</main>
</body>
</html>
"""
WARNING = (
    '<p role="note"><strong>Development sign-in is on:</strong> this app believes who a request on this machine says '
    "it is. That never happens in Azure.</p>\n"
)


@router.get("/", response_class=HTMLResponse)
async def get_home(deployment: TheDeployment) -> HTMLResponse:
    """Names no tenant and needs no sign-in."""
    warning = WARNING if deployment.settings.development_sign_in else ""
    return HTMLResponse(PAGE.format(warning=warning))
