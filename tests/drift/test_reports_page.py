"""docs/reports.md says what the command and the API do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from api.app import ROUTERS
from drift import verdict
from drift.__main__ import main
from drift.exports import KINDS, SCHEMA_VERSION
from drift.filters import Wanted
from drift.reports import MOST_LISTED, _filters

PAGE = (Path(__file__).parents[2] / "docs" / "reports.md").read_text(encoding="utf-8")
WORDS = {0: "no drift", 2: "drift", 3: "unknown", 1: "an error"}


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_example_prints_what_the_page_shows(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    files = [tmp_path / "before.jsonl", tmp_path / "after.jsonl"]
    for file, text in zip(files, blocks("json"), strict=True):
        file.write_text(text, encoding="utf-8")
    assert main(["report", *map(str, files), "--format", "junit"]) == 2
    assert capsysbinary.readouterr().out.decode() == blocks("xml")[0]


def test_exit_codes_are_those_of_the_command() -> None:
    told = {
        int(code): said for code, said in re.findall(r"^\| (\d) \| ([a-z ]+)", PAGE, re.MULTILINE)
    }
    codes = {verdict.NO_DRIFT, verdict.DRIFT, verdict.UNKNOWN, verdict.ERROR}
    assert told.keys() == codes == WORDS.keys()
    assert all(said.startswith(WORDS[code]) for code, said in told.items())


@pytest.mark.parametrize("command", ["report", "status"])
def test_command_has_every_option_of_the_page(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main([command, "--help"])
    usage = capsys.readouterr().out
    part = PAGE.split("## Of two files")[1].split("## In a pipeline")[command == "status"]
    options = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", part))
    assert len(options) >= 3
    assert {option for option in options if option not in usage} == set()


def test_every_route_and_filter_that_is_named_is_there() -> None:
    paths = {route.path for area in ROUTERS for route in area.router.routes}
    named = set(re.findall(r"GET (/api/[\w/.]+)", PAGE))
    assert len(named) >= 7
    assert named <= paths
    assert {f"/api/export/findings.{kind.suffix}" for kind in KINDS.values()} <= named
    asked = Wanted(**dict.fromkeys(Wanted.__slots__, "x"))  # type: ignore[arg-type]
    filters = re.search(r"filters of `GET /api/findings`: (.*?)\. The", PAGE, re.DOTALL)
    assert filters is not None
    assert set(re.findall(r"`(\w+)`", filters[1])) == {name for name, _ in _filters(asked)}


def test_numbers_are_true() -> None:
    assert f"the {MOST_LISTED} worst findings" in PAGE
    assert f"`schemaVersion` is {SCHEMA_VERSION}" in PAGE
