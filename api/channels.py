"""/api/channels: where notices go outside the product, how that went, and when nothing is to be told.

An address and its keys go to Key Vault and never come back; what is shown of them is the host.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Request, Response, status
from pydantic import ConfigDict, Field, SecretStr, StrictBool

from api.access import Admin, IfMatch, Now, Operator, Viewer
from api.contract import gives, may
from api.paging import PageSize, Token, tenant_pager
from api.settings import TypeName
from api.shapes import Guid, ListOf, Moment, Name, RowKey, Shape, View
from drift.channels import edits
from drift.channels.model import (
    Cadence,
    ChannelKind,
    Selection,
    StoredChannel,
    Timing,
    Weekday,
)
from drift.channels.rows import (
    Outcome,
    StoredDelivery,
    get_channel,
    page_channels,
    page_deliveries,
)
from drift.channels.stories import StoryKind
from drift.channels.targets import MOST_RECIPIENTS, Security, Target
from drift.engine.findings import Event
from drift.engine.model import Severity
from errors import Conflict

router = APIRouter(tags=["channels"])

Clock = Annotated[str, Field(pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9])?$")]
Secret = Annotated[SecretStr, Field(max_length=2000)]
Mailbox = Annotated[str, Field(max_length=320)]


class TargetBody(Shape):
    """Address and keys. Which members are needed depends on the kind; docs/notices.md has them all."""

    url: Secret = SecretStr("")
    key: Secret = Field(
        default=SecretStr(""),
        description="routing key, API key, access key, or connection string of Communication Services",
    )
    signing_key: Secret = Field(
        default=SecretStr(""), description="of a webhook: `whsec_` and 24 to 64 bytes in base64"
    )
    host: str = Field(default="", max_length=253, description="of a mail server")
    port: int = Field(default=587, ge=1, le=65535, strict=True)
    security: Security = Security.STARTTLS
    username: str = Field(default="", max_length=320)
    password: Secret = SecretStr("")
    sender: Mailbox = ""
    recipients: list[Mailbox] = Field(default=[], max_length=MOST_RECIPIENTS)

    def to_target(self) -> Target:
        return Target(
            url=self.url.get_secret_value(),
            key=self.key.get_secret_value(),
            signing_key=self.signing_key.get_secret_value(),
            host=self.host,
            port=self.port,
            security=self.security,
            username=self.username,
            password=self.password.get_secret_value(),
            sender=self.sender,
            recipients=tuple(self.recipients),
        )


class ChannelBody(Shape):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "Drift in #platform",
                    "kind": "slack",
                    "target": {"url": "https://hooks.slack.com/services/T000/B000/XXXX"},
                },
                {
                    "name": "Network team, each morning",
                    "kind": "smtp",
                    "severities": ["critical", "high", "medium"],
                    "types": ["Microsoft.Network/networkSecurityGroups"],
                    "cadence": "daily",
                    "at": "08:30",
                    "zone": "Europe/Berlin",
                    "target": {
                        "host": "smtp.example.com",
                        "username": "drift",
                        "password": "SECRET",
                        "sender": "drift@example.com",
                        "recipients": ["network@example.com"],
                    },
                },
            ]
        }
    )

    name: Name
    kind: ChannelKind
    enabled: StrictBool = True
    events: tuple[Event, ...] = Field(
        default=(Event.OPENED, Event.REOPENED, Event.WORSENED), max_length=len(Event)
    )
    severities: tuple[Severity, ...] = Field(
        default=(Severity.CRITICAL, Severity.HIGH), max_length=len(Severity)
    )
    types: list[TypeName] = Field(default=[], max_length=200, description="empty: all")
    subscriptions: list[Guid] = Field(default=[], max_length=200, description="empty: all")
    tag: str = Field(default="", max_length=500, description="name, or name=value")
    cadence: Cadence = Cadence.IMMEDIATE
    at: Clock = Field(default="09:00", description="local time of a daily or weekly digest")
    weekday: Weekday = Field(default=Weekday.MONDAY, description="of a weekly digest")
    zone: str = Field(
        default="UTC", max_length=100, description="time zone by name, such as Europe/Berlin"
    )
    quiet_from: Clock = Field(default="", description="local time; empty: no quiet hours")
    quiet_until: Clock = Field(default="", description="local time")
    critical_passes: StrictBool = Field(
        default=True, description="what is critical goes in quiet hours too"
    )
    target: TargetBody | None = Field(
        default=None, description="where it leads; left out in an edit, it stays as it is"
    )

    def to_wanted(self) -> edits.Wanted:
        selection = Selection(
            self.events, self.severities, tuple(self.types), tuple(self.subscriptions), self.tag
        )
        timing = Timing(
            self.cadence,
            self.at or "09:00",
            self.weekday,
            self.zone,
            self.quiet_from,
            self.quiet_until,
            self.critical_passes,
        )
        target = self.target.to_target() if self.target else None
        return edits.Wanted(self.name, self.kind, self.enabled, selection, timing, target)


class ChannelView(View):
    id: str
    name: str
    kind: ChannelKind
    host: str = Field(description="all that is shown of where it leads")
    enabled: bool
    disabled_because: str = Field(description="where the product switched it off by itself")
    events: tuple[Event, ...]
    severities: tuple[Severity, ...]
    types: tuple[str, ...]
    subscriptions: tuple[str, ...]
    tag: str
    cadence: Cadence
    at: str
    weekday: Weekday
    zone: str
    quiet_from: str
    quiet_until: str
    critical_passes: bool
    snoozed_until: datetime | None
    created_at: datetime
    created_by: str
    etag: str


class AttemptView(View):
    at: datetime
    delivered: bool
    status: int = Field(description="of HTTP or SMTP, 0 when there was none")
    reason: str
    milliseconds: int


class DeliveryView(View):
    id: str = Field(description="the same at each try: `webhook-id`, and `id` of the event")
    kind: StoryKind
    headline: str
    severity: Severity
    incident: str = Field(description="correlation id of what caused it all; '' when not known")
    events: tuple[tuple[str, str], ...]
    created_at: datetime
    due_at: datetime = Field(description="not tried before")
    outcome: Outcome
    reason: str
    bundle: str = Field(description="the digest that told it")
    attempts: tuple[AttemptView, ...]


class UntilBody(Shape):
    model_config = ConfigDict(json_schema_extra={"examples": [{"until": "2099-05-31T00:00:00Z"}]})

    until: Moment | None = Field(default=None, description="left out or null: from now on again")


@router.get("/api/channels", response_model=ListOf[ChannelView])
async def list_channels(
    tenant: Viewer, request: Request, size: PageSize = 50, token: Token = None
) -> ListOf[ChannelView]:
    """Where the tenant's notices go besides its inbox."""
    pager = await tenant_pager(request, tenant)
    found, cursor = await page_channels(tenant.store, after=pager.start(token), limit=size)
    return ListOf(value=[view_channel(one) for one in found], next_link=pager.link(cursor))


