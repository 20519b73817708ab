"""A tenant's own settings: when to scan, what counts, whom to tell. Defaults are what most tenants want.

One row of the table `settings` holds them, and behind it stands one row for every change there was, newest first.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum

import msgspec
from cronsim import CronSim, CronSimError

from drift.engine.model import Severity
from drift.retention import Retention, check_retention
from errors import Conflict, Invalid, NotFound, Stale
from tenancy.audit import Actor
from tenancy.rows import Row, join_binary, split_binary
from tenancy.store import Operation, Table, TenantStore, Write

ROW = "settings"
CHANGE = "change."
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
    retention: Retention = field(default_factory=Retention)
    four_eyes: bool = False  # whether a baseline version needs a second person to become active
    backups_kept: int = 7  # of the nightly ones, and as many of those that somebody asked for


@dataclass(frozen=True, slots=True)
class Stored:
    preferences: Preferences
    etag: str


class ChangeAction(StrEnum):
    START = "start"  # when the tenant was provisioned
    CHANGE = "change"
    REVERT = "revert"


@dataclass(frozen=True, slots=True)
class Change:
    """One change of the settings: who, when, before and after."""

    change_id: str
    at: datetime
    actor: Actor
    action: ChangeAction
    before: Preferences | None  # None: there were none
    after: Preferences
    reverted_to: str = ""  # id of the change whose settings came back


async def get_preferences(store: TenantStore) -> Stored:
    stored = await find_preferences(store)
    if stored is None:
        raise NotFound("This tenant has no settings yet.")
    return stored


async def find_preferences(store: TenantStore) -> Stored | None:
    row = await store.find(Table.SETTINGS, ROW)
    if row is None:
        return None
    return Stored(msgspec.json.decode(join_binary(row.values), type=Preferences), row.etag)


async def save_preferences(store: TenantStore, change: Change, *, etag: str) -> str:
    """Writes what the change makes of the settings, and the change itself, both or neither, and returns the new ETag.

    Raises Stale when somebody else changed them after `etag` was read; '' stands for no settings yet.
    """
    try:
        return (await store.transact(Table.SETTINGS, write_change(change, etag)))[0]
    except Conflict:
        raise Stale("Somebody else changed the settings. Read them again.") from None


def write_change(change: Change, etag: str) -> list[Operation]:
    """The settings and the row of their history, to be written in one transaction."""
    check(change.after)
    values = split_binary(msgspec.json.encode(change.after))
    settings = (
        Operation(Write.UPDATE, ROW, values, etag) if etag else Operation(Write.INSERT, ROW, values)
    )
    told = Operation(
        Write.INSERT,
        CHANGE + change.change_id,
        {
            "at": change.at,
            "actor": change.actor.key,
            "actor_name": change.actor.name,
            "action": change.action.value,
            "reverted_to": change.reverted_to,
            **split_binary(msgspec.json.encode((change.before, change.after))),
        },
    )
    return [settings, told]


async def page_changes(store: TenantStore, *, after: str, limit: int) -> tuple[list[Change], str]:
    """Newest first."""
    rows, cursor = await store.page(Table.SETTINGS, prefix=CHANGE, after=after, limit=limit)
    return [_read_change(row) for row in rows], cursor


async def get_change(store: TenantStore, change_id: str) -> Change:
    row = await store.find(Table.SETTINGS, CHANGE + change_id)
    if row is None:
        raise NotFound("There is no such change of the settings.")
    return _read_change(row)


def _read_change(row: Row) -> Change:
    values = row.values
    before, after = msgspec.json.decode(
        join_binary(values), type=tuple[Preferences | None, Preferences]
    )
    return Change(
        change_id=row.key.removeprefix(CHANGE),
        at=values["at"],
        actor=Actor(values["actor"], values["actor_name"]),
        action=ChangeAction(values["action"]),
        before=before,
        after=after,
        reverted_to=values["reverted_to"],
    )


def check(preferences: Preferences) -> None:
    """Raises Invalid, naming the field."""
    check_retention(preferences.retention)
    if not 1 <= preferences.backups_kept <= 90:
        raise Invalid("backupsKept must be from 1 to 90.", field="backupsKept")
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
