"""The table of spans and metrics: complete, explained, and all that can be told."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.trace import SpanKind

import telemetry
from tests.told import Told

PROJECT = Path(__file__).resolve().parent.parent
PAGE = (PROJECT / "docs" / "telemetry.md").read_text()
QUIET = """
import sys
import telemetry
with telemetry.span(telemetry.TICK, parent="") as ticked:
    ticked.note(started=1)
    telemetry.record(telemetry.ANSWERS, 1, area="me", status=200)
    assert telemetry.traceparent() == ""
print([name for name in sys.modules if name.startswith("opentelemetry")])
"""


@pytest.fixture
def told() -> Iterator[Told]:
    yield Told()
    telemetry.stop()


def test_without_exporter_nothing_of_opentelemetry_is_imported() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", QUIET], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert ended.stdout.strip() == "[]"


def test_every_line_has_a_reason_and_a_name_of_its_own() -> None:
    lines = (*telemetry.SPANS, *telemetry.INSTRUMENTS)
    assert len({line.name for line in lines}) == len(lines)
    assert all(len(line.why) > 15 for line in lines)
    told_by_name = {
        value
        for value in vars(telemetry).values()
        if isinstance(value, telemetry.Step | telemetry.Instrument)
    }
    assert told_by_name == set(lines)  # none was made and not listed


def test_page_lists_them_all_as_they_are() -> None:
    spans = PAGE.partition("## Spans")[2].partition("## Metrics")[0]
    assert re.findall(r"^\| `([\w.]+)` \| ([^|]*) \| ([^|]*) \|$", spans, re.MULTILINE) == [
        (one.name, ", ".join(f"`{name}`" for name in one.fields) or "none", one.why)
        for one in telemetry.SPANS
    ]
    metrics = PAGE.partition("## Metrics")[2].partition("## Logs")[0]
    row = r"^\| `([\w.]+)` \| (\w+) \| ([^|]*) \| ([^|]*) \| ([^|]*) \|$"
    assert re.findall(row, metrics, re.MULTILINE) == [
        (
            one.name,
            one.shape.value,
            one.unit,
            ", ".join(f"`{name}`" for name in one.dimensions),
            one.why,
        )
        for one in telemetry.INSTRUMENTS
    ]


def test_span_tells_what_its_line_names(told: Told) -> None:
    with telemetry.span(telemetry.TICK, parent="") as ticked:
        ticked.note(started=3)
        with telemetry.span(telemetry.PAGES, source="locks") as reading:
            reading.note(rows=7)
    pages, tick = told.spans
    assert (tick.name, tick.kind, dict(tick.attributes)) == (
        "tick",
        SpanKind.CONSUMER,
        {"started": 3},
    )
    assert dict(pages.attributes) == {"source": "locks", "rows": 7}
    assert (pages.kind, pages.parent.span_id) == (SpanKind.INTERNAL, tick.context.span_id)


def tell_secret(where: str) -> None:
    if where == "metric":
        telemetry.record(telemetry.CHANGES, 1, tenant_id="a", secret="s")
    with telemetry.span(
        telemetry.TICK, parent="", **({"secret": "s"} if where == "span" else {})
    ) as on:
        on.note(secret="s")


@pytest.mark.parametrize("where", ["span", "note", "metric"])
def test_what_no_line_names_cannot_be_told(told: Told, where: str) -> None:
    with pytest.raises(ValueError, match="secret"):
        tell_secret(where)
    assert "secret" not in str([dict(one.attributes) for one in told.spans])


def test_metric_without_one_of_its_dimensions_is_a_mistake(told: Told) -> None:
    with pytest.raises(ValueError, match="area"):
        telemetry.record(telemetry.ANSWERS, 1, status=200)


def test_error_leaves_its_type_and_not_its_text(told: Told) -> None:
    with (
        pytest.raises(RuntimeError, match="hunter2"),
        telemetry.span(telemetry.TICK, parent=""),
    ):
        raise RuntimeError("the password is hunter2")
    (tick,) = told.spans
    assert (tick.status.description, tick.events) == ("RuntimeError", ())
    assert "hunter2" not in tick.to_json()


def test_trace_goes_on_behind_a_message(told: Told) -> None:
    with telemetry.span(telemetry.TICK, parent=""):
        carried = telemetry.traceparent()
    with telemetry.span(telemetry.DELIVER_NOTICE, parent=carried, tenant_id="a", notice_id="n"):
        pass
    tick, notice = told.spans
    assert notice.context.trace_id == tick.context.trace_id
    assert notice.parent.span_id == tick.context.span_id
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-0[13]", carried)


@pytest.mark.parametrize("carried", ["", "00-zz-1-01", "garbage"])
def test_message_without_a_trace_begins_one(told: Told, carried: str) -> None:
    """And is not the child of whatever happens to be around it."""
    with (
        telemetry.span(telemetry.TICK, parent=""),
        telemetry.span(telemetry.DELIVER_NOTICE, parent=carried, tenant_id="a", notice_id="n"),
    ):
        pass
    notice, tick = told.spans
    assert notice.parent is None
    assert notice.context.trace_id != tick.context.trace_id


def test_metrics_are_of_the_tenant_that_the_task_is_about(told: Told) -> None:
    telemetry.about("t-1")
    telemetry.record(telemetry.THROTTLED, 2.5, service="ARM")
    telemetry.record(telemetry.THROTTLED, 1.5, service="ARM")
    telemetry.record(telemetry.SCAN_AGE, 60, tenant_id="t-2")
    telemetry.record(telemetry.SCAN_DURATION, 4, status="complete")
    found = {name: (attributes, point) for name, attributes, point in told.points()}
    assert found["drift.throttled"][0] == {"tenant_id": "t-1", "service": "ARM"}
    assert found["drift.throttled"][1].value == 4.0
    assert found["drift.scan.age"][0] == {"tenant_id": "t-2"}
    assert (found["drift.scan.duration"][1].sum, found["drift.scan.duration"][1].count) == (4, 1)
