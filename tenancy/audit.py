"""The audit trail of a tenant: who did what, newest first, append-only. Never holds a secret."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from tenancy.rowkeys import newest_first
from tenancy.rows import Row
from tenancy.store import Table, TenantStore


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: a principal, or the system itself."""

    key: str
    name: str
    application: bool = False  # no person


MOST_PAGES = 5
SLACK = timedelta(hours=1)
SYSTEM = Actor("system", "Azure Drift Detector")


async def record(
    store: TenantStore, actor: Actor, action: str, target: str, *, now: datetime, detail: str = ""
) -> None:
    """Appends one row, e.g. action `baseline.activate`, target a baseline id, detail JSON of before and after."""
    key = f"{newest_first(now)}.{secrets.token_hex(4)}"
    await store.insert(
        Table.AUDIT,
        key,
        {
            "at": now,
            "actor": actor.key,
            "actor_name": actor.name,
            "action": action,
            "target": target,
            "detail": detail[:8000],
        },
    )


@dataclass(frozen=True, slots=True)
class Entry:
    entry_id: str
    at: datetime
    actor: str
    actor_name: str
    action: str
    target: str
    detail: str


@dataclass(frozen=True, slots=True)
class Filter:
    """What is asked for; '' and None ask for everything."""

    actor: str = ""
    action: str = ""  # the whole of it, or the part before a dot
    target: str = ""
    since: datetime | None = None
    until: datetime | None = None

    def matches(self, entry: Entry) -> bool:
        return (
            (not self.actor or entry.actor == self.actor)
            and (not self.action or f"{entry.action}.".startswith(f"{self.action}."))
            and (not self.target or entry.target == self.target)
            and (self.since is None or entry.at >= self.since)
            and (self.until is None or entry.at <= self.until)
        )


async def page_entries(
    store: TenantStore, wanted: Filter, *, after: str, limit: int
) -> tuple[list[Entry], str]:
    """Newest first, and where to go on ('' at the end). A filter that meets little gives short pages: no more than
    MOST_PAGES of storage are read for one of ours."""
    # A row key is an hour late at most (`record_entry`), so a time may be left out at that distance only.
    start = newest_first(wanted.until + SLACK) if wanted.until else ""
    cursor = max(after, start)
    found: list[Entry] = []
    for _ in range(MOST_PAGES):
        rows, following = await store.page(Table.AUDIT, after=cursor, limit=limit)
        for row in rows:
            cursor = row.key
            entry = _read(row)
            if wanted.since and row.key > newest_first(wanted.since - SLACK):
                return found, ""
            if wanted.matches(entry):
                found.append(entry)
            if len(found) == limit:
                return found, cursor
        if not following:
            return found, ""
        cursor = following
    return found, cursor


def _read(row: Row) -> Entry:
    values = row.values
    return Entry(
        row.key,
        values["at"],
        values["actor"],
        values["actor_name"],
        values["action"],
        values["target"],
        values.get("detail", ""),
    )


async def record_entry(store: TenantStore, actor: Actor, *, now: datetime) -> None:
    """A platform operator entered the tenant. One row an hour: the key repeats within it."""
    hour = now.replace(minute=0, second=0, microsecond=0)
    await store.put(
        Table.AUDIT,
        f"{newest_first(hour)}.entry.{actor.key}",
        {
            "at": now,
            "actor": actor.key,
            "actor_name": actor.name,
            "action": "platform.enter",
            "target": "tenant",
        },
    )


async def record_denial(store: TenantStore, actor: Actor, target: str, *, now: datetime) -> None:
    """Somebody of this tenant asked for another one. One row an hour and target, so that it fills no table."""
    hour = now.replace(minute=0, second=0, microsecond=0)
    await store.put(
        Table.AUDIT,
        f"{newest_first(hour)}.denied.{actor.key}.{target}",
        {
            "at": now,
            "actor": actor.key,
            "actor_name": actor.name,
            "action": "access.denied",
            "target": target,
        },
    )
