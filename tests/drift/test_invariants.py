"""What docs/scans.md says to hold whatever fails: each line of it is named by a test that would fail otherwise."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
PAGE = TESTS.parent / "docs" / "scans.md"


def test_every_invariant_is_named_by_a_test() -> None:
    listed = re.findall(r"^\| (I\d\d) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert listed == [f"I{number:02d}" for number in range(1, 23)]
    files = [path for path in TESTS.rglob("test_*.py") if path != Path(__file__)]
    named = {name for path in files for name in re.findall(r"\bI\d\d\b", path.read_text())}
    assert named == set(listed)
