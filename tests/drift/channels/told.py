"""Stories for tests of templates, with what somebody in Azure may type."""

from __future__ import annotations

from datetime import UTC, datetime

from drift.channels.envelope import Envelope
from drift.channels.stories import Item, Story, StoryKind
from drift.engine.findings import Event
from drift.engine.model import ChangeKind, Severity

TENANT = "0f0e0d0c-0b0a-4009-8807-060504030201"
SUBSCRIPTION = "1b4e28ba-2fa1-4d21-883f-0016d3cca427"
NOW = datetime(2026, 11, 23, 10, 15, tzinfo=UTC)
NASTY = (
    "<script>alert(1)</script> <!channel> <@U123> @everyone [click](https://evil.example) *b* _i_ `c` "
    "<https://evil.example|x> &lt; {{DATE(2026-01-01)}} ${x} <at>Ada</at>\r\nBcc: eve@evil.example\x1b[31m\u202egnp"
)


def item(
    number: int = 1,
    *,
    text: str = "",
    event: Event = Event.OPENED,
    severity: Severity = Severity.HIGH,
) -> Item:
    said = text or f"web{number}"
    return Item(
        event=event,
        finding_id=f"{SUBSCRIPTION}.{number:032x}",
        severity=severity,
        kind=ChangeKind.MODIFIED,
        resource_id=f"/subscriptions/{SUBSCRIPTION}/resourceGroups/shop/providers/a/b/{said}",
        resource_type="microsoft.web/sites",
        title="Reachable from the internet",
        path=f"/tags/{text}" if text else "/properties/open",
        before=text or "10.0.0.0/8",
        after=text or "Internet",
        changed_by=text or "ada@contoso.com",
        operation="Microsoft.Web/sites/write",
        changed_at="2026-11-23T10:00:00Z",
    )


def story(
    *items: Item, incident: str = "", total: int = 0, left: int = 0, subscription: str = "shop"
) -> Story:
    return Story(
        StoryKind.DRIFT,
        items or (item(),),
        total or len(items) or 1,
        SUBSCRIPTION,
        subscription,
        incident,
        left,
    )


def envelope(told: Story | None = None, *, text: str = "") -> Envelope:
    return Envelope(
        notice_id="c1.8236438100000.abc",
        tenant_id=TENANT,
        tenant=text or "contoso",
        channel_id="c1",
        channel=text or "hook",
        story=told or story(),
        created_at=NOW,
        site_url="https://drift.example.com",
    )


def nasty() -> Envelope:
    """Whatever somebody may type is typed everywhere."""
    return envelope(story(item(text=NASTY), subscription=NASTY), text=NASTY)
