"""Exports are what they say: CSV that no spreadsheet computes, JSON of its schema, SARIF 2.1.0, JUnit that is XML;
and each says what nobody knows."""

from __future__ import annotations

import csv
import io
import json
import xml.etree.ElementTree as ET
from dataclasses import replace
from typing import Any

import jsonschema_rs
import pytest

from drift.engine.findings import Status
from drift.engine.model import Change, ChangeKind, Severity
from drift.entries import About, Entry
from drift.exports import COLUMNS, KINDS, SCHEMA, guard, write
from tests.drift.reported import KNOWN, NOW, PAYLOAD, SUBSCRIPTION, UNKNOWN, about, entry
from tests.drift.sarif import SARIF

ACCEPTED = entry(
    status=Status.ACCEPTED, decided_by="Ada", decided_at=NOW, reason="agreed", accepted_until=NOW
)
RESOLVED = entry(status=Status.RESOLVED)


def make(kind: str, *entries: Entry, of: About | None = None) -> str:
    return b"".join(write(kind, of or about(), entries)).decode()


def rows(*entries: Entry, of: About | None = None) -> list[dict[str, str]]:
    text = make("csv", *entries, of=of)
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


@pytest.mark.parametrize(
    "text",
    [
        "=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\tx", "\rx", "  =1", "\u00a0=1", "\u200b=1",
        "\ufeff=1",
        "\uff1d1+1", "\uff0b1", "\uff0d1", "\uff20SUM(A1)", " \uff1d1", "=HYPERLINK(\"http://x\",\"y\")",
    ],
)  # fmt: skip
def test_cell_that_would_be_a_formula_is_text(text: str) -> None:
    assert guard(text) == f"'{text}"
    change = Change(text, ChangeKind.MODIFIED, text, text, Severity.LOW)
    (row,) = rows(entry(resource_id=text, reason=text, changes=(change,)))
    for column in ("resourceId", "path", "before", "after", "reason"):
        assert row[column] == f"'{text}", column


@pytest.mark.parametrize("text", ["", "a=1", "10.0.0.0/8", "/x", "ä", "1-2", "'x"])
def test_other_cells_stay_as_they_are(text: str) -> None:
    assert guard(text) == text


def test_csv_is_rfc_4180() -> None:
    nasty = 'a "quoted", b\r\nc;d'
    change = Change("/tags/a", ChangeKind.MODIFIED, nasty, {"b": [1]}, Severity.LOW)
    text = make("csv", entry(changes=(change,)))
    assert text.split("\r\n")[0] == ",".join(COLUMNS)
    assert text.endswith("\r\n")
    (row,) = rows(entry(changes=(change,)))
    assert (row["before"], row["after"]) == (nasty, '{"b":[1]}')
    assert row["subscription"] == "shop"
    assert row["firstSeen"] == "2026-11-23T10:15:00Z"


def test_csv_has_a_line_a_finding_with_its_worst_change() -> None:
    worst = entry().changes[0]
    mild = replace(worst, path="/tags/a", severity=Severity.LOW)
    (row,) = rows(entry(changes=(mild, worst)))
    assert (row["path"], row["changes"]) == (worst.path, "2")
    (row,) = rows(ACCEPTED)
    assert [row[name] for name in ("status", "reason", "decidedBy", "acceptedUntil")] == [
        "accepted", "agreed", "Ada", "2026-11-23T10:15:00Z"
    ]  # fmt: skip


def test_csv_says_first_what_is_unknown() -> None:
    unknown, known = rows(entry(), of=about(UNKNOWN, KNOWN))
    assert (unknown["status"], unknown["subscription"]) == ("unknown", "left")
    assert unknown["reason"] == "No permission."
    assert known["status"] == "open"
    assert rows() == []


def test_json_is_what_its_schema_says() -> None:
    validator = jsonschema_rs.validator_for(SCHEMA, validate_formats=True)
    many = (entry(), ACCEPTED, RESOLVED, entry(attribution=None, ignored_by="r"))
    for entries in ((), many, (replace(entry(), finding_id="", evidence="", first_seen=None),)):
        validator.validate(json.loads(make("json", *entries)))
    document = json.loads(make("json", *many, of=about(UNKNOWN, KNOWN)))
    validator.validate(document)
    assert document["schemaVersion"] == 1
    assert document["complete"] is False
    assert [one["state"] for one in document["subscriptions"]] == ["unknown", "drifted"]
    assert document["findings"][0]["changes"][0]["after"] is True
    assert document["findings"][1]["reason"] == "agreed"
    assert json.loads(make("json"))["complete"] is True
    with pytest.raises(jsonschema_rs.ValidationError):
        validator.validate(document | {"schemaVersion": 2})


