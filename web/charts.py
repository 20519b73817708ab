"""Charts made here as SVG: no script draws them, and the table behind each says the same in numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from markupsafe import Markup

from drift.engine.model import Severity
from drift.standing import Point
from tenancy.usage import Day

WIDTH, HEIGHT, MARGIN = 640, 160, 24
ROW, LABEL, BAR = 26, 126, 404
THICKEST = 40  # of a day's bar: a week of days is not a wall


def severity_bars(counts: Mapping[str, int]) -> Markup:
    """One bar a severity, worst on top, each with its number."""
    most = max([*counts.values(), 1])
    rows = [
        _bar(at, severity, counts.get(severity, 0), most) for at, severity in enumerate(Severity)
    ]
    height = ROW * len(Severity)
    return Markup(
        '<svg class="chart" role="img" aria-label="Findings by severity" viewBox="0 0 {} {}">{}</svg>'
    ).format(LABEL + BAR + 50, height, Markup("").join(rows))


def _bar(at: int, severity: Severity, count: int, most: int) -> Markup:
    width = round(BAR * count / most)
    middle = at * ROW + ROW / 2
    return Markup(
        '<text class="label" x="{}" y="{}">{}</text>'
        '<rect class="fill-{}" x="{}" y="{}" width="{}" height="14" rx="3"/>'
        '<text class="number" x="{}" y="{}">{}</text>'
    ).format(
        LABEL - 10,
        middle + 4,
        severity.value,
        severity.value,
        LABEL,
        middle - 7,
        max(width, 2),
        LABEL + max(width, 2) + 8,
        middle + 4,
        count,
    )


def daily_bars(days: Sequence[Day], first: date, last: date) -> Markup:
    """Calls to Azure from the first to the last day, one bar a day, oldest on the left; days without any have none."""
    calls = {day.day: day.graph_calls + day.arm_calls for day in days}
    most = max(*calls.values(), 1)
    step = (WIDTH - 2 * MARGIN) / ((last - first).days + 1)
    bars = [
        Markup('<rect class="bar" x="{}" y="{}" width="{}" height="{}"/>').format(
            round(MARGIN + (day - first).days * step, 1),
            round(_height(number, most), 1),
            round(min(max(step - 2, 1), THICKEST), 1),
            round(HEIGHT - MARGIN - _height(number, most), 1),
        )
        for day, number in calls.items()
    ]
    return Markup(
        '<svg class="chart" role="img" aria-label="Calls to Azure by day, from {} to {}" viewBox="0 0 {} {}">'
        '<line class="axis" x1="{}" y1="{}" x2="{}" y2="{}"/><text class="number" x="0" y="14">{}</text>{}'
        '<text class="number" x="{}" y="{}">{}</text>'
        '<text class="number" x="{}" y="{}" text-anchor="end">{}</text></svg>'
    ).format(
        first,
        last,
        WIDTH,
        HEIGHT,
        MARGIN,
        HEIGHT - MARGIN,
        WIDTH - MARGIN,
        HEIGHT - MARGIN,
        f"{most:,}",
        Markup("").join(bars),
        MARGIN,
        HEIGHT - MARGIN / 4,
        first,
        WIDTH - MARGIN,
        HEIGHT - MARGIN / 4,
        last,
    )


def trend_line(points: Sequence[Point]) -> Markup:
    """Findings to deal with after each scan, oldest on the left. Scans that did not read everything are hollow."""
    most = max([*(point.findings for point in points), 1])
    step = (WIDTH - 2 * MARGIN) / max(len(points) - 1, 1)
    places = [
        (round(MARGIN + at * step, 1), round(_height(point.findings, most), 1))
        for at, point in enumerate(points)
    ]
    line = " ".join(f"{x},{y}" for x, y in places)
    dots = [
        Markup('<circle class="{}" cx="{}" cy="{}" r="3.5"/>').format(
            "dot" if point.complete else "dot hollow", x, y
        )
        for point, (x, y) in zip(points, places, strict=True)
    ]
    return Markup(
        '<svg class="chart" role="img" aria-label="Findings to deal with after each scan" '
        'viewBox="0 0 {} {}"><line class="axis" x1="{}" y1="{}" x2="{}" y2="{}"/>'
        '<text class="number" x="0" y="{}">{}</text><text class="number" x="0" y="{}">0</text>'
        '<polyline class="line" points="{}"/>{}</svg>'
    ).format(
        WIDTH,
        HEIGHT,
        MARGIN,
        HEIGHT - MARGIN,
        WIDTH - MARGIN,
        HEIGHT - MARGIN,
        MARGIN + 4,
        most,
        HEIGHT - MARGIN + 4,
        line,
        Markup("").join(dots),
    )


def _height(count: int, most: int) -> float:
    return HEIGHT - MARGIN - (HEIGHT - 2 * MARGIN) * count / most
