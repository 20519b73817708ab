"""A comparison as text for people and as JSON Lines for programs, and findings of anything as SARIF 2.1.0."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

import msgspec

from drift.engine.findings import Status
from drift.engine.model import Change, ChangeKind, Json, Severity
from drift.engine.rules import find
from drift.entries import About, Entry, entry_of_files
from drift.offline import Found, Report

LONGEST_VALUE = 200  # characters of a value in text; JSON and SARIF have it whole
_SIGNS = {ChangeKind.ADDED: "+", ChangeKind.REMOVED: "-", ChangeKind.MODIFIED: "~"}
_LEVELS = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "note",
    Severity.INFORMATIONAL: "note",
}
# GitHub sorts alerts by this number: over 9 is critical, over 7 high, over 4 medium.
_SCORES = {
    Severity.CRITICAL: "9.5",
    Severity.HIGH: "8.0",
    Severity.MEDIUM: "5.5",
    Severity.LOW: "3.0",
    Severity.INFORMATIONAL: "1.0",
}
# How a result relates to the baseline: between two files the kind of its change says that, of a tenant its status.
_BASELINE_OF_KIND = {
    ChangeKind.ADDED: "new",
    ChangeKind.REMOVED: "absent",
    ChangeKind.MODIFIED: "updated",
}
_BASELINE_OF_STATUS = {
    Status.OPEN: "new",
    Status.REOPENED: "updated",
    Status.ACKNOWLEDGED: "unchanged",
    Status.ACCEPTED: "unchanged",
    Status.IGNORED: "unchanged",
    Status.RESOLVED: "absent",
}
_SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)


def write_text(report: Report, output: BinaryIO, *, after: str) -> None:
    for found in report:
        if not found.ignored_by:
            output.write("\n".join(_paragraph(found)).encode() + b"\n\n")
    output.write(f"{_summary(report)}\n".encode())


def write_json(report: Report, output: BinaryIO, *, after: str) -> None:
    for found in report:
        if not found.ignored_by:
            output.write(msgspec.json.encode(_as_json(found)) + b"\n")


def write_sarif(report: Report, output: BinaryIO, *, after: str) -> None:
    log = Sarif(About("", datetime.now(UTC), artifact=after))
    output.write(log.head())
    for found in report:
        output.write(log.add(entry_of_files(found)))
    output.write(log.tail())


class Sarif:
    """A SARIF log, piece by piece. Results come before the rules they name: those are known only when all findings were
    read. What could not be read makes the run one that did not succeed, and is told with it."""

    def __init__(self, about: About) -> None:
        self._about = about
        self._rules: dict[str, int] = {}
        self._results = 0

    def head(self) -> bytes:
        invocation = msgspec.json.encode([_invocation(self._about)])
        opening = b'{"$schema":"%s","version":"2.1.0","runs":[{"invocations":%s,"results":['
        return opening % (_SCHEMA.encode(), invocation)

    def add(self, entry: Entry) -> bytes:
        pieces = []
        for change in entry.changes:
            index = self._rules.setdefault(change.rule or "explained", len(self._rules))
            result = msgspec.json.encode(_result(entry, change, index, self._about))
            pieces.append(b"," + result if self._results else result)
            self._results += 1
        return b"".join(pieces)

    def tail(self) -> bytes:
        driver = {
            "name": "Azure Drift Detector",
            "rules": [_sarif_rule(one) for one in self._rules],
        }
        tool = msgspec.json.encode({"driver": driver})
        return b'],"columnKind":"utf16CodeUnits","tool":%s}]}\n' % tool


FORMATS = {"text": write_text, "json": write_json, "sarif": write_sarif}


def _paragraph(found: Found) -> Iterator[str]:
    yield f"{found.severity:<13} {found.kind:<8} {plain(found.resource_id)}"
    for change in sorted(found.changes, key=lambda change: -change.severity.rank):
        rule = find(change.rule)
        why = change.note or (rule.title if rule else f"set by rule {change.rule}")
        values = "" if not change.path else f" {_values(change)}"
        yield f"  {_SIGNS[change.kind]} {plain(change.path or '(resource)')}{values}"
        yield f"      {change.severity}: {plain(why)}"


def _values(change: Change) -> str:
    match change.kind:
        case ChangeKind.ADDED:
            return _short(change.after)
        case ChangeKind.REMOVED:
            return _short(change.before)
        case ChangeKind.MODIFIED:
            return f"{_short(change.before)} -> {_short(change.after)}"


def _short(value: Json) -> str:
    text = plain(msgspec.json.encode(value).decode())
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 1]}…"


def plain(text: str) -> str:
    """Values are anybody's text: nothing in them may steer a terminal."""
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)


