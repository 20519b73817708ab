"""docs/backups.md names what there is: every table that is in a backup, routes, settings, files."""

from __future__ import annotations

import re
from pathlib import Path

from drift.backups import exporting, making, restoring
from drift.backups.holdings import HOLDINGS
from drift.preferences import Preferences
from tests.isolation.policy import LINES

PROJECT = Path(__file__).resolve().parents[3]
PAGE = (PROJECT / "docs" / "backups.md").read_text()


def test_every_table_of_a_backup_is_in_the_table_once() -> None:
    table = PAGE.partition("## What is in a backup")[2].partition("**Not in it:**")[0]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    named = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    assert sorted(named) == sorted(holding.table.value for holding in HOLDINGS)


def test_routes_that_it_names_are_routes() -> None:
    named = re.findall(r"`(GET|POST) (/api/[^`]+)`", PAGE)
    assert len(named) >= 4
    for method, path in named:
        spelled = path.replace("{id}/parts/1", "{export_id}/parts/{part}")
        spelled = spelled.replace("{id}", "{backup_id}")
        assert f"{method} {spelled}" in LINES, path


def test_numbers_that_it_says_are_those_of_the_program() -> None:
    assert f"1 to 90, at first {Preferences().backups_kept})" in PAGE
    assert making.SPREAD == 3 * 60 * 60
    assert "spread over three hours" in PAGE
    assert restoring.ENDING.total_seconds() == 60
    assert "have a minute to end" in PAGE
    assert restoring.DRY_RUN_GOOD.days == 1
    assert exporting.KEPT.days == 7
    assert "downloaded for seven days" in " ".join(PAGE.split())


def test_files_and_settings_that_it_names_are_there() -> None:
    for file in re.findall(r"`((?:tests|drift)/[\w/.]+)`", PAGE):
        assert (PROJECT / file).exists(), file
    assert "DRIFT_STORAGE_SKU" in (PROJECT / "infra" / "main.parameters.json").read_text()
