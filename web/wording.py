"""How the product's words look on a page: marks beside colours, ages, names of resources, values as text."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from markupsafe import Markup

from drift.backups.jobs import JobStatus
from drift.channels.model import Cadence, ChannelKind
from drift.channels.rows import Outcome
from drift.engine.findings import Event, Status
from drift.engine.model import ChangeKind, Json, Severity
from drift.engine.pointers import unescape
from drift.engine.severities import title_of
from drift.scans import ScanStatus
from drift.standing import State
from tenancy.connections import ConnectionKind
from web.naming import resource_group, resource_kind, resource_name

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
EVENT_NAMES: Mapping[Event, str] = {
    Event.OPENED: "opened",
    Event.REOPENED: "open again",
    Event.WORSENED: "worse",
    Event.RESOLVED: "resolved",
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
RETENTION_NAMES: Mapping[str, str] = {
    "scans": "Scans",
    "findings": "Findings that are resolved",
    "history": "Changes and earlier states of resources",
    "audit": "Audit trail",
    "notices": "Notices",
    "usage": "Usage",
}
JOB_MARKS: Mapping[JobStatus, str] = {
    JobStatus.QUEUED: "…",
    JobStatus.RUNNING: "▸",
    JobStatus.DONE: "✓",
    JobStatus.FAILED: "✕",
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
    "retention": "How long things are kept",
    "fourEyes": "Four eyes",
}
CHANNEL_NAMES: Mapping[ChannelKind, str] = {
    ChannelKind.TEAMS: "Microsoft Teams",
    ChannelKind.SLACK: "Slack",
    ChannelKind.SMTP: "E-mail by your mail server",
    ChannelKind.AZURE_MAIL: "E-mail by Azure Communication Services",
    ChannelKind.PAGERDUTY: "PagerDuty",
    ChannelKind.OPSGENIE: "Opsgenie",
    ChannelKind.WEBHOOK: "Webhook",
    ChannelKind.EVENT_GRID: "Azure Event Grid",
}
CHANNEL_HINTS: Mapping[ChannelKind, str] = {
    ChannelKind.TEAMS: "The address of a workflow that posts to a channel when a webhook request is received.",
    ChannelKind.SLACK: "The address of an incoming webhook of a Slack app.",
    ChannelKind.SMTP: "With STARTTLS or TLS, and a sign-in where your server wants one.",
    ChannelKind.AZURE_MAIL: "A verified sender of your own resource, or the mail of this deployment.",
    ChannelKind.PAGERDUTY: "An alert for each incident, resolved when its findings are.",
    ChannelKind.OPSGENIE: "An alert for each incident, closed when its findings are.",
    ChannelKind.WEBHOOK: "CloudEvents 1.0, signed as Standard Webhooks.",
    ChannelKind.EVENT_GRID: "A custom topic with the CloudEvents schema.",
}
KEY_NAMES: Mapping[ChannelKind, str] = {
    ChannelKind.AZURE_MAIL: "Connection string",
    ChannelKind.PAGERDUTY: "Routing key",
    ChannelKind.OPSGENIE: "API key",
    ChannelKind.EVENT_GRID: "Access key",
}
CADENCE_NAMES: Mapping[Cadence, str] = {
    Cadence.IMMEDIATE: "at once",
    Cadence.HOURLY: "hourly digest",
    Cadence.DAILY: "daily digest",
    Cadence.WEEKLY: "weekly digest",
}
OUTCOME_NAMES: Mapping[Outcome, str] = {
    Outcome.HELD: "held",
    Outcome.QUEUED: "on its way",
    Outcome.DELIVERED: "delivered",
    Outcome.FAILED: "failed",
    Outcome.BUNDLED: "in a digest",
    Outcome.SKIPPED: "not sent",
}
OUTCOME_MARKS: Mapping[Outcome, str] = {
    Outcome.HELD: "‖",
    Outcome.QUEUED: "…",
    Outcome.DELIVERED: "✓",
    Outcome.FAILED: "✕",
    Outcome.BUNDLED: "✓",
    Outcome.SKIPPED: "—",
}
OUTCOME_CLASSES: Mapping[Outcome, str] = {
    Outcome.HELD: "low",
    Outcome.QUEUED: "low",
    Outcome.DELIVERED: "ok",
    Outcome.FAILED: "failed",
    Outcome.BUNDLED: "ok",
    Outcome.SKIPPED: "unknown",
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


def until(value: datetime | None) -> Markup:
    """When something ends. The end of a day in UTC, as forms give it, is that day in every zone."""
    if value is None:
        return Markup("—")
    utc = value.astimezone(UTC)
    if (utc.hour, utc.minute) != (23, 59):
        return moment(value)
    return Markup('<time class="day" datetime="{}" title="until {} UTC">{}</time>').format(
        f"{utc:%Y-%m-%d}", f"{utc:%Y-%m-%d %H:%M}", f"{utc:%Y-%m-%d}"
    )


def age(value: datetime | None, now: datetime) -> Markup:
    """How long ago, with the time itself at hand."""
    if value is None:
        return Markup("never")
    utc = f"{value:%Y-%m-%d %H:%M:%S} UTC"
    text = ago(value, now)
    return Markup('<time class="age" datetime="{}" title="{}">{}</time>').format(
        value.isoformat(), utc, text
    )


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


def members(detail: str) -> list[tuple[str, str]]:
    """What an audit entry says, member by member, without those that are empty; a sentence is one without a name."""
    try:
        content = json.loads(detail)
    except ValueError:
        return [("", detail)] if detail else []
    if not isinstance(content, dict):
        return [("", detail)]
    told = ((name, value(member)) for name, member in content.items() if member not in (None, ""))
    return [(name.replace("_", " "), text) for name, text in told]


def is_cut(content: Json) -> bool:
    """Whether storage kept only size and digest of a long value."""
    return isinstance(content, dict) and content.get("truncated") is True and "sha256" in content


ALLOWANCE_NAMES: Mapping[str, str] = {
    "resources": "Resources",
    "scansADay": "Scans today",
    "storedBytes": "Stored",
}
# Where the page of an audited thing is, by what its actions begin with.
AUDITED_PAGES: Mapping[str, str] = {
    "baseline": "/baselines/",
    "channel": "/channels/",
    "finding": "/findings/",
    "rule": "/rules#rule-",
    "scan": "/scans/",
}
UNITS = ("B", "kB", "MB", "GB", "TB")


def amount(value: int | None, name: str) -> str:
    """A number of things as it is, one of bytes in the unit that keeps it short. None is no number, so never 0."""
    if value is None:
        return "not measured yet"
    if name != "storedBytes":
        return f"{value:,}"
    size, unit = float(value), 0
    while size >= 1000 and unit < len(UNITS) - 1:
        size, unit = size / 1000, unit + 1
    return f"{size:,.1f} {UNITS[unit]}" if unit else f"{value} B"


def number(count: int, word: str, plural: str = "") -> str:
    return f"{count:,} {word}" if count == 1 else f"{count:,} {plural or word + 's'}"


def size(count: int) -> str:
    """Bytes as a person says them."""
    for unit in ("bytes", "KB", "MB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000  # type: ignore[assignment]
    return f"{count:,.3g} GB"


FILTERS: dict[str, Callable[..., Any]] = {
    "age": age,
    "amount": amount,
    "instant": instant,
    "is_cut": is_cut,
    "members": members,
    "moment": moment,
    "number": number,
    "resource_group": resource_group,
    "resource_kind": resource_kind,
    "resource_name": resource_name,
    "segments": segments,
    "size": size,
    "span": span,
    "until": until,
    "value": value,
}
WORDS: dict[str, Any] = {
    "ALLOWANCE_NAMES": ALLOWANCE_NAMES,
    "AUDITED_PAGES": AUDITED_PAGES,
    "CADENCE_NAMES": CADENCE_NAMES,
    "CHANNEL_HINTS": CHANNEL_HINTS,
    "CHANNEL_NAMES": CHANNEL_NAMES,
    "CONNECTION_NAMES": CONNECTION_NAMES,
    "EVENT_NAMES": EVENT_NAMES,
    "JOB_MARKS": JOB_MARKS,
    "KEY_NAMES": KEY_NAMES,
    "KIND_MARKS": KIND_MARKS,
    "OUTCOME_CLASSES": OUTCOME_CLASSES,
    "OUTCOME_MARKS": OUTCOME_MARKS,
    "OUTCOME_NAMES": OUTCOME_NAMES,
    "SCAN_MARKS": SCAN_MARKS,
    "SETTING_NAMES": SETTING_NAMES,
    "SEVERITIES": tuple(Severity),
    "SEVERITY_MARKS": SEVERITY_MARKS,
    "STATE_MARKS": STATE_MARKS,
    "STATE_NAMES": STATE_NAMES,
    "STATUS_NAMES": STATUS_NAMES,
    "title_of": title_of,
}
