"""Messages for programs: CloudEvents 1.0 for webhooks and Event Grid, events of PagerDuty, alerts of Opsgenie."""

from __future__ import annotations

import hashlib
from datetime import UTC
from typing import Any, TypeAlias

import msgspec

from drift.channels.envelope import Envelope, about, facts, line, rest
from drift.channels.stories import Item, Story, StoryKind
from drift.engine.findings import Event
from drift.engine.model import Severity

Json: TypeAlias = dict[str, Any]
CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"
TYPE = "azuredriftdetector.drift"
LARGEST_EVENT = 19_000  # bytes: Standard Webhooks ask for less than 20 KB
PAGERDUTY_SEVERITIES = {
    Severity.CRITICAL: "critical",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "info",
    Severity.INFORMATIONAL: "info",
}
OPSGENIE_PRIORITIES = {
    Severity.CRITICAL: "P1",
    Severity.HIGH: "P2",
    Severity.MEDIUM: "P3",
    Severity.LOW: "P4",
    Severity.INFORMATIONAL: "P5",
}


def cloud_event(envelope: Envelope) -> bytes:
    """One event a notice, cut to size. `id` and `source` together are the same at each try and at each replay."""
    number = len(envelope.story.items)
    while True:
        body = msgspec.json.encode(_cloud_event(envelope, number))
        if len(body) <= LARGEST_EVENT or not number:
            return body
        number -= 1


def event_type(story: Story) -> str:
    name = story.event if story.kind is StoryKind.DRIFT else story.kind
    return f"{TYPE}.{name}.v1"


def _cloud_event(envelope: Envelope, number: int) -> Json:
    story = envelope.story
    alone = story.items[0].resource_id if story.total == 1 and story.items else ""
    subject = alone or (f"/subscriptions/{story.subscription_id}" if story.subscription_id else "")
    data: Json = {
        "tenantId": envelope.tenant_id,
        "tenant": envelope.tenant,
        "channel": envelope.channel,
        "headline": story.headline,
        "severity": story.severity,
        "incident": story.incident,
        "total": story.total,
        "findings": [_finding(item) for item in story.items[:number]],
    }
    if story.subscription_id:
        data |= {"subscriptionId": story.subscription_id, "subscription": story.subscription}
    if envelope.link:
        data["link"] = envelope.link
    event = {
        "specversion": "1.0",
        "id": envelope.notice_id,
        "source": f"urn:azure-drift-detector:tenant:{envelope.tenant_id}",
        "type": event_type(story),
        "time": envelope.created_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "datacontenttype": "application/json",
        "data": data,
    }
    return event | ({"subject": subject} if subject else {})


def _finding(item: Item) -> Json:
    return {
        "id": item.finding_id,
        "event": item.event,
        "severity": item.severity,
        "change": item.kind,
        "resourceId": item.resource_id,
        "resourceType": item.resource_type,
        "title": item.title,
        "path": item.path,
        "before": item.before,
        "after": item.after,
        "changedBy": item.changed_by,
        "operation": item.operation,
        "changedAt": item.changed_at,
    }


def closes(story: Story) -> bool:
    """Whether an alert ends with it: all it tells is resolved, and nothing of its incident is left to deal with."""
    resolved = {item.event for item in story.items} == {Event.RESOLVED}
    return resolved and story.kind is StoryKind.DRIFT and not story.left


def alert_key(envelope: Envelope) -> str:
    """What ties an alert to its end: the incident, or the one finding; of several nobody can explain, the notice."""
    story = envelope.story
    about_it = story.incident or envelope.notice_id
    if not story.incident and story.kind is StoryKind.DRIFT and story.total == 1:
        about_it = story.items[0].finding_id
    return hashlib.sha256(f"{envelope.tenant_id}|{about_it}".encode()).hexdigest()[:40]


def pagerduty(envelope: Envelope, routing_key: str) -> bytes:
    """An event of the Events API v2."""
    story = envelope.story
    event: Json = {
        "routing_key": routing_key,
        "dedup_key": alert_key(envelope),
        "event_action": "resolve" if closes(story) else "trigger",
        "client": "Azure Drift Detector",
        "payload": {
            "summary": line(envelope.title, 1000),
            "source": line(story.subscription or story.subscription_id or envelope.tenant, 200),
            "severity": PAGERDUTY_SEVERITIES[story.severity],
            "timestamp": envelope.created_at.isoformat(),
            "class": event_type(story),
            "custom_details": {"findings": _described(story)},
        },
    }
    if envelope.link:
        event |= {"client_url": envelope.link, "links": [{"href": envelope.link, "text": "Open"}]}
    return msgspec.json.encode(event)


def opsgenie(envelope: Envelope) -> tuple[str, bytes]:
    """What follows the address of its alerts, and the body: a new alert, or the end of one."""
    story = envelope.story
    if closes(story):
        note = {"source": "Azure Drift Detector", "note": line(envelope.title, 1000)}
        path = f"/{alert_key(envelope)}/close?identifierType=alias"
        return path, msgspec.json.encode(note)
    alert = {
        "message": line(envelope.title, 130),
        "alias": alert_key(envelope),
        "description": "\n".join(_described(story))[:15_000],
        "source": "Azure Drift Detector",
        "priority": OPSGENIE_PRIORITIES[story.severity],
        "tags": [event_type(story), story.severity],
        "details": {"notice": envelope.notice_id, "link": envelope.link},
    }
    return "", msgspec.json.encode(alert)


def _described(story: Story) -> list[str]:
    said = [
        "; ".join([about(item), *(f"{label}: {text}" for label, text in facts(item))])
        for item in story.items
    ]
    return [*said, *filter(None, (rest(story),))]
