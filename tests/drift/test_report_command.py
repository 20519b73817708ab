"""`python -m drift report`: what two files differ in, in every form of a report."""

from __future__ import annotations

import csv
import io
import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from drift.__main__ import main
from drift.exports import SCHEMA
from tests.drift.reported import PAYLOAD
from tests.drift.sarif import SARIF
from tests.drift.test_offline import AFTER, BEFORE, account, lines

Report = Callable[..., str]


class Seen(HTMLParser):
    """The elements and attributes of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.attributes |= {name for name, _ in attrs}


@pytest.fixture
def report(tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> Report:
    def make(form: str, before: Any = BEFORE, after: Any = AFTER, *more: str, code: int = 2) -> str:
        for name, documents in (("before.jsonl", before), ("after.jsonl", after)):
            text = documents if isinstance(documents, str) else lines(documents)
            (tmp_path / name).write_text(text, encoding="utf-8")
        files = [str(tmp_path / "before.jsonl"), str(tmp_path / "after.jsonl")]
        assert main(["report", *files, "--format", form, *more]) == code
        return capsysbinary.readouterr().out.decode()

    return make


def test_every_form_tells_the_same_findings(report: Report) -> None:
    names = {"one", "three", "four"}
    told = json.loads(report("json"))
    jsonschema_rs.validator_for(SCHEMA, validate_formats=True).validate(told)
    assert {one["resourceId"].rpartition("/")[2] for one in told["findings"]} == names
    rows = list(csv.DictReader(io.StringIO(report("csv"), newline="")))
    assert {row["resourceId"].rpartition("/")[2] for row in rows} == names
    log = json.loads(report("sarif"))
    jsonschema_rs.validator_for(SARIF, validate_formats=True).validate(log)
    places = [
        one["locations"][0]["logicalLocations"][0]["fullyQualifiedName"]
        for one in log["runs"][0]["results"]
    ]
    assert all(any(f"/{name}" in place for place in places) for name in names)
    cases = list(ET.fromstring(report("junit")).iter("testcase"))
    assert len(cases) == len([case for case in cases if case.find("failure") is not None]) == 3
    page = report("html")
    assert all(f"storageAccounts/{name}" in page for name in names)


def test_html_is_one_file_that_loads_nothing_and_runs_nothing(report: Report) -> None:
    page = report("html", BEFORE, [account(PAYLOAD, x=PAYLOAD), *AFTER])
    assert "default-src 'none'" in page.replace("&#39;", "'")
    seen = Seen()
    seen.feed(page)
    assert seen.elements & {"script", "img", "link", "iframe", "object", "base"} == set()
    assert [n for n in seen.attributes if n in {"src", "href", "style"} or n.startswith("on")] == []
    assert "url(" not in page
    assert "@import" not in page
    assert "&lt;script&gt;" in page
    assert "before.jsonl → after.jsonl" in page


def test_no_drift_says_so_and_ends_with_0(report: Report) -> None:
    page = report("html", BEFORE, BEFORE, code=0)
    assert "No finding to deal with." in page
    assert "3 resources are as before." in page
    assert json.loads(report("json", BEFORE, BEFORE, code=0))["findings"] == []


def test_lines_that_were_left_out_are_unknown_in_every_form(report: Report) -> None:
    broken = lines(BEFORE) + '{"id": \n'
    lenient = ("--lenient",)
    told = json.loads(report("json", broken, BEFORE, *lenient, code=0))
    assert told["complete"] is False
    assert "could not be read" in report("html", broken, BEFORE, *lenient, code=0)
    assert "unknown" in report("csv", broken, BEFORE, *lenient, code=0)
    assert "<error" in report("junit", broken, BEFORE, *lenient, code=0)
    run = json.loads(report("sarif", broken, BEFORE, *lenient, code=0))["runs"][0]
    assert run["invocations"][0]["executionSuccessful"] is False
    report("html", broken, BEFORE, code=1)


def test_what_a_rule_ignores_is_told_as_ignored(report: Report, tmp_path: Path) -> None:
    rule = {
        "action": "ignore", "path": "/properties/*", "reason": "known", "author": "ada",
        "expiresAt": "2999-01-01T00:00:00Z", "id": "r1",
    }  # fmt: skip
    (tmp_path / "rules.json").write_text(json.dumps([rule]), encoding="utf-8")
    options = ("--rules", str(tmp_path / "rules.json"))
    told = json.loads(report("json", BEFORE[:1], AFTER[2:], *options, code=0))
    (found,) = told["findings"]
    assert (found["status"], found["ignoredBy"]) == ("ignored", "r1")
    assert "<skipped" in report("junit", BEFORE[:1], AFTER[2:], *options, code=0)
