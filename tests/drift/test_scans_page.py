"""docs/scans.md knows every state and every source, and its figures are the product's."""

from __future__ import annotations

import re
from pathlib import Path

from drift import confirm, dispatch, endings, settle
from drift.collect import SOURCES
from drift.engine.findings import Evidence
from drift.scan import ATTRIBUTION
from drift.scans import ScanStatus

PAGE = (Path(__file__).parents[2] / "docs" / "scans.md").read_text()


def test_every_state_has_a_line() -> None:
    described = re.findall(r"^\| `(\w+)` \| ", PAGE, re.MULTILINE)
    assert described == [status.value for status in ScanStatus]


def test_sources_and_evidence_are_named() -> None:
    for name in (*(source.name for source in SOURCES), ATTRIBUTION, *Evidence):
        assert f"`{name}`" in PAGE, name


def test_figures_are_the_products() -> None:
    hours = endings.LONGEST_SCAN.total_seconds() / 3600
    assert f"it has at most {hours:.0f} hours" in PAGE
    assert f"more than {settle.MASS_SHARE * 100:.0f} %" in PAGE
    assert f"at least {settle.MASS_AT_LEAST}," in PAGE
    assert f"at most {confirm.MOST_READS} a scan" in PAGE
    assert f"at most {dispatch.MOST_WAITING} parts" in PAGE