@router.post(
    "/api/channels",
    response_model=ChannelView,
    status_code=status.HTTP_201_CREATED,
    responses=gives("ETag", 201) | may(Conflict),
)
async def create_channel(
    tenant: Admin, body: ChannelBody, now: Now, response: Response
) -> ChannelView:
    """Adds a channel. Nothing is sent yet: test it."""
    stored = await edits.add_channel(tenant, body.to_wanted(), now=now)
    response.headers["ETag"] = stored.etag
    return view_channel(stored)


@router.get(
    "/api/channels/{channel_id}",
    response_model=ChannelView,
    name="get_channel",
    responses=gives("ETag"),
)
async def get(channel_id: RowKey, tenant: Viewer, response: Response) -> ChannelView:
    """One channel, with the ETag that an edit needs."""
    stored = await get_channel(tenant.store, channel_id)
    response.headers["ETag"] = stored.etag
    return view_channel(stored)


@router.patch("/api/channels/{channel_id}", response_model=ChannelView, responses=gives("ETag"))
async def edit_channel(
    channel_id: RowKey,
    tenant: Admin,
    body: ChannelBody,
    etag: IfMatch,
    now: Now,
    response: Response,
) -> ChannelView:
    """Replaces what is said of a channel. Its kind stays, and so does its target when none is sent. A signing key that
    is replaced goes on signing beside the new one for 24 hours."""
    wanted = body.to_wanted()
    stored = await edits.change_channel(tenant, channel_id, wanted, etag=etag, now=now)
    response.headers["ETag"] = stored.etag
    return view_channel(stored)


