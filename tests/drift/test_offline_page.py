"""The page about the offline command says what the command does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from drift.__main__ import main

PAGE = (Path(__file__).parents[2] / "docs" / "offline.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, list[str]]:
    before, after = blocks("json")
    (tmp_path / "before.jsonl").write_text(before, encoding="utf-8")
    (tmp_path / "after.jsonl").write_text(after, encoding="utf-8")
    (tmp_path / "rules.json").write_text(blocks("rules")[0], encoding="utf-8")
    return tmp_path, [str(tmp_path / "before.jsonl"), str(tmp_path / "after.jsonl")]


def test_example_prints_what_the_page_shows(
    files: tuple[Path, list[str]], capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert main(["compare", *files[1]]) == 2
    assert capsysbinary.readouterr().out.decode() == blocks("text")[0]


def test_rules_do_what_the_page_shows(
    files: tuple[Path, list[str]], capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert main(["compare", *files[1], "--rules", str(files[0] / "rules.json")]) == 2
    assert capsysbinary.readouterr().out.decode() == blocks("ruled")[0]


def test_command_has_every_option_of_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["compare", "--help"])
    usage = capsys.readouterr().out
    options = set(re.findall(r"--(?:rules|format|stats|lenient)", PAGE))
    assert {option for option in options if option in usage} == options
