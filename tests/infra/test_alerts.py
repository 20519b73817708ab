"""Alerts and workbook ask for messages that the code says and functions that exist: one that was renamed would never
wake anybody up."""

from __future__ import annotations

import ast
import json
import re
from typing import Any

import pytest

import telemetry
from tests.infra.bicep import PROJECT, read

FUNCTIONS = set(re.findall(r"^async def (\w+)\(", (PROJECT / "function_app.py").read_text(), re.M))
# Which names each table of the workspace can hold: telemetry.py has them all.
NAMES = {
    "AppRequests": {step.name for step in telemetry.SPANS if step.trigger},
    "AppDependencies": {step.name for step in telemetry.SPANS if not step.trigger},
    "AppMetrics": {one.name for one in telemetry.INSTRUMENTS},
}
MESSAGES = {
    call.args[0].value
    for package in ("api", "drift", "tenancy")
    for file in (PROJECT / package).rglob("*.py")
    for call in ast.walk(ast.parse(file.read_text()))
    if isinstance(call, ast.Call)
    and isinstance(call.func, ast.Attribute)
    and isinstance(call.func.value, ast.Name)
    and call.func.value.id == "logger"
    and isinstance(call.args[0], ast.Constant)
}


def alert_queries() -> list[str]:
    return re.findall(r"^    query: '(.+)'$", read("app/alerts.bicep"), re.MULTILINE)


def workbook_items() -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = json.loads(read("app/workbook.json"))["items"]
    return items


def workbook_queries() -> list[str]:
    return [
        item["content"]["query"]
        for page in workbook_items()
        for item in page["content"].get("items", ())
        if "query" in item["content"]
    ]


@pytest.mark.parametrize("query", [*alert_queries(), *workbook_queries()])
def test_what_a_query_looks_for_exists(query: str) -> None:
    for operator, names in re.findall(r"\bMessage (==|in) (\([^)]*\)|\"[^\"]*\"|'[^']*')", query):
        found = re.findall(r"[\"']([^\"']+)[\"']", names)
        assert found, operator
        assert set(found) <= MESSAGES
    for names in re.findall(r"\bName (?:==|in) (\([^)]*\)|'[^']*')", query):
        assert set(re.findall(r"'([^']+)'", names)) <= NAMES[query.split(" ", maxsplit=1)[0]]
    for field in re.findall(r"\bProperties\.(\w+)", query):
        assert field in fields_of(query), field
    assert query.split(" ", maxsplit=1)[0] in {*NAMES, "AppTraces", "Usage"}


def fields_of(query: str) -> set[str]:
    """What every row that the query finds has."""
    if query.startswith("AppTraces"):
        return {
            "error",
            "where",
            "tenant_id",
        }  # of every record with an exception, see drift/exporters.py
    named = [one for one in telemetry.INSTRUMENTS if f"'{one.name}'" in query]
    return set.intersection(*(set(one.dimensions) for one in named))


def test_names_of_functions_are_those_of_the_spans() -> None:
    """A span that begins with a message is called like the function, so that host and worker speak of one thing."""
    triggers = {step.name for step in telemetry.SPANS if step.trigger}
    assert triggers - {"give_up"} <= FUNCTIONS


def test_every_promised_alert_is_there() -> None:
    names = re.findall(r"^    name: '(.+)'$", read("app/alerts.bicep"), re.MULTILINE)
    scans = ["poison-message", "no-tick", "failed-scans"]
    assert names == [*scans, "failed-jobs", "server-errors", "throttling"]
    assert len(alert_queries()) == len(names)


def test_missing_tick_is_noticed_after_ten_minutes() -> None:
    block = read("app/alerts.bicep").partition("name: 'no-tick'")[2].partition("query:")[0]
    assert re.search(
        r"window: 'PT10M'\s+operator: 'LessThan'\s+threshold: 1\s", block
    )  # no row at all counts as 0


def test_alerts_rest_on_logs_that_the_worker_exports_itself() -> None:
    """The host samples, and in this mode has no span of timers and queues; the worker tells it to leave its logs."""
    assert json.loads((PROJECT / "host.json").read_text())["telemetryMode"] == "OpenTelemetry"
    assert "PYTHON_ENABLE_OPENTELEMETRY: 'true'" in read("app/site.bicep")
    assert {query.split(" ")[0] for query in alert_queries()} == {"AppTraces"}


def test_every_page_of_the_workbook_can_be_opened() -> None:
    items = workbook_items()
    tabs = next(item for item in items if item["type"] == 11)["content"]["links"]
    pages = [item for item in items if item["type"] == 12]
    assert [tab["subTarget"] for tab in tabs] == [
        page["conditionalVisibility"]["value"] for page in pages
    ]
    assert all(tab["linkLabel"].endswith("?") for tab in tabs)  # a page answers one question
    for page in pages:
        assert len(page["content"]["items"]) >= 2
