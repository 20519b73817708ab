"""How the product's words look on a page: marks beside colours, ages, names of resources, values as text."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from markupsafe import Markup

from drift.engine.findings import Status
from drift.engine.model import ChangeKind, Json, Severity
from drift.engine.pointers import unescape
from drift.engine.severities import title_of
from drift.scans import ScanStatus
from drift.standing import State
from tenancy.connections import ConnectionKind

# A shape for each, so that nothing is told by colour alone.
SEVERITY_MARKS: Mapping[Severity, str] = {
    Severity.CRITICAL: "◆",
    Severity.HIGH: "▲",
    Severity.MEDIUM: "■",
    Severity.LOW: "●",
    Severity.INFORMATIONAL: "○",
}
STATUS_NAMES: Mapping[Status, str] = {
    Status.OPEN: "open",
    Status.ACKNOWLEDGED: "acknowledged",
    Status.ACCEPTED: "accepted",
    Status.IGNORED: "ignored",
    Status.RESOLVED: "resolved",
    Status.REOPENED: "open again",
}
STATE_NAMES: Mapping[State, str] = {
    State.IN_SYNC: "in sync",
    State.DRIFTED: "drifted",
    State.UNKNOWN: "unknown",
    State.NEVER_SCANNED: "never scanned",
    State.PAUSED: "paused",
}
STATE_MARKS: Mapping[State, str] = {
    State.IN_SYNC: "✓",
    State.DRIFTED: "≠",
    State.UNKNOWN: "?",
    State.NEVER_SCANNED: "—",
    State.PAUSED: "‖",
}
SCAN_MARKS: Mapping[ScanStatus, str] = {
    ScanStatus.QUEUED: "…",
    ScanStatus.RUNNING: "▸",
    ScanStatus.COMPLETE: "✓",
    ScanStatus.INCOMPLETE: "?",
    ScanStatus.FAILED: "✕",
    ScanStatus.CANCELLED: "—",
}
KIND_MARKS: Mapping[ChangeKind, str] = {
    ChangeKind.ADDED: "+",
    ChangeKind.REMOVED: "-",
    ChangeKind.MODIFIED: "~",
}
CONNECTION_NAMES: Mapping[ConnectionKind, str] = {
    ConnectionKind.FEDERATED: "Federation, no secret: the deployment's app, which you consent to",
    ConnectionKind.LIGHTHOUSE: "Azure Lighthouse: subscriptions delegated to the deployment",
    ConnectionKind.CLIENT_SECRET: "App registration with a client secret",
    ConnectionKind.CERTIFICATE: "App registration with a certificate",
}
SETTING_NAMES: Mapping[str, str] = {
    "schedule": "Schedule",
    "scope": "Which resources count",
    "notify": "Severities that notify",
    "retentionDays": "Days that things are kept",
    "fourEyes": "Four eyes",
}
_NAMED = re.compile(r"\[\w*=([^,\]]+)\]")  # an item that one member identifies
_STEPS: tuple[tuple[int, str], ...] = ((86_400, "day"), (3_600, "hour"), (60, "minute"))


def span(length: timedelta) -> str:
    """A length of time as a person says it: one unit, rounded down."""
    seconds = int(abs(length.total_seconds()))
    for size, name in _STEPS:
        if seconds >= size:
            number = seconds // size
            return f"{number} {name}{'s' if number > 1 else ''}"
    return "less than a minute"


def ago(moment: datetime, now: datetime) -> str:
    if timedelta() <= now - moment < timedelta(minutes=1):
        return "just now"
    return f"in {span(moment - now)}" if moment > now else f"{span(now - moment)} ago"


def moment(value: datetime | None) -> Markup:
    """A time that a script puts into the reader's zone; without it, UTC."""
    if value is None:
        return Markup("—")
    utc = f"{value:%Y-%m-%d %H:%M} UTC"
    return Markup('<time datetime="{}" title="{}">{}</time>').format(value.isoformat(), utc, utc)


def age(value: datetime | None, now: datetime) -> Markup:
    """How long ago, with the time itself at hand."""
    if value is None:
        return Markup("never")
    utc = f"{value:%Y-%m-%d %H:%M:%S} UTC"
    text = ago(value, now)
    return Markup('<time class="age" datetime="{}" title="{}">{}</time>').format(
        value.isoformat(), utc, text
    )


def resource_name(resource_id: str) -> str:
    """What people call it: the names behind the provider, or the last segment."""
    head, divider, tail = resource_id.rpartition("/providers/")
    if not divider:
        return head.rpartition("/")[2] or tail.rpartition("/")[2] or resource_id
    names = tail.split("/")[2::2]
    return "/".join(names) or tail


def resource_kind(resource_type: str) -> str:
    """A type without its provider's usual prefix: network/networksecuritygroups."""
    return resource_type.removeprefix("microsoft.")


def resource_group(resource_id: str) -> str:
    parts = resource_id.split("/")
    return parts[4] if len(parts) > 4 and parts[3].lower() == "resourcegroups" else ""


def segments(path: str) -> list[str]:
    """A path for reading: its members one by one, items by their names, without the `properties` that all have."""
    parts = [_legible(part) for part in path.split("/")[1:]]
    return [part for part in parts[:-1] if part != "properties"] + parts[-1:]


def _legible(segment: str) -> str:
    """A segment as people say it: `[name=web]` is web, `[=10.0.0.0/24]` is 10.0.0.0/24."""
    named = _NAMED.fullmatch(segment)
    return unescape(named[1] if named else segment)


def instant(text: str) -> Markup:
    """A time as Azure wrote it, like the others; whatever else it wrote, as it is."""
    try:
        return moment(datetime.fromisoformat(text))
    except ValueError:
        return Markup.escape(text)


def value(content: Json) -> str:
    """A value as text on one line or several."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if isinstance(content, dict | list):
        return json.dumps(content, ensure_ascii=False, indent=2)
    return json.dumps(content)


def is_cut(content: Json) -> bool:
    """Whether storage kept only size and digest of a long value."""
    return isinstance(content, dict) and content.get("truncated") is True and "sha256" in content


def number(count: int, word: str, plural: str = "") -> str:
    return f"{count:,} {word}" if count == 1 else f"{count:,} {plural or word + 's'}"


FILTERS: dict[str, Callable[..., Any]] = {
    "age": age,
    "instant": instant,
    "is_cut": is_cut,
    "moment": moment,
    "number": number,
    "resource_group": resource_group,
    "resource_kind": resource_kind,
    "resource_name": resource_name,
    "segments": segments,
    "span": span,
    "value": value,
}
WORDS: dict[str, Any] = {
    "CONNECTION_NAMES": CONNECTION_NAMES,
    "KIND_MARKS": KIND_MARKS,
    "SCAN_MARKS": SCAN_MARKS,
    "SETTING_NAMES": SETTING_NAMES,
    "SEVERITIES": tuple(Severity),
    "SEVERITY_MARKS": SEVERITY_MARKS,
    "STATE_MARKS": STATE_MARKS,
    "STATE_NAMES": STATE_NAMES,
    "STATUS_NAMES": STATUS_NAMES,
    "title_of": title_of,
}