def results(*entries: Entry, of: About | None = None) -> list[dict[str, Any]]:
    log = json.loads(make("sarif", *entries, of=of))
    jsonschema_rs.validator_for(SARIF, validate_formats=True).validate(log)
    found: list[dict[str, Any]] = log["runs"][0]["results"]
    return found


def test_sarif_tells_how_each_result_relates_to_what_is_known() -> None:
    states = {status: results(entry(status=status))[0]["baselineState"] for status in Status}
    assert states == {
        Status.OPEN: "new",
        Status.REOPENED: "updated",
        Status.ACKNOWLEDGED: "unchanged",
        Status.ACCEPTED: "unchanged",
        Status.IGNORED: "unchanged",
        Status.RESOLVED: "absent",
    }
    (accepted,) = results(ACCEPTED)
    assert accepted["suppressions"] == [{"kind": "external", "justification": "agreed"}]
    assert "suppressions" not in results(entry())[0]


def test_sarif_fingerprint_stays_when_everything_else_changes() -> None:
    (first,) = results(entry())
    other = Change(first["partialFingerprints"]["resourcePath/v1"], ChangeKind.ADDED, None, 1)
    assert other.path.endswith("/properties/allowblobpublicaccess")
    change = replace(entry().changes[0], before=1, after=2, severity=Severity.LOW, rule="x")
    upper = entry().resource_id.upper()
    (later,) = results(entry(changes=(change,), resource_id=upper, status=Status.REOPENED))
    assert later["partialFingerprints"] == first["partialFingerprints"]
    assert results(entry("others"))[0]["partialFingerprints"] != first["partialFingerprints"]


def test_sarif_run_over_what_is_unknown_did_not_succeed() -> None:
    log = json.loads(make("sarif", of=about(UNKNOWN)))
    (invocation,) = log["runs"][0]["invocations"]
    assert invocation["executionSuccessful"] is False
    (note,) = invocation["toolExecutionNotifications"]
    assert "left" in note["message"]["text"]
    assert "No permission." in note["message"]["text"]
    results(of=about(UNKNOWN))
    known = json.loads(make("sarif"))["runs"][0]["invocations"]
    assert known == [{"executionSuccessful": True}]


def verdicts(text: str) -> list[tuple[str, str, str]]:
    """Class, name and outcome of each case."""
    cases = ET.fromstring(text).iter("testcase")
    return [(c.get("classname", ""), c.get("name", ""), "".join(e.tag for e in c)) for c in cases]


def test_junit_fails_on_what_is_to_be_dealt_with_and_errs_on_what_is_unknown() -> None:
    given = (entry(), ACCEPTED, RESOLVED)
    found = verdicts(make("junit", *given, of=about(UNKNOWN, KNOWN)))
    assert [(where, outcome) for where, _, outcome in found] == [
        ("left", "error"),
        ("shop", ""),
        ("shop", "failure"),
        ("shop", "skipped"),
        ("shop", ""),
    ]
    assert found[2][1].startswith(f"/subscriptions/{SUBSCRIPTION}/")


def test_junit_bears_what_xml_does_not() -> None:
    control = "\x00\x1b\ud7ff\ufffe]]>&<'\""
    change = Change("/a", ChangeKind.MODIFIED, control, PAYLOAD, Severity.LOW)
    text = make("junit", entry(control + PAYLOAD, changes=(change,)))
    _, case = ET.fromstring(text).iter("testcase")
    failure = case.find("failure")
    assert failure is not None
    assert PAYLOAD in (failure.text or "")
    assert "\x1b" not in text
    assert "\ufffd" in text


def test_values_that_are_very_long_are_cut_in_cells_and_whole_in_json() -> None:
    change = Change("/a", ChangeKind.MODIFIED, "x" * 20_000, 1, Severity.LOW)
    (row,) = rows(entry(changes=(change,)))
    assert len(row["before"]) == 8_000
    whole = json.loads(make("json", entry(changes=(change,))))
    assert len(whole["findings"][0]["changes"][0]["before"]) == 20_000


def test_every_kind_of_file_has_a_name_of_its_own() -> None:
    assert {kind.suffix for kind in KINDS.values()} == {"csv", "json", "sarif", "junit.xml"}