@router.delete("/api/channels/{channel_id}", status_code=status.HTTP_204_NO_CONTENT)
async def remove_channel(channel_id: RowKey, tenant: Admin, etag: IfMatch, now: Now) -> None:
    """Removes a channel, its secret and, within a day, its log. What waits for it is not sent."""
    await edits.remove_channel(tenant, channel_id, etag=etag, now=now)


@router.post(
    "/api/channels/{channel_id}/test",
    response_model=DeliveryView,
    status_code=status.HTTP_202_ACCEPTED,
)
async def test_channel(channel_id: RowKey, tenant: Admin, now: Now) -> DeliveryView:
    """Sends an example the way every notice goes, at once. How it went is in the delivery log."""
    return view_delivery(await edits.test_channel(tenant, channel_id, now=now))


@router.post(
    "/api/channels/{channel_id}/snooze", response_model=ChannelView, responses=gives("ETag")
)
async def snooze_channel(
    channel_id: RowKey,
    tenant: Operator,
    body: UntilBody,
    etag: IfMatch,
    now: Now,
    response: Response,
) -> ChannelView:
    """Holds everything for the channel until a time; then it comes as one digest. No time: from now on again."""
    stored = await edits.snooze_channel(tenant, channel_id, body.until, etag=etag, now=now)
    response.headers["ETag"] = stored.etag
    return view_channel(stored)


@router.get("/api/channels/{channel_id}/deliveries", response_model=ListOf[DeliveryView])
async def list_deliveries(
    channel_id: RowKey, tenant: Viewer, request: Request, size: PageSize = 50, token: Token = None
) -> ListOf[DeliveryView]:
    """What the channel was told, newest first, with every try: when, how it ended, how long it took."""
    pager = await tenant_pager(request, tenant)
    await get_channel(tenant.store, channel_id)
    found, cursor = await page_deliveries(
        tenant.store, channel_id, after=pager.start(token), limit=size
    )
    return ListOf(value=[view_delivery(one) for one in found], next_link=pager.link(cursor))


@router.post(
    "/api/channels/{channel_id}/deliveries/{delivery_id}/replay",
    response_model=DeliveryView,
    status_code=status.HTTP_202_ACCEPTED,
    responses=may(Conflict),
)
async def replay_delivery(
    channel_id: RowKey, delivery_id: RowKey, tenant: Admin, now: Now
) -> DeliveryView:
    """Sends a delivery once more, with the same content and under the same id."""
    return view_delivery(await edits.replay(tenant, channel_id, delivery_id, now=now))


def view_channel(stored: StoredChannel) -> ChannelView:
    channel = stored.channel
    parts = (channel, channel.selection, channel.timing)
    said = {
        name: getattr(part, name)
        for name in ChannelView.model_fields
        for part in parts
        if hasattr(part, name)
    }
    return ChannelView(**said, id=channel.channel_id, etag=stored.etag)


def view_delivery(stored: StoredDelivery) -> DeliveryView:
    delivery = stored.delivery
    return DeliveryView(
        id=delivery.delivery_id,
        kind=delivery.story.kind,
        headline=delivery.story.headline,
        severity=delivery.story.severity,
        incident=delivery.story.incident,
        events=delivery.events,
        created_at=delivery.created_at,
        due_at=delivery.due_at,
        outcome=delivery.outcome,
        reason=delivery.reason,
        bundle=delivery.bundle,
        attempts=tuple(AttemptView.model_validate(one) for one in delivery.attempts),
    )
