"""The demo's report: per organisation what drifted, where, from what to what and who did it."""

from __future__ import annotations

import json
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from dev.demo.story import Outcome, Report

COLOURS = {
    "critical": "bold white on red",
    "high": "bold red",
    "medium": "yellow",
    "low": "cyan",
    "informational": "dim",
}
ORDER = tuple(COLOURS)
LONGEST = 60


def print_report(console: Console, outcome: Outcome) -> None:
    for report in outcome.reports:
        console.print(_table(report))
    if outcome.silent:
        console.print(
            f"[green]Rightly silent:[/] {escape('; '.join(outcome.silent))} "
            f"({len(outcome.silent)} edits that are no drift)."
        )
    for title in outcome.missed:
        console.print(f"[bold red]Missed or not exact:[/] {escape(title)}")
    for resource_id in outcome.false:
        console.print(f"[bold red]Reported, but nobody did it:[/] {escape(resource_id)}")


def as_json(outcome: Outcome, url: str) -> str:
    """The same for programs. Lists of the product's own findings, as its API gave them."""
    return json.dumps(
        {
            "url": url,
            "tenants": [
                {
                    "tenantId": report.tenant_id,
                    "name": report.organisation.name,
                    "resources": report.resources,
                    "findings": list(report.findings),
                }
                for report in outcome.reports
            ],
            "silent": outcome.silent,
            "missed": outcome.missed,
            "false": outcome.false,
        },
        indent=2,
    )


def _table(report: Report) -> Table:
    table = Table(
        title=f"{report.organisation.name}: {len(report.findings)} findings "
        f"in {report.resources} resources",
        title_justify="left",
        title_style="bold",
        show_lines=True,
    )
    for heading in ("Severity", "Resource", "What changed: before → after", "Who"):
        table.add_column(heading, overflow="fold")
    for finding in sorted(report.findings, key=lambda one: ORDER.index(one["severity"])):
        severity = finding["severity"]
        table.add_row(
            f"[{COLOURS[severity]}]{severity}[/]",
            escape(_resource(finding)),
            escape("\n".join(_change(change, finding) for change in finding["changes"])),
            escape(_who(finding)),
        )
    return table


def _resource(finding: dict[str, Any]) -> str:
    parts = finding["resourceId"].split("/providers/")
    kind, _, name = parts[-1].rpartition("/") if len(parts) > 1 else ("", "", parts[-1])
    return f"{name}\n{kind}"


def _change(change: dict[str, Any], finding: dict[str, Any]) -> str:
    if not change["path"]:
        return f"resource {finding['change']}"
    return f"{change['path']}\n  {_value(change['before'])} → {_value(change['after'])}"


def _value(value: object) -> str:
    text = "—" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _who(finding: dict[str, Any]) -> str:
    attribution = finding["attribution"]
    if attribution is None:
        return "not known yet"
    return f"{attribution['changedBy']}\n{attribution['clientType']}"