def _summary(report: Report) -> str:
    beside = "".join(
        f", {count} {what}"
        for count, what in ((report.explained, "explained"), (report.ignored, "ignored by rules"))
        if count
    )
    if not report.drifted:
        return f"No drift: {report.unchanged} resources are as before{beside}."
    counts = ", ".join(
        f"{report.severities[severity]} {severity}"
        for severity in Severity
        if report.severities[severity]
    )
    total = sum(report.severities.values())
    return f"{total} resources drifted ({counts}); {report.unchanged} are as before{beside}."


def _as_json(found: Found) -> dict[str, Any]:
    return {
        "resourceId": found.resource_id,
        "resourceType": found.resource_type,
        "change": found.kind,
        "severity": found.severity,
        "changes": [
            {
                "path": change.path,
                "kind": change.kind,
                "before": change.before,
                "after": change.after,
                "severity": change.severity,
            }
            for change in found.changes
        ],
    }


def _invocation(about: About) -> dict[str, Any]:
    notes = [
        {
            "level": "error",
            "message": {"text": f"{scope.name}: whether it drifted is unknown. {scope.reason}"},
        }
        for scope in about.unknown
    ]
    found = {"executionSuccessful": not notes}
    return {**found, "toolExecutionNotifications": notes} if notes else found


def _result(entry: Entry, change: Change, index: int, about: About) -> dict[str, Any]:
    place = entry.resource_id + change.path
    of_files = bool(about.artifact)
    uri = _uri(about.artifact) if of_files else quote(entry.resource_id.strip("/"))
    state = _BASELINE_OF_KIND[change.kind] if of_files else _BASELINE_OF_STATUS[entry.status]
    result: dict[str, Any] = {
        "ruleId": change.rule or "explained",
        "ruleIndex": index,
        "level": _LEVELS[change.severity],
        "message": {"text": _message(entry, change)},
        "baselineState": state,
        "locations": [
            {
                "physicalLocation": {"artifactLocation": {"uri": uri}},
                "logicalLocations": [{"fullyQualifiedName": place, "kind": "resource"}],
            }
        ],
        "partialFingerprints": {"resourcePath/v1": place.lower()},
        "properties": {"before": change.before, "after": change.after, "severity": change.severity},
    }
    if entry.suppressed:
        result["suppressions"] = [{"kind": "external", "justification": entry.reason}]
    return result


def _uri(name: str) -> str:
    path = Path(name)
    return path.as_uri() if path.is_absolute() else quote(path.as_posix())


def _message(found: Entry, change: Change) -> str:
    rule = find(change.rule)
    what = change.note or (rule.title if rule else f"set by rule {change.rule}")
    name = found.resource_id.rstrip("/").rpartition("/")[2]
    return f"{name}: {what}" + (f" ({change.path} {_values(change)})" if change.path else "")


def _sarif_rule(rule_id: str) -> dict[str, Any]:
    rule = find(rule_id)
    if rule is None:
        return {"id": rule_id}
    return {
        "id": rule_id,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.reason},
        "help": {"text": rule.action},
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
        "properties": {"security-severity": _SCORES[rule.severity], "tags": [rule.area]},
    }
