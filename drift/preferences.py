"""A tenant's own settings: when to scan, what counts, whom to tell. One row; defaults are what most tenants want."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec
from cronsim import CronSim, CronSimError

from drift.engine.model import Severity
from errors import Invalid, NotFound, PreconditionRequired
from tenancy.store import Table, TenantStore

ROW = "settings"
SHORTEST_INTERVAL = timedelta(minutes=5)  # a scan takes its time, and Azure's quota is shared


@dataclass(frozen=True, slots=True)
class Scope:
    """Which resources count. Empty include lists mean all; excludes win. Everything is compared without case."""

    include_types: tuple[str, ...] = ()
    exclude_types: tuple[str, ...] = ()
    include_groups: tuple[str, ...] = ()
    exclude_groups: tuple[str, ...] = ()

    def covers(self, resource_id: str, resource_type: str) -> bool:
        group = resource_group(resource_id)
        kind = resource_type.lower()
        if self.include_types and kind not in _folded(self.include_types):
            return False
        if self.include_groups and group not in _folded(self.include_groups):
            return False
        return kind not in _folded(self.exclude_types) and group not in _folded(self.exclude_groups)


@dataclass(frozen=True, slots=True)
class Preferences:
    schedule: str = "0 * * * *"  # cron with five fields, UTC; '' is never
    scope: Scope = Scope()
    notify: tuple[Severity, ...] = (Severity.CRITICAL, Severity.HIGH)
    retention_days: int = 365


@dataclass(frozen=True, slots=True)
class Stored:
    preferences: Preferences
    etag: str


async def get_preferences(store: TenantStore) -> Stored:
    row = await store.find(Table.SETTINGS, ROW)
    if row is None:
        raise NotFound("This tenant has no settings yet.")
    return Stored(msgspec.json.decode(row.values["body"], type=Preferences), row.etag)


async def create_preferences(store: TenantStore, preferences: Preferences) -> str:
    check(preferences)
    return await store.put(Table.SETTINGS, ROW, {"body": msgspec.json.encode(preferences)})


async def save_preferences(store: TenantStore, preferences: Preferences, *, etag: str) -> str:
    """Raises Stale when somebody else changed them after `etag` was read."""
    check(preferences)
    if not etag:
        raise PreconditionRequired("Send If-Match with the ETag of the settings you read.")
    body = msgspec.json.encode(preferences)
    return await store.update(Table.SETTINGS, ROW, {"body": body}, etag=etag)


def check(preferences: Preferences) -> None:
    """Raises Invalid, naming the field."""
    if not 7 <= preferences.retention_days <= 3650:
        raise Invalid("retentionDays must be from 7 to 3650.", field="retentionDays")
    if not preferences.schedule:
        return
    first = next_slot(preferences.schedule, datetime(2026, 1, 1, tzinfo=UTC))
    if next_slot(preferences.schedule, first) - first < SHORTEST_INTERVAL:
        raise Invalid("schedule must leave at least 5 minutes between scans.", field="schedule")


def next_slot(schedule: str, after: datetime) -> datetime:
    """The first time of a cron schedule behind `after`, UTC. Raises Invalid for what is no cron schedule."""
    wrong = Invalid(
        "schedule must be a cron schedule of five fields in UTC, such as 0 * * * *.",
        field="schedule",
    )
    if len(schedule.split()) != 5:  # cronsim also takes seconds
        raise wrong
    try:
        return next(CronSim(schedule, after))
    except (CronSimError, StopIteration) as error:
        raise wrong from error


def resource_group(resource_id: str) -> str:
    """Lower-cased resource group of an ARM id, '' for what is in none."""
    parts = resource_id.lower().split("/")
    return parts[4] if len(parts) > 4 and parts[3] == "resourcegroups" else ""


def _folded(values: tuple[str, ...]) -> set[str]:
    return {value.lower() for value in values}
