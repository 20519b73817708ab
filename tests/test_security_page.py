"""docs/security.md names what there is: every file exists, every command is one."""

from __future__ import annotations

import re
from pathlib import Path

from dev.commands import COMMANDS

PROJECT = Path(__file__).parents[1]
PAGE = (PROJECT / "docs" / "security.md").read_text()


def test_every_file_it_names_is_there() -> None:
    named = set(re.findall(r"`((?:[\w-]+/)+[\w.-]*)`", PAGE)) | set(
        re.findall(r"\]\((\w+\.md)\)", PAGE)
    )
    assert len(named) > 30
    missing = [
        one
        for one in named
        if not (PROJECT / one).exists() and not (PROJECT / "docs" / one).exists()
    ]
    assert missing == []


def test_every_command_it_names_is_one() -> None:
    named = set(re.findall(r"`python3 dev\.py (\w+)", PAGE))
    assert named
    assert named <= COMMANDS.keys()


def test_every_threat_has_a_proof() -> None:
    table = PAGE.partition("## The threats")[2].partition("\n## ")[0]
    rows = [line for line in table.splitlines() if line.startswith("| ")][2:]
    assert len(rows) >= 12
    assert [row for row in rows if "`tests/" not in row.rsplit("|", 2)[1]] == []
