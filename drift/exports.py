"""Findings as files for other programs: CSV, JSON with a schema, SARIF, JUnit. Each is made piece by piece, so that
nobody holds all of it, and says what is not known: an empty list alone would look like "in sync".
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol
from xml.sax.saxutils import escape, quoteattr

import msgspec

from drift.engine.findings import Status
from drift.engine.model import Change, Json
from drift.entries import About, Entry, Scope
from drift.renderings import Sarif

SCHEMA_VERSION = 1
SCHEMA: dict[str, Any] = msgspec.json.decode(
    Path(__file__).with_name("findings.schema.json").read_bytes()
)
LARGEST_CELL = 8_000  # characters of a value in a cell or a message; JSON has it whole
COLUMNS = (
    "severity", "status", "change", "title", "resourceId", "resourceType", "subscriptionId", "subscription",
    "path", "before", "after", "changes", "changedBy", "changedAt", "incident", "firstSeen", "lastSeen",
    "evidence", "decidedBy", "reason", "acceptedUntil", "id",
)  # fmt: skip
# A cell that begins so is a formula to a spreadsheet, in full-width forms too; blanks before it are skipped there.
_FORMULA = re.compile("^[\\s\u200b\ufeff]*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]|^[\t\r\n]")
_NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Form(Protocol):
    """One file in the making: `head`, then `add` for each finding, then `tail`."""

    def __init__(self, about: About) -> None: ...
    def head(self) -> bytes: ...
    def add(self, entry: Entry) -> bytes: ...
    def tail(self) -> bytes: ...


class Csv:
    """RFC 4180, one line a finding with its worst change. What is unknown comes first, a line a subscription."""

    def __init__(self, about: About) -> None:
        self._about, self._names = about, about.names

    def head(self) -> bytes:
        unknown = (_unknown_cells(scope) for scope in self._about.unknown)
        return _lines([COLUMNS, *unknown])

    def add(self, entry: Entry) -> bytes:
        return _lines([[guard(cell) for cell in _cells(entry, self._names)]])

    def tail(self) -> bytes:
        return b""


class Document:
    """The JSON that drift/findings.schema.json describes."""

    def __init__(self, about: About) -> None:
        self._about = about
        self._first = True

    def head(self) -> bytes:
        about = self._about
        said = {
            "schemaVersion": SCHEMA_VERSION,
            "generatedAt": _time(about.made_at),
            "title": about.title,
            "tenantId": about.tenant_id or None,
            "filters": dict(about.filters),
            "complete": not about.unknown,
            "subscriptions": [
                {
                    "id": scope.subscription_id,
                    "name": scope.name,
                    "state": scope.state,
                    "reason": scope.reason,
                    "readAt": _time(scope.read_at),
                }
                for scope in about.scopes
            ],
        }
        return msgspec.json.encode(said)[:-1] + b',"findings":['

    def add(self, entry: Entry) -> bytes:
        divider, self._first = (b"\n" if self._first else b",\n"), False
        return divider + msgspec.json.encode(_as_json(entry))

    def tail(self) -> bytes:
        return b"]}\n"


class Junit:
    """A test case a finding: what has to be dealt with fails, what was decided is skipped, what is unknown is an error.
    The number of failures stands in no attribute: it is known only at the end, and readers count."""

    def __init__(self, about: About) -> None:
        self._about, self._names = about, about.names

    def head(self) -> bytes:
        name = xml_attribute(self._about.title)
        pieces = [
            '<?xml version="1.0" encoding="UTF-8"?>\n',
            f"<testsuites>\n<testsuite name={name}>\n",
            *(_case(scope) for scope in self._about.scopes),
        ]
        return "".join(pieces).encode()

    def add(self, entry: Entry) -> bytes:
        subscription = self._names.get(entry.subscription_id, entry.subscription_id)
        name = f"{entry.resource_id}: {entry.title}"
        head = f"<testcase classname={xml_attribute(subscription)} name={xml_attribute(name)}>"
        return f"{head}{_verdict(entry)}</testcase>\n".encode()

    def tail(self) -> bytes:
        return b"</testsuite>\n</testsuites>\n"


@dataclass(frozen=True, slots=True)
class Kind:
    form: type[Form]
    media_type: str
    suffix: str  # of a file's name


KINDS: Mapping[str, Kind] = {
    "csv": Kind(Csv, "text/csv; charset=utf-8; header=present", "csv"),
    "json": Kind(Document, "application/json", "json"),
    "sarif": Kind(Sarif, "application/sarif+json", "sarif"),
    "junit": Kind(Junit, "application/xml", "junit.xml"),
}


def write(kind: str, about: About, entries: Iterable[Entry]) -> Iterator[bytes]:
    """The file's pieces, in order."""
    form = KINDS[kind].form(about)
    yield form.head()
    for entry in entries:
        yield form.add(entry)
    yield form.tail()


