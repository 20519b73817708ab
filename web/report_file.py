"""The report as one HTML file: its style inside, no script, nothing from elsewhere, so that it can be sent and kept."""

from __future__ import annotations

import base64
import hashlib
from functools import cache

from fastapi.responses import HTMLResponse
from markupsafe import Markup

from drift.reports import Report
from web.assets import FOLDER
from web.rendering import environment

STYLE = "drift.css"


@cache
def style() -> tuple[Markup, str]:
    """Our one style sheet, which is no text of anybody else, and the policy that lets it in and nothing else."""
    text = (FOLDER / STYLE).read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return Markup(text), policy  # noqa: S704 - a file of the program


def render_text(report: Report) -> str:
    """The whole file. The policy stands in it, too: it holds wherever the file is opened."""
    sheet, policy = style()
    template = environment().get_template("report_file.html")
    return template.render(report=report, sheet=sheet, policy=policy, now=report.about.made_at)


def render_file(report: Report) -> HTMLResponse:
    name = f"drift-report-{report.about.made_at:%Y-%m-%d}.html"
    headers = {
        "Content-Security-Policy": f"{style()[1]}; frame-ancestors 'none'",
        "Content-Disposition": f'inline; filename="{name}"',
    }
    return HTMLResponse(render_text(report), headers=headers)
