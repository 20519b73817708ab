"""What a channel is: where it leads, what it wants to hear, and when. Its address is in the vault, not here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from drift.engine.findings import Event, Finding
from drift.engine.model import Severity
from drift.engine.tenant_rules import has_tag


class ChannelKind(StrEnum):
    TEAMS = "teams"  # a workflow's webhook, which posts an adaptive card
    SLACK = "slack"
    SMTP = "smtp"
    AZURE_MAIL = "azure_mail"  # Azure Communication Services
    PAGERDUTY = "pagerduty"
    OPSGENIE = "opsgenie"
    WEBHOOK = "webhook"  # CloudEvents, signed as Standard Webhooks
    EVENT_GRID = "event_grid"


PAGING = frozenset({ChannelKind.PAGERDUTY, ChannelKind.OPSGENIE})  # an alert that is closed again


class Cadence(StrEnum):
    IMMEDIATE = "immediate"
    HOURLY = "hourly"
    DAILY = "daily"
    WEEKLY = "weekly"


class Weekday(StrEnum):
    MONDAY = "monday"
    TUESDAY = "tuesday"
    WEDNESDAY = "wednesday"
    THURSDAY = "thursday"
    FRIDAY = "friday"
    SATURDAY = "saturday"
    SUNDAY = "sunday"


@dataclass(frozen=True, slots=True)
class Selection:
    """What a channel wants to hear. Empty lists of types and subscriptions let everything pass."""

    events: tuple[Event, ...] = (Event.OPENED, Event.REOPENED, Event.WORSENED)
    severities: tuple[Severity, ...] = (Severity.CRITICAL, Severity.HIGH)
    types: tuple[str, ...] = ()  # compared without case
    subscriptions: tuple[str, ...] = ()
    tag: str = ""  # `name` or `name=value`

    def covers(self, finding: Finding, event: str, tags: Mapping[str, str] | None) -> bool:
        """`tags` are the resource's, None where nobody knows them: then nothing is kept quiet for want of a tag."""
        if event not in self.events or finding.severity not in self.severities:
            return False
        if self.types and finding.resource_type.lower() not in {one.lower() for one in self.types}:
            return False
        if self.subscriptions and finding.subscription_id not in self.subscriptions:
            return False
        return not self.tag or tags is None or has_tag(self.tag, tags)


@dataclass(frozen=True, slots=True)
class Timing:
    """When a channel is told. Times are local ones of `zone`; empty quiet hours are none."""

    cadence: Cadence = Cadence.IMMEDIATE
    at: str = "09:00"  # of daily and weekly digests
    weekday: Weekday = Weekday.MONDAY  # of weekly ones
    zone: str = "UTC"
    quiet_from: str = ""
    quiet_until: str = ""
    critical_passes: bool = True  # through quiet hours


@dataclass(frozen=True, slots=True)
class Channel:
    channel_id: str
    name: str
    kind: ChannelKind
    selection: Selection
    timing: Timing
    host: str  # all that is shown of the address
    secret_name: str  # in the vault: address and keys
    created_at: datetime
    created_by: str
    enabled: bool = True
    snoozed_until: datetime | None = None
    disabled_because: str = ""  # where the product switched it off itself


@dataclass(frozen=True, slots=True)
class StoredChannel:
    channel: Channel
    etag: str


@dataclass(frozen=True, slots=True)
class MaintenanceWindow:
    """A time in which changes by named deployers are expected: recorded, and told to no channel."""

    window_id: str
    name: str
    starts_at: datetime
    ends_at: datetime
    deployers: tuple[str, ...]  # object id or name, as attribution has it; compared without case
    created_by: str

    def expects(self, changed_by: str, at: datetime) -> bool:
        named = changed_by.lower() in {one.lower() for one in self.deployers}
        return bool(changed_by) and named and self.starts_at <= at < self.ends_at


@dataclass(frozen=True, slots=True)
class StoredWindow:
    window: MaintenanceWindow
    etag: str