def guard(text: str) -> str:
    """The cell as text to every spreadsheet: one that would be a formula begins with an apostrophe."""
    return f"'{text}" if _FORMULA.match(text) else text


def as_text(value: Json) -> str:
    """A value on one line; text as it is."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if len(text) <= LARGEST_CELL else f"{text[: LARGEST_CELL - 1]}…"


def _lines(rows: Iterable[Iterable[str]]) -> bytes:
    output = io.StringIO(newline="")
    csv.writer(output, lineterminator="\r\n").writerows(rows)
    return output.getvalue().encode()


def _cells(entry: Entry, names: Mapping[str, str]) -> Iterator[str]:
    worst, who = entry.worst, entry.attribution
    yield from (entry.severity, entry.status, entry.kind, entry.title)
    yield from (entry.resource_id, entry.resource_type, entry.subscription_id)
    yield from (names.get(entry.subscription_id, entry.subscription_id), worst.path)
    yield from (as_text(worst.before), as_text(worst.after), str(len(entry.changes)))
    yield from (who.changed_by, who.timestamp, who.correlation_id) if who else ("", "", "")
    yield from (_time(entry.first_seen) or "", _time(entry.last_seen) or "", entry.evidence)
    yield from (entry.decided_by, entry.reason, _time(entry.accepted_until) or "")
    yield entry.finding_id


def _unknown_cells(scope: Scope) -> list[str]:
    said = {
        "status": "unknown",
        "title": "Whether this subscription drifted is unknown",
        "resourceId": f"/subscriptions/{scope.subscription_id}",
        "subscriptionId": scope.subscription_id,
        "subscription": scope.name,
        "reason": scope.reason,
    }
    return [guard(said.get(column, "")) for column in COLUMNS]


def _as_json(entry: Entry) -> dict[str, Any]:
    who = entry.attribution
    return {
        "id": entry.finding_id or None,
        "subscriptionId": entry.subscription_id,
        "resourceId": entry.resource_id,
        "resourceType": entry.resource_type,
        "change": entry.kind,
        "severity": entry.severity,
        "status": entry.status,
        "title": entry.title,
        "advice": entry.advice,
        "evidence": entry.evidence or None,
        "firstSeen": _time(entry.first_seen),
        "lastSeen": _time(entry.last_seen),
        "baselineId": entry.baseline_id or None,
        "ignoredBy": entry.ignored_by or None,
        "decidedBy": entry.decided_by or None,
        "decidedAt": _time(entry.decided_at),
        "reason": entry.reason,
        "acceptedUntil": _time(entry.accepted_until),
        "attribution": who
        and {
            "changedBy": who.changed_by,
            "changedByType": who.changed_by_type,
            "clientType": who.client_type,
            "operation": who.operation,
            "correlationId": who.correlation_id,
            "timestamp": who.timestamp,
        },
        "changes": [_change(change) for change in entry.changes],
    }


def _change(change: Change) -> dict[str, Any]:
    return {
        "path": change.path,
        "kind": change.kind,
        "before": change.before,
        "after": change.after,
        "severity": change.severity,
        "rule": change.rule,
        "note": change.note,
    }


def _case(scope: Scope) -> str:
    """How much of a subscription is known: the case that fails when nobody could look."""
    head = f"<testcase classname={xml_attribute(scope.name)} name={xml_attribute('is known')}>"
    wrong = f"<error message={xml_attribute(scope.reason)}/>" if scope.unknown else ""
    return f"{head}{wrong}</testcase>\n"


def _verdict(entry: Entry) -> str:
    worst = entry.worst
    if entry.status is Status.RESOLVED:
        return ""
    if not entry.unsettled:
        said = f"{entry.status}: {entry.reason}" if entry.reason else entry.status
        return f"<skipped message={xml_attribute(said)}/>"
    text = f"{worst.path or '(resource)'}: {as_text(worst.before)} -> {as_text(worst.after)}"
    message = f"{entry.severity}: {entry.title}"
    return (
        f"<failure type={xml_attribute(entry.severity)} message={xml_attribute(message)}>"
        f"{escape(_legal(text))}</failure>"
    )


def xml_attribute(text: str) -> str:
    """The text as an attribute's value, quotes included."""
    return quoteattr(_legal(text))


def _legal(text: str) -> str:
    """XML 1.0 has no place for most control characters, not even escaped."""
    return _NO_XML.sub("\ufffd", text)


def _time(moment: datetime | None) -> str | None:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}" if moment else None
