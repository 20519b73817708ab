"""The demo's report: per organisation what drifted, where, from what to what and who did it. Fits 80 columns."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.markup import escape

from dev.demo.story import Outcome, Report

COLOURS = {
    "critical": "bold white on red",
    "high": "bold red",
    "medium": "bold yellow",
    "low": "cyan",
    "informational": "dim",
}
ORDER = tuple(COLOURS)
INDENT = "    "
LONGEST_VALUE = 60


def print_report(console: Console, outcome: Outcome) -> None:
    for report in outcome.reports:
        _print_organisation(console, report)
    console.print()
    if outcome.silent:
        console.print(
            f"[green]Rightly silent[/] about {len(outcome.silent)} edits that are no drift: "
            f"{escape('; '.join(outcome.silent))}."
        )
    print_notices(console, outcome)
    for title in outcome.missed:
        console.print(f"[bold red]Missed or not exact:[/] {escape(title)}")
    for resource_id in outcome.false:
        console.print(f"[bold red]Reported, but nobody did it:[/] {escape(resource_id)}")


def print_notices(console: Console, outcome: Outcome) -> None:
    """What a webhook of each tenant was told."""
    console.print()
    console.print(
        f"[bold]Told by webhook[/]: {len(outcome.notices)} notices came to the demo's own receiver, "
        "each with a signature that is right:",
        soft_wrap=True,
    )
    for notice in outcome.notices:
        console.print(f"{INDENT}{notice}", highlight=False, markup=False, soft_wrap=True)


def as_json(outcome: Outcome, url: str) -> str:
    """The same for programs, with the findings as the product's API gave them."""
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
            "notices": [asdict(notice) for notice in outcome.notices],
        },
        indent=2,
    )


def _print_organisation(console: Console, report: Report) -> None:
    counts = Counter(finding["severity"] for finding in report.findings)
    summary = ", ".join(f"{counts[severity]} {severity}" for severity in ORDER if counts[severity])
    console.print()
    console.rule(
        f"[bold]{report.organisation.name}[/]: {len(report.findings)} findings in "
        f"{report.resources} resources ({summary})",
        align="left",
    )
    for finding in sorted(report.findings, key=lambda one: ORDER.index(one["severity"])):
        _print_finding(console, finding)


def _print_finding(console: Console, finding: dict[str, Any]) -> None:
    severity, (name, kind) = finding["severity"], _resource(finding["resourceId"])
    label = f"[{COLOURS[severity]}] {severity} [/]"
    lines = [f"\n{label} [bold]{escape(name)}[/]", f"{INDENT}[dim]{escape(kind)}[/]"]
    for change in finding["changes"]:
        lines += [INDENT + escape(line) for line in _change(change, finding["change"])]
    lines.append(f"{INDENT}[dim]{escape(_who(finding))}[/]")
    console.print("\n".join(lines), highlight=False, soft_wrap=True)


def _resource(resource_id: str) -> tuple[str, str]:
    """Name and type of a resource, from its id."""
    parts = resource_id.rsplit("/providers/", 1)
    if len(parts) == 1:
        return resource_id.rpartition("/")[2], "resource group"
    namespace, *rest = parts[1].split("/")
    return "/".join(rest[1::2]), "/".join([namespace, *rest[0::2]])


def _change(change: dict[str, Any], what: str) -> list[str]:
    if not change["path"]:
        return [f"the resource was {what}"]
    return [change["path"], f"  {_value(change['before'])} → {_value(change['after'])}"]


def _value(value: object) -> str:
    text = "nothing" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…"


def _who(finding: dict[str, Any]) -> str:
    attribution = finding["attribution"]
    if attribution is None:
        return "by somebody: Azure has not recorded who yet"
    return f"by {attribution['changedBy']}, {attribution['clientType']}, {attribution['timestamp']}"
