"""docs/data.md says what the code does; the program in it is run by tests/isolation/test_erasure.py."""

from __future__ import annotations

import re
from pathlib import Path

from drift.erasure import GRACE, QUIET
from drift.retention import FLOORS, KINDS, MOST_DAYS, Retention
from drift.standing import TREND
from drift.upkeep import BUDGET

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "data.md").read_text(encoding="utf-8")


def test_page_has_the_days_of_every_kind() -> None:
    rows = re.findall(r"^\| `(\w+)` \| [^|]+ \| (\d+) \| (\d+) \| ([^|]+) \|$", PAGE, re.MULTILINE)
    assert [row[0] for row in rows] == list(KINDS)
    for kind, days, floor, reason in rows:
        assert int(days) == getattr(Retention(), kind)
        assert (int(floor), reason) == (FLOORS[kind].days, FLOORS[kind].reason)


def test_page_has_the_other_numbers() -> None:
    assert f"At most {MOST_DAYS} days" in PAGE
    assert f"the newest {TREND} scans" in PAGE
    assert (GRACE.days, QUIET.total_seconds(), BUDGET.total_seconds()) == (7, 3600, 300)
    for said in ("Seven days later", "an hour after the closing", "five minutes at most"):
        assert said in PAGE
